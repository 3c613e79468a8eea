-- The layer below DTR. Source: "In the event half or more manager nodes are lost …, the system is considered to have lost quorum".

return capability {
  summary = "UCP is installed, both stores have their quorum, and every manager is healthy",
  needs = { "ucp" },
  holds = function(state)
    local ok, why = lib.well(state.ucp)
    if ok then return true end
    if not state.ucp.installed then return false, why .. "; use ucp/restore-from-backup" end
    return false, why .. "; with a backup use ucp/restore-from-backup, without one ucp/recover-without-backup"
  end,
}
