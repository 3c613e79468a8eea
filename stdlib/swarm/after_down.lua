-- What is assumed once the swarm has noticed that a node is gone.

return func {
  summary = "after_down(swarm, node_id) → the part with that record down",
  call = function(s, id)
    s = copy(s)
    if s.nodes[id] then s.nodes[id].state, s.nodes[id].in_raft = "down", false end
    return s
  end,
}
