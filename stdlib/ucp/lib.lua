-- What the members of the family share. The shape of `state.ucp` is declared in cluster.lua.
--
-- UCP decides by two stores that live on the swarm's managers: ucp-kv (etcd) and ucp-auth-store (RethinkDB), each with a majority of its
-- own. A manager that is lost goes on counting in both for as long as that UCP lives; only a restore begins with new ones.
-- Pure helpers over a state come first (those named `set_…`, `take_away`, `recount` change it), then the host's, whose first parameter is `ctx`.

local docker = library "docker"

local lib = {}

-- What a tool's container that was started by this step still does (`follow` of an action).
function lib.follow(ctx) docker.follow(ctx) end

-- ---- versions and images ------------------------------------------------------------------------------------------------

-- "registry:5000/docker/ucp:3.2.5@sha256:…" → "3.2.5"; nil where the reference has no tag, or one that is no version
function lib.image_version(image)
  if type(image) ~= "string" then return nil end
  local name = string.match(image, "^([^@]+)") or image
  return string.match(name, ":(%d+%.%d+[%w%.%-_]*)$")
end

-- "3.2.5" → 3, 2, 5; nil if it is no version
function lib.parts(version)
  if type(version) ~= "string" then return nil end
  local major, minor, patch = string.match(version, "^(%d+)%.(%d+)%.?(%d*)")
  return tonumber(major), tonumber(minor), tonumber(patch) or 0
end

-- Whether a version is at least major.minor; nil if it is not known.
function lib.at_least(version, major, minor)
  local a, b = lib.parts(version)
  if not a then return nil end
  return a > major or (a == major and b >= minor)
end

-- Domain notes, "restore": the same major.minor as the backup, a later patch is allowed. true, false, or nil if one is not known
function lib.restorable(backup, image)
  local a, b, c = lib.parts(backup)
  local x, y, z = lib.parts(image)
  if not a or not x then return nil end
  return a == x and b == y and z >= c
end

-- ---- what engines tell -----------------------------------------------------------------------------------------------------

-- A container of UCP itself: ucp-kv, ucp-proxy, …, and not the tool, which is called ucp. What a service of the swarm has left behind, such as
-- the ended task of ucp-uninstall-agent, is none: the swarm clears it away at a time of its own.
function lib.is_ours(c)
  if c.State ~= "running" and (c.Labels or {})["com.docker.swarm.task"] then return false end
  return any(c.Names or list{}, function(name) return string.sub(name, 1, 5) == "/ucp-" end)
end

function lib.container(e, name)
  return (find(e.containers or list{}, function(c) return contains(c.Names or list{}, "/" .. name) end))
end

function lib.has_volume(e, name)
  return any(e.volumes or list{}, function(v) return v.Name == name end)
end

local function host_of(addr)
  return type(addr) == "string" and (string.match(addr, "^%[(.-)%]") or string.match(addr, "^([^:]+):%d+$") or addr) or nil
end

-- The inventory name of a member of the swarm: by the identity of an engine, else by address, else by host name.
local function name_of(seen, id, addr, host)
  for name, e in pairs(seen.engines) do
    if e.answers and e.swarm.NodeID == id then return name end
  end
  for name, node in pairs(seen.nodes) do
    if addr and node.address == addr then return name end
  end
  return host and seen.nodes[host] and host or nil
end

-- Who is or was a manager, as far as it can be seen: engines that manage, machines with ucp-kv or its data, and members that do not answer.
-- A machine that answers counts only for what it has itself. { [inventory name, else host name or ID] = true }
function lib.managers_seen(seen)
  local r = {}
  for name, e in pairs(seen.engines) do
    if e.answers and (e.swarm.ControlAvailable or lib.container(e, "ucp-kv") or lib.has_volume(e, "ucp-kv")) then r[name] = true end
  end
  local function member(id, addr, host)
    local name = name_of(seen, id, host_of(addr), host)
    local e = name and seen.engines[name]
    if not e or not e.answers then r[name or host or id] = true end
  end
  if seen.told then
    for _, n in ipairs(seen.told.nodes) do
      if n.ManagerStatus or (n.Spec and n.Spec.Role == "manager") then
        member(n.ID, n.ManagerStatus and n.ManagerStatus.Addr or n.Status and n.Status.Addr, n.Description and n.Description.Hostname)
      end
    end
    return r
  end
  for _, e in pairs(seen.engines) do
    for _, m in ipairs(e.answers and e.swarm.RemoteManagers or list{}) do member(m.NodeID, m.Addr) end
  end
  return r
end

-- ---- a UCP part, read ----------------------------------------------------------------------------------------------------

-- What is left of UCP on machines that answer: { [node] = n }, those with something only.
function lib.left(u)
  return filter(u.leftovers or {}, function(n) return n > 0 end)
end

-- Whether UCP works as a whole. → true | false, why
function lib.well(u)
  if not u.installed then return false, "UCP is not installed" end
  if not u.quorum.held then return false, "ucp-kv has no quorum (" .. tostring(u.quorum.why) .. ")" end
  if not u.auth.held then return false, "ucp-auth-store has no quorum (" .. tostring(u.auth.why) .. ")" end
  for node, m in pairs(u.managers) do
    if m.ping ~= "healthy" then return false, "GET /_ping of " .. node .. " is " .. m.ping .. (m.why and " (" .. m.why .. ")" or "") end
  end
  return true
end

