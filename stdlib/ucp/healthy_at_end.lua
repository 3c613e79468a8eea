-- Source: "Verify that UCP is healthy" after each of the two recoveries. A machine that does not answer is the swarm's concern.

return rule {
  summary = "At the end UCP, where it is installed, is healthy on every manager that answers",
  needs = { "ucp" },
  why = "DTR logs in, deploys and is administered through UCP",
  finally = function(state)
    local u = state.ucp
    if not u.installed then return nil end
    if not u.quorum.held then return "ucp-kv has no quorum: " .. ucp.picture(u) end
    if not u.auth.held then return "ucp-auth-store has no quorum: " .. ucp.picture(u) end
    for node, m in pairs(u.managers) do
      if m.answers and m.kv ~= "absent" and m.ping ~= "healthy" then return "UCP on " .. node .. " is not healthy: " .. ucp.picture(u) end
    end
    return nil
  end,
}
