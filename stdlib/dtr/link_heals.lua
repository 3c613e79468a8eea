-- The cut is over: members learn of each other's view. That of the group that decided wins, as no other could change anything.

return event {
  summary = "the network between the sides of DTR heals",
  needs = { "dtr" },
  when = function(state) return state.dtr.cut == true end,
  effect = function(state, _, before)
    local old, d = lib.was(state, before), state.dtr
    local was = lib.before(old)
    local first = not lib.rivals(old, was) and lib.holder(old, was) or nil
    d.cut = false
    lib.meet(d, first)
    lib.recount(d, was)
  end,
}
