-- Take replicas out of the cluster: `docker/dtr remove --existing-replica-id A --replica-ids B,C`.
-- Source: "Remove replicas"; domain notes: it goes through a healthy replica and needs a majority. It comes before joining new ones.

local as_it_was, remember, through, drop, recount = lib.was, lib.before, lib.through, lib.drop, lib.recount

-- Victims that are there, as a member or only as containers.
local function victims(d, with)
  local r = list{}
  for _, id in ipairs(with.replicas or {}) do
    if type(id) == "string" and d.replicas[id] then r[#r + 1] = id end
  end
  return r
end

-- false: the cluster refuses it.
local function remove(state, before, with, ids, clear)
  local old = as_it_was(state, before)
  if #ids == 0 then return nil end
  local was = remember(old)
  local via, i = through(old, was, with.existing_replica)
  if not via or contains(ids, via) then return false end
  local d = state.dtr
  drop(state, was, via, i, ids, clear)
  recount(d, was)
end

return action {
  summary  = "Remove replicas from the DTR cluster, through one that is healthy",
  describe = "remove the DTR replicas ${replicas}",
  inputs   = { existing_replica = { type = "string", required = true, description = "ID of a healthy replica to keep" },
               replicas = { type = "list", items = "string", required = true, description = "IDs of those to remove" } },
  changes  = { "dtr" },
  destroys = "the containers and volumes of the replicas that are removed",
  on_unknown = "check",
  membership = "dtr",
  settle   = "2m",
  planned  = true,

  effect = function(state, with, before)
    return remove(state, before, with, victims(as_it_was(state, before), with), true)
  end,

  outcomes = {
    partial = function(state, with, before)
      local ids = victims(as_it_was(state, before), with)
      if #ids < 2 then return false end
      return remove(state, before, with, take(ids, 1), true)
    end,
    late_error = function(state, with, before)
      local ids = victims(as_it_was(state, before), with)
      if #ids == 0 then return false end
      return remove(state, before, with, ids, false)
    end,
  },
  outcome_texts = { partial = "removes the first replica only", late_error = "removes them, but leaves their containers running" },

  done = function(state, with)
    local d = state.dtr
    for _, id in ipairs(with.replicas or {}) do
      if d.replicas[id] then return false end
      for _, r in pairs(d.replicas) do
        if r.health == "healthy" and contains(r.members, id) then return false end
      end
    end
    return {}
  end,
}
