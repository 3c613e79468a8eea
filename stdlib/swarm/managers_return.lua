-- Managers that did not answer are back, with the state and the belief that they had, alone or with others. Those for which somebody has
-- attested that they cannot come back do not.
-- Source: field notes, "Two swarms with one ID": after forcing, those whose record was removed go on with the old swarm if they are a majority
-- of it, and are pending alone; those whose records were kept become workers.

local few = 4 -- up to so many, every set of them is looked at; of more, each alone and all together

-- calls fn(id, label, record) for each that could return
local function absent(state, fn)
  local s, attested = state.swarm, state.attested
  for id, m in pairs(s.managers) do
    if not m.answers and m.in_raft and m.reachability ~= "reachable" then
      local e = m.name and s.engines[m.name]
      local label = lib.label(m, id)
      if not (e and e.answers) and not (attested and attested[label]) then fn(id, label, m) end
    end
  end
  if s.gone then
    for id, g in pairs(s.gone) do
      local e = g.name and s.engines[g.name]
      local label = lib.label(g, id)
      if not (e and e.answers) and not (attested and attested[label]) then fn(id, label, g) end
    end
  end
end

local function wake(s, id, m, members)
  local e = m.name and s.engines[m.name]
  if not e then return nil end
  e.answers, e.why, e.local_state, e.control, e.node_id, e.host, e.swarm_dir = true, nil, "active", true, id, m.host, "present"
  e.members = {}
  for _, other in ipairs(members) do
    local known = s.managers[other] or (s.gone and s.gone[other])
    e.members[other] = known and known.addr or ""
  end
  return e
end

-- Those that no swarm counts: a second swarm if they can decide, workers if all their records were kept, else nothing for now.
local function apart(s, back)
  local kept = s.quorum.held
  for id in pairs(back) do kept = kept and s.nodes[id] ~= nil end
  if kept then
    for id, e in pairs(back) do
      e.control, e.members = false, map(s.managers, function(m) return m.addr end)
      s.nodes[id].state = "ready"
    end
    return
  end
  local v, second = swarm.sides(s), nil
  for i = 1, v.n do
    local e = back[v.ids[i]]
    if e and v.deciding[i] and not second then second = i end
    if e and not v.deciding[i] then e.local_state, e.error = "pending", "The swarm does not have a leader." end
  end
  if not second then return end
  local names = list{}
  for j = 1, v.n do
    if v.mates[second] & (1 << (j - 1)) ~= 0 then
      names[#names + 1] = v.names[j]
      s.engines[v.names[j]].leader, s.engines[v.names[j]].error = v.ids[second], nil
    end
  end
  s.leaders[v.ids[second]] = { name = v.names[second], named_by = names }
  s.split = count(s.leaders) > 1
end

return event {
  summary = "managers that were away return with their old state",
  needs = { "swarm" },
  when = function(state)
    local names, n = {}, 0
    absent(state, function(_, label)
      n = n + 1
      names[n] = label
    end)
    if n == 0 then return false end
    local r = list{}
    if n > few then
      for i = 1, n do r[i] = list{ names[i] } end
      r[n + 1] = list(names)
      return r
    end
    for mask = 1, (1 << n) - 1 do
      local set = list{}
      for i = 1, n do
        if mask & (1 << (i - 1)) ~= 0 then set[#set + 1] = names[i] end
      end
      r[#r + 1] = set
    end
    return r
  end,
  effect = function(state, choice)
    local s, back, members = state.swarm, {}, nil
    absent(state, function(id, label, m)
      if not contains(choice, label) then return end
      if not s.managers[id] then
        back[id] = wake(s, id, m, m.members)
        return
      end
      members = members or keys(s.managers)
      local e = wake(s, id, m, members)
      m.answers, m.members = e ~= nil, copy(members)
      if not e then m.reachability = "reachable" end
      if s.nodes[id] then s.nodes[id].state = "ready" end
    end)
    if members then lib.settle(s) end
    if next(back) == nil then return end
    apart(s, back)
    for id in pairs(back) do s.gone[id] = nil end
    if next(s.gone) == nil then s.gone = nil end
  end,
}
