-- Take UCP from every node of the swarm: `docker/ucp uninstall-ucp --id ID`, once, on a manager. The swarm and its services stay.
-- Source: "uninstall UCP using the uninstall-ucp command"; domain notes "uninstall-ucp": a global service does it, for about two minutes; with
-- nodes that are down it fails half way, so their records go first.

local function calm(s)
  return all(s.nodes, function(n) return n.state == "ready" end)
end

-- Whether the global service reaches a machine: its record is ready and its engine answers as that record.
local function reached(s, node)
  local e = s.engines[node]
  local n = e and e.answers and e.node_id and s.nodes[e.node_id]
  return n ~= nil and n ~= false and n.state == "ready"
end

return action {
  summary  = "Uninstall UCP from every node of the swarm",
  describe = "uninstall UCP, through ${node}",
  inputs   = { node = { type = "node", required = true, description = "a manager of the swarm" },
               image = { type = "image", required = true, description = "docker/ucp in the version that is installed" },
               id = { type = "string", description = "UCP's ID; default: what the image's `id` command tells, or the swarm's cluster ID" },
               only_ready = { type = "boolean", default = false, description = "look at the nodes first, and begin nothing while one is not ready" } },
  changes  = { "ucp" },
  destroys = "UCP with its users, teams, grants, certificates and settings on every node; only a backup brings them back",
  on_unknown = "check",
  settle   = "3m",

  -- What is installed afterwards asks for the same; whoever cannot give their word is to be stopped while there is still a UCP.
  attests = function(state, with)
    return lib.absent(state, with.node)
  end,

  effect = function(state, with)
    local s = state.swarm
    if not lib.can_manage(s, with.node) or not calm(s) then return false end
    lib.take_away(state, function(node) return reached(s, node) end, true)
  end,

  outcomes = {
    stuck = function(state, with)
      local s = state.swarm
      if not state.ucp.installed or not lib.can_manage(s, with.node) or (with.only_ready and not calm(s)) then return false end
      local last
      if calm(s) then
        for node in pairs(state.ucp.managers) do
          if node ~= with.node and reached(s, node) then last = node end
        end
      end
      lib.take_away(state, function(node) return node ~= last and reached(s, node) end, false)
    end,
  },
  outcome_texts = { stuck = "takes too long on some node: UCP is gone from the others, and not from the swarm" },

  done = function(state)
    local u = state.ucp
    if lib.busy(u) then return "pending" end
    return not u.installed and count(lib.left(u)) == 0 and {} or false
  end,

  images = function(_, with) return { [with.node] = with.image } end,

  follow = lib.follow,

  run = function(ctx, with)
    local u, node = ucp.look(ctx), with.node
    local nodes = ctx.docker(node):get("/nodes", { timeout = 30 })
    if not nodes.ok then
      return ctx.fail(node .. ": GET /nodes answered " .. tostring(nodes.status or "nothing") .. ": " .. tostring(nodes.message) ..
        "; UCP is uninstalled by a service of the swarm, through a manager of one that has its quorum.")
    end
    local members, not_ready = {}, list{}
    for _, n in ipairs(nodes.body) do
      local state = n.Status and n.Status.State or "unknown"
      members[n.ID] = true
      if state ~= "ready" then not_ready[#not_ready + 1] = (n.Description and n.Description.Hostname or n.ID) .. " (" .. n.ID .. ", " .. state .. ")" end
    end
    if with.only_ready and #not_ready > 0 then
      return ctx.fail("uninstalling waits for every node of the swarm, and would be stuck with: " .. table.concat(not_ready, ", ") ..
        "; start their engines, or remove their records (docker node rm), first.")
    end
    local id = with.id or ucp.instance(ctx, node, with.image, u)
    local asks = {}
    for name in pairs(ctx.nodes) do asks[name] = function() return ctx.docker(name):get("/info", { timeout = 30 }) end end
    local reach = map(ctx.all(asks), function(info) return info.ok and info.body.Swarm ~= nil and members[info.body.Swarm.NodeID or ""] == true end)
    ucp.tool(ctx, { command = "uninstall-ucp", node = node, image = with.image, argv = list{ "--id", id }, timeout = 1800,
      advice = "What is left on a node is told by: docker ps -a --filter name=ucp-; docker volume ls --filter name=ucp-. Uninstalling can be tried again once every node of the swarm is ready.",
      holds = function(now)
        if now.installed then return false, "UCP is still there: " .. tostring(now.why) end
        for name, n in pairs(lib.left(now)) do
          if reach[name] then return false, n .. " containers and volumes of UCP are left on " .. name end
        end
        return true
      end })
    return {}
  end,
}
