-- Where UCP is restored: the leader of the swarm, or another manager; where there is no swarm, the first machine that is empty.
-- Source: "If there is an existing swarm, the restore operation must be performed on a manager node."

return func {
  summary = "restore_on(swarm) → inventory name of the node that UCP is best restored on; some node's name if there is none",
  call = function(s)
    local leader = s.leader and s.managers[s.leader]
    local best
    for node, e in pairs(s.engines) do
      if lib.can_manage(s, node) and ((leader and leader.name == node) or not best) then best = node end
    end
    if best then return best end
    for node, e in pairs(s.engines) do
      if e.answers and e.local_state == "inactive" and e.swarm_dir ~= "present" then best = best or node end
    end
    return best or keys(s.engines)[1]
  end,
}
