-- Who is there, who believes what, and whether the swarm can decide anything.
-- Source: "Recover from losing the quorum"; GET /_ping, /info, /nodes, /services, /tasks of every engine; files where they can be read.
--
-- One stale answer proves nothing: after a loss, GET /nodes says 200 for up to 20 s, and after the loss of a leader alone it says "does
-- not have a leader" until another one is elected. What does prove a quorum: a manager's GET /nodes is answered by the leader, so if a
-- majority of the members answer it and name one leader, that leader has a majority, now. Otherwise one asks on:
-- `proof` seconds of good answers are a quorum, `patience` seconds without a leader are none, and where too few managers answer to
-- elect one, two such answers some seconds apart are enough.

local ping_timeout, info_timeout, nodes_timeout = 6, 25, 22
local proof, patience, apart = 30, 35, 3

local function millis(text) return swarm.millis(text) end

-- ---- one engine ---------------------------------------------------------------------------------------------------

-- What the node's files tell; everything that cannot be read is unobserved, with the reason.
local function files(ctx, name, e, root)
  local dir, why = lib.swarm_dir(ctx, name, root)
  e.swarm_dir = dir
  e.key_locked = false
  e.cert_expires = unobserved(name .. ": it has no certificate of a swarm")
  if dir ~= "empty" then
    local locked, locked_why = lib.key_locked(ctx, name, root)
    if locked == nil then locked = unobserved(name .. ": " .. tostring(locked_why)) end
    e.key_locked = locked
    local pem, pem_why = ctx.read(name, root .. "/swarm/certificates/swarm-node.crt", 65536)
    e.cert_expires = pem and swarm.certificate_end(pem) or unobserved(name .. ": " .. tostring(pem_why or why or "not a certificate that we know"))
  end
  local disk, disk_why = ctx.disk(name, root)
  if disk and disk.total > 0 then
    e.disk_free_percent = math.floor(100 * disk.free / disk.total)
  else
    e.disk_free_percent = unobserved(name .. ": " .. tostring(disk_why or "no size"))
  end
end

local function ask_engine(ctx, name, node)
  local e = { answers = false, control = false, members = {}, address = node.address }
  local d = ctx.docker(name)
  local answer = d:get("/_ping", { timeout = ping_timeout })
  local sent = ctx.now()
  if answer.ok then answer = d:get("/info", { timeout = info_timeout }) end
  local answered = ctx.now()
  if not answer.ok or type(answer.body) ~= "table" then
    e.why = lib.answer_text(answer)
    return e
  end
  local info, swarm = answer.body, answer.body.Swarm or {}
  e.answers = true
  e.local_state = swarm.LocalNodeState or "inactive"
  e.control = swarm.ControlAvailable == true
  if (swarm.NodeID or "") ~= "" then e.node_id = swarm.NodeID end
  if (swarm.Error or "") ~= "" then e.error = swarm.Error end
  e.address = lib.host(swarm.NodeAddr) or node.address
  e.host, e.version, e.root_dir = info.Name, info.ServerVersion, info.DockerRootDir
  if swarm.Cluster and (swarm.Cluster.ID or "") ~= "" then e.cluster_id = swarm.Cluster.ID end
  for _, m in ipairs(swarm.RemoteManagers or {}) do e.members[m.NodeID] = m.Addr end
  local theirs = millis(info.SystemTime)
  -- Without a quorum the answer may take 20 s, and when in them the clock was read is not told.
  local took = answered - sent
  e.clock_offset_ms = theirs and took <= 2000 and theirs - (sent + answered) // 2 or
    unobserved(name .. ": " .. (theirs and "it took " .. took .. " ms to tell its time" or "it does not tell its time"))
  files(ctx, name, e, info.DockerRootDir)
  return e
end

-- ---- what the managers say, and for how long ------------------------------------------------------------------------

