-- Delete the record of a node that is gone: DELETE /nodes/{id}. Always by ID: two records may have one host name.
-- Source: domain notes "Node removal"; field notes: a record that is Ready is refused, one that is still in Raft must be demoted first,
-- and records of dead managers must not go while those could come back together: they would elect a leader of their own.

-- The record of a member is demoted first, which the swarm refuses where it would cost the quorum.
local function demoted(state, id)
  local s = state.swarm
  local n, m = s.nodes[id], s.managers[id]
  if not lib.decides(s) or id == s.leader or (n and n.state == "ready" and lib.engine_of(s, id)) then return false end
  if m then
    lib.leave_behind(state, id, m, keys(s.managers))
    lib.drop_member(s, id)
    if n then n.role, n.in_raft = "worker", false end
    lib.settle(s)
  end
  return s.quorum.held
end

local function removed(state, id)
  if not demoted(state, id) then return false end
  state.swarm.nodes[id] = nil
  return true
end

return action {
  summary  = "Delete the record of a node that is gone",
  describe = "remove the record ${node_id} of ${name}",
  inputs   = { node_id = { type = "string", required = true, description = "ID of the record" },
               name = { type = "string", description = "how people call it" } },
  changes  = { "swarm" },
  destroys = "the node's record with its labels",
  on_unknown = "check",
  membership = "swarm",

  attests = function(state, with)
    local s = state.swarm
    local n = s.nodes[with.node_id]
    if not n or n.role ~= "manager" or n.ghost then return {} end
    if lib.engine_of(s, with.node_id) then return {} end
    local e = n.name and s.engines[n.name]
    if e and e.answers and e.swarm_dir == "empty" then return {} end
    return { [lib.label(n, with.node_id)] = "its record is removed, and it does not answer" }
  end,

  effect = function(state, with)
    if not removed(state, with.node_id) then return false end
  end,

  outcomes = {
    half = function(state, with)
      local s = state.swarm
      if not s.nodes[with.node_id] or not s.managers[with.node_id] or not demoted(state, with.node_id) then return false end
    end,
    late_error = function(state, with)
      if not state.swarm.nodes[with.node_id] or not removed(state, with.node_id) then return false end
    end,
  },
  outcome_texts = { half = "is demoted, and its record stays", late_error = "reports an error after it has happened" },

  done = function(state, with)
    if not state.swarm.quorum.held then return "pending" end
    return state.swarm.nodes[with.node_id] == nil and {}
  end,

  run = function(ctx, with)
    local id, name = with.node_id, with.name or with.node_id
    local via, engine, _, leader = lib.spokesman(ctx)
    if id == leader then return ctx.fail(via .. ": " .. name .. " (" .. id .. ") leads the swarm; its record is not removed") end
    local record, got = lib.record(engine, id)
    if not record then
      if got.status == 404 then return {} end
      return lib.fail(ctx, via, "GET /nodes/" .. id, got)
    end
    local state
    local down = lib.poll(ctx, 60, 1, function()
      local r, g = lib.record(engine, id)
      state = r and r.Status.State or "gone"
      return g.status == 404 or state == "down" or state == "disconnected"
    end)
    if not down then
      return ctx.fail(via .. ": node " .. name .. " (" .. id .. ") is '" .. tostring(state) ..
        "' in the swarm after 60 s, so it may live; let its engine leave the swarm first")
    end
    if record.ManagerStatus then lib.demote(ctx, via, engine, id) end
    local deleted
    local done = lib.poll(ctx, 30, 1, function()
      deleted = engine:delete("/nodes/" .. id, { timeout = 25 })
      return deleted.ok or deleted.status == 404 or not (lib.no_leader(deleted.message) or lib.says(deleted, "out of sequence") or
        lib.says(deleted, "must be demoted"))
    end)
    if not done or not (deleted.ok or deleted.status == 404) then return lib.fail(ctx, via, "DELETE /nodes/" .. id .. " (" .. name .. ")", deleted) end
    return {}
  end,
}
