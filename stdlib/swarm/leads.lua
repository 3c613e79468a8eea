-- Whether a node leads the swarm.

return func {
  summary = "leads(swarm, name) → whether that engine is the leader",
  call = function(s, name)
    local e = s.engines[name]
    return e ~= nil and e.node_id ~= nil and e.node_id == s.leader
  end,
}
