-- Let an engine join the swarm: GET /swarm (token) on a manager, POST /swarm/join on the engine, then its labels.
-- Source: "You need to add or re-add manager nodes"; field notes: inactive is not empty, a rotated token is 400 after 10 s, a join that
-- takes longer than 20 s goes on in the background. The token never leaves this function.

return action {
  summary  = "Let an engine join the swarm as a manager or a worker",
  describe = "join ${node} as a ${role}",
  inputs   = { node = { type = "node", required = true, description = "whose engine joins" },
               role = { type = "string", enum = { "manager", "worker" }, default = "manager", description = "as what" },
               labels = { type = "map", default = {}, description = "node labels that it gets" },
               availability = { type = "string", enum = { "active", "pause", "drain" }, default = "active", description = "of the new node" },
               left = { type = "boolean", default = false, description = "it has just left a swarm in good order, so its swarm folder is empty" },
               advertise_addr = { type = "address", description = "its address in the swarm; default: that of the inventory" } },
  outputs  = { node_id = { type = "string", description = "its new node ID" } },
  changes  = { "swarm" },
  on_unknown = "check",
  membership = "swarm",
  settle   = "60s",

  -- "Inactive" is not "empty": what lies in a folder that nobody can look into is lost by a join.
  attests = function(state, with)
    local e = state.swarm.engines[with.node]
    if e and e.answers and e.swarm_dir == "unknown" and not with.left then
      return { [with.node] = "it joins anew, and whether old swarm state lies on its disk cannot be seen" }
    end
    return {}
  end,

  effect = function(state, with)
    local s = state.swarm
    local id, e = lib.future_id(with.node), s.engines[with.node]
    s.nodes[id] = { name = with.node, host = e.host, role = with.role or "manager", in_raft = with.role ~= "worker", state = "ready",
                    availability = with.availability or "active", labels = copy(with.labels or {}), addr = e.address, ghost = false }
    e.answers, e.local_state, e.node_id, e.control, e.error = true, "active", id, with.role ~= "worker", nil
    if e.swarm_dir ~= "unknown" then e.swarm_dir = "present" end -- who cannot look into it now will not be able to then
    if with.role ~= "worker" then
      lib.set_member(s, id, { name = with.node, host = e.host, addr = tostring(e.address) .. ":2377" })
      e.leader = s.leader
    end
    e.members = map(lib.voters(s), function(m) return m.addr end)
    lib.recount(s)
    return { node_id = id }
  end,

  done = function(state, with)
    local s = state.swarm
    local e = s.engines[with.node]
    if not e or not e.answers then return "pending" end
    if e.local_state == "inactive" then return false end
    local n = e.node_id and s.nodes[e.node_id]
    if n and n.state == "ready" and (with.role == "worker" or n.in_raft) then return { node_id = e.node_id } end
    return "pending"
  end,

  run = function(ctx, with)
    local node, role = with.node, with.role or "manager"
    local answer, swarm = lib.info(ctx, node, 30)
    if not answer.ok then return lib.fail(ctx, node, "GET /info", answer) end
    if (swarm.LocalNodeState or "inactive") ~= "inactive" then
      return ctx.fail(node .. ": it is '" .. swarm.LocalNodeState .. "' in a swarm already; it has to leave that one first")
    end
    if lib.swarm_dir(ctx, node, answer.body.DockerRootDir) == "present" then
      return ctx.fail(node .. ": its engine is inactive, but there is swarm state in " .. answer.body.DockerRootDir ..
        "/swarm. A join would delete it. Move it away if it is not needed (stop the engine first).")
    end
    local via, engine, nodes, leader = lib.spokesman(ctx, node)
    local addr = with.advertise_addr or ctx.nodes[node].address
    local remotes = list{}
    for _, n in ipairs(nodes) do
      local m = n.ManagerStatus
      if m and m.Reachability == "reachable" then
        if n.ID == leader then table.insert(remotes, 1, m.Addr) else remotes[#remotes + 1] = m.Addr end
      end
    end
    local tokens = engine:get("/swarm", { timeout = 20 })
    if not tokens.ok then return lib.fail(ctx, via, "GET /swarm", tokens) end
    ctx.progress("joining through " .. via)
    local joined = ctx.docker(node):post("/swarm/join", {
      ListenAddr = "0.0.0.0:2377", AdvertiseAddr = addr, RemoteAddrs = remotes, Availability = with.availability or "active",
      JoinToken = role == "worker" and tokens.body.JoinTokens.Worker or tokens.body.JoinTokens.Manager }, { timeout = 60 })
    if not joined.ok and not lib.says(joined, "attempt to join the swarm will continue") then
      local advice = lib.says(joined, "valid join token") and "The token was rotated while it was used; try again." or nil
      return lib.fail(ctx, node, "POST /swarm/join", joined, advice)
    end
    local id
    local member = lib.poll(ctx, 90, 0.5, function()
      local _, now = lib.info(ctx, node, 20)
      if (now.NodeID or "") == "" then return false end
      id = now.NodeID
      local record = lib.record(engine, id)
      if not record or record.Status.State ~= "ready" then return false end
      return role == "worker" or (record.ManagerStatus ~= nil and record.ManagerStatus.Reachability == "reachable" and now.ControlAvailable)
    end)
    if not member then
      return ctx.fail(node .. ": it was told to join, and is no " .. role .. " of the swarm after 90 s", { unknown = true })
    end
    if next(with.labels or {}) ~= nil or (with.availability or "active") ~= "active" then
      lib.update_node(ctx, via, engine, id, function(spec)
        spec.Labels = spec.Labels or {}
        for k, v in pairs(with.labels or {}) do spec.Labels[k] = v end
        spec.Availability = with.availability or "active"
      end)
    end
    return { node_id = id }
  end,
}
