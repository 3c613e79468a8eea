-- Set how many tasks a service has: POST /services/{id}/update with Replicas.
-- Source: "Force the swarm to rebalance", `docker service scale`.

-- New tasks go to the ready, active nodes that have fewest, and those that go are of the nodes that have most.
local function respread(s, service, replicas)
  if not service.spread then return end
  local nodes = sorted(keys(filter(s.nodes, function(n) return n.state == "ready" and n.availability == "active" end)))
  if #nodes == 0 then return end
  local total = 0
  for _, n in pairs(service.spread) do total = total + n end
  while total ~= replicas do
    local up, best = total < replicas, nil
    for _, id in ipairs(nodes) do
      local n, m = service.spread[id] or 0, best and (service.spread[best] or 0)
      if not best or (up and n < m) or (not up and n > m) then best = id end
    end
    local n = (service.spread[best] or 0) + (up and 1 or -1)
    if n < 0 then return end -- what is left runs on nodes that take no tasks
    service.spread[best] = n > 0 and n or nil
    total = total + (up and 1 or -1)
  end
end

return action {
  summary  = "Set the number of replicas of a service",
  describe = "scale ${service} to ${replicas}",
  inputs   = { service = { type = "string", required = true, description = "its name" },
               replicas = { type = "integer", required = true, min = 0, description = "how many" } },
  changes  = { "swarm" },
  on_unknown = "check",

  effect = function(state, with)
    local s = state.swarm.services[with.service]
    if not s or s.mode ~= "replicated" or not lib.decides(state.swarm) then return false end
    s.desired, s.running = with.replicas, with.replicas
    if type(with.replicas) == "number" and with.replicas < 10000 then respread(state.swarm, s, with.replicas) end
  end,

  outcomes = {
    -- Setting the number starts no rolling update that could pause; what does happen is that the new tasks find no node.
    short = function(state, with)
      local s = state.swarm.services[with.service]
      if not s or s.mode ~= "replicated" or not lib.decides(state.swarm) or type(with.replicas) ~= "number" or with.replicas <= s.running then return false end
      s.desired = with.replicas
      return "ok"
    end,
  },
  outcome_texts = { short = "sets the number, but the new tasks do not come up" },

  done = function(state, with)
    local s = state.swarm.services[with.service]
    return s and s.desired == with.replicas and {} or false
  end,

  run = function(ctx, with)
    local via, engine = lib.spokesman(ctx)
    lib.update_service(ctx, via, engine, with.service, function(spec)
      if not spec.Mode.Replicated then return ctx.fail(via .. ": service " .. with.service .. " is not replicated, so it has no number of replicas") end
      spec.Mode.Replicated.Replicas = with.replicas
    end)
    return {}
  end,
}
