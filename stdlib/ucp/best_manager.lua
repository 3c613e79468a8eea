-- Which manager a backup is best made on: a healthy one, and not the leader, for up to 3.1 UCP stops on it meanwhile.

local function rank(s, node, m)
  local leader = s.leader and s.managers[s.leader]
  return (m.answers and 0 or 8) + (m.kv == "running" and 0 or m.kv == "stopped" and 3 or 6) + (m.ping == "healthy" and 0 or 2) +
    (leader and leader.name == node and 1 or 0)
end

return func {
  summary = "best_manager(ucp, swarm) → inventory name of the manager with UCP that is best asked; some node's name if there is none",
  call = function(u, s)
    local best, lowest
    for node, m in pairs(u.managers) do
      local r = rank(s, node, m)
      if s.engines[node] and (not best or r < lowest) then best, lowest = node, r end
    end
    return best or keys(s.engines)[1]
  end,
}
