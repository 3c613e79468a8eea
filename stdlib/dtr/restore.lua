-- Install DTR anew from a backup, as a cluster of one: `docker/dtr restore … < FILE`. The last resort.
-- Source: "All replicas are unhealthy"; domain notes: every old replica is destroyed first, and the version equals that of the backup.
-- An old replica that does not answer could come back beside the new cluster, so each needs a word.

local function new_id(with)
  return type(with.replica) == "string" and with.replica or lib.future_id(with.node)
end

local function install(state, before, with, volumes)
  local old, id = lib.was(state, before), new_id(with)
  local _, there = lib.on(old, with.node)
  if there and there.answers then return false end
  local was, d = lib.before(old), state.dtr
  local node = d.nodes and d.nodes[with.node]
  local good = volumes == "present"
  for _, other in ipairs(keys(d.replicas)) do
    if not d.replicas[other].answers then lib.leave_behind(state, other) end
  end
  d.replicas[id] = { node = with.node, answers = true, health = good and "healthy" or "unhealthy", members = good and list{ id } or list{},
                     volumes = volumes, version = with.version or d.version, side = node and node.side }
  lib.recount(d, was)
end

return action {
  summary  = "Install DTR anew from a backup, as a cluster of one replica",
  describe = "restore DTR on ${node} from ${file}",
  inputs   = { file = { type = "path", required = true, description = "the tar of a backup" },
               node = { type = "node", required = true, description = "UCP node that gets the replica" },
               replica = { type = "string", pattern = "^[0-9a-f]{12}$", description = "ID of the new replica; default: a random one" },
               version = { type = "string", description = "version of DTR to install; it must be that of the backup" },
               storage = { type = "string", default = "default", description = "where images are: default, a volume's name, or nfs://HOST/PATH; as it was" } },
  outputs  = { replica = { type = "string", description = "ID of the new replica" } },
  changes  = { "dtr" },
  destroys = "whatever was stored since the backup",
  on_unknown = "check",
  membership = "dtr",
  settle   = "5m",
  planned  = true,

  attests = function(state)
    return lib.absent(state.dtr)
  end,

  effect = function(state, with, before)
    if install(state, before, with, "present") == false then return false end
    return { replica = new_id(with) }
  end,

  outcomes = {
    wrong_version = function() end,
    half = function(state, with, before)
      return install(state, before, with, "absent")
    end,
  },
  outcome_texts = { wrong_version = "refuses a backup of another version", half = "installs a replica, but the import fails" },

  done = function(state, with)
    local id, r = lib.on(state.dtr, with.node)
    if not id then return false end
    if r.health ~= "healthy" then return "pending" end
    return { replica = id }
  end,
}
