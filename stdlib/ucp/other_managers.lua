-- Who was a manager besides the one that is kept. Source: "then re-join them using a docker swarm join operation with the swarm's new join-token".

return func {
  summary = "other_managers(ucp, keep) → list of the inventory names of UCP's other managers",
  call = function(u, keep)
    return filter(keys(u.managers), function(node) return node ~= keep end)
  end,
}
