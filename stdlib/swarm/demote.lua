-- Make a manager a worker: POST /nodes/{id}/update with Role "worker".
-- Source: domain notes "Node removal". The engine refuses it for the last manager, and where the quorum would be lost; for an old manager that
-- is in no member list ("can't find manager in raft memberlist") there is nothing to demote.

return action {
  summary  = "Make a manager a worker",
  describe = "demote ${node_id}",
  inputs   = { node_id = { type = "string", required = true, description = "ID of the node" } },
  changes  = { "swarm" },
  destroys = "one vote of the swarm's quorum",
  on_unknown = "check",
  membership = "swarm",

  effect = function(state, with)
    local s = state.swarm
    local n = s.nodes[with.node_id]
    lib.drop_member(s, with.node_id)
    if n then
      n.role, n.in_raft = "worker", false
      local e = n.name and s.engines[n.name]
      if e then e.control, e.leader = false, nil end
    end
    lib.recount(s)
  end,

  done = function(state, with)
    local n = state.swarm.nodes[with.node_id]
    if not n then return false end
    if n.role == "worker" and not n.in_raft then return {} end
    return n.role == "worker" and "pending" or false
  end,

  run = function(ctx, with)
    local via, engine = lib.spokesman(ctx)
    local record, got = lib.record(engine, with.node_id)
    if not record then return lib.fail(ctx, via, "GET /nodes/" .. with.node_id, got) end
    if not record.ManagerStatus and record.Spec.Role == "manager" then
      return ctx.fail(via .. ": node " .. with.node_id .. " is a manager by its role only and no member of Raft; it cannot be demoted. Let it leave, and remove its record.")
    end
    lib.demote(ctx, via, engine, with.node_id)
    return {}
  end,
}
