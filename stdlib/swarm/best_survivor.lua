-- Which manager a new cluster is best forced from. Source: "Recover from losing the quorum": "from a manager node".
-- Raft progress cannot be read through the API, so the choice is an assumption; `swarm.evidence` shows what it rests on.

-- Lower is better; the first difference decides.
local function rank(s, e)
  local disk, clock, locked = seen(e, "disk_free_percent"), seen(e, "clock_offset_ms") or 0, seen(e, "key_locked")
  if clock < 0 then clock = -clock end
  return {
    e.control and e.node_id and 0 or 1,
    e.local_state == "active" and 0 or 1,
    locked == nil and 1 or locked and 2 or 0,
    disk and disk < 5 and 1 or 0,
    clock > 60000 and 1 or 0,
    e.swarm_dir == "present" and 0 or 1,
  }
end

return func {
  summary = "best_survivor(swarm) → inventory name of the manager to rebuild from; some node's name if no manager answers",
  call = function(s)
    local best, best_rank
    for _, name in ipairs(sorted(keys(s.engines))) do
      local e = s.engines[name]
      if e.answers then
        local r, better = rank(s, e), best == nil
        if best then
          for i = 1, #r do
            if r[i] ~= best_rank[i] then
              better = r[i] < best_rank[i]
              break
            end
          end
        end
        if better then best, best_rank = name, r end
      end
    end
    return best or sorted(keys(s.engines))[1]
  end,
}
