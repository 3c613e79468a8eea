-- The cluster in one line: who is there, side by side, what they believe, and who decides.

return func {
  summary = "picture(dtr) → one line, such as \"aaa bbb ccc | ddd eee: 5 members, 3 needed: held by aaa bbb ccc\"",
  call = function(d)
    local v = lib.view(d)
    local holder, group = lib.holder(d, v)
    local index, counted, sides = {}, {}, {}
    for i = 1, v.n do index[v.ids[i]] = i end
    local i, j = lib.rivals(d, v)
    if holder and not i then
      for _, m in ipairs(d.replicas[holder].members) do counted[m] = true end
    end

    local function marked(id, r)
      local k = index[id]
      if not r.answers then return r.volumes == "absent" and "(gone)" or "(down)" end
      if #r.members == 0 then return "(no member)" end
      if r.volumes == "absent" then return "(no volumes)" end
      if r.volumes == "corrupt" then return "(corrupt)" end
      if r.stopped then return "(stopped)" end
      if holder and not i and not counted[id] then return "(not counted)" end
      if r.health ~= "healthy" and v.alive[k] >= quorum(#r.members) then return "(unhealthy)" end
      return ""
    end

    for id, r in pairs(d.replicas) do
      local side = d.cut and (r.side or "?") or ""
      sides[side] = sides[side] or list{}
      sides[side][#sides[side] + 1] = lib.short(d, id) .. marked(id, r)
    end
    local parts = list{}
    for _, members in pairs(sides) do parts[#parts + 1] = table.concat(members, " ") end
    local text = #parts > 0 and table.concat(parts, " | ") or "no replica"
    if i then
      return text .. ": " .. lib.names(d, v, v.mates[i]) .. " and " .. lib.names(d, v, v.mates[j]) .. " can each decide: split brain"
    end
    local q = d.quorum
    text = text .. ": " .. q.voters .. (q.voters == 1 and " member, " or " members, ") .. q.needed .. " needed: "
    return text .. (holder and "held by " .. lib.names(d, v, v.mates[group]) or "lost")
  end,
}
