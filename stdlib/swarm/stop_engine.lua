-- Stop the engine of a node, by the command of the site, and wait until it does not answer any more.
-- Source: domain notes "Backup / restore". Its containers stop with it. docker.socket is stopped, too: with it, the next question would start the
-- engine again. What an archive of its swarm folder is to be known by is read before.

return action {
  summary  = "Stop the engine of a node by a command of the site",
  describe = "stop the engine of ${node}",
  inputs   = { node = { type = "node", required = true, description = "whose engine" },
               command = { type = "list", items = "string", default = { "systemctl", "stop", "docker.socket", "docker" },
                           description = "how; run on the node, or on this machine if a word has {node}, which is replaced by its name" } },
  outputs  = { root = { type = "string", description = "its DockerRootDir" }, engine = { type = "string", description = "its version" },
               address = { type = "string", description = "its address in the swarm" }, cluster_id = { type = "string", description = "of its swarm" },
               autolock = { type = "boolean", description = "whether its swarm is autolocked" } },
  changes  = { "swarm" },
  destroys = "nothing for good; its containers stop, and tasks of services may be started elsewhere",
  on_unknown = "check",
  membership = "swarm",
  settle   = "60s",

  before = function(state, with) return lib.known_of(state.swarm, with.node) end,

  effect = function(state, with, before)
    local known = lib.known_of(state.swarm, with.node)
    local e = state.swarm.engines[with.node]
    if not e then return false end
    if e.answers then lib.vanish(state, with.node) end
    return known
  end,

  done = function(state, with, before)
    local e = state.swarm.engines[with.node]
    return e and not e.answers and (before or {}) or false
  end,

  run = function(ctx, with)
    local node = with.node
    local answer, swarm = lib.info(ctx, node, 30)
    if not answer.ok then return lib.fail(ctx, node, "GET /info", answer) end
    local cluster = swarm.Cluster or {}
    local locked = lib.key_locked(ctx, node, answer.body.DockerRootDir)
    if locked == nil then locked = cluster.Spec and cluster.Spec.EncryptionConfig and cluster.Spec.EncryptionConfig.AutoLockManagers or false end
    local known = { root = answer.body.DockerRootDir or "", engine = answer.body.ServerVersion or "",
                    address = lib.host(swarm.NodeAddr) or ctx.nodes[node].address or "", cluster_id = cluster.ID or "", autolock = locked }
    -- Whoever stops it wants to get at its folder: better to know before that it cannot be reached.
    local there = ctx.exec{ argv = { "test", "-d", known.root }, on = node, timeout = 60 }
    if not there.ok then
      return ctx.fail(node .. ": its engine is not stopped, for its folder " .. known.root .. " is not reached by a shell (" .. tostring(there.message) .. ")")
    end
    lib.engine_command(ctx, node, with.command)
    local gone = lib.poll(ctx, 60, 1, function() return not ctx.docker(node):get("/_ping", { timeout = 5 }).ok end)
    if not gone then
      return ctx.fail(node .. ": its engine still answers 60 s after it was stopped (" .. table.concat(with.command, " ") ..
        "); if something starts it again (docker.socket), stop that, too: --input stop_engine=…", { unknown = true })
    end
    return known
  end,
}
