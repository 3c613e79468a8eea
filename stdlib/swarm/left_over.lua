-- The records that a forced cluster keeps of its former managers, and ghosts. Source: field notes, "POST /swarm/init": old managers keep their
-- role, and what is left in place is promoted, or counted, one day.

return func {
  summary = "left_over(swarm[, alive]) → list of {name, node_id, labels, availability, role}; alive: only those whose engine answers as such",
  call = function(s, alive)
    local r = lib.left_over(s)
    if not alive then return r end
    return filter(r, function(x) return s.nodes[x.node_id] ~= nil and lib.engine_of(s, x.node_id) ~= nil end)
  end,
}
