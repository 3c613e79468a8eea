-- Delete one replica's containers and volumes without a word to the others: `docker/dtr destroy --replica-id A`.
-- Source: domain notes: for total teardown, before a restore. The others go on counting it as a member; `dtr.remove` is for living clusters.

return action {
  summary  = "Delete a replica's containers and volumes; the other replicas are not told",
  describe = "destroy the DTR replica ${replica}",
  inputs   = { replica = { type = "string", required = true, description = "ID of the replica" } },
  changes  = { "dtr" },
  destroys = "the containers and volumes of the replica",
  on_unknown = "check",
  membership = "dtr",
  planned  = true,

  effect = function(state, with, before)
    local old = lib.was(state, before)
    local r = old.replicas[with.replica]
    if not r then return nil end
    if not r.answers then return false end
    local d, was = state.dtr, lib.before(old)
    d.replicas[with.replica] = nil
    lib.recount(d, was)
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
    return state.dtr.replicas[with.replica] == nil and {}
  end,
}
