-- Take an engine out of its swarm: a member of Raft is demoted first, then POST /swarm/leave?force=true.
-- Source: domain notes "Node removal"; field notes "Clean way back" and "Merging". The record in the swarm stays (see remove_node).

-- Whether the engine may leave on such a state: it is who is meant, and somebody else speaks for the swarm if it is a manager.
local function possible(s, e, with)
  if not e or not e.answers or e.local_state == "locked" then return false end
  if e.local_state == "inactive" then return true end
  if type(with.node_id) == "string" and e.node_id and e.node_id ~= with.node_id then return false end
  if not e.control then return true end
  local leader
  for name, other in pairs(s.engines) do
    if name ~= with.node and other.answers and other.control and other.leader then
      if leader and leader ~= other.leader then return false end
      leader = other.leader
    end
  end
  return leader ~= nil
end

local function left(s, e)
  local id = e.node_id
  e.local_state, e.control, e.node_id, e.error, e.leader, e.cluster_id = "inactive", false, nil, nil, nil, nil
  e.members = {}
  if e.swarm_dir ~= "unknown" then e.swarm_dir = "empty" end
  local n = id and s.nodes[id]
  if n then n.in_raft, n.state, n.ghost, n.why = false, "down", true, "its engine has left the swarm" end
  for other, l in pairs(s.leaders) do
    if s.split and other ~= s.leader then
      l.named_by = filter(l.named_by, function(name) return s.engines[name].answers and s.engines[name].control end)
      if #l.named_by == 0 then s.leaders[other] = nil end
    end
  end
  s.split = s.split and count(s.leaders) > 1
end

return action {
  summary  = "Take an engine out of its swarm, in good order",
  describe = "let ${node} leave the swarm",
  inputs   = { node = { type = "node", required = true, description = "whose engine is to leave" },
               node_id = { type = "string", description = "the identity it must have; another one is left alone" } },
  outputs  = { node_id = { type = "string", description = "the identity it had; empty if it was in no swarm" } },
  changes  = { "swarm" },
  destroys = "the node's swarm state, labels and identity",
  on_unknown = "check",
  membership = "swarm",

  effect = function(state, with)
    local s = state.swarm
    local e = s.engines[with.node]
    if not possible(s, e, with) then return false end
    local id = e.node_id
    if e.local_state == "inactive" then return { node_id = with.node_id or "" } end
    local votes = id and s.managers[id] ~= nil
    if votes then lib.drop_member(s, id) end
    left(s, e)
    if votes then lib.settle(s) end
    return { node_id = id or "" }
  end,

  outcomes = {
    -- Field notes: a manager that leaves by force without being demoted stays a member.
    ghost = function(state, with)
      local s = state.swarm
      local e = s.engines[with.node]
      local m = e and e.node_id and s.managers[e.node_id]
      if not m or not m.in_raft or not possible(s, e, with) then return false end
      local n = s.nodes[e.node_id]
      left(s, e)
      m.answers, m.reachability, m.members = false, "unreachable", list{}
      if n then n.in_raft = true end
      lib.settle(s)
      return "ok"
    end,
  },
  outcome_texts = { ghost = "leaves without having been demoted: its record goes on counting as a manager" },

  before = function(state, with)
    local e = state.swarm.engines[with.node]
    return { node_id = e and e.node_id or "" }
  end,

  done = function(state, with, before)
    local e = state.swarm.engines[with.node]
    if not e or not e.answers then return "pending" end
    if e.local_state == "inactive" then return { node_id = before and before.node_id or "" } end
    return false
  end,

  run = function(ctx, with)
    local node = with.node
    local answer, swarm = lib.info(ctx, node, 30)
    if not answer.ok then return lib.fail(ctx, node, "GET /info", answer) end
    local id = swarm.NodeID or ""
    if (swarm.LocalNodeState or "inactive") == "inactive" then return { node_id = with.node_id or "" } end
    if swarm.LocalNodeState == "locked" then
      return ctx.fail(node .. ": the swarm is locked there; unlock it first (docker swarm unlock), then let it leave")
    end
    if with.node_id and id ~= with.node_id then
      return ctx.fail(node .. ": it is " .. (id == "" and "nobody" or id) .. " now, not " .. with.node_id .. "; it is left alone")
    end
    if swarm.ControlAvailable then
      local via, engine, _, leader = lib.spokesman(ctx, node, true)
      if not via then
        return ctx.fail(node .. ": no other manager speaks for the swarm (" .. tostring(engine) ..
          "), so the last usable state of it may be here; it is not thrown away")
      end
      local record, got = lib.record(engine, id)
      -- Whoever leaves without being demoted stays a member: a ghost.
      if not record and got.status ~= 404 then return lib.fail(ctx, via, "GET /nodes/" .. id, got) end
      if record and record.ManagerStatus then
        if leader == id then ctx.log(node .. " leads; another manager will be elected") end
        lib.demote(ctx, via, engine, id)
        lib.poll(ctx, 30, 0.5, function()
          local _, now = lib.info(ctx, node, 20)
          return not now.ControlAvailable
        end)
      end
    end
    ctx.progress("leaving")
    local left = ctx.docker(node):post("/swarm/leave?force=true", nil, { timeout = 90 })
    if not left.ok and not lib.says(left, "not part of a swarm") then
      return lib.fail(ctx, node, "POST /swarm/leave", left)
    end
    local gone = lib.poll(ctx, 30, 0.5, function()
      local _, now = lib.info(ctx, node, 20)
      return now.LocalNodeState == "inactive"
    end)
    if not gone then return ctx.fail(node .. ": it was told to leave, and is not inactive after 30 s", { unknown = true }) end
    return { node_id = id }
  end,
}