-- The swarm's records whose machine is not there: not ready, and no engine answers with that identity. In the order of names.
function lib.dead_nodes(s)
  local r = list{}
  for id, n in pairs(s.nodes) do
    local there = any(s.engines, function(e) return e.answers and e.node_id == id end)
    if n.state ~= "ready" and not there then
      r[#r + 1] = { name = n.name or n.host or id, node_id = id, role = n.role, state = n.state }
    end
  end
  return sorted(r, function(x) return x.name .. " " .. x.node_id end)
end

-- The swarm's record of a machine: record, ID; nil if there is none.
function lib.record_of(s, node)
  local e = s.engines[node]
  if e and e.node_id and s.nodes[e.node_id] then return s.nodes[e.node_id], e.node_id end
  for id, n in pairs(s.nodes) do
    if n.name == node then return n, id end
  end
  return nil
end

-- Whether some engine that answers is in a swarm, whatever that swarm can do.
function lib.any_swarm(s)
  return any(s.engines, function(e) return e.answers and e.local_state ~= "inactive" end)
end

-- Machines that do not answer and may hold the data of UCP's managers: { [node] = why }. Known workers hold none.
function lib.absent(state, keep)
  local u, s, r = state.ucp, state.swarm, {}
  for node, m in pairs(u.managers) do
    local e = s and s.engines[node]
    local answers = m.answers
    if e then answers = e.answers end
    if node ~= keep and not answers then r[node] = "it was a manager of UCP, does not answer, and could come back with the old UCP's data" end
  end
  for node, e in pairs(s and s.engines or {}) do
    local record = lib.record_of(s, node)
    if node ~= keep and not e.answers and not r[node] and not (record and record.role == "worker") then
      r[node] = "it does not answer, so nobody knows whether UCP's data is on it"
    end
  end
  return r
end

-- Whether the tool is at work, or the last one was not cleared away: somebody changes UCP.
function lib.busy(u) return u.busy ~= nil and any(u.busy, function(state) return state == "running" or state == "created" end) end

-- ---- a state, changed (effects) --------------------------------------------------------------------------------------------

-- Before there is one, the names of what the world chooses.
function lib.future_id(what) return "new-" .. tostring(what) end

local function majority(u, key, why)
  local voters, answering = 0, 0
  for _, m in pairs(u.managers) do
    if m[key] ~= "absent" then
      voters = voters + 1
      if m.answers and m[key] == "running" then answering = answering + 1 end
    end
  end
  local needed = quorum(voters)
  return { held = voters > 0 and answering >= needed, voters = voters, needed = needed, answering = answering,
           why = why or "predicted: " .. answering .. " of " .. voters .. " run" }
end

-- Works out both quorums anew; without them no manager's /_ping is healthy.
function lib.recount(u, why)
  u.quorum, u.auth = majority(u, "kv", why), majority(u, "auth", why)
  for _, m in pairs(u.managers) do
    if m.ping == "healthy" and not (u.quorum.held and u.auth.held) then m.ping = "unhealthy" end
  end
end

-- One manager of UCP, in a state of its own: "running", "stopped", "absent" or "unknown" for both stores.
function lib.set_manager(u, node, store, ping, version)
  u.managers[node] = { answers = store ~= "unknown", ping = ping, kv = store, auth = store, version = store ~= "absent" and version or nil }
end

-- UCP goes from every machine that can be told (`reached(node)`), and from the swarm if `service`. Who is left in `managers`: those that the
-- swarm has as managers, and those that keep their data.
function lib.take_away(state, reached, service)
  local u, s = state.ucp, state.swarm
  for node, m in pairs(u.managers) do
    if reached(node) then
      lib.set_manager(u, node, "absent", "silent")
    elseif not any(s.managers, function(x) return x.name == node end) and not (s.engines[node] and s.engines[node].answers) then
      u.managers[node] = nil
    else
      m.ping = m.ping == "healthy" and "unhealthy" or m.ping
    end
  end
  u.leftovers = map(u.leftovers or {}, function(n, node) return reached(node) and 0 or n end)
  u.agents = nil
  if service then
    u.installed, u.version, u.id = false, nil, nil
    u.why = "predicted: uninstalled"
  end
  lib.recount(u)
end

-- A new swarm of one, as `docker/ucp restore` makes it on an engine that is in none. → node ID
function lib.set_swarm(s, node)
  local e, id = s.engines[node], lib.future_id(node)
  local addr = tostring(e.address) .. ":2377"
  e.local_state, e.control, e.node_id, e.leader, e.cluster_id, e.error = "active", true, id, id, lib.future_id("swarm"), nil
  e.members = { [id] = addr }
  if e.swarm_dir ~= "unknown" then e.swarm_dir = "present" end
  s.cluster = { id = lib.future_id("swarm"), autolock = "off" }
  s.managers = { [id] = { name = node, host = e.host, addr = addr, answers = true, reachability = "reachable", in_raft = true,
                          members = list{ id }, leader = id } }
  s.nodes = { [id] = { name = node, host = e.host, role = "manager", in_raft = true, state = "ready", availability = "active", labels = {},
                       addr = e.address, ghost = false } }
  s.services, s.leader, s.leaders, s.split = {}, id, { [id] = { name = node, named_by = list{ node } } }, false
  s.quorum = { held = true, voters = 1, needed = 1, answering = 1, why = "predicted: a new swarm of one manager" }
  return id
end

-- Whether a machine may be told to do something to UCP as a manager of a swarm that decides.
function lib.can_manage(s, node)
  local e = s.engines[node]
  return e ~= nil and e.answers and e.control and s.quorum.held and not s.split
end

return lib
