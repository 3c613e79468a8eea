-- Source: "If no swarm exists, the restore operation will create one."

return func {
  summary = "any_swarm(swarm) → whether some engine that answers is in a swarm, with or without a quorum",
  call = function(s) return lib.any_swarm(s) end,
}
