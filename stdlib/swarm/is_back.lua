-- Whether a manager whose engine was started again is a manager as before.

return func {
  summary = "is_back(swarm, name) → whether that engine manages, is reachable, and the swarm decides",
  call = function(s, name)
    local e = s.engines[name]
    local m = e and e.node_id and s.managers[e.node_id]
    return s.quorum.held and m ~= nil and e.answers and e.control and m.reachability == "reachable"
  end,
}
