-- Whether a machine has a replica that takes part.

return func {
  summary = "has_replica(dtr, node) → whether a healthy replica runs there",
  call = function(d, node)
    return any(d.replicas, function(r) return r.node == node and r.health == "healthy" end)
  end,
}
