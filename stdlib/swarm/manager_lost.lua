-- A manager's machine fails, or nobody reaches it any more. Its state is still on it.

return event {
  summary = "a manager is lost",
  needs = { "swarm" },
  when = function(state)
    local r = list{}
    for name, e in pairs(state.swarm.engines) do
      if e.answers and e.control then r[#r + 1] = name end
    end
    return #r > 0 and r
  end,
  effect = function(state, choice) lib.vanish(state, choice) end,
}
