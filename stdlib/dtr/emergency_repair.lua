-- Make a cluster of one from a replica whose volumes are good: `docker/dtr emergency-repair --existing-replica-id A --yes`.
-- Source: "Perform an emergency repair": it checks the volumes, redeploys the components and removes all other replicas from the cluster.
-- Whoever does not answer could come back as the old cluster, so each needs a word first. If it fails, another replica is tried, and
-- only once it is known that it did fail.

-- `clear`: the containers of the others are removed, as far as they answer.
local function repair(state, before, with, clear)
  local was, d = lib.before(lib.was(state, before)), state.dtr
  local r = d.replicas[with.replica]
  for id, other in pairs(d.replicas) do
    if id ~= with.replica then
      if not other.answers then
        lib.leave_behind(state, id)
      elseif clear then
        d.replicas[id] = nil
      end
    end
  end
  r.volumes, r.members, r.needed, r.stopped = "present", list{ with.replica }, nil, nil
  lib.recount(d, was, with.replica)
end

local function can(d, with)
  local r = d.replicas[with.replica]
  return r and r.answers and r.volumes ~= "absent" and r.volumes ~= "corrupt"
end

return action {
  summary  = "Rebuild DTR as a cluster of one replica, dropping all others",
  describe = "repair DTR from the replica ${replica} alone",
  inputs   = { replica = { type = "string", required = true, description = "ID of the replica to repair from (--existing-replica-id)" },
               overlay_subnet = { type = "string", description = "subnet of the overlay network dtr-ol" },
               prune = { type = "boolean", default = false, description = "delete the volumes of all other replicas too" },
               image = { type = "image", description = "DTR's tool, such as docker/dtr:2.6.4; default: that of the version which runs" },
               on = { type = "node", description = "where the tool runs; default: where the replica is" } },
  changes  = { "dtr" },
  destroys = "the membership of every other replica, and what only those have stored",
  on_unknown = "check",
  membership = "dtr",
  settle   = "5m",

  attests = function(state, with)
    return lib.absent(state.dtr, with.replica)
  end,

  effect = function(state, with, before)
    if not can(lib.was(state, before), with) then return false end
    repair(state, before, with, true)
  end,

  outcomes = {
    fails_on_replica = function(state, with, before)
      local old = lib.was(state, before)
      if not old.replicas[with.replica] or not old.replicas[with.replica].answers then return false end
      local d, was = state.dtr, lib.before(old)
      local r = d.replicas[with.replica]
      r.volumes, r.health = "corrupt", "unhealthy"
      lib.recount(d, was)
    end,
    late_error = function(state, with, before)
      if not can(lib.was(state, before), with) then return false end
      repair(state, before, with, false)
    end,
  },
  outcome_texts = { fails_on_replica = "finds the volumes of this replica corrupt",
                    late_error = "makes a cluster of one, but leaves the containers of the others running" },

  done = function(state, with)
    if lib.busy(state.dtr) then return "pending" end
    local r = state.dtr.replicas[with.replica]
    if not r then return false end
    if not r.answers then return "pending" end
    return #r.members == 1 and r.members[1] == with.replica and r.health == "healthy" and {}
  end,

  images = lib.images,

  follow = lib.follow,

  run = function(ctx, with)
    local d, id = dtr.look(ctx), with.replica
    local r = d.replicas[id]
    if not r then return ctx.fail("there is no replica " .. id .. " on any engine that answers") end
    if r.volumes == "absent" then return ctx.fail("the volumes of replica " .. id .. " are gone, so it cannot be repaired from it; try another one, or dtr/restore") end
    local argv = lib.options(list{ "--existing-replica-id", id, "--yes" }, { ["overlay-subnet"] = with.overlay_subnet, prune = with.prune == true })
    dtr.tool(ctx, { command = "emergency-repair", via = id, on = with.on, image = with.image, seen = d, argv = argv,
      advice = "Once it is certain that it is over, try another replica: the document says so. The last resort is dtr/restore.",
      holds = function(now)
        local here = now.replicas[id]
        if not here then return false, "the replica " .. id .. " is not there" end
        if here.health ~= "healthy" then return false, "the replica " .. id .. " is " .. here.health .. (here.why and " (" .. here.why .. ")" or "") end
        return #here.members == 1 and here.members[1] == id, "the replica " .. id .. " counts " .. #here.members .. " members"
      end })
    return {}
  end,
}
