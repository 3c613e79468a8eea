-- Which manager a backup is made on: one that does not lead. Source: domain notes "Backup / restore": the leader is left alone.

return func {
  summary = "backup_node(swarm) → name of a manager that answers and does not lead; the leader if no other answers; some node's name if there is none",
  call = function(s)
    local leads
    for _, id in ipairs(keys(s.managers)) do
      local m = s.managers[id]
      local e = m.name and s.engines[m.name]
      if e and e.answers and e.node_id == id and e.control then
        if id ~= s.leader then return m.name end
        leads = m.name
      end
    end
    return leads or keys(s.engines)[1]
  end,
}
