-- Source: "If there is an existing swarm, the restore operation must be performed on a manager node."

return func {
  summary = "can_restore(swarm, node) → whether that node is a manager of a swarm that decides, or in no swarm where there is none",
  call = function(s, node)
    local e = s.engines[node]
    if not e or not e.answers then return false end
    if lib.any_swarm(s) then return lib.can_manage(s, node) end
    return e.swarm_dir ~= "present"
  end,
}
