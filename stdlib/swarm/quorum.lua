-- The layer below UCP and DTR: a swarm that can decide. Source: "In a swarm of N managers, a quorum must always be available."

return capability {
  summary = "The swarm has a leader with a majority, and there is one such swarm",
  needs = { "swarm" },
  holds = function(state)
    local s = state.swarm
    if s.split then return false, "two leaders are named for one cluster" end
    if s.quorum.held then return true end
    return false, "the swarm has no quorum (" .. tostring(s.quorum.why) .. "); use swarm/recover-quorum"
  end,
}
