-- The only manager that a swarm has left neither leaves, nor is demoted, nor is its record removed.
-- Source: domain notes, error texts: "attempting to demote the last manager of the swarm".

return rule {
  summary = "The last manager of a swarm stays a manager",
  needs = { "swarm" },
  why = "a swarm without a manager cannot be changed, and no node can be made one",
  never = function(state, before, by)
    if by == "event" or not before or not before.swarm or next(state.swarm.managers) ~= nil then return nil end
    if next(before.swarm.managers) == nil then return nil end
    return "the swarm has no manager left"
  end,
}
