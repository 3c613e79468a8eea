-- Source: "If UCP is still installed on the swarm, uninstall UCP".

return func {
  summary = "to_uninstall(ucp) → whether UCP is installed, or something of it is left on a machine that answers",
  call = function(u) return u.installed or count(lib.left(u)) > 0 end,
}
