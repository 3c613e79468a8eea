-- Whether a forced cluster has made up its mind about each node. Field notes: after forcing, all are `Unknown`; the living are Ready
-- after 5 to 40 s, the dead Down after about 33 s.

return func {
  summary = "calm(swarm) → whether every record is ready or down",
  call = function(s)
    return s.quorum.held and all(s.nodes, function(n) return n.state == "ready" or n.state == "down" or n.state == "disconnected" end)
  end,
}
