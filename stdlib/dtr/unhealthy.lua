-- The replicas that are to be repaired: not known to be healthy, no member, or without an answer. Source: "Repair a single replica".

return func {
  summary = "unhealthy(dtr) → list of { id, node, health, answers } of the replicas that are not healthy, by ID",
  call = function(d)
    local r = list{}
    for id, x in pairs(d.replicas) do
      if x.health ~= "healthy" then r[#r + 1] = { id = id, node = x.node, health = x.health, answers = x.answers } end
    end
    return r
  end,
}
