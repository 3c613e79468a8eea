-- Whether the machines of the former managers are there to become managers again: in no swarm, with nothing left of one.
-- Source: "You need to add or re-add manager nodes to achieve your previous task distribution".

return func {
  summary = "machines_back(swarm, wanted) → whether voters and machines that could join make `wanted` managers, or two leaders show",
  call = function(s, wanted)
    if s.split then return true end
    local names = {}
    for _, x in ipairs(lib.left_over(s)) do
      local e = s.engines[x.name]
      if e and e.answers and (e.node_id == x.node_id or (e.local_state == "inactive" and e.swarm_dir ~= "present")) then names[x.name] = true end
    end
    return s.quorum.voters + count(names) >= wanted
  end,
}
