-- Delete one replica's containers and volumes without a word to the others: `docker/dtr destroy --replica-id A`.
-- Source: domain notes: for total teardown, before a restore. The others go on counting it as a member; `dtr.remove` is for living clusters.

return action {
  summary  = "Delete a replica's containers and volumes; the other replicas are not told",
  describe = "destroy the DTR replica ${replica}",
  inputs   = { replica = { type = "string", required = true, description = "ID of the replica" },
               image = { type = "image", description = "DTR's tool, such as docker/dtr:2.6.4; default: that of the version which runs" },
               on = { type = "node", description = "where the tool runs; default: where the replica is" } },
  changes  = { "dtr" },
  destroys = "the containers and volumes of the replica",
  on_unknown = "check",
  membership = "dtr",

  effect = function(state, with, before)
    local old = lib.was(state, before)
    local r = old.replicas[with.replica]
    if not r and old.leftovers and old.leftovers[with.replica] then
      state.dtr.leftovers[with.replica] = nil
      lib.tally(state.dtr, lib.view(state.dtr), "predicted")
      return nil
    end
    if not r then return nil end
    if not r.answers then return false end
    local d, was = state.dtr, lib.before(old)
    d.replicas[with.replica] = nil
    lib.recount(d, was)
    lib.haunt(d, with.replica)
  end,

  outcomes = {
    volumes_only = function(state, with, before)
      local old = lib.was(state, before)
      if not old.replicas[with.replica] or not old.replicas[with.replica].answers then return false end
      local d, was = state.dtr, lib.before(old)
      local r = d.replicas[with.replica]
      r.volumes, r.health = "absent", "unhealthy"
      lib.recount(d, was)
    end,
  },
  outcome_texts = { volumes_only = "deletes its volumes, but not its containers" },

  done = function(state, with)
    if lib.busy(state.dtr) then return "pending" end
    local r = state.dtr.replicas[with.replica]
    return (not r or not r.answers and r.volumes == "absent") and {}
  end,

  images = lib.images,

  follow = lib.follow,

  run = function(ctx, with)
    local d, id = dtr.look(ctx), with.replica
    local r, left = d.replicas[id], d.leftovers and d.leftovers[id]
    if not left and (not r or r.volumes == "absent" and not r.answers) then return {} end
    if r and not r.answers then
      return ctx.fail("the replica " .. id .. " does not answer (" .. tostring(r.why) .. "), so nothing of it can be deleted now. " ..
        "If it is only to be counted no more, that is dtr.remove.")
    end
    dtr.tool(ctx, { command = "destroy", via = id, on = with.on or left, image = with.image, seen = d, argv = list{ "--replica-id", id }, within = 120,
      advice = "What is left is to be seen with `docker ps -a` and `docker volume ls` on " .. tostring(r and r.node or left) .. ": names that end in -" .. id .. ".",
      holds = function(now)
        local still, at = now.replicas[id], now.leftovers and now.leftovers[id]
        if not at and (not still or not still.answers and still.volumes == "absent") then return true end
        return false, at and "its volumes are still on " .. at or "something of it is still there"
      end })
    return {}
  end,
}
