-- The ID of a node by its inventory name: records are addressed by ID, for two may have one host name.

return func {
  summary = "node_id(swarm, name) → ID of the record that this engine stands behind, or \"\"",
  call = function(s, name)
    local e = s.engines[name]
    return e and e.node_id and s.nodes[e.node_id] and e.node_id or ""
  end,
}
