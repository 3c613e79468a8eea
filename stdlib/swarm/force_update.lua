-- Restart a service's tasks so that they are spread anew: POST /services/{id}/update with ForceUpdate + 1.
-- Source: "Force the swarm to rebalance", `docker service update --force`. The tasks restart, by the service's own rolling update.

return action {
  summary  = "Restart the tasks of a service, so that they are spread over the nodes anew",
  describe = "restart the tasks of ${service}",
  inputs   = { service = { type = "string", required = true, description = "its name" },
               patience = { type = "duration", default = "10m", description = "how long its rolling update may take" } },
  changes  = { "swarm" },
  destroys = "the running tasks of the service, which are restarted one after the other: its clients may be disrupted",
  on_unknown = "check",

  before = function(state, with)
    local s = state.swarm.services[with.service]
    return { force_update = s and s.force_update or 0 }
  end,

  effect = function(state, with)
    local swarm = state.swarm
    local s = swarm.services[with.service]
    if not s or not lib.decides(swarm) then return false end
    s.force_update, s.update = (s.force_update or 0) + 1, "completed"
    s.running = s.desired
    local nodes = sorted(keys(filter(swarm.nodes, function(n) return n.state == "ready" and n.availability == "active" end)))
    if #nodes == 0 then return end
    s.spread = {}
    for i = 1, s.desired do
      local id = nodes[(i - 1) % #nodes + 1]
      s.spread[id] = (s.spread[id] or 0) + 1
    end
  end,

  outcomes = {
    paused = function(state, with)
      local s = state.swarm.services[with.service]
      if not s or s.running < 1 or not lib.decides(state.swarm) then return false end
      s.force_update, s.update, s.running = (s.force_update or 0) + 1, "paused", s.running - 1
    end,
  },
  outcome_texts = { paused = "stops half way: a new task does not come up, and the update is paused" },

  done = function(state, with, before)
    local s = state.swarm.services[with.service]
    if not s then return false end
    if (s.force_update or 0) <= (before and before.force_update or 0) then return false end
    if s.running >= s.desired and s.update ~= "updating" then return {} end
    return "pending"
  end,

  run = function(ctx, with)
    local via, engine = lib.spokesman(ctx)
    local id = lib.update_service(ctx, via, engine, with.service, function(spec)
      spec.TaskTemplate.ForceUpdate = (spec.TaskTemplate.ForceUpdate or 0) + 1
    end)
    ctx.progress("rolling update")
    local state, message
    lib.poll(ctx, lib.seconds(with.patience, 600), 1, function()
      local got = engine:get("/services/" .. id, { timeout = 20 })
      local update = got.ok and got.body.UpdateStatus
      if not update then return false end
      state, message = update.State, update.Message
      return state ~= "updating" and state ~= "rollback_started"
    end)
    if state ~= "completed" then
      return ctx.fail(via .. ": the update of service " .. with.service .. " is '" .. tostring(state) .. "'" ..
        (message and " (" .. message .. ")" or "") .. "; `docker service ps " .. with.service .. "` tells why", { unknown = state == "updating" or state == nil })
    end
    return {}
  end,
}
