-- Source: domain notes "restore": nothing of UCP may be on any node.

return func {
  summary = "left(ucp) → \"node2 (7), node4 (3)\": machines that answer and have containers or volumes of UCP, or \"\"",
  call = function(u)
    local r = list{}
    for node, n in pairs(lib.left(u)) do r[#r + 1] = node .. " (" .. n .. ")" end
    return table.concat(r, ", ")
  end,
}
