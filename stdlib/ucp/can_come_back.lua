-- Source: "re-join them using a docker swarm join operation with the swarm's new join-token". As many as make an odd number of managers: an
-- even one tolerates no more losses.

return func {
  summary = "can_come_back(swarm, nodes) → those of the nodes that could become managers now and are none, for an odd number of managers",
  call = function(s, nodes)
    local r = filter(list(copy(nodes)), function(node)
      local how = ucp.comes_back(s, node)
      return how == "join" or how == "promote"
    end)
    if (s.quorum.voters + #r) % 2 == 0 then r = take(r, #r - 1) end
    return r
  end,
}
