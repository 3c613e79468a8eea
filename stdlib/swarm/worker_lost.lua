-- A worker's machine fails. Field notes: it is down after 12 s; its tasks are started elsewhere later, if they can be.

return event {
  summary = "a worker is lost",
  needs = { "swarm" },
  when = function(state)
    local r = list{}
    for name, e in pairs(state.swarm.engines) do
      if e.answers and not e.control and e.local_state == "active" then r[#r + 1] = name end
    end
    return #r > 0 and r
  end,
  effect = function(state, choice) lib.vanish(state, choice) end,
}
