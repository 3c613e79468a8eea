-- Rebuild the swarm from one manager: POST /swarm/init with ForceNewCluster.
-- Source: "Recover from losing the quorum", `docker swarm init --force-new-cluster --advertise-addr`.
--
-- Never asked for twice: on an engine in no swarm the call makes a new, empty one; on an autolocked one it turns the engine "inactive"
-- with its state still on disk; on a worker later calls may block. So all that is looked at first.

local unlock = "Unlock a majority of the old managers instead (docker swarm unlock): the quorum returns with them."

return action {
  summary  = "Rebuild the swarm from one manager, dropping all others",
  describe = "force a new cluster on ${node}",
  inputs   = { node = { type = "node", required = true, description = "manager to rebuild from" },
               advertise_addr = { type = "address", description = "its address in the swarm; default: the one it has" } },
  outputs  = { node_id = { type = "string", description = "the survivor's node ID" } },
  changes  = { "swarm" },
  destroys = "the membership of every other manager",
  on_unknown = "check",
  membership = "swarm",
  settle   = "60s",

  attests = function(state, with)
    local s = state.swarm
    local e = s.engines[with.node]
    return lib.absent(s, e and e.node_id)
  end,

  effect = function(state, with)
    local s = state.swarm
    local e = s.engines[with.node]
    local id = e.node_id or lib.future_id(with.node)
    local nodes = {}
    for other, m in pairs(s.managers) do
      -- labels, availability, and what is known of machines that do not answer: only the new leader will tell
      nodes[other] = { name = m.name, host = m.host, role = "manager", in_raft = other == id, state = "unknown", addr = lib.host(m.addr) }
      local engine = m.name and s.engines[m.name]
      if engine and engine.answers and engine.node_id ~= other then
        nodes[other].ghost, nodes[other].why = true, m.name .. " is somebody else now"
      end
    end
    for name, engine in pairs(s.engines) do
      if engine.answers and engine.node_id and not nodes[engine.node_id] then
        nodes[engine.node_id] = { name = name, host = engine.host, role = "worker", in_raft = false, state = "unknown",
                                  addr = engine.address }
      end
    end
    local me = s.managers[id] or { name = with.node, addr = tostring(e.address) .. ":2377" }
    s.nodes, s.managers, s.leader, s.split = nodes, {}, id, false
    s.leaders = { [id] = { name = with.node, named_by = list{ with.node } } }
    lib.set_member(s, id, me)
    e.error, e.leader, e.local_state, e.members = nil, id, "active", { [id] = me.addr }
    lib.recount(s, "predicted: a swarm of one manager")
    return { node_id = e.node_id }
  end,

  done = function(state, with)
    local s = state.swarm
    local e = s.engines[with.node]
    if not e or not e.answers then return "pending" end
    if s.quorum.held and s.leader == e.node_id and s.quorum.voters == 1 then return { node_id = e.node_id } end
    return false
  end,

  run = function(ctx, with)
    local node = with.node
    local answer, swarm = lib.info(ctx, node, 30)
    if not answer.ok then return lib.fail(ctx, node, "GET /info", answer) end
    local state = swarm.LocalNodeState or "inactive"
    if state == "locked" then return ctx.fail(node .. ": the swarm is locked, so nothing can be forced. " .. unlock) end
    if state ~= "active" and state ~= "pending" then
      return ctx.fail(node .. ": its engine is '" .. state .. "' in no swarm: forcing would make a new, empty one")
    end
    if not swarm.ControlAvailable then return ctx.fail(node .. ": it is not a manager, so it has nothing to rebuild the swarm from") end
    if lib.key_locked(ctx, node, answer.body.DockerRootDir) then
      return ctx.fail(node .. ": its swarm key is encrypted (autolock), so forcing would turn the engine inactive. " .. unlock)
    end
    local addr = with.advertise_addr or lib.host(swarm.NodeAddr) or ctx.nodes[node].address
    if not addr then return ctx.fail(node .. ": its address in the swarm is not known; give `advertise_addr`") end
    ctx.progress("forcing")
    local engine = ctx.docker(node)
    local init = engine:post("/swarm/init", { ForceNewCluster = true, ListenAddr = "0.0.0.0:2377", AdvertiseAddr = addr }, { timeout = 90 })
    if not init.ok then
      local advice = lib.says(init, "encrypted") and "The swarm is autolocked. Do not try again: restart this engine, and unlock. " .. unlock or nil
      return lib.fail(ctx, node, "POST /swarm/init (ForceNewCluster)", init, advice)
    end
    local id = lib.poll(ctx, 60, 0.5, function()
      local nodes = engine:get("/nodes", { timeout = 15 })
      local leader = nodes.ok and lib.leader_in(nodes.body)
      return leader and leader == swarm.NodeID and count(nodes.body, function(n) return n.ManagerStatus ~= nil end) == 1 and leader
    end)
    if not id then return ctx.fail(node .. ": it accepted, but did not become the one manager within 60 s", { unknown = true }) end
    return { node_id = id }
  end,
}
