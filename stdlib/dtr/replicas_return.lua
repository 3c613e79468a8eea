-- Replicas that did not answer are back, with the state and the belief that they had, alone or with others. Those for which somebody has
-- attested that they cannot come back do not. Members that meet a deciding group take over its view; one that nobody counts any more keeps its own.

local as_it_was, remember, holder, meet, recount = lib.was, lib.before, lib.holder, lib.meet, lib.recount

local few = 4 -- up to so many, every set of them is looked at; of more, each alone and all together

local function absent(state)
  local r, attested = list{}, state.attested or {}
  local function collect(part)
    for id, x in pairs(part) do
      if not x.answers and x.volumes ~= "absent" and not attested[lib.label(x, id)] then r[#r + 1] = id end
    end
  end
  collect(state.dtr.replicas)
  if state.dtr.gone then collect(state.dtr.gone) end
  return r
end

return event {
  summary = "DTR replicas that were away return with their old state",
  needs = { "dtr" },
  when = function(state)
    local ids = absent(state)
    local n, r = #ids, list{}
    if n == 0 then return false end
    if n > few then
      for i = 1, n do r[i] = list{ ids[i] } end
      r[n + 1] = ids
      return r
    end
    for mask = 1, (1 << n) - 1 do
      local set = list{}
      for i = 1, n do
        if mask & (1 << (i - 1)) ~= 0 then set[#set + 1] = ids[i] end
      end
      r[#r + 1] = set
    end
    return r
  end,
  effect = function(state, choice, before)
    local old, d = as_it_was(state, before), state.dtr
    local was = remember(old)
    local first = holder(old, was)
    for _, id in ipairs(choice) do
      if d.gone and d.gone[id] then d.replicas[id], d.gone[id] = d.gone[id], nil end
      d.replicas[id].answers = true
    end
    meet(d, first)
    recount(d, was)
  end,
}
