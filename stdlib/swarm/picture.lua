-- The swarm in one line: who answers, who does not, who goes by another membership, and who decides.

local function marked(s, name)
  local e = s.engines[name]
  if e and e.answers and (e.local_state == "pending" or e.local_state == "locked" or e.local_state == "inactive") then return name .. "(" .. e.local_state .. ")" end
  return name
end

return func {
  summary = "picture(swarm) → one line, such as \"node1* node2 | node3(down): 2 of 3 voters, 2 needed: held\"; * marks whoever leads",
  call = function(s)
    local up, down, apart, parts = list{}, list{}, list{}, list{}
    for id, m in pairs(s.managers) do
      local name = lib.label(m, id)
      if m.answers or m.reachability == "reachable" then
        up[#up + 1] = name .. ((id == s.leader or (s.split and s.leaders[id])) and "*" or "")
      else
        local e = m.name and s.engines[m.name]
        down[#down + 1] = e and e.answers and (e.node_id == id and marked(s, name) or name .. "(left)") or name .. "(down)"
      end
    end
    for name, e in pairs(s.engines) do
      if e.answers and e.control and e.node_id and not s.managers[e.node_id] then
        apart[#apart + 1] = marked(s, name) .. (s.leaders[e.node_id] and "*" or "")
      end
    end
    if #up > 0 then parts[#parts + 1] = table.concat(sorted(up), " ") end
    if #down > 0 then parts[#parts + 1] = table.concat(sorted(down), " ") end
    if #apart > 0 then parts[#parts + 1] = "not counted: " .. table.concat(sorted(apart), " ") end
    local q = s.quorum
    return (#parts > 0 and table.concat(parts, " | ") or "no manager") .. ": " .. q.answering .. " of " .. q.voters ..
      (q.voters == 1 and " voter, " or " voters, ") .. q.needed .. " needed: " .. (s.split and "split brain" or q.held and "held" or "lost")
  end,
}
