-- Write a backup of UCP to a file: `docker/ucp backup > FILE` on a manager, without -t and with --log-driver none.
-- Source: "Create a backup of the remaining manager node"; domain notes "backup": up to 3.1 it takes --id and stops UCP on that manager meanwhile,
-- from 3.2 on it wants --no-passphrase. A passphrase could only be given as an argument, where everybody on the machine can read it, so
-- none is: the file is readable by its owner alone, and is to be encrypted where it is kept. Asked again after a crash: written anew. Until
-- the new one is whole and readable, what was there before stays.

local docker = library "docker"

-- What the tool is told, by its version; nil, why if that cannot be told.
local function options(ctx, with, u)
  local new = lib.at_least(lib.image_version(with.image), 3, 2)
  if new == nil then return nil, "the tag of " .. with.image .. " is no version, and what the tool must be told depends on it (--id up to 3.1)" end
  if new then return list{ "--no-passphrase" } end
  return list{ "--id", with.id or u.id or ucp.instance(ctx, with.node, with.image, u) }
end

return action {
  summary  = "Write a backup of UCP to a file",
  describe = "back UCP up on ${node} to ${file}",
  inputs   = { node = { type = "node", required = true, description = "a manager that has UCP" },
               image = { type = "image", required = true, description = "docker/ucp in the version that is installed" },
               file = { type = "path", required = true, description = "where the tar goes; it is not encrypted" },
               id = { type = "string", description = "UCP's ID, for versions up to 3.1; default: the one that is there" } },
  outputs  = { file = { type = "path", description = "where it is" } },
  changes  = { "ucp" },
  on_unknown = "again",
  settle   = "2m",

  effect = function(state, with)
    local u, m = state.ucp, state.ucp.managers[with.node]
    if not u.installed or not m or m.kv == "absent" or not lib.can_manage(state.swarm, with.node) then return false end
    return { file = with.file }
  end,

  outcomes = {
    fails = function(state, with)
      local u, m = state.ucp, state.ucp.managers[with.node]
      if not m or m.kv ~= "running" or not lib.can_manage(state.swarm, with.node) then return false end
      if lib.at_least(lib.image_version(with.image) or u.version, 3, 2) then return false end
      lib.set_manager(u, with.node, "stopped", "silent", m.version)
      lib.recount(u)
    end,
  },
  outcome_texts = { fails = "fails, and leaves UCP on that manager stopped (up to 3.1)" },

  images = function(_, with) return { [with.node] = with.image } end,

  run = function(ctx, with)
    local u, node, part = ucp.look(ctx), with.node, docker.part(ctx, with.file)
    local m = u.managers[node]
    if not m or not m.answers or m.kv == "absent" then
      return ctx.fail(node .. ": it is no manager that answers and has UCP (" .. ucp.picture(u) .. "), so there is nothing to back up")
    end
    local tag = lib.image_version(with.image)
    if tag and m.version and tag ~= m.version then
      return ctx.fail(node .. ": UCP is " .. m.version .. ", and the image is " .. with.image .. "; a backup is made by its own version")
    end
    local argv, why = options(ctx, with, u)
    if not argv then return ctx.fail(node .. ": " .. why) end
    local r = ucp.tool(ctx, { command = "backup", node = node, image = with.image, argv = argv, seen = u, stdout = part, quiet = true, timeout = 4 * 3600,
      advice = "Nothing was written to " .. with.file .. "; what was there before is there." })
    local address = ctx.nodes[node].address
    local info = ctx.docker(node):get("/info", { timeout = 30 })
    local cluster = info.ok and info.body.Swarm and info.body.Swarm.Cluster and info.body.Swarm.Cluster.ID or nil
    local kept, problem = docker.keep(ctx, part, with.file, { kind = "ucp", version = tag or m.version, cluster_id = cluster, node = node, address = address,
                                                              created = ctx.now(), passphrase = false }, r.sha256)
    if not kept then return ctx.fail(part .. ": the backup was made and cannot be kept: " .. tostring(problem)) end
    return { file = with.file }
  end,
}
