-- Install UCP anew from a backup: `docker/ucp restore < FILE`, on a manager of a swarm without UCP, or on an engine in no swarm, which makes one.
-- Source: "Perform a restore from an existing backup on any node. If there is an existing swarm, the restore operation must be performed on a
-- manager node"; domain notes "restore": nothing of UCP on any node, and the image has the major.minor of the backup.
-- A machine that does not answer could come back with the old UCP beside the new one, so each needs a word.

-- Whether it makes a swarm (true), or finds one (false); nil: it is refused.
local function makes_swarm(state, with)
  local u, s = state.ucp, state.swarm
  local e = s.engines[with.node]
  if u.installed or not e or not e.answers or (u.leftovers and (u.leftovers[with.node] or 0) > 0) then return nil end
  if lib.restorable(with.version, lib.image_version(with.image)) == false then return nil end
  if lib.can_manage(s, with.node) then return false end
  if e.local_state ~= "inactive" or e.swarm_dir == "present" then return nil end
  return true
end

-- `mine`, `others`: what becomes of UCP on the node and on the other managers.
local function install(state, with, mine, others)
  local make = makes_swarm(state, with)
  if make == nil then return false end
  local u, s = state.ucp, state.swarm
  local version = lib.image_version(with.image) or u.version
  local id = make and lib.set_swarm(s, with.node) or s.engines[with.node].node_id
  u.installed, u.version, u.id, u.why = true, version, lib.future_id("ucp"), "predicted: restored"
  u.managers = {}
  for _, m in pairs(s.managers) do
    if m.name then
      local there = s.engines[m.name] and s.engines[m.name].answers
      local store = there and (m.name == with.node and mine or others) or "unknown"
      lib.set_manager(u, m.name, store, there and (store == "running" and "healthy" or "unhealthy") or "silent", version)
    end
  end
  lib.recount(u)
  u.leftovers = map(u.leftovers or {}, function(n, node) return u.managers[node] and 1 or n end)
  return { id = u.id, node_id = id, cluster_id = s.cluster.id }
end

return action {
  summary  = "Install UCP anew from a backup, on a manager or on an engine in no swarm",
  describe = "restore UCP on ${node} from ${file}",
  inputs   = { node = { type = "node", required = true, description = "a manager of the swarm; any node if no machine is in a swarm" },
               image = { type = "image", required = true, description = "docker/ucp in the backup's major.minor" },
               file = { type = "path", required = true, description = "the tar of a backup; an encrypted one is to be decrypted before" },
               version = { type = "string", description = "version of the backup, where it is known" },
               host_address = { type = "address", description = "the node's address for a new swarm; default: the inventory's" } },
  outputs  = { id = { type = "string", description = "UCP's instance ID" }, node_id = { type = "string", description = "the node's ID in the swarm" },
               cluster_id = { type = "string", description = "ID of the swarm" } },
  changes  = { "ucp", "swarm" },
  destroys = "whatever was changed in UCP since the backup, and every client bundle",
  on_unknown = "check",
  membership = "ucp",
  settle   = "15m",

  attests = function(state, with)
    return lib.absent(state, with.node)
  end,

  effect = function(state, with)
    return install(state, with, "running", "running")
  end,

  outcomes = {
    refused = function() end,
    half = function(state, with)
      if install(state, with, "stopped", "absent") == false then return false end
    end,
    no_heal = function(state, with)
      if count(state.swarm.managers, "answers") < 2 or makes_swarm(state, with) ~= false then return false end
      install(state, with, "running", "absent")
      return "ok"
    end,
  },
  outcome_texts = { refused = "refuses a backup of another version", half = "installs UCP, but it does not come up",
                    no_heal = "restores UCP on this manager, and the others do not come along" },

  done = function(state, with)
    local u, e = state.ucp, state.swarm.engines[with.node]
    if lib.busy(u) then return "pending" end
    if not u.installed then return false end
    local m = u.managers[with.node]
    if not m or m.ping ~= "healthy" then return "pending" end
    return { id = u.id or "", node_id = e and e.node_id or "", cluster_id = state.swarm.cluster and state.swarm.cluster.id or "" }
  end,

  images = function(_, with) return { [with.node] = with.image } end,

  follow = lib.follow,

  run = function(ctx, with)
    local u, node = ucp.look(ctx), with.node
    if u.installed then return ctx.fail("UCP is installed (" .. tostring(u.why) .. "), and is not restored over; use ucp.uninstall first") end
    local left = ucp.left(u)
    if left ~= "" then
      return ctx.fail("something of UCP is left on " .. left .. ", and a backup is restored only where there is nothing. ucp.uninstall clears the nodes of the swarm; " ..
        "elsewhere: docker rm -f and docker volume rm of what is called ucp-*")
    end
    local archive = ctx.archive(with.file)
    if archive.format == "openpgp" then
      return ctx.fail(with.file .. ": it is encrypted. UCP's tool takes a passphrase only as an argument, where everybody on " .. node ..
        " could read it, so decrypt it here: gpg --decrypt " .. with.file .. " > FILE")
    end
    if not archive.ok then return ctx.fail(with.file .. ": " .. tostring(archive.message)) end
    if lib.restorable(with.version, lib.image_version(with.image)) == false then
      return ctx.fail(with.file .. ": it is a backup of UCP " .. with.version .. ", and " .. with.image .. " restores backups of its own major.minor, and of no later patch")
    end
    local info = ctx.docker(node):get("/info", { timeout = 30 })
    if not info.ok then return ctx.fail(node .. ": GET /info: " .. tostring(info.message)) end
    local swarm, argv = info.body.Swarm or {}, list{}
    if (swarm.LocalNodeState or "inactive") == "inactive" then
      local address = with.host_address or ctx.nodes[node].address
      if not address then return ctx.fail(node .. ": its address in the new swarm is not known; give the input 'host_address'") end
      argv = list{ "--host-address", address }
    elseif not swarm.ControlAvailable or (swarm.Error or "") ~= "" then
      return ctx.fail(node .. ": UCP is restored on a manager of a swarm that has its quorum" .. ((swarm.Error or "") ~= "" and ": " .. swarm.Error or ""))
    end
    local _, now = ucp.tool(ctx, { command = "restore", node = node, image = with.image, argv = argv, seen = u, stdin = with.file, timeout = 4 * 3600, within = 900,
      advice = "Before the next attempt uninstall what there is of UCP (ucp.uninstall).",
      holds = function(seen)
        if not seen.installed then return false, "UCP is not there: " .. tostring(seen.why) end
        local m = seen.managers[node]
        return m ~= nil and m.ping == "healthy", node .. ": " .. (m and (m.why or "its /_ping is " .. m.ping) or "it is no manager of UCP")
      end })
    local after = ctx.docker(node):get("/info", { timeout = 30 })
    local found = after.ok and after.body.Swarm or {}
    return { id = now.id or "", node_id = found.NodeID or "", cluster_id = found.Cluster and found.Cluster.ID or "" }
  end,
}
