-- What is assumed once the survivor and the workers have found the forced cluster.

return func {
  summary = "after_found(swarm) → the part with the leader, and every worker whose engine answers, ready",
  call = function(s)
    s = copy(s)
    for id, n in pairs(s.nodes) do
      if lib.engine_of(s, id) and (n.role ~= "manager" or n.in_raft) then n.state = "ready" end
    end
    return s
  end,
}
