-- Set how many tasks a service has: POST /services/{id}/update with Replicas.
-- Source: "Force the swarm to rebalance", `docker service scale`.

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
