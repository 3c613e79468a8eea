-- The members of Raft that do not answer, as people call them. Source: "Recover from losing the quorum".

return func {
  summary = "lost_managers(swarm) → sorted names of the members that do not answer",
  call = function(s)
    local r = list{}
    for id, m in pairs(s.managers) do
      if not m.answers and m.reachability ~= "reachable" then r[#r + 1] = lib.label(m, id) end
    end
    return sorted(r)
  end,
}
