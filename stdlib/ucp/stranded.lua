-- Machines that uninstalling does not reach: in no swarm, with something of UCP on them, such as a manager that had to leave.

return func {
  summary = "stranded(ucp, swarm) → list of machines that are in no swarm and have containers or volumes of UCP",
  call = function(u, s)
    local r = list{}
    for node in pairs(lib.left(u)) do
      local e = s.engines[node]
      if e and e.answers and e.local_state == "inactive" then r[#r + 1] = node end
    end
    return r
  end,
}
