-- Whether a manager can be backed up: its engine answers, and the stores' data are on it.

return func {
  summary = "has_data(ucp, swarm, node) → whether that manager of the swarm answers and has UCP's data",
  call = function(u, s, node)
    local m, e = u.managers[node], s.engines[node]
    return m ~= nil and e ~= nil and e.answers and e.control and (m.kv == "running" or m.kv == "stopped")
  end,
}
