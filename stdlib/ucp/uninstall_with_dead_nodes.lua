-- Source: domain notes "uninstall-ucp": with nodes that are down, it fails after it has begun.

local function lives(m) return m and m.answers and m.kv ~= "absent" end

return rule {
  summary = "UCP is never uninstalled while the swarm has nodes that are not ready",
  needs = { "swarm", "ucp" },
  why = "uninstall-ucp waits for every node of the swarm, gives up, and leaves UCP half there; remove the records of dead nodes first",
  never = function(state, before, by)
    if by == "event" or not before or not before.ucp or not before.swarm or not before.swarm.quorum.held then return nil end
    local gone = before.ucp.installed and not state.ucp.installed
    for node, m in pairs(before.ucp.managers) do
      local now = state.ucp.managers[node]
      if lives(m) and (not now or (now.answers and now.kv == "absent")) then gone = true end
    end
    if not gone then return nil end
    for id, n in pairs(before.swarm.nodes) do
      if n.state ~= "ready" then return "UCP is uninstalled while " .. (n.name or n.host or id) .. " is " .. n.state .. " in the swarm" end
    end
    return nil
  end,
}
