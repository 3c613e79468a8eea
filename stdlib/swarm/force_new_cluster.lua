-- Rebuild the swarm from one manager: POST /swarm/init with ForceNewCluster.
-- Source: "Recover from losing the quorum", `docker swarm init --force-new-cluster --advertise-addr`.
--
-- Never asked for twice: on an engine in no swarm the call makes a new, empty one; on an autolocked one it turns the engine "inactive"
-- with its state still on disk; on a worker later calls may block. So all that is looked at first.

local unlock = "Unlock a majority of the old managers instead (docker swarm unlock): the quorum returns with them."

-- What it makes of the state. false: it is refused there.
local function forced(state, with)
  local s = state.swarm
  local e = s.engines[with.node]
  if not e or not e.answers or not e.control then return false end
  local id = e.node_id or lib.future_id(with.node)
  local old, nodes = keys(s.managers), {}
  for other, m in pairs(s.managers) do
    nodes[other] = lib.new_record(m.name, m, "manager", other == id, "unknown")
    nodes[other].addr = lib.host(m.addr)
    local engine = m.name and s.engines[m.name]
    if engine and engine.answers and engine.node_id ~= other then
      nodes[other].ghost, nodes[other].why = true, m.name .. " is somebody else now"
    end
    if other ~= id then lib.leave_behind(state, other, m, copy(old)) end
  end
  for name, engine in pairs(s.engines) do
    if engine.answers and engine.node_id and not nodes[engine.node_id] then
      nodes[engine.node_id] = lib.new_record(name, engine, "worker", false, "unknown")
    end
  end
  -- Those that still have a majority without the survivor stay a swarm of their own.
  local others, second, names = 0, nil, list{}
  for other, m in pairs(s.managers) do
    if other ~= id and m.answers then
      others, names[#names + 1] = others + 1, m.name
      if not second or other == s.leader then second = other end
    end
  end
  s.leaders, s.split = {}, others >= quorum(#old)
  if s.split then
    s.leaders[second] = { name = s.managers[second].name, named_by = sorted(names) }
    for _, name in ipairs(names) do s.engines[name].leader = second end
  end
  local me = s.managers[id] or { name = with.node, addr = tostring(e.address) .. ":2377" }
  s.nodes, s.managers, s.leader = nodes, {}, id
  e.error, e.local_state, e.members = nil, "active", { [id] = me.addr }
  lib.set_member(s, id, me)
  lib.settle(s, "predicted: a swarm of one manager")
  return { node_id = id }
end

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

  effect = forced,

  outcomes = {
    -- Field notes: a forced start that fails keeps the state on disk.
    half_way = function(state, with)
      local s = state.swarm
      local e = s.engines[with.node]
      if not e or not e.answers or not e.control then return false end
      local m = e.node_id and s.managers[e.node_id]
      if m then m.answers, m.members = false, list{} end
      e.local_state, e.members, e.leader, e.error = "pending", {}, nil, "forcing did not come to an end"
      lib.settle(s, "predicted: forcing did not come to an end on " .. with.node)
      return "unknown"
    end,
    -- Domain notes: the update of its Spec, after the start, has 5 s.
    late_error = function(state, with)
      if not forced(state, with) then return false end
    end,
    -- moby#36852: only where autolock is not ruled out.
    inactive = function(state, with)
      local s = state.swarm
      local e = s.engines[with.node]
      if not e or not e.answers or not e.control or s.cluster.autolock == "off" or seen(e, "key_locked") == false then return false end
      local m = e.node_id and s.managers[e.node_id]
      if m then m.answers, m.members = false, list{} end
      e.local_state, e.control, e.node_id, e.leader, e.error, e.members, e.swarm_dir = "inactive", false, nil, nil, nil, {}, "present"
      lib.settle(s, "predicted: " .. with.node .. " turned inactive")
    end,
  },
  outcome_texts = { half_way = "times out: the node is in no swarm that decides, old or new",
                    late_error = "reports an error after it has happened",
                    inactive = "turns the engine inactive, as on an autolocked swarm; its state stays on disk" },

  done = function(state, with)
    local s = state.swarm
    local e = s.engines[with.node]
    if not e or not e.answers then return "pending" end
    if s.quorum.held and s.leader == e.node_id and s.quorum.voters == 1 then return { node_id = e.node_id } end
    if e.local_state == "pending" then return "pending" end
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
