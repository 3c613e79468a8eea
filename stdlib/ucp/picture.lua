-- UCP in one line: its managers, what each says, and who decides.

return func {
  summary = "picture(ucp) → one line, such as \"UCP 3.2.5: node1 node2(unhealthy) node3(down): 1 of 3 in ucp-kv, 2 needed: lost\"",
  call = function(u)
    local parts, left = list{}, list{}
    for node, m in pairs(u.managers) do
      local mark = ""
      if not m.answers then mark = "(down)"
      elseif m.kv == "absent" then mark = "(none)"
      elseif m.kv == "stopped" then mark = "(stopped)"
      elseif m.ping ~= "healthy" then mark = "(" .. m.ping .. ")" end
      parts[#parts + 1] = node .. mark
    end
    local names = #parts > 0 and table.concat(parts, " ") or "no manager"
    if not u.installed then
      for node, n in pairs(lib.left(u)) do left[#left + 1] = node .. " (" .. n .. ")" end
      return "no UCP: " .. names .. (#left > 0 and "; something is left on " .. table.concat(left, ", ") or "")
    end
    local q, a = u.quorum, u.auth
    local line = "UCP " .. tostring(u.version or "of unknown version") .. ": " .. names .. ": " .. q.answering .. " of " .. q.voters .. " in ucp-kv, " ..
      q.needed .. " needed: " .. (q.held and "held" or "lost")
    if a.held ~= q.held then line = line .. "; ucp-auth-store " .. a.answering .. " of " .. a.voters .. ": " .. (a.held and "held" or "lost") end
    return line
  end,
}
