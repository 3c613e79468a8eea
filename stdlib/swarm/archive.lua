-- Pack the swarm folder of a node, whose engine is stopped, into a tar.gz on the operator's machine.
-- Source: domain notes "Backup / restore": tar the whole folder; a backup is tied to its node's address and engine version, so both go into
-- FILE.json. The unlock key of an autolocked swarm is in neither: it is kept apart (docker swarm unlock-key -q). What was there before stays until
-- the new archive has been read to its end.

local docker = library "docker"

return action {
  summary  = "Pack the swarm folder of a node with a stopped engine into a file of this machine",
  describe = "pack the swarm folder of ${node} into ${file}",
  inputs   = { node = { type = "node", required = true, description = "whose folder; its engine is stopped" },
               file = { type = "path", required = true, description = "where the tar.gz goes; it holds keys and is not encrypted" },
               root = { type = "string", required = true, description = "DockerRootDir of its engine" },
               engine = { type = "string", required = true, description = "version of its engine" },
               address = { type = "string", required = true, description = "its address in the swarm" },
               cluster_id = { type = "string", default = "", description = "of the swarm" },
               autolock = { type = "boolean", default = false, description = "whether the unlock key is needed for a restore" } },
  outputs  = { file = { type = "path", description = "where it is" } },
  changes  = list{},
  on_unknown = "again",
  settle   = "1s",

  effect = function(state, with)
    local e = state.swarm and state.swarm.engines[with.node]
    if e and e.answers then return false end
    return { file = with.file }
  end,

  -- Nobody can tell from the swarm; what is not known to be a good archive is none.
  done = function() return false end,

  run = function(ctx, with)
    local node, part = with.node, docker.part(ctx, with.file)
    local function running() return ctx.docker(node):get("/_ping", { timeout = 5 }).ok end
    if with.root == "" then return ctx.fail(node .. ": where its engine keeps its data is not known") end
    if running() then return ctx.fail(node .. ": its engine runs, and an archive of a running manager's folder may be torn. Stop it first") end
    local made = ctx.exec{ argv = { "tar", "-C", with.root, "-czf", "-", "swarm" }, on = node, stdout = part, timeout = 1800 }
    if not made.ok then
      ctx.remove(part)
      return ctx.fail(node .. ": tar of " .. with.root .. "/swarm failed: " .. tostring(made.message) .. ". " .. with.file .. " is as it was")
    end
    if running() then
      ctx.remove(part)
      return ctx.fail(node .. ": its engine was started while its folder was packed (docker.socket starts it when it is asked something); the archive is not kept, and " ..
        with.file .. " is as it was")
    end
    local kept, why = docker.keep(ctx, part, with.file, { kind = "swarm", version = with.engine, engine = with.engine, node = node, address = with.address,
      cluster_id = with.cluster_id, autolock = with.autolock, created = ctx.now() }, made.sha256)
    if not kept then return ctx.fail(part .. ": the archive was made and cannot be kept: " .. tostring(why)) end
    return { file = with.file }
  end,
}
