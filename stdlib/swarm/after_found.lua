-- What is assumed once the living nodes have found the forced cluster.

return func {
  summary = "after_found(swarm) → the part with every node whose engine answers ready",
  call = function(s)
    s = copy(s)
    for id, n in pairs(s.nodes) do
      if lib.engine_of(s, id) then n.state = "ready" end
    end
    return s
  end,
}
