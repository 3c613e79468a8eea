-- Whether the swarm has made up its mind about each node: a record that is not ready belongs to a machine that does not answer.

return func {
  summary = "settled(swarm) → whether every record is ready, or down with no engine that answers as it",
  call = function(s)
    return all(s.nodes, function(n, id)
      if n.state == "ready" then return true end
      return (n.state == "down" or n.state == "disconnected") and not any(s.engines, function(e) return e.answers and e.node_id == id end)
    end)
  end,
}
