-- Whether the survivor and the workers that live are ready in the forced cluster. Field notes, "More on forcing": workers are after 5 to 10 s.
-- Old managers that live are not waited for: it takes them 40 s, then the swarm promotes them itself; they leave before, in good order.

return func {
  summary = "found(swarm) → whether the leader, and every worker whose engine answers, is ready",
  call = function(s)
    return s.quorum.held and all(s.nodes, function(n, id)
      return n.state == "ready" or lib.engine_of(s, id) == nil or (n.role == "manager" and not n.in_raft)
    end)
  end,
}
