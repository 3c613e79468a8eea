-- The replicas that are healthy. (`dtr.healthy` is the capability: all of them are.)

return func {
  summary = "well(dtr) → list of { id, node } of the healthy replicas, by ID",
  call = function(d)
    local r = list{}
    for id, x in pairs(d.replicas) do
      if x.health == "healthy" then r[#r + 1] = { id = id, node = x.node } end
    end
    return r
  end,
}
