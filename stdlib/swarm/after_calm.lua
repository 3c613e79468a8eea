-- What is assumed once a forced cluster is calm: nodes whose engine answers are ready, others are down, and services are at count
-- again on what is left. Field notes, "More on forcing".

return func {
  summary = "after_calm(swarm) → the part as it is assumed to be then",
  call = function(s)
    s = copy(s)
    for id, n in pairs(s.nodes) do
      if n.state == "unknown" then n.state = lib.engine_of(s, id) and "ready" or "down" end
    end
    for _, service in pairs(s.services) do service.running = service.desired end
    return s
  end,
}
