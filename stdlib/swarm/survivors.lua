-- Managers from which more can be saved than from a backup. Source: "The best way to recover is to bring the failed nodes back online".

return func {
  summary = "survivors(swarm) → sorted names of the engines that have a manager's state: they manage, or are locked",
  call = function(s)
    return sorted(keys(filter(s.engines, function(e) return e.answers and (e.control or e.local_state == "locked") end)))
  end,
}
