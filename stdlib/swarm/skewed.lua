-- Services whose tasks are badly spread. Source: "Force the swarm to rebalance": a node that joins or returns gets no task by itself.

return func {
  summary = "skewed(swarm) → sorted names of replicated services where one ready, active node has two or more tasks more than another; those with placement constraints are left out, for which nodes they may use is not known",
  call = function(s)
    local r = list{}
    local nodes = filter(s.nodes, function(n) return n.state == "ready" and n.availability == "active" end)
    for name, service in pairs(s.services) do
      if service.mode == "replicated" and not service.constrained and count(nodes) > 1 and service.desired > 0 then
        local least, most
        for id in pairs(nodes) do
          local n = service.spread and service.spread[id] or 0
          least = (not least or n < least) and n or least
          most = (not most or n > most) and n or most
        end
        if most - least >= 2 then r[#r + 1] = name end
      end
    end
    return sorted(r)
  end,
}
