-- Whether the node's swarm folder can be copied aside: it was read, so a shell reaches it.

return func {
  summary = "copyable(swarm, name) → whether the swarm folder of that engine can be reached and has something in it",
  call = function(s, name)
    local e = s.engines[name]
    return e ~= nil and e.answers and e.swarm_dir == "present" and type(e.root_dir) == "string"
  end,
}
