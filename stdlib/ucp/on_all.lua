-- Whether UCP has come to every manager of the swarm, new ones included.

return func {
  summary = "on_all(ucp, swarm) → whether every manager of the swarm that answers has UCP",
  call = function(u, s)
    return all(s.managers, function(m)
      local x = m.name and u.managers[m.name]
      return not m.answers or m.name == nil or (x ~= nil and x.kv ~= "absent")
    end)
  end,
}
