-- Make a node a manager: POST /nodes/{id}/update with Role "manager".
-- Source: "Promote nodes to be managers until you have the desired number of managers." Never two at a time: each is a change of membership.

local function promoted(s, id)
  local n = s.nodes[id]
  if not n or not lib.decides(s) or n.state ~= "ready" then return false end
  if s.managers[id] then return true end
  n.role, n.in_raft = "manager", true
  lib.set_member(s, id, { name = n.name, host = n.host, addr = tostring(n.addr) .. ":2377" })
  local e = lib.engine_of(s, id)
  if e then
    e.control = true
    e.members = map(s.managers, function(m) return m.addr end)
  end
  lib.settle(s)
  return true
end

return action {
  summary  = "Make a worker a manager",
  describe = "promote ${node_id}",
  inputs   = { node_id = { type = "string", required = true, description = "ID of the node" } },
  changes  = { "swarm" },
  on_unknown = "check",
  membership = "swarm",

  effect = function(state, with)
    if not promoted(state.swarm, with.node_id) then return false end
  end,

  outcomes = {
    half = function(state, with)
      local s = state.swarm
      local n = s.nodes[with.node_id]
      if not n or n.in_raft or n.state ~= "ready" or not lib.decides(s) then return false end
      n.role = "manager"
      return "unknown"
    end,
    late_error = function(state, with)
      if not promoted(state.swarm, with.node_id) then return false end
    end,
  },
  outcome_texts = { half = "is told to be a manager, and does not become a member", late_error = "reports an error after it has happened" },

  done = function(state, with)
    local n = state.swarm.nodes[with.node_id]
    if not n then return false end
    if n.in_raft then return {} end
    return n.role == "manager" and "pending" or false
  end,

  run = function(ctx, with)
    local id = with.node_id
    local via, engine = lib.spokesman(ctx)
    lib.update_node(ctx, via, engine, id, function(spec, node)
      if node.Status.State ~= "ready" then ctx.fail(via .. ": node " .. id .. " is '" .. node.Status.State .. "', so it cannot become a manager") end
      spec.Role = "manager"
    end)
    local member = lib.poll(ctx, 60, 0.5, function()
      local record = lib.record(engine, id)
      return record and record.ManagerStatus and record.ManagerStatus.Reachability == "reachable"
    end)
    if not member then return ctx.fail(via .. ": node " .. id .. " was promoted, and is no reachable manager after 60 s", { unknown = true }) end
    return {}
  end,
}
