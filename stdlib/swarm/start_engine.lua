-- Start the engine of a node, by the command of the site, and wait until it answers and, if it is a manager of a swarm that decides, is reachable.
-- Source: domain notes "Backup / restore"; field notes "Autolock": a manager of an autolocked swarm is locked after every start. As long as others
-- lead, one of them tells the key, which goes to the engine and nowhere else.

-- The record of the member that has this name: id, record
local function member_of(s, node)
  for id, m in pairs(s.managers) do
    if m.name == node then return id, m end
  end
  return nil
end

-- With the state that it had, or, `restored`, with that of a backup, in which its swarm has other managers that are not there.
local function started(state, with)
  local s = state.swarm
  local e = s.engines[with.node]
  if not e then return false end
  if e.answers and not with.restored then return true end
  local id, m = member_of(s, with.node)
  if not id then
    if not with.restored then
      e.answers, e.why, e.local_state, e.swarm_dir = true, nil, "inactive", "empty"
      return true
    end
    id, m = lib.future_id(with.node), { name = with.node, addr = tostring(e.address) .. ":2377", in_raft = true, members = list{} }
    s.managers[id] = m
  end
  e.answers, e.why, e.node_id, e.host, e.control, e.local_state, e.swarm_dir = true, nil, id, m.host, true, "active", "present"
  if with.root and with.root ~= "" then e.root_dir = with.root end
  e.members = map(s.managers, function(o) return o.addr end)
  m.answers, m.members = true, keys(s.managers)
  if with.locked and not s.quorum.held then
    e.local_state, e.control, e.node_id, m.answers = "locked", false, nil, false
    return true
  end
  if s.nodes[id] then s.nodes[id].state = "ready" end
  lib.settle(s)
  if with.restored then
    s.quorum.held, s.leader, s.leaders, e.leader = false, nil, {}, nil
    s.quorum.why = "predicted: the other managers of the backup are not there"
    e.error = "The swarm does not have a leader."
    m.reachability, m.leader = "unknown", nil
    if s.cluster.autolock == "unknown" then s.cluster.autolock = "off" end
    e.key_locked, e.local_state = false, "pending" -- field notes: so after a start without a quorum; it can be forced all the same
  end
  return true
end

return action {
  summary  = "Start the engine of a node by a command of the site, and unlock it if other managers can tell the key",
  describe = "start the engine of ${node}",
  inputs   = { node = { type = "node", required = true, description = "whose engine" },
               command = { type = "list", items = "string", default = { "systemctl", "start", "docker" },
                           description = "how; run on the node, or on this machine if a word has {node}, which is replaced by its name" },
               root = { type = "string", description = "its DockerRootDir, if it is known" },
               locked = { type = "boolean", default = false, description = "its swarm is autolocked" },
               restored = { type = "boolean", default = false, description = "its swarm folder has just been restored, so it has no leader yet" } },
  changes  = { "swarm" },
  on_unknown = "check",
  membership = "swarm",
  settle   = "2m",

  effect = function(state, with)
    if not started(state, with) then return false end
  end,

  outcomes = {
    locked = function(state, with)
      local s = state.swarm
      local e = s.engines[with.node]
      if not with.locked or not e or e.answers or not s.quorum.held then return false end
      e.answers, e.why, e.local_state, e.swarm_dir = true, nil, "locked", "present"
      return "ok"
    end,
  },
  outcome_texts = { locked = "leaves the manager locked: the others do not tell the key" },

  done = function(state, with)
    local e = state.swarm.engines[with.node]
    return e and e.answers and {} or "pending"
  end,

  run = function(ctx, with)
    local node = with.node
    lib.engine_command(ctx, node, with.command)
    ctx.progress("waiting for its engine")
    local engine, swarm = ctx.docker(node), {}
    -- Field notes: without a quorum the API of a manager answers only after 22 s.
    local up = lib.poll(ctx, 120, 1, function()
      if not engine:get("/_ping", { timeout = 30 }).ok then return false end
      local answer
      answer, swarm = lib.info(ctx, node, 30)
      return answer.ok
    end)
    if not up then return ctx.fail(node .. ": its engine was started (" .. table.concat(with.command, " ") .. "), and does not answer after 120 s", { unknown = true }) end
    if swarm.LocalNodeState ~= "locked" then return {} end
    local via, other = lib.spokesman(ctx, node, true)
    local key = via and other:get("/swarm/unlockkey", { timeout = 20 })
    if not key or not key.ok then
      ctx.log(node .. ": its swarm is autolocked, and no other manager tells the key. Unlock it: docker swarm unlock on " .. node)
      return {}
    end
    local done = engine:post("/swarm/unlock", { UnlockKey = key.body.UnlockKey }, { timeout = 60 })
    if not done.ok then ctx.log(node .. ": it cannot be unlocked with the key that " .. via .. " tells (" .. lib.answer_text(done) .. "). Unlock it: docker swarm unlock on " .. node) end
    return {}
  end,
}
