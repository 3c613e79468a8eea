-- Whether there is one swarm: every engine with control names the same leader, and knows the same managers. Field notes: "Two swarms with one ID".

return func {
  summary = "agreed(swarm) → whether all managers that answer name one leader, and the leader's members are all reachable",
  call = function(s)
    if s.split or not s.quorum.held then return false end
    for _, e in pairs(s.engines) do
      if e.answers and e.control and (e.leader ~= s.leader or not s.managers[e.node_id]) then return false end
      if e.answers and (e.local_state == "pending" or e.local_state == "error") then return false end
    end
    return all(s.managers, function(m) return m.reachability == "reachable" end)
  end,
}
