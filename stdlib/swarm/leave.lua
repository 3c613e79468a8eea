-- Take an engine out of its swarm: a member of Raft is demoted first, then POST /swarm/leave?force=true.
-- Source: domain notes "Node removal"; field notes "Clean way back" and "Merging". The record in the swarm stays (see remove_node).

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
    local id = e.node_id
    if id then
      lib.drop_member(s, id)
      local n = s.nodes[id]
      if n then n.in_raft, n.state, n.ghost, n.why = false, "down", true, with.node .. " has left the swarm" end
      lib.recount(s)
    end
    e.local_state, e.control, e.node_id, e.error, e.leader, e.cluster_id = "inactive", false, nil, nil, nil, nil
    e.members = {}
    if e.swarm_dir ~= "unknown" then e.swarm_dir = "empty" end
    return { node_id = id or "" }
  end,

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
      local record = lib.record(engine, id)
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
