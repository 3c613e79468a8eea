-- The overlay network is cut along the sides that are known. Source: "something goes wrong with the overlay network".

return event {
  summary = "the network between the sides of DTR is cut",
  needs = { "dtr" },
  when = function(state)
    local d = state.dtr
    if d.cut then return false end
    local side
    for _, r in pairs(d.replicas) do
      if r.answers and r.side then
        if side and side ~= r.side then return true end
        side = r.side
      end
    end
    return false
  end,
  effect = function(state, _, before)
    local d, was = state.dtr, lib.before(lib.was(state, before))
    d.cut = true
    lib.recount(d, was)
  end,
}
