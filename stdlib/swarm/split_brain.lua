-- Two groups of managers that can each decide: two swarms with one ID. Source: field notes, "Two swarms with one ID": both accept writes, and
-- both run the tasks. Those that do not answer are not counted; that they may come back is an event.

local function group(v, i)
  local r = list{}
  for j = 1, v.n do
    if v.mates[i] & (1 << (j - 1)) ~= 0 then r[#r + 1] = v.names[j] end
  end
  return table.concat(r, ", ")
end

return rule {
  summary = "There are never two groups of managers that can each decide",
  needs = { "swarm" },
  why = "both sides accept changes and run the services, twice and on other data; to merge them, all managers of one side have to leave",
  never = function(state, before)
    local s = state.swarm
    local v = swarm.sides(s)
    if not v.one and not s.split then return nil end
    if before and before.swarm and (before.swarm.split or swarm.sides(before.swarm).one) then return nil end
    if not v.one then return "two leaders are named for one swarm: " .. swarm.picture(s) end
    return group(v, v.one) .. " and " .. group(v, v.other) .. " do not count each other, and each has the managers that it needs to decide"
  end,
}
