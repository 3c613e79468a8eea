-- Whether the nodes that live have found the forced cluster. Field notes, "More on forcing": they are ready after 5 to 10 s; old managers
-- among them are promoted by the swarm itself some time later, so this is the moment to bring them back in good order.

return func {
  summary = "found(swarm) → whether every record whose engine answers is ready",
  call = function(s)
    return s.quorum.held and all(s.nodes, function(n, id) return n.state == "ready" or lib.engine_of(s, id) == nil end)
  end,
}
