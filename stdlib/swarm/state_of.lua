-- The state of a record, or "gone". Source: field notes, "Clean way back": wait until the old record is down.

return func {
  summary = "state_of(swarm, node_id) → \"ready\", \"down\", \"unknown\", \"disconnected\" or \"gone\"",
  call = function(s, id) return s.nodes[id] and s.nodes[id].state or "gone" end,
}
