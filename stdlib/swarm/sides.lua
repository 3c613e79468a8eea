-- Who could decide with whom. Two managers take part together if each counts the other as a member; a group that has the majority of those
-- that its members believe in decides. Groups are bits of an integer, for plans are explored with this.

local most = 60 -- managers that are looked at

local function bits(mask)
  local n = 0
  while mask ~= 0 do
    mask = mask & (mask - 1)
    n = n + 1
  end
  return n
end

local function work_out(s)
  local ids, names, members, clusters, n = {}, {}, {}, {}, 0
  for name, e in pairs(s.engines) do
    local believes = e.members
    if e.answers and e.control and e.node_id and believes and believes[e.node_id] and n < most then
      n = n + 1
      ids[n], names[n], members[n], clusters[n] = e.node_id, name, believes, e.cluster_id
    end
  end
  local v = { n = n, ids = ids, names = names, mates = {}, deciding = {} }
  for i = 1, n do
    local mask, size = 0, 0
    for j = 1, n do
      if members[i][ids[j]] and members[j][ids[i]] then mask = mask | (1 << (j - 1)) end
    end
    for _ in pairs(members[i]) do size = size + 1 end
    v.mates[i], v.deciding[i] = mask, bits(mask) >= quorum(size)
  end
  for i = 1, n do
    for j = i + 1, n do
      local one_id = not clusters[i] or not clusters[j] or clusters[i] == clusters[j]
      if one_id and v.deciding[i] and v.deciding[j] and v.mates[i] & v.mates[j] == 0 then
        v.one, v.other = i, j
        return v
      end
    end
  end
  return v
end

return func {
  summary = "sides(swarm) → {n, ids, names, mates, deciding, one, other} of the managers that answer; one and other: indices of two that decide with nobody in common",
  call = function(s) return once(s, work_out) end, -- nobody changes what it returns
}
