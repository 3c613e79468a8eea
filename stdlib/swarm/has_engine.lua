-- Whether an inventory engine answers and still has this identity. Field notes: "Two swarms with one ID".

return func {
  summary = "has_engine(swarm, name, node_id) → whether that engine answers as that node",
  call = function(s, name, id)
    local e = s.engines[name]
    return e ~= nil and e.answers and e.node_id == id
  end,
}
