-- Source: "In the event half or more manager nodes are lost …, the system is considered to have lost quorum".

return func {
  summary = "lost(ucp) → whether UCP is installed and one of its stores has lost its quorum",
  call = function(u) return u.installed and not (u.quorum.held and u.auth.held) end,
}
