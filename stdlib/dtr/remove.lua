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
               replicas = { type = "list", items = "string", required = true, description = "IDs of those to remove" },
               image = { type = "image", description = "DTR's tool, such as docker/dtr:2.6.4; default: that of the version which runs" },
               on = { type = "node", description = "where the tool runs; default: where the existing replica is" } },
  changes  = { "dtr" },
  destroys = "the containers and volumes of the replicas that are removed",
  on_unknown = "check",
  membership = "dtr",
  settle   = "2m",

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
    if lib.busy(state.dtr) then return "pending" end
    local d = state.dtr
    for _, id in ipairs(with.replicas or {}) do
      if d.replicas[id] then return false end
      for _, r in pairs(d.replicas) do
        if r.health == "healthy" and contains(r.members, id) then return false end
      end
    end
    return {}
  end,

  images = lib.images,

  follow = lib.follow,

  run = function(ctx, with)
    local d, ids = dtr.look(ctx), list{}
    for _, id in ipairs(with.replicas) do
      if d.replicas[id] or any(d.replicas, function(r) return contains(r.members, id) end) then ids[#ids + 1] = id end
    end
    if #ids == 0 then return {} end
    if contains(ids, with.existing_replica) then return ctx.fail("the replica " .. with.existing_replica .. " is to be kept and to be removed") end
    dtr.tool(ctx, { command = "remove", via = with.existing_replica, on = with.on, image = with.image, seen = d, within = 120,
      argv = list{ "--existing-replica-id", with.existing_replica, "--replica-ids", table.concat(ids, ",") },
      advice = "Look again (quorate diagnose) which replicas are left. Without a majority that is healthy use dtr/emergency-repair.",
      holds = function(now)
        for _, id in ipairs(ids) do
          if now.replicas[id] then return false, "the replica " .. id .. " is still there" .. (now.replicas[id].why and " (" .. now.replicas[id].why .. ")" or "") end
          for other, r in pairs(now.replicas) do
            if r.health == "healthy" and contains(r.members, id) then return false, "the replica " .. other .. " still counts " .. id end
          end
        end
        return true
      end })
    return {}
  end,
}
