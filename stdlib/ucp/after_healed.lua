-- What is assumed once UCP has reconfigured itself: every manager of the swarm that answers is a healthy one of UCP.
-- Source: domain notes "restore": other managers reconfigure themselves. The swarm's services do that, so without its quorum nothing changes.

return func {
  summary = "after_healed(ucp, swarm) → the part as it is assumed to be then",
  call = function(u, s)
    if not u.installed or not s.quorum.held then return u end
    u = copy(u)
    u.managers = {}
    for _, m in pairs(s.managers) do
      local e = m.name and s.engines[m.name]
      if e then lib.set_manager(u, m.name, e.answers and "running" or "unknown", e.answers and "healthy" or "silent", u.version) end
    end
    lib.recount(u)
    return u
  end,
}