-- GET /nodes of every engine with control, at once: { [name] = { nodes =, leader = } or { why = } }
local function ask_round(ctx, engines)
  local asks = {}
  for name, e in pairs(engines) do
    if e.answers and e.control then
      asks[name] = function()
        local answer = ctx.docker(name):get("/nodes", { timeout = nodes_timeout })
        if not answer.ok then return { why = lib.answer_text(answer), refused = lib.no_leader(answer.message) } end
        return { nodes = answer.body, leader = lib.leader_in(answer.body) }
      end
    end
  end
  return ctx.all(asks)
end

-- The members of Raft as GET /nodes tells them: { [id] = record }
local function members_in(nodes)
  local r = {}
  for _, n in ipairs(nodes) do
    if n.ManagerStatus then r[n.ID] = n end
  end
  return r
end

-- The leaders that are named: { [id] = { named_by = list, members = {[id] = record}, nodes =, proved = bool } }
local function leaders_in(views, engines)
  local r = {}
  for name, v in pairs(views) do
    if v.leader then
      local l = r[v.leader]
      if not l then
        l = { named_by = list{}, members = members_in(v.nodes), nodes = v.nodes, votes = 0 }
        r[v.leader] = l
      end
      l.named_by[#l.named_by + 1] = name
      if engines[name].node_id == v.leader then l.nodes, l.members = v.nodes, members_in(v.nodes) end
    end
  end
  for _, l in pairs(r) do
    for _, name in ipairs(l.named_by) do
      if l.members[engines[name].node_id] then l.votes = l.votes + 1 end
    end
    l.proved = l.votes >= quorum(count(l.members))
  end
  return r
end

-- The membership that the engines without a leader believe in: the one of those who know most. { [id] = address }
local function believed(engines)
  local best = {}
  for _, e in pairs(engines) do
    if e.answers and (e.control or next(best) == nil) and count(e.members) > count(best) then best = e.members end
  end
  return best
end

-- Asks until it can be told. → views, leaders, verdict { held, why }
local function confirm(ctx, engines)
  local start, good_since, bad_since, bad, said = ctx.now(), nil, nil, 0, nil
  while true do
    local views = ask_round(ctx, engines)
    local leaders = leaders_in(views, engines)
    local elapsed = (ctx.now() - start) / 1000
    local asked, refused, proved, unproved, why = count(views), 0, 0, 0, nil
    for name, v in pairs(views) do
      if not v.leader then
        refused = refused + 1
        why = why or name .. ": GET /nodes answered " .. tostring(v.why or "without a leader")
      end
    end
    for _, l in pairs(leaders) do
      if l.proved then proved = proved + 1 else unproved = unproved + 1 end
    end
    -- A manager that names another leader than the proved one: either its last words, or a second swarm.
    if proved > 0 and (unproved == 0 or elapsed >= patience) then return views, leaders, { held = true } end
    if asked == 0 then return views, leaders, { held = false, why = "no engine that answers is a manager" } end
    if proved == 0 and refused < asked then
      good_since, bad_since, bad = good_since or ctx.now(), nil, 0
      if ctx.now() - good_since >= proof * 1000 then
        return views, leaders, { held = true, why = "a leader is named steadily, though too few managers answer to prove it" }
      end
    elseif proved == 0 then
      good_since, bad_since, bad = nil, bad_since or ctx.now(), bad + 1
      local enough = asked >= quorum(count(believed(engines)))
      local calm = ctx.now() - bad_since >= (enough and patience or apart) * 1000
      if calm and bad >= 2 then return views, leaders, { held = false, why = why } end
    end
    if elapsed >= 3 * patience then return views, leaders, { held = false, why = why or "the managers contradict each other" } end
    local doubt = why or "too few managers answer to be sure"
    if doubt ~= said then ctx.log("whether the swarm has its quorum cannot be told yet: " .. doubt) end
    said = doubt
    ctx.sleep(proved == 0 and bad > 0 and apart or 1)
  end
end

-- ---- records --------------------------------------------------------------------------------------------------------

local function by_address(ctx, addr)
  if not addr then return nil end
  for name, node in pairs(ctx.nodes) do
    if node.address == addr then return name end
  end
  return nil
end

-- The inventory name of a record: by the engine's own ID, else by the address, else by the host name.
local function name_of(ctx, engines, id, addr, host)
  for name, e in pairs(engines) do
    if e.answers and e.node_id == id then return name end
  end
  return by_address(ctx, addr) or (host and ctx.nodes[host] and host) or nil
end

-- A record is a ghost when its machine's engine is somebody else, or when another record of that host name lives instead of it.
local function ghost_why(engines, id, record, all_nodes)
  local e = record.name and engines[record.name]
  if e and e.answers and e.node_id ~= id then
    return e.node_id and record.name .. " is now " .. e.node_id or record.name .. " is in no swarm (" .. tostring(e.local_state) .. ")"
  end
  if e and e.answers then return nil end
  if record.state == "ready" then return nil end
  for other, n in pairs(all_nodes) do
    if other ~= id and record.host and n.host == record.host and n.state == "ready" then return "its host name belongs to " .. other .. " now" end
  end
  if not record.host then return "it has no host name: a join that never came to an end" end
  return nil
end

local function read_nodes(ctx, engines, raw)
  local nodes = {}
  for _, n in ipairs(raw) do
    local m, status, spec = n.ManagerStatus, n.Status or {}, n.Spec or {}
    local host = n.Description and n.Description.Hostname
    if host == "" then host = nil end
    local addr = m and lib.host(m.Addr) or lib.host(status.Addr)
    nodes[n.ID] = { name = name_of(ctx, engines, n.ID, addr, host), host = host, role = spec.Role, in_raft = m ~= nil,
                    state = status.State or "unknown", availability = spec.Availability or "active", labels = copy(spec.Labels or {}),
                    addr = addr, ghost = false }
  end
  for id, n in pairs(nodes) do
    n.why = ghost_why(engines, id, n, nodes)
    n.ghost = n.why ~= nil
  end
  return nodes
end

local function local_volume(spec)
  for _, m in ipairs(spec.TaskTemplate and spec.TaskTemplate.ContainerSpec and spec.TaskTemplate.ContainerSpec.Mounts or {}) do
    local driver = m.VolumeOptions and m.VolumeOptions.DriverConfig and m.VolumeOptions.DriverConfig.Name or ""
    if (m.Type == "volume" or m.Type == "bind") and (driver == "" or driver == "local") then return true end
  end
  return false
end

-- Replicas are counted from tasks on ready nodes; ServiceStatus counts those on dead nodes too.
local function read_services(ctx, name, nodes)
  local d = ctx.docker(name)
  local got = ctx.all{ services = function() return d:get("/services", { timeout = 20 }) end,
                       tasks = function() return d:get("/tasks", { timeout = 20 }) end }
  if not got.services.ok or not got.tasks.ok then return {} end
  local services, by_id = {}, {}
  for _, s in ipairs(got.services.body) do
    local mode = s.Spec.Mode or {}
    local placement = s.Spec.TaskTemplate and s.Spec.TaskTemplate.Placement or {}
    local entry = { id = s.ID, mode = mode.Replicated and "replicated" or mode.Global and "global" or "job", desired = 0, running = 0,
                    local_volume = local_volume(s.Spec), constrained = #(placement.Constraints or {}) > 0, spread = {},
                    force_update = s.Spec.TaskTemplate and s.Spec.TaskTemplate.ForceUpdate or 0,
                    update = s.UpdateStatus and s.UpdateStatus.State or nil }
    if mode.Replicated then entry.desired = mode.Replicated.Replicas or 0 end
    services[s.Spec.Name], by_id[s.ID] = entry, entry
  end
  for _, t in ipairs(got.tasks.body) do
    local s = by_id[t.ServiceID]
    if s and t.DesiredState == "running" then
      local node = t.NodeID and nodes[t.NodeID]
      if s.mode == "global" and node and node.state == "ready" then s.desired = s.desired + 1 end
      if t.Status and t.Status.State == "running" and node and node.state == "ready" then
        s.running = s.running + 1
        s.spread[t.NodeID] = (s.spread[t.NodeID] or 0) + 1
      end
    end
  end
  return services
end

-- ---- the whole -------------------------------------------------------------------------------------------------------

-- Members when there is a leader: its own list. Without one: whom the engines believe in.
local function read_managers(ctx, engines, leader, main)
  local managers = {}
  local ids = {}
  if main then
    for id, n in pairs(main.members) do ids[id] = n.ManagerStatus.Addr end
  else
    ids = copy(believed(engines))
    for _, e in pairs(engines) do
      if e.answers and e.control and e.node_id and not ids[e.node_id] then ids[e.node_id] = e.address end
    end
  end
  for id, addr in pairs(ids) do
    local record = main and main.members[id]
    local host = record and record.Description and record.Description.Hostname
    local name = name_of(ctx, engines, id, lib.host(addr), host)
    local e = name and engines[name]
    local mine = e ~= nil and e.answers and e.node_id == id
    managers[id] = { name = name, host = host or (mine and e.host) or nil, addr = addr, answers = mine and e.control,
                     reachability = record and record.ManagerStatus.Reachability or "unknown", in_raft = true,
                     members = mine and keys(e.members) or list{}, leader = mine and e.leader or nil }
  end
  return managers
end

-- Of several leaders the one whose majority is proved, and of those the one that more engines name.
local function choose_leader(leaders)
  local best
  for id, l in pairs(leaders) do
    local b = best and leaders[best]
    if not b or (l.proved and not b.proved) or (l.proved == b.proved and #l.named_by > #b.named_by) then best = id end
  end
  return best
end

local function run(ctx)
  local asks = {}
  for name, node in pairs(ctx.nodes) do asks[name] = function() return ask_engine(ctx, name, node) end end
  local engines = ctx.all(asks)
  local views, leaders, verdict = confirm(ctx, engines)
  for name, v in pairs(views) do
    engines[name].leader = v.leader
    engines[name].error = v.leader and engines[name].error or engines[name].error or v.why
  end
  local leader = verdict.held and choose_leader(leaders) or nil
  local main = leader and leaders[leader]
  local s = { cluster = { autolock = "unknown" }, engines = engines, leaders = {}, split = false, nodes = {}, services = {} }
  s.leader = leader
  local voice = main and main.named_by[1]
  for id, l in pairs(leaders) do
    local host = l.members[id] and l.members[id].Description and l.members[id].Description.Hostname
    s.leaders[id] = { name = name_of(ctx, engines, id, nil, host), named_by = l.named_by }
    if leader and id ~= leader then
      local theirs, ours = engines[l.named_by[1]].cluster_id, engines[voice].cluster_id
      if theirs == ours then s.split = true end
    end
    for _, name in ipairs(l.named_by) do
      if id == leader and engines[name].node_id == id then voice = name end
    end
  end
  s.managers = read_managers(ctx, engines, leader, main)
  lib.recount(s, verdict.why)
  if main then
    s.nodes = read_nodes(ctx, engines, main.nodes)
    s.services = read_services(ctx, voice, s.nodes)
    s.cluster.id = engines[voice].cluster_id
    local got = ctx.docker(voice):get("/swarm", { timeout = 20 })
    if got.ok then
      local encryption = got.body.Spec and got.body.Spec.EncryptionConfig or {}
      s.cluster.autolock = encryption.AutoLockManagers and "on" or "off"
      s.cluster.id = got.body.ID
    end
    s.leader = leader
    s.quorum.held = true
    s.quorum.why = verdict.why or main.votes .. " of " .. count(main.members) .. " managers answer, and name the same leader"
    return s
  end
  s.quorum.held = false
  s.quorum.why = verdict.why or "nobody leads"
  -- Without a quorum only the key files tell of autolock; one that is locked is enough.
  for _, e in pairs(engines) do
    if e.answers and (e.local_state == "locked" or e.key_locked == true) then s.cluster.autolock = "on" end
    if e.answers and e.control and e.key_locked == false and s.cluster.autolock == "unknown" then s.cluster.autolock = "off" end
  end
  return s
end

-- ---- the shape -------------------------------------------------------------------------------------------------------

local function text(description) return { type = "string", description = description } end
local function flag(description) return { type = "boolean", description = description } end
local function number(description) return { type = "integer", description = description } end
local function evidence(entry) entry.evidence = true return entry end -- for people
local function moving(entry) entry.moves = true return entry end -- the swarm changes it at a time of its own
local function map_of(keys, description) return { type = "map", of = { type = "map", keys = keys }, description = description } end

return probe {
  summary = "Engines, managers, quorum, nodes and services of a swarm",
  schema = { type = "map", keys = {
    cluster = { type = "map", keys = {
      id = text("the cluster's ID; two swarms can have the same"),
      autolock = { type = "string", enum = { "on", "off", "unknown" }, description = "whether a manager's keys are locked at rest" } } },
    quorum = { type = "map", keys = {
      held = flag("whether a leader with a majority was seen"), voters = number("members of Raft, as the best view tells"),
      needed = number("how many of them make a majority"), answering = number("how many of them answer"),
      why = evidence(text("the evidence, in one line")) } },
    leader = text("ID of the leader; absent without one"),
    leaders = map_of({ name = text("its inventory name"), named_by = { type = "list", of = text("inventory name") } },
      "each leader that an engine names, by ID"),
    split = flag("engines of one cluster ID name different leaders"),
    engines = map_of({
      answers = flag("whether it answered"), why = evidence(text("if not, why")),
      local_state = { type = "string", enum = { "inactive", "pending", "active", "locked", "error" }, description = "LocalNodeState" },
      control = flag("ControlAvailable"), node_id = text("its own node ID"), error = evidence(text("its error")), address = text("its address in the swarm"),
      host = text("its host name"), version = evidence(text("engine version")), root_dir = text("DockerRootDir"),
      cluster_id = text("the cluster that it tells to be in"),
      swarm_dir = { type = "string", enum = { "empty", "present", "unknown" }, description = "what is in its swarm folder" },
      disk_free_percent = evidence(number("free space below its root folder")), clock_offset_ms = evidence(number("its clock less ours")),
      cert_expires = evidence(text("end of its node certificate")), key_locked = flag("its swarm key is encrypted: autolock"),
      leader = text("ID of the leader it names"),
      members = { type = "map", of = text("address"), description = "whom it believes to be managers, by ID" } }, "by inventory name"),
    managers = map_of({
      name = text("inventory name"), host = text("host name"), addr = text("address and port"), answers = flag("its engine answers as this member"),
      reachability = text("as the leader tells"), members = { type = "list", of = text("node ID") }, in_raft = flag("it votes"),
      leader = text("ID of the leader it names") }, "the members of Raft, by ID"),
    nodes = map_of({
      name = text("inventory name"), host = text("host name"), role = { type = "string", enum = { "manager", "worker" }, description = "Spec.Role" },
      in_raft = flag("member of Raft, whatever its role"), state = moving(text("unknown, down, ready, disconnected")), availability = text("active, pause, drain"),
      labels = { type = "map", of = text("value"), description = "node labels" }, addr = text("its address"),
      ghost = flag("no machine stands behind the record"), why = evidence(text("why it is a ghost")) }, "the records, by ID; empty without a quorum"),
    services = map_of({
      id = text("service ID"), mode = text("replicated, global or job"), desired = number("tasks wanted"), running = moving(number("tasks that run on ready nodes")),
      local_volume = flag("its tasks keep data on their node"), constrained = flag("it has placement constraints"),
      force_update = number("its ForceUpdate counter"), update = moving(text("state of its last update")),
      spread = moving{ type = "map", of = number("running tasks"), description = "by node ID" } }, "by name; empty without a quorum"),
    gone = evidence(map_of({
      name = text("inventory name"), host = text("host name"), addr = text("address and port"),
      members = { type = "list", of = text("node ID"), description = "whom it believed to be members" } },
      "by ID: managers that do not answer and that no swarm counts any more; predicted only, nobody can see them")),
  } },
  run = run,
}
