-- DTR is repaired only on a swarm that can decide: Swarm first, then UCP, then DTR. Source: the order of the document's chapters.

local function same_list(a, b)
  if #a ~= #b then return false end
  for i = 1, #a do
    if a[i] ~= b[i] then return false end
  end
  return true
end

-- The first replica that is there in one only, or differs in what an act changes: which, and in what way.
local function changed(now, was)
  for id in pairs(was) do
    if not now[id] then return id, " goes" end
  end
  for id in pairs(now) do
    if not was[id] then return id, " is added" end
  end
  for id, r in pairs(now) do
    if was[id].volumes ~= r.volumes or not same_list(was[id].members, r.members) then return id, " is changed" end
  end
  return nil
end

return rule {
  summary = "DTR is never changed while the swarm below it has no quorum",
  needs = { "swarm", "dtr" },
  why = "without a swarm that decides, containers, networks and the membership of nodes are not what they seem to be; recover the swarm first",
  never = function(state, before, by)
    if by == "event" or not before or not before.swarm or not before.dtr or before.swarm.quorum.held then return nil end
    local id, how = changed(state.dtr.replicas, before.dtr.replicas)
    if not id then return nil end
    return "DTR is changed (replica " .. id .. how .. ") while the swarm has no quorum; use swarm/recover-quorum first"
  end,
}
