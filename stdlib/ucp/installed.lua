-- Source: "If UCP is still installed on the swarm".

return capability {
  summary = "UCP is installed",
  needs = { "ucp" },
  holds = function(state)
    if state.ucp.installed then return true end
    return false, "UCP is not installed (" .. tostring(state.ucp.why) .. "); use ucp/restore-from-backup"
  end,
}
