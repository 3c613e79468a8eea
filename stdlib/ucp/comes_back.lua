-- Whether a machine can become a manager again: it is a ready worker, or empty and in no swarm; or it is a manager already.

return func {
  summary = "comes_back(swarm, node) → \"is\", \"promote\", \"join\" or \"no\"",
  call = function(s, node)
    local e = s.engines[node]
    if not e or not e.answers then return "no" end
    if e.node_id and s.managers[e.node_id] then return "is" end
    local n = e.node_id and s.nodes[e.node_id]
    if n then return n.state == "ready" and "promote" or "no" end
    return e.local_state == "inactive" and e.swarm_dir ~= "present" and "join" or "no"
  end,
}
