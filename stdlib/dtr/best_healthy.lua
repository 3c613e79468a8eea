-- The replica that removing and joining go through (--existing-replica-id): a healthy one of the group that decides, the one that
-- reported good last; without a healthy one, the best that there is, so that expressions go on and preconditions can say what is wrong.

local function best(d)
  local v = lib.view(d)
  local _, group = lib.holder(d, v)
  local rank = {}
  for i = 1, v.n do
    local r = d.replicas[v.ids[i]]
    rank[v.ids[i]] = (group and v.mates[group] & (1 << (i - 1)) ~= 0 and 2 or 0) + (r.health == "healthy" and 4 or 0) + 1
  end
  local youngest, best_id
  for id, r in pairs(d.replicas) do
    local mine = rank[id] or 0
    -- Who is well reports every few seconds: which of them did last is chance, and a choice that changes with it would be none.
    local age = type(r.last_good) == "number" and math.max(r.last_good, 60) or 1e12
    if not youngest or mine > rank[best_id] or (mine == rank[best_id] and age < youngest) then youngest, best_id = age, id end
    rank[id] = mine
  end
  if not best_id then return { id = "", node = "" } end
  return { id = best_id, node = d.replicas[best_id].node }
end

return func {
  summary = "best_healthy(dtr) → { id, node } of a healthy replica to keep; of some other if none is healthy; id is empty if there is none",
  call = function(d) return copy(once(d, best)) end,
}
