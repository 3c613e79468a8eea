-- Let an engine join the swarm: GET /swarm (token) on a manager, POST /swarm/join on the engine, then its labels.
-- Source: "You need to add or re-add manager nodes"; field notes: inactive is not empty, a rotated token is 400 after 10 s, a join that
-- takes longer than 20 s goes on in the background. The token never leaves this function.

-- Whether a swarm could take it in: false where the engine or the swarm refuses.
local function possible(s, e)
  return e and e.answers and e.local_state == "inactive" and e.swarm_dir ~= "present" and s.quorum.held
end

-- Field notes, "Restoring a swarm directory": the leader's record keeps another address than the leader has, so it cannot be reached by
-- those that join.
local function elsewhere(s)
  local m = s.leader and s.managers[s.leader]
  local e = m and m.name and s.engines[m.name]
  local told = m and lib.host(m.addr)
  return e ~= nil and e.answers and told ~= nil and e.address ~= nil and told ~= e.address
end

-- The swarm as it was, for what cannot happen on it: the one that may be changed is a copy, made when it is looked at.
local function was(state, before) return (before or state).swarm end

local function member(s, e, with, id, state)
  local role = with.role or "manager"
  local n = lib.new_record(with.node, e, role, role == "manager", state)
  n.availability, n.labels, n.ghost = with.availability or "active", copy(with.labels or {}), false
  s.nodes[id] = n
end

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

  effect = function(state, with, before)
    local old, manager = was(state, before), with.role ~= "worker"
    if not possible(old, old.engines[with.node]) or old.split or (manager and elsewhere(old)) then return false end
    local s = state.swarm
    local id, e = lib.future_id(with.node), s.engines[with.node]
    member(s, e, with, id, "ready")
    e.answers, e.local_state, e.node_id, e.control, e.error = true, "active", id, manager, nil
    if e.swarm_dir ~= "unknown" then e.swarm_dir = "present" end -- who cannot look into it now will not be able to then
    e.members = map(lib.voters(s), function(m) return m.addr end)
    if manager then lib.set_member(s, id, { name = with.node, host = e.host, addr = tostring(e.address) .. ":2377" }) end
    lib.settle(s)
    return { node_id = id }
  end,

  outcomes = {
    -- "The attempt to join the swarm will continue in the background."
    slow = function(state, with, before)
      local old = was(state, before)
      if not possible(old, old.engines[with.node]) or old.split then return false end
      local e = state.swarm.engines[with.node]
      e.local_state, e.swarm_dir = "pending", "present"
      return "unknown"
    end,
    lands_apart = function(state, with, before)
      local old = was(state, before)
      if not old.split or not possible(old, old.engines[with.node]) then return false end
      local s = state.swarm
      local e = s.engines[with.node]
      local other
      for id in pairs(s.leaders) do
        if id ~= s.leader then other = id end
      end
      if not other then return false end
      local id, manager, addr = lib.future_id(with.node), with.role ~= "worker", tostring(e.address) .. ":2377"
      local _, host = lib.engine_of(s, other)
      if not host then return false end
      e.local_state, e.node_id, e.swarm_dir, e.control, e.leader = "active", id, "present", manager, manager and other or nil
      e.members = copy(s.engines[host].members)
      if manager then
        for _, name in ipairs(s.leaders[other].named_by) do s.engines[name].members[id] = addr end
        e.members[id] = addr
        local named = copy(s.leaders[other].named_by)
        named[#named + 1] = with.node
        s.leaders[other].named_by = sorted(named)
      end
      return "unknown"
    end,
    pending = function(state, with, before)
      local old = was(state, before)
      if with.role == "worker" or not possible(old, old.engines[with.node]) or old.split or not elsewhere(old) then return false end
      local s = state.swarm
      local e = s.engines[with.node]
      local id = lib.future_id(with.node)
      member(s, e, with, id, "unknown")
      e.local_state, e.node_id, e.swarm_dir = "pending", id, "present"
      lib.set_member(s, id, { name = with.node, host = e.host, addr = tostring(e.address) .. ":2377" })
      local m = s.managers[id]
      m.answers, m.reachability, m.members = false, "unreachable", list{}
      lib.settle(s, "predicted: " .. with.node .. " counts as a manager and is not reachable")
      return "unknown"
    end,
  },
  outcome_texts = { slow = "goes on in the background, with no end in sight", lands_apart = "joins the other one of two swarms",
                    pending = "counts as a manager, but is not reachable: the leader is advertised with an address that it has not" },

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
    -- Field notes, "Restoring a swarm directory": such a join times out and costs the quorum.
    local _, theirs = lib.info(ctx, via, 20)
    for _, n in ipairs(nodes) do
      local told, has = n.ManagerStatus and lib.host(n.ManagerStatus.Addr), lib.host(theirs.NodeAddr)
      if role ~= "worker" and n.ID == theirs.NodeID and told and has and told ~= has then
        return ctx.fail(node .. ": it does not join, for the swarm tells " .. told .. " as the address of " .. via .. ", which is at " .. has ..
          ": the join would time out and cost the quorum. Give " .. via .. " the address " .. told .. " (the state was restored on another machine, or its address has changed)")
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
