-- Which manager UCP is recovered from. Source: "you can still perform a backup of one of the remaining nodes".
-- How far its stores have got cannot be read, so one that runs, and that leads the swarm, is assumed to be the best.

return func {
  summary = "remaining(ucp, swarm) → inventory name of the manager to rebuild UCP from; some node's name if there is none",
  call = function(u, s)
    local leader = s.leader and s.managers[s.leader]
    local best, highest
    for node, m in pairs(u.managers) do
      local e = s.engines[node]
      if e and e.answers and e.control then
        local r = (m.kv == "running" and 8 or m.kv == "stopped" and 4 or 0) + (m.ping == "healthy" and 2 or 0) + (leader and leader.name == node and 1 or 0)
        if not best or r > highest then best, highest = node, r end
      end
    end
    return best or keys(s.engines)[1]
  end,
}
