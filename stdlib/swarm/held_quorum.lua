-- A step does not take away a quorum that is held. What the cluster does by itself is no step.
-- Source: "In a swarm of N managers, a quorum (a majority) of manager nodes must always be available".

return rule {
  summary = "A step never costs the swarm the quorum that it has",
  needs = { "swarm" },
  why = "without a majority of its managers a swarm starts no task and changes nothing; only the lost managers, or forcing, help",
  never = function(state, before, by)
    if by == "event" or state.swarm.quorum.held or not before or not before.swarm or not before.swarm.quorum.held then return nil end
    return "the swarm had its quorum and has lost it: " .. swarm.picture(state.swarm)
  end,
}
