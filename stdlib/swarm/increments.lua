-- The scales that a service goes through so that idle nodes get their share. Source: "scale the service up by modest increments a few times … then back down
-- to the original scale": new tasks go to the nodes with the fewest.

return func {
  summary = "increments(swarm, services) → list of {name, service, to, back}: for each replicated service at most three scales up, each by the number of nodes that lack tasks, and the one back",
  call = function(s, services)
    local r = list{}
    local nodes = filter(s.nodes, function(n) return n.state == "ready" and n.availability == "active" end)
    for _, name in ipairs(services) do
      local service = s.services[name]
      if service and service.mode == "replicated" and next(nodes) ~= nil then
        local n = count(nodes)
        local share, idle, lack = service.desired // n, 0, 0
        for id in pairs(nodes) do
          local has = service.spread and service.spread[id] or 0
          if has < share then idle, lack = idle + 1, math.max(lack, share - has) end
        end
        if idle == 0 then idle, lack = 1, 1 end
        for i = 1, math.min(lack, 3) do
          local to = service.desired + i * idle
          r[#r + 1] = { name = name .. "-" .. to, service = name, to = to, back = false }
        end
        r[#r + 1] = { name = name .. "-back", service = name, to = service.desired, back = true }
      end
    end
    return r
  end,
}
