-- The last manager that has the swarm's state is not made to throw it away. An engine that merely answers no more, is locked or has turned
-- inactive still has it on its disk.

local function has(e) return e.answers and (e.control or e.local_state == "locked") end

return rule {
  summary = "The last usable copy of the swarm's state is never thrown away",
  needs = { "swarm" },
  why = "services, secrets, configs and networks are in the managers' Raft state alone; after that only a backup is left",
  never = function(state, before, by)
    if by == "event" or not before or not before.swarm then return nil end
    local engines = state.swarm.engines
    for _, e in pairs(engines) do
      if has(e) then return nil end
    end
    for name, old in pairs(before.swarm.engines) do
      local e = engines[name]
      local kept = old.control or (old.local_state == "locked") or not old.answers
      if has(old) and kept and (not e or (e.answers and (e.swarm_dir ~= "present" or e.local_state == "active"))) then
        return name .. " had the last state of a manager that could be used, and it is gone"
      end
    end
    return nil
  end,
}
