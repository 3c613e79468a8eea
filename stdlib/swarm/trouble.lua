-- What keeps a swarm from being called recovered, in one line. Source: field notes, "Two swarms with one ID", "Old managers keep Spec.Role".

return func {
  summary = "trouble(swarm) → one line on what is wrong, or \"\"",
  call = function(s)
    local r = list{}
    if s.split then
      local parts = list{}
      for id, l in pairs(s.leaders) do parts[#parts + 1] = table.concat(sorted(l.named_by), ", ") .. (#l.named_by == 1 and " names " or " name ") .. (l.name or id) end
      r[#r + 1] = "two swarms with one ID have two leaders (" .. table.concat(parts, "; ") .. "): give one up by `docker swarm leave --force` on each of its managers"
    end
    if not s.quorum.held then r[#r + 1] = "the quorum is not held (" .. tostring(s.quorum.why) .. ")" end
    for name, e in pairs(s.engines) do
      if e.answers and s.quorum.held and not s.split then
        if e.control and e.leader ~= s.leader then r[#r + 1] = name .. " manages, but does not name the leader (" .. tostring(e.error or e.leader or "it names none") .. ")" end
        if e.local_state == "pending" or e.local_state == "error" or e.local_state == "locked" then r[#r + 1] = name .. " is " .. e.local_state end
      end
    end
    for id, n in pairs(s.nodes) do
      if n.ghost then
        r[#r + 1] = "the record " .. id .. " of " .. lib.label(n, id) .. " stands for nobody (" .. tostring(n.why) .. ")"
      elseif n.role == "manager" and not n.in_raft then
        r[#r + 1] = lib.label(n, id) .. " is a manager by its role (" .. id .. "), but no member"
      end
    end
    return table.concat(r, "; ")
  end,
}
