-- Source: "If any nodes are listed as down, you'll have to manually remove these nodes from the swarm"; domain notes "uninstall-ucp".

return func {
  summary = "dead_nodes(swarm) → list of { name, node_id, role, state }: records that are not ready, of machines that do not answer as those",
  call = function(s) return lib.dead_nodes(s) end,
}
