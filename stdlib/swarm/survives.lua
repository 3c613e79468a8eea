-- Whether the swarm goes on deciding while one of its managers is stopped. Source: domain notes "Backup / restore": of 3 managers all 3 must be up.

return func {
  summary = "survives(swarm, name) → whether a majority of the members is reachable without that manager",
  call = function(s, name)
    local voters, left = 0, 0
    for _, m in pairs(s.managers) do
      if m.in_raft then
        voters = voters + 1
        if m.name ~= name and (m.answers or m.reachability == "reachable") then left = left + 1 end
      end
    end
    return left >= quorum(voters)
  end,
}
