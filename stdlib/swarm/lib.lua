-- What the members of the family share. The shape of `state.swarm` is declared in cluster.lua.
--
-- Three kinds of helpers: texts (what an engine's answer means), pure ones over a swarm part `s` (never change it unless the name says
-- `set_`, `drop_` or `recount`), and host ones whose first parameter is `ctx`. Times are seconds where a call waits, ms in the state.

local lib = {}

-- ---- texts ----------------------------------------------------------------------------------------------------------

-- The engine's ways to say that nobody leads (domain notes: error texts; documents show several codes, so only words are matched).
function lib.no_leader(text)
  text = string.lower(tostring(text or ""))
  return string.find(text, "does not have a leader", 1, true) ~= nil or string.find(text, "no elected cluster leader", 1, true) ~= nil
end

function lib.deadline(text)
  text = string.lower(tostring(text or ""))
  return string.find(text, "deadline exceeded", 1, true) ~= nil or string.find(text, "deadlineexceeded", 1, true) ~= nil
end

function lib.says(answer, words)
  return string.find(string.lower(tostring(answer.message or "")), string.lower(words), 1, true) ~= nil
end

-- "10.0.0.1:2377" → "10.0.0.1"; "[fd00::1]:2377" → "fd00::1"; absent or unspecified addresses → nil
function lib.host(addr)
  if type(addr) ~= "string" then return nil end
  local host = string.match(addr, "^%[(.-)%]") or string.match(addr, "^([^:]+):%d+$") or addr
  if host == "" or host == "0.0.0.0" or host == "::" or host == "127.0.0.1" then return nil end
  return host
end

-- What an engine or the way to it said, in one line: "500: rpc error …" or "no answer (timeout)".
function lib.answer_text(answer)
  if answer.status and answer.status ~= 0 then return tostring(answer.status) .. ": " .. tostring(answer.message or "no text") end
  return "no answer (" .. tostring(answer.message or answer.failure or "unknown") .. ")"
end

-- ---- a swarm part, read ----------------------------------------------------------------------------------------------

function lib.is_number(v) return type(v) == "number" end

-- The inventory name or, without one, the host name or the ID: what people and --attest call a record or a member.
function lib.label(record, id)
  return record.name or record.host or id
end

-- The engine whose own ID is this: record, inventory name; nil if none that answers says so.
function lib.engine_of(s, id)
  for name, e in pairs(s.engines) do
    if e.answers and e.node_id == id then return e, name end
  end
  return nil
end

-- Members of Raft, by ID.
function lib.voters(s)
  return filter(s.managers, function(m) return m.in_raft end)
end

-- Why a member that does not answer stands in the way: { [label] = why } of all members but `keep` (an ID).
-- A machine whose engine answers with another identity, or none, was seen without its old state.
function lib.absent(s, keep)
  local r = {}
  for id, m in pairs(s.managers) do
    local e = m.name and s.engines[m.name]
    local replaced = e and e.answers and e.node_id ~= id and e.swarm_dir == "empty"
    if id ~= keep and not m.answers and not replaced then
      local why = e and e.why or "it is not in the inventory, so nobody asked it"
      r[lib.label(m, id)] = "it is a manager of this swarm and does not answer (" .. tostring(why) .. ")"
    end
  end
  return r
end

-- Records that are managers by their role but no members of Raft, or members that are unreachable, or ghosts: what has to be
-- retired after forcing. → list of { name, node_id, labels, availability, role } in the order of names.
function lib.left_over(s)
  local r = list{}
  for id, n in pairs(s.nodes) do
    if id ~= s.leader and not n.in_raft and (n.role == "manager" or n.ghost) then
      r[#r + 1] = { name = lib.label(n, id), node_id = id, labels = copy(n.labels or {}), availability = n.availability or "active",
                    role = n.role }
    end
  end
  return sorted(r, function(x) return x.name .. " " .. x.node_id end)
end

-- What a backup of the node is known by.
function lib.known_of(s, node)
  local e = s.engines[node] or {}
  return { root = e.root_dir or "", engine = e.version or "", address = e.address or "", cluster_id = e.cluster_id or s.cluster.id or "",
           autolock = s.cluster.autolock == "on" or seen(e, "key_locked") == true }
end

-- How an archive holds a swarm folder: "swarm" (the folder itself), "." (what is in it), nil (it does not).
function lib.archive_root(names)
  for _, name in ipairs(names) do
    local plain = string.gsub(name, "^%./", "")
    if plain == "swarm/docker-state.json" then return "swarm" end
    if plain == "docker-state.json" then return "." end
  end
  return nil
end

