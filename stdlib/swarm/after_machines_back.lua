-- What is assumed once people have brought machines in the place of the lost ones: their engines answer and are in no swarm.

return func {
  summary = "after_machines_back(swarm) → the part as it is assumed to be then",
  call = function(s)
    s = copy(s)
    for _, x in ipairs(lib.left_over(s)) do
      local e = s.engines[x.name]
      if e and not e.answers then
        e.answers, e.local_state, e.control, e.swarm_dir, e.why, e.members = true, "inactive", false, "empty", nil, {}
        local n = s.nodes[x.node_id]
        n.ghost, n.why = true, x.name .. " is in no swarm (inactive)"
      end
    end
    return s
  end,
}
