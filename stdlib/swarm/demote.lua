-- Make a manager a worker: POST /nodes/{id}/update with Role "worker".
-- Source: domain notes "Node removal". The engine refuses it for the last manager, and where the quorum would be lost; for an old manager that
-- is in no member list ("can't find manager in raft memberlist") there is nothing to demote.

local function demoted(s, id)
  local n, m = s.nodes[id], s.managers[id]
  if not n or not lib.decides(s) then return false end
  if not m then return n.role == "worker" end
  lib.drop_member(s, id)
  n.role, n.in_raft = "worker", false
  local e = lib.engine_of(s, id)
  if e then e.control, e.leader = false, nil end
  lib.settle(s)
  return true -- an engine would refuse it if it cost the quorum, as far as it knows who lives; no plan is to count on that
end

return action {
  summary  = "Make a manager a worker",
  describe = "demote ${node_id}",
  inputs   = { node_id = { type = "string", required = true, description = "ID of the node" } },
  changes  = { "swarm" },
  destroys = "one vote of the swarm's quorum",
  on_unknown = "check",
  membership = "swarm",

  effect = function(state, with)
    if not demoted(state.swarm, with.node_id) then return false end
  end,

  outcomes = {
    half = function(state, with)
      local s = state.swarm
      local n = s.nodes[with.node_id]
      if not n or not n.in_raft or not lib.decides(s) then return false end
      n.role = "worker"
      return "unknown"
    end,
    late_error = function(state, with)
      if not demoted(state.swarm, with.node_id) then return false end
    end,
  },
  outcome_texts = { half = "is told to be a worker, and stays a member", late_error = "reports an error after it has happened" },

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
