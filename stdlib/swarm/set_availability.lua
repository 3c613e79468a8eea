-- Set whether a node takes tasks: POST /nodes/{id}/update with Availability.
-- Source: domain notes, Engine API. `drain` moves the tasks away, which disrupts them; `pause` takes no new ones.

return action {
  summary  = "Set whether a node takes tasks",
  describe = "set ${node_id} to ${availability}",
  inputs   = { node_id = { type = "string", required = true, description = "ID of the node" },
               availability = { type = "string", required = true, enum = { "active", "pause", "drain" }, description = "what it is to be" } },
  changes  = { "swarm" },
  on_unknown = "check",

  effect = function(state, with)
    local n = state.swarm.nodes[with.node_id]
    if not n or not lib.decides(state.swarm) then return false end
    n.availability = with.availability
  end,

  done = function(state, with)
    local n = state.swarm.nodes[with.node_id]
    return n and n.availability == with.availability and {} or false
  end,

  run = function(ctx, with)
    local via, engine = lib.spokesman(ctx)
    lib.update_node(ctx, via, engine, with.node_id, function(spec)
      if spec.Availability == with.availability then return false end
      spec.Availability = with.availability
    end)
    return {}
  end,
}
