-- Whether a node votes already.

return func {
  summary = "is_member(swarm, name) → whether that engine is a member of Raft",
  call = function(s, name)
    local e = s.engines[name]
    local m = e and e.node_id and s.managers[e.node_id]
    return m ~= nil and m.in_raft == true
  end,
}
