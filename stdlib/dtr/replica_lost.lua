-- A replica's machine fails. Its volumes are still on it.

local recount, remember, as_it_was = lib.recount, lib.before, lib.was

return event {
  summary = "a DTR replica is lost",
  needs = { "dtr" },
  when = function(state)
    local r = list{}
    for id, x in pairs(state.dtr.replicas) do
      if x.answers then r[#r + 1] = id end
    end
    return #r > 0 and r
  end,
  effect = function(state, choice, before)
    local d, was = state.dtr, remember(as_it_was(state, before))
    d.replicas[choice].answers = false
    recount(d, was)
  end,
}
