-- Source: "In a swarm of N managers, a quorum (a majority) of manager nodes must always be available".

return rule {
  summary = "At the end the swarm has its quorum",
  needs = { "swarm" },
  why = "without a majority of its managers a swarm starts no task and changes nothing",
  finally = function(state)
    if state.swarm.quorum.held then return nil end
    return "the swarm has no quorum: " .. swarm.picture(state.swarm)
  end,
}
