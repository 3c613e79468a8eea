-- UCP is repaired only on a swarm that can decide: Swarm first, then UCP, then DTR. A restore on a machine in no swarm makes a new one.
-- Source: the order of the document's chapters; "If no swarm exists, the restore operation will create one".

local function differs(a, b)
  if not a or not b then return true end
  return a.kv ~= b.kv or a.auth ~= b.auth
end

return rule {
  summary = "UCP is never changed while the swarm below it has no quorum, but for a restore where there is no swarm",
  needs = { "swarm", "ucp" },
  why = "uninstall and restore are carried out by services of the swarm; recover the swarm first",
  never = function(state, before, by)
    if by == "event" or not before or not before.swarm or not before.ucp or before.swarm.quorum.held then return nil end
    if not before.ucp.installed and state.ucp.installed and not lib.any_swarm(before.swarm) then return nil end
    local now, was = state.ucp.managers, before.ucp.managers
    local where
    if state.ucp.installed ~= before.ucp.installed then where = state.ucp.installed and "installed" or "uninstalled" end
    for node in pairs(was) do
      if not where and differs(was[node], now[node]) then where = "changed on " .. node end
    end
    for node in pairs(now) do
      if not where and not was[node] then where = "changed on " .. node end
    end
    if not where then return nil end
    return "UCP is " .. where .. " while the swarm has no quorum; use swarm/recover-quorum first"
  end,
}