-- The words of a command of the site for a node, and whether it runs on this machine because one of them names the node.
function lib.command_words(command, node)
  local words, here = list{}, false
  for i, word in ipairs(command) do
    local from, to = string.find(word, "{node}", 1, true)
    while from do
      here = true
      word = string.sub(word, 1, from - 1) .. node .. string.sub(word, to + 1)
      from, to = string.find(word, "{node}", from + #node, true)
    end
    words[i] = word
  end
  return words, here
end

-- ---- a swarm part, changed (effects) ---------------------------------------------------------------------------------

-- Works out `quorum` anew from `managers`.
function lib.recount(s, why)
  local voters, answering = 0, 0
  for _, m in pairs(s.managers) do
    if m.in_raft then
      voters = voters + 1
      if m.answers or m.reachability == "reachable" then answering = answering + 1 end
    end
  end
  local needed = quorum(voters)
  s.quorum = { held = voters > 0 and answering >= needed, voters = voters, needed = needed, answering = answering,
               why = why or "predicted" }
  if not s.quorum.held then s.leader = nil end
end

-- Whether an engine goes by this swarm's membership: one that manages by an older one does not learn of its changes.
local function learns(s, e)
  return e.members and not (e.control and e.node_id and not s.managers[e.node_id])
end

function lib.drop_member(s, id)
  for _, e in pairs(s.engines) do
    if e.node_id == id or learns(s, e) then e.members[id] = nil end
  end
  s.managers[id] = nil
  for _, m in pairs(s.managers) do
    m.members = filter(m.members or list{}, function(x) return x ~= id end)
  end
end

-- Adds a member that all others know, as far as they are there to learn of it.
function lib.set_member(s, id, m)
  local ids = keys(s.managers)
  if not contains(ids, id) then ids[#ids + 1] = id end
  ids = sorted(ids)
  m.in_raft, m.answers, m.reachability, m.leader = true, true, "reachable", s.leader
  s.managers[id] = m
  for _, e in pairs(s.engines) do
    if e.answers and e.local_state ~= "inactive" and learns(s, e) then e.members[id] = m.addr end
  end
  for _, other in pairs(s.managers) do
    if other.answers then other.members = copy(ids) end
  end
end

-- Works out quorum and leader anew after a change; a leader that is gone is followed by the first member that answers.
function lib.settle(s, why)
  lib.recount(s, why)
  local held, first, names = s.quorum.held, nil, list{}
  for id, m in pairs(s.managers) do
    if m.in_raft and m.answers then first = first or id end
  end
  local now = s.leader and s.managers[s.leader]
  local old = s.leader
  if not held or not first then
    s.leader = nil
  elseif not (now and now.in_raft and (now.answers or now.reachability == "reachable")) then
    s.leader = first
  end
  for id, m in pairs(s.managers) do
    local e = m.name and s.engines[m.name]
    m.leader = m.answers and s.leader or nil
    m.reachability = s.leader and (m.answers and "reachable" or m.reachability == "reachable" and "reachable" or "unreachable") or "unknown"
    if e and e.answers and e.node_id == id then
      e.leader = s.leader
      if s.leader then
        names[#names + 1], e.error = m.name, nil
      end
    end
  end
  local leaders = {}
  if s.split then
    for id, l in pairs(s.leaders) do
      if id ~= old and not s.managers[id] then leaders[id] = l end
    end
  end
  if s.leader then
    local l = s.managers[s.leader]
    leaders[s.leader] = { name = l.name, named_by = sorted(names) }
  end
  s.leaders = leaders
end

-- Whether the swarm can be told to change: one leader, with a majority.
function lib.decides(s) return s.quorum.held and not s.split end

-- A new record. Labels, availability, and what is known of machines that do not answer, only the leader will tell.
function lib.new_record(name, e, role, in_raft, state)
  return { name = name, host = e.host, role = role, in_raft = in_raft, state = state, addr = e.address }
end

-- A member that does not answer and is no longer counted keeps what it believed, and may come back with it, unless it is attested that it
-- cannot. `members`: list of IDs.
function lib.leave_behind(state, id, m, members)
  local s, attested = state.swarm, state.attested
  local e = m.name and s.engines[m.name]
  if m.answers or (e and e.answers) or (attested and attested[lib.label(m, id)]) then return end
  s.gone = s.gone or {}
  s.gone[id] = { name = m.name, host = m.host, addr = m.addr, members = members }
end

-- An engine stops to answer. What its manager believed stays with it; what ran on it runs no more, as far as the swarm can see.
function lib.vanish(state, name)
  local s = state.swarm
  local e = s.engines[name]
  local id = e.node_id
  local m, n = id and s.managers[id], id and s.nodes[id]
  s.engines[name] = { answers = false, control = false, why = "predicted: it does not answer", address = e.address, members = {} }
  if m then
    m.answers, m.reachability, m.members = false, "unreachable", list{}
  elseif id and e.control and e.members[id] then
    lib.leave_behind(state, id, { name = name, host = e.host, addr = e.members[id] }, keys(e.members))
  end
  if n then n.state = "down" end
  for _, service in pairs(s.services) do
    local ran = id and service.spread[id]
    if ran then
      service.spread[id], service.running = nil, service.running - ran
      if service.mode == "global" then service.desired = service.desired - ran end
    end
  end
  lib.settle(s)
end

-- A node ID that a prediction can name before there is one: the same for the same machine.
function lib.future_id(name) return "new-" .. tostring(name) end

-- ---- the world, through ctx -------------------------------------------------------------------------------------------

-- Ends the task with node, call, answer. A changing call that got no answer after it was sent may have happened.
function lib.fail(ctx, node, call, answer, advice)
  local text = node .. ": " .. call .. " answered " .. lib.answer_text(answer)
  if not (answer.status and answer.status ~= 0) then text = node .. ": " .. call .. ": " .. lib.answer_text(answer) end
  if advice then text = text .. "\n" .. advice end
  local changing = string.sub(call, 1, 4) ~= "GET "
  local unanswered = not (answer.status and answer.status ~= 0) or lib.deadline(answer.message)
  return ctx.fail(text, { unknown = changing and unanswered and answer.sent ~= false })
end

-- Asks `look` every `every` seconds until it returns something true, at most `seconds`; that, or nil.
function lib.poll(ctx, seconds, every, look)
  local deadline = ctx.now() + seconds * 1000
  while true do
    local r = look()
    if r then return r end
    if ctx.now() >= deadline then return nil end
    ctx.sleep(every)
  end
end

function lib.info(ctx, node, timeout)
  local answer = ctx.docker(node):get("/info", { timeout = timeout or 25 })
  local swarm = answer.ok and type(answer.body) == "table" and answer.body.Swarm or {}
  return answer, swarm
end

-- The leader's ID among the nodes of GET /nodes, or nil.
function lib.leader_in(nodes)
  for _, n in ipairs(nodes) do
    if n.ManagerStatus and n.ManagerStatus.Leader then return n.ID end
  end
  return nil
end

-- A manager that can speak for the swarm: its inventory name, its engine, the answer of GET /nodes, the leader's ID. The leader's own
-- engine is preferred. Engines that name different leaders end the task: nothing may be changed in a swarm that is two.
-- `besides`: an inventory name that is not to speak. `soft`: without any manager that speaks → nil, why, instead of a failure.
function lib.spokesman(ctx, besides, soft)
  local asks = {}
  for name in pairs(ctx.nodes) do
    asks[name] = function()
      local d = ctx.docker(name)
      if name == besides or not d:get("/_ping", { timeout = 6 }).ok then return {} end
      local answer, swarm = lib.info(ctx, name, 15)
      if not answer.ok or not swarm.ControlAvailable or (swarm.Error or "") ~= "" then
        return { why = name .. ": " .. (answer.ok and ((swarm.Error or "") ~= "" and swarm.Error or "is no manager") or lib.answer_text(answer)) }
      end
      local nodes = d:get("/nodes", { timeout = 15 })
      if not nodes.ok then return { why = name .. ": GET /nodes answered " .. lib.answer_text(nodes) } end
      return { nodes = nodes.body, leader = lib.leader_in(nodes.body), id = swarm.NodeID }
    end
  end
  local views = ctx.all(asks)
  local best, leader, leader_name, why
  for name, v in pairs(views) do
    if v.leader then
      if leader and leader ~= v.leader then
        return ctx.fail("two swarms with one ID: " .. leader_name .. " names " .. leader .. " as the leader, " .. name .. " names " .. v.leader ..
          ". Nothing is changed until one of them is given up: on every manager of the losing side `docker swarm leave --force`.")
      end
      leader, leader_name = v.leader, leader_name or name
      if not best or v.id == v.leader then best = name end
    end
    why = why or v.why
  end
  if not best and soft then return nil, why end
  if not best then return ctx.fail("no manager of the swarm answers for it" .. (why and " (" .. why .. ")" or "")) end
  return best, ctx.docker(best), views[best].nodes, leader
end

-- A change of a node's Spec by read, change, write with the version read; read again when somebody else was faster, or when the leader
-- has just moved (domain notes: "update out of sequence"; brief "no leader" after a demotion).
function lib.update_node(ctx, via, engine, id, change)
  local path = "/nodes/" .. id
  for attempt = 1, 8 do
    local got = engine:get(path, { timeout = 20 })
    if got.ok then
      local spec = got.body.Spec
      if change(spec, got.body) == false then return got.body end
      local call = "POST " .. path .. "/update"
      local put = engine:post(path .. "/update?version=" .. tostring(got.body.Version.Index), spec, { timeout = 25 })
      if put.ok then return got.body end
      if not (lib.says(put, "out of sequence") or lib.no_leader(put.message)) or attempt == 8 then return lib.fail(ctx, via, call, put) end
    elseif not (lib.no_leader(got.message) or lib.deadline(got.message)) or attempt == 8 then
      return lib.fail(ctx, via, "GET " .. path, got)
    end
    ctx.sleep(1)
  end
end

-- The same for a service, by name. → its ID
function lib.update_service(ctx, via, engine, name, change)
  local path = "/services/" .. name
  for attempt = 1, 8 do
    local got = engine:get(path, { timeout = 20 })
    if not got.ok then return lib.fail(ctx, via, "GET " .. path, got) end
    local spec, call = got.body.Spec, "POST " .. path .. "/update"
    change(spec)
    local put = engine:post("/services/" .. got.body.ID .. "/update?version=" .. tostring(got.body.Version.Index), spec, { timeout = 30 })
    if put.ok then return got.body.ID end
    if not (lib.says(put, "out of sequence") or lib.no_leader(put.message)) or attempt == 8 then return lib.fail(ctx, via, call, put) end
    ctx.sleep(1)
  end
end

-- A duration of a runbook in seconds: "500ms", "30s", "5m", "2h", or a number of seconds already.
function lib.seconds(v, default)
  if type(v) == "number" then return v end
  local n, unit = string.match(tostring(v or ""), "^(%d+%.?%d*)(%a+)$")
  local factor = unit and ({ ms = 0.001, s = 1, m = 60, h = 3600, d = 86400 })[unit]
  return n and factor and tonumber(n) * factor or default
end

-- Whether the leader counts this ID as a member of Raft: record or nil, answer.
function lib.record(engine, id)
  local got = engine:get("/nodes/" .. id, { timeout = 20 })
  return got.ok and got.body or nil, got
end

-- Takes a node out of Raft and waits until its engine knows. The quorum must bear it: the engine itself refuses otherwise.
function lib.demote(ctx, via, engine, id)
  lib.update_node(ctx, via, engine, id, function(spec)
    if spec.Role == "worker" then return false end
    spec.Role = "worker"
  end)
  local gone = lib.poll(ctx, 40, 0.5, function()
    local record, got = lib.record(engine, id)
    return (record and not record.ManagerStatus) or got.status == 404
  end)
  if not gone then return ctx.fail(via .. ": node " .. id .. " was told to be a worker, and is still a member of Raft after 40 s", { unknown = true }) end
end

-- Runs a command of the site that stops or starts the engine of a node.
function lib.engine_command(ctx, node, command)
  local words, here = lib.command_words(command, node)
  local done = ctx.exec{ argv = words, on = not here and node or nil, timeout = 180 }
  if not done.ok then
    return ctx.fail(node .. ": " .. table.concat(words, " ") .. ": " .. tostring(done.message), { unknown = done.failure == "timeout" })
  end
end

-- Everything that is declared in the swarm, as the engine tells it.
function lib.raw_objects(ctx, via, engine)
  local r = {}
  for _, kind in ipairs{ "networks", "configs", "secrets", "services" } do
    local got = engine:get("/" .. kind, { timeout = 30 })
    if not got.ok then return lib.fail(ctx, via, "GET /" .. kind, got) end
    r[kind] = got.body
  end
  return r
end

-- "inactive" is not "empty": what is left of a swarm in the engine's folder. → "empty", "present", or "unknown", why
function lib.swarm_dir(ctx, node, root)
  if type(root) ~= "string" then return "unknown", "the engine does not tell its root folder" end
  local names, why = ctx.list(node, root .. "/swarm")
  if not names then
    if string.find(string.lower(tostring(why)), "no such file", 1, true) then return "empty" end
    return "unknown", why
  end
  return #names == 0 and "empty" or "present"
end

-- Whether the swarm's key file of a node is encrypted, which is what autolock means on disk. → true | false | nil, why
function lib.key_locked(ctx, node, root)
  if type(root) ~= "string" then return nil, "the engine does not tell its root folder" end
  local text, why = ctx.read(node, root .. "/swarm/certificates/swarm-node.key", 65536)
  if not text then return nil, why end
  if string.find(text, "ENCRYPTED", 1, true) then return true end
  if string.find(text, "PRIVATE KEY", 1, true) then return false end
  return nil, "swarm-node.key is not a key that we know"
end

return lib
