-- Whether an engine can join: it answers, is in no swarm, and its swarm folder is not known to hold state. Field notes: "Inactive is not empty".

return func {
  summary = "can_join(swarm, name) → whether that engine answers, is in no swarm and has no swarm state that is seen",
  call = function(s, name)
    local e = s.engines[name]
    return e ~= nil and e.answers and e.local_state == "inactive" and e.swarm_dir ~= "present"
  end,
}
