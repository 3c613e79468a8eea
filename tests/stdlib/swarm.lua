-- The pure parts of stdlib/swarm: functions for expressions, effects, `done`, attestations, and the probe against engines that are
-- tables here.

package.path = (os.getenv("ROOT") or ".") .. "/tests/stdlib/?.lua;" .. package.path
local H = require "harness"
local swarm = H.family("swarm")
local E, test, same = H.env, H.test, H.same
local list = E.list

-- ---- engines made of tables: a clock of their own, answers by node and path -------------------------------------------

local no_leader = "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online."

local function ok(body) return { ok = true, status = 200, body = body } end
local function no(status, message) return { ok = false, status = status, message = message, sent = true } end
local dead = { ok = false, failure = "connect", message = "connection refused", sent = false }

-- answers[node][path] is an answer or a function(now in s); a node that is not in it is dead.
local function world(answers, names)
  local now, ctx, calls = 1000000000000, { nodes = {}, run = {} }, list{}
  for _, n in ipairs(names) do ctx.nodes[n] = { name = n, address = "10.0.0." .. n:match("%d+") } end
  local function ask(node, method, path)
    if method ~= "GET" then calls[#calls + 1] = node .. " " .. method .. " " .. path end
    local a = answers[node] and answers[node][method == "GET" and path or method .. " " .. path]
    if not answers[node] then return dead end
    if path == "/_ping" then return ok("OK") end
    if type(a) == "function" then a = a((now - 1000000000000) / 1000) end
    return a or no(404, "no such thing: " .. path)
  end
  function ctx.docker(node)
    return { get = function(_, path) return ask(node, "GET", path) end, post = function(_, path) return ask(node, "POST", path) end,
             delete = function(_, path) return ask(node, "DELETE", path) end }
  end
  function ctx.now() return now end
  function ctx.sleep(s) now = now + math.floor(s * 1000) end
  function ctx.all(t) local r = {} for k, f in E.pairs(t) do r[k] = f() end return r end
  function ctx.fail(message, o) error({ fail = message, unknown = o and o.unknown or false }, 0) end
  function ctx.log() end
  ctx.progress = ctx.log
  function ctx.list() return nil, "no shell reaches it" end
  ctx.read, ctx.disk = ctx.list, ctx.list
  return ctx, calls, function() return (now - 1000000000000) / 1000 end
end

local function info(i, members, o)
  local remotes = list{}
  for _, m in ipairs(members) do remotes[#remotes + 1] = { NodeID = "id" .. m, Addr = "10.0.0." .. m .. ":2377" } end
  o = o or {}
  return ok{ Name = "node" .. i, ServerVersion = "20.10.24", DockerRootDir = "/d", SystemTime = "2001-09-09T01:46:40.5Z",
             Swarm = { NodeID = o.id or "id" .. i, NodeAddr = "10.0.0." .. i, LocalNodeState = o.state or "active",
                       ControlAvailable = o.control ~= false, Error = o.error or "", RemoteManagers = remotes, Cluster = { ID = o.cluster or "c1" } } }
end

local function nodes(members, leader, down)
  local r = list{}
  for _, m in ipairs(members) do
    r[#r + 1] = { ID = "id" .. m, Spec = { Role = "manager", Availability = "active", Labels = {} }, Description = { Hostname = "node" .. m },
                  Status = { State = E.contains(down or {}, m) and "down" or "ready", Addr = "10.0.0." .. m },
                  ManagerStatus = { Leader = m == leader or nil, Addr = "10.0.0." .. m .. ":2377",
                                    Reachability = E.contains(down or {}, m) and "unreachable" or "reachable" } }
  end
  return ok(r)
end

local function manager(i, members, node_list, o)
  return { ["/info"] = info(i, members, o), ["/nodes"] = node_list, ["/services"] = ok(list{}), ["/tasks"] = ok(list{}),
           ["/swarm"] = ok{ ID = "c1", Spec = { EncryptionConfig = { AutoLockManagers = false } } } }
end

local function probe(answers, names)
  local ctx, calls, took = world(answers, names)
  local s = swarm.cluster.run(ctx, {})
  same(0, #calls, "changing calls")
  same(nil, H.misfit(swarm.cluster.schema, s))
  return s, took()
end

local three = { "node1", "node2", "node3" }
local m3 = { 1, 2, 3 }

-- ---- the probe ------------------------------------------------------------------------------------------------------

test("three managers that name one leader have a quorum, at once", function()
  local s, took = probe({ node1 = manager(1, m3, nodes(m3, 1)), node2 = manager(2, m3, nodes(m3, 1)), node3 = manager(3, m3, nodes(m3, 1)) }, three)
  same(true, s.quorum.held)
  same(3, s.quorum.answering)
  same("id1", s.leader)
  same(false, s.split)
  same("node3", s.managers.id3.name)
  same(true, swarm.agreed(s))
  same("", swarm.trouble(s))
  assert(took < 1, took)
end)

test("two of three that name one leader have a quorum, at once", function()
  local s, took = probe({ node1 = manager(1, m3, nodes(m3, 1, { 3 })), node2 = manager(2, m3, nodes(m3, 1, { 3 })) }, three)
  same(true, s.quorum.held)
  same(2, s.quorum.answering)
  assert(took < 1, took)
  assert(swarm.why_not_force(s):find("node3", 1, true))
end)

test("a stale 200 of one of three is no quorum", function()
  local function stale(now) if now < 15 then return nodes(m3, 1) end return no(500, no_leader) end
  local s, took = probe({ node1 = manager(1, m3, stale) }, three)
  same(false, s.quorum.held)
  same(3, s.quorum.voters)
  same(1, s.quorum.answering)
  same("node2 node3", table.concat(swarm.lost_managers(s), " "))
  assert(took >= 15 and took < 30, took)
end)

test("a leader that is named steadily is believed, where the other managers are not in the inventory", function()
  local s, took = probe({ node1 = manager(1, m3, nodes(m3, 1)) }, { "node1" })
  same(true, s.quorum.held)
  same(3, s.quorum.answering)
  assert(took >= 30 and took < 40, took)
end)

test("an election is waited for: two of three that have no leader yet have not lost the quorum", function()
  local function voting(now) if now < 12 then return no(500, no_leader) end return nodes(m3, 2, { 1 }) end
  local s = probe({ node2 = manager(2, m3, voting), node3 = manager(3, m3, voting) }, three)
  same(true, s.quorum.held)
  same("id2", s.leader)
end)

test("one of three without a leader is a lost quorum after a few seconds", function()
  local s, took = probe({ node1 = manager(1, m3, no(500, no_leader), { error = no_leader }) }, three)
  same(false, s.quorum.held)
  same(nil, s.leader)
  same(0, E.count(s.nodes))
  assert(took < 10, took)
end)

test("two proved leaders of one cluster ID are a split", function()
  local s = probe({ node1 = manager(1, { 1 }, nodes({ 1 }, 1)), node2 = manager(2, m3, nodes(m3, 2, { 1 })), node3 = manager(3, m3, nodes(m3, 2, { 1 })) }, three)
  same(true, s.split)
  same(2, E.count(s.leaders))
  assert(swarm.trouble(s):find("two leaders", 1, true))
  same(false, swarm.quorum.holds{ swarm = s })
end)

test("the last words of an old leader are not a split", function()
  local function words(now) if now < 10 then return nodes(m3, 1) end return no(500, no_leader) end
  local s = probe({ node1 = manager(1, m3, words), node2 = manager(2, m3, nodes(m3, 2, { 1 })), node3 = manager(3, m3, nodes(m3, 2, { 1 })) }, three)
  same(false, s.split)
  same("id2", s.leader)
  same(false, swarm.agreed(s))
end)

test("two clusters of different IDs are no split", function()
  local s = probe({ node1 = manager(1, { 1 }, nodes({ 1 }, 1), { cluster = "c2" }), node2 = manager(2, { 2, 3 }, nodes({ 2, 3 }, 2)), node3 = manager(3, { 2, 3 }, nodes({ 2, 3 }, 2)) }, three)
  same(false, s.split)
end)

test("a record whose machine is somebody else now is a ghost", function()
  local s = probe({ node1 = manager(1, { 1 }, nodes({ 1, 2 }, 1, { 2 })), node2 = { ["/info"] = info(2, {}, { id = "", state = "inactive", control = false }) } }, { "node1", "node2" })
  same(true, s.nodes.id2.ghost)
end)

test("a task on a node that is down does not count", function()
  local a = manager(1, { 1 }, nodes({ 1, 2 }, 1, { 2 }))
  a["/nodes"].body[2].ManagerStatus = nil
  a["/services"] = ok(list{ { ID = "s", Spec = { Name = "web", Mode = { Replicated = { Replicas = 2 } }, TaskTemplate = { ContainerSpec = {} } } } })
  a["/tasks"] = ok(list{ { ServiceID = "s", NodeID = "id1", DesiredState = "running", Status = { State = "running" } },
                         { ServiceID = "s", NodeID = "id2", DesiredState = "running", Status = { State = "running" } } })
  local s = probe({ node1 = a }, { "node1" })
  same(1, s.services.web.running)
  same("web 1/2", swarm.short(s)[1])
end)

-- ---- plans: effects fit the schema, and lead where the runbook wants to go -----------------------------------------------

local function lost(members, alive)
  local answers, names = {}, {}
  for _, m in ipairs(members) do names[#names + 1] = "node" .. m end
  for _, m in ipairs(alive) do answers["node" .. m] = manager(m, members, no(500, no_leader), { error = no_leader }) end
  return (probe(answers, names))
end

local function fits(s) same(nil, H.misfit(swarm.cluster.schema, s)) return s end
local function apply(s, name, with)
  swarm[name].effect({ swarm = s }, with)
  return fits(s)
end

test("before forcing, each manager that does not answer needs a word", function()
  local s = lost({ 1, 2, 3, 4, 5 }, { 1, 2 })
  same("node3 node4 node5", table.concat(E.keys(swarm.force_new_cluster.attests({ swarm = s }, { node = "node1" })), " "))
end)

test("forced, calmed down, machines back, retired and joined: three managers and no trouble", function()
  local s = apply(lost(m3, { 1 }), "force_new_cluster", { node = "node1" })
  same(true, s.quorum.held)
  same(1, s.quorum.voters)
  same(2, #swarm.left_over(s))
  same(0, #swarm.left_over(s, true))
  s = fits(swarm.after_calm(fits(swarm.after_found(s))))
  same(true, swarm.calm(s))
  same(false, swarm.machines_back(s, 3))
  same("node2", E.keys(swarm.remove_node.attests({ swarm = s }, { node_id = "id2" }))[1])
  s = fits(swarm.after_machines_back(s))
  same(true, swarm.machines_back(s, 3))
  for _, x in ipairs(swarm.left_over(s)) do
    same(true, swarm.can_join(s, x.name))
    apply(s, "remove_node", { node_id = x.node_id })
    apply(s, "join", { node = x.name, role = "manager", labels = x.labels, availability = x.availability })
  end
  same(3, s.quorum.voters)
  same("", swarm.trouble(s))
  same(true, swarm.agreed(s))
end)

test("an old manager that lives leaves, and its record goes, without a word about it", function()
  local s = apply(lost({ 1, 2, 3, 4, 5 }, { 1, 2 }), "force_new_cluster", { node = "node1" })
  local x = swarm.left_over(s, true)[1]
  same("node2", x.name)
  apply(s, "leave", { node = "node2" })
  s = swarm.after_down(s, "id2")
  same(0, E.count(swarm.remove_node.attests({ swarm = s }, { node_id = "id2" })))
  apply(s, "remove_node", { node_id = "id2" })
  same(0, E.count(swarm.join.attests({ swarm = s }, { node = "node2", left = true })))
  apply(s, "join", { node = "node2" })
  same(2, s.quorum.voters)
end)

test("whether forcing happened is told by one voter that leads", function()
  local s = lost(m3, { 1 })
  same(false, swarm.force_new_cluster.done({ swarm = s }, { node = "node1" }))
  same("pending", swarm.force_new_cluster.done({ swarm = s }, { node = "node2" }))
  apply(s, "force_new_cluster", { node = "node1" })
  same("id1", swarm.force_new_cluster.done({ swarm = s }, { node = "node1" }).node_id)
end)

test("a folder that nobody can see needs a word before a join, unless the engine has just left", function()
  local s = lost(m3, { 1 })
  s.engines.node1.swarm_dir = "unknown"
  same(1, E.count(swarm.join.attests({ swarm = s }, { node = "node1" })))
  same(0, E.count(swarm.join.attests({ swarm = s }, { node = "node1", left = true })))
end)

test("autolock: a locked key overrules what is said, and what is said overrules not knowing", function()
  local s = lost(m3, { 1 })
  same("unknown", swarm.autolock(s, "node1", "unknown"))
  same("off", swarm.autolock(s, "node1", "off"))
  s.engines.node1.key_locked = true
  same("on", swarm.autolock(s, "node1", "off"))
  s.engines.node1.key_locked, s.engines.node1.swarm_dir = false, "present"
  same("off", swarm.autolock(s, "node1", "unknown"))
end)

test("the best survivor is one that answers, whose key is seen not to be locked; facts not seen do not end the choice", function()
  local s = lost({ 1, 2, 3, 4, 5 }, { 1, 2 })
  same("node1", swarm.best_survivor(s))
  s.engines.node2.key_locked = false
  same("node2", swarm.best_survivor(s))
  assert(swarm.evidence(s, "node2"):find("disk not seen", 1, true))
  same(0, #swarm.preflight(s))
end)

-- ---- actions: what they refuse ---------------------------------------------------------------------------------------

local function refused(name, answers, with, words)
  local ctx, calls = world(answers, three)
  local done, e = pcall(swarm[name].run, ctx, with)
  same(false, done)
  assert(type(e) == "table" and e.fail:lower():find(words:lower(), 1, true), type(e) == "table" and e.fail or e)
  return calls, e
end

test("forcing asks for nothing on an engine in no swarm, on a locked one and on a worker", function()
  local function node(o) return { node1 = { ["/info"] = info(1, m3, o) } } end
  same(0, #refused("force_new_cluster", node{ state = "inactive" }, { node = "node1" }, "new, empty"))
  same(0, #refused("force_new_cluster", node{ state = "locked", control = false }, { node = "node1" }, "unlock"))
  same(0, #refused("force_new_cluster", node{ control = false }, { node = "node1" }, "not a manager"))
end)

test("a forcing without an answer may have happened; one that was refused has not", function()
  local a = { node1 = { ["/info"] = info(1, m3), ["POST /swarm/init"] = { ok = false, failure = "timeout", sent = true } } }
  local _, e = refused("force_new_cluster", a, { node = "node1" }, "node1: POST /swarm/init")
  same(true, e.unknown)
  a.node1["POST /swarm/init"] = no(503, "Swarm is encrypted and needs to be unlocked")
  _, e = refused("force_new_cluster", a, { node = "node1" }, "autolocked")
  same(false, e.unknown)
end)

test("nothing is changed in a swarm that is two", function()
  local a = { node1 = manager(1, { 1 }, nodes({ 1 }, 1)), node2 = manager(2, m3, nodes(m3, 2)) }
  same(0, #refused("remove_node", a, { node_id = "id3" }, "two swarms"))
end)

test("a manager that is alone does not leave", function()
  same(0, #refused("leave", { node1 = manager(1, m3, no(500, no_leader), { error = no_leader }) }, { node = "node1" }, "not thrown away"))
end)

test("who is somebody else by now is left alone", function()
  same(0, #refused("leave", { node1 = manager(1, m3, nodes(m3, 1)) }, { node = "node1", node_id = "other" }, "left alone"))
end)

-- ---- services ---------------------------------------------------------------------------------------------------------

test("a service is skewed if a node that could take tasks has two less than another", function()
  local s = { quorum = { held = true }, split = false,
              nodes = { a = { state = "ready", availability = "active" }, b = { state = "ready", availability = "active" }, c = { state = "ready", availability = "drain" } },
              services = { web = { mode = "replicated", desired = 4, running = 4, spread = { a = 4 } }, db = { mode = "replicated", desired = 1, running = 1, spread = { a = 1 } },
                           pinned = { mode = "replicated", desired = 4, running = 4, spread = { a = 4 }, constrained = true }, all = { mode = "global", desired = 2, running = 2, spread = { a = 2 } } } }
  same("web", table.concat(swarm.skewed(s), " "))
  swarm.force_update.effect({ swarm = s }, { service = "web" })
  same(0, #swarm.skewed(s))
  same(2, s.services.web.spread.b)
end)

-- ---- rules, events, outcomes: what they say of a good and of a bad change ---------------------------------------------

local function st(s, attested) return { swarm = s, attested = attested } end
local function whole(members, alive)
  alive = alive or members
  local down = E.filter(members, function(m) return not E.contains(alive, m) end)
  local answers, names = {}, {}
  for _, m in ipairs(members) do names[#names + 1] = "node" .. m end
  for _, m in ipairs(alive) do answers["node" .. m] = manager(m, members, nodes(members, alive[1], list(down))) end
  return (probe(answers, names))
end
-- A copy of the state after an act, and what it returned.
local function act(s, name, with, outcome, attested)
  local after = st(E.copy(s), attested)
  local fn = outcome and swarm[name].outcomes[outcome] or swarm[name].effect
  local r = fn(after, with)
  if r == false then return nil, false end
  return fits(after.swarm), r
end
local function happen(s, name, choice, attested)
  local after = st(E.copy(s), attested)
  swarm[name].effect(after, choice)
  return fits(after.swarm)
end
local function never(rule, before, after, by, attested) return swarm[rule].never(st(after, attested), st(before, attested), by or "step") end
local rules = { "split_brain", "held_quorum", "local_volume", "last_copy", "last_manager" }
local function fine(before, after, by)
  for _, rule in ipairs(rules) do same(nil, never(rule, before, after, by), rule) end
end
local function broken(rule, before, after, words)
  local m = never(rule, before, after)
  assert(m and m:find(words, 1, true), rule .. ": " .. tostring(m))
end

test("forcing where the others can decide makes two swarms, forcing where they cannot makes one", function()
  local s = whole(m3)
  local after = act(s, "force_new_cluster", { node = "node1" })
  same(true, after.split)
  broken("split_brain", s, after, "node2, node3")
  s = lost({ 1, 2, 3, 4, 5 }, { 1, 2 })
  after = act(s, "force_new_cluster", { node = "node1" })
  fine(s, after)
  same(nil, never("split_brain", whole(m3), whole(m3)))
end)

test("what was split before is no violation", function()
  local two = act(whole(m3), "force_new_cluster", { node = "node1" })
  same(nil, never("split_brain", two, E.copy(two)))
end)

test("managers that return in time give the quorum back; each set of them is one choice", function()
  local s = lost(m3, { 1 })
  local r = swarm.managers_return.when(st(s))
  same(3, #r)
  same("node2 node3", table.concat(r[3], " "))
  local after = happen(s, "managers_return", r[1])
  same(true, after.quorum.held)
  same("id1", after.leader)
  fine(s, after, "event")
  same(1, #swarm.managers_return.when(st(s, { node2 = true })))
  same(false, swarm.managers_return.when(st(whole(m3))))
end)

test("after forcing, old managers whose records are gone elect a leader together, and not alone", function()
  local s = act(lost(m3, { 1 }), "force_new_cluster", { node = "node1" })
  s = swarm.after_calm(s)
  local kept = happen(s, "managers_return", list{ "node2", "node3" })
  same(false, kept.split)
  same(false, kept.engines.node2.control)
  fine(s, kept, "event")
  s = act(s, "remove_node", { node_id = "id2" })
  local alone = happen(s, "managers_return", list{ "node2" })
  same("pending", alone.engines.node2.local_state)
  fine(s, alone, "event")
  local both = happen(s, "managers_return", list{ "node2", "node3" })
  same(true, both.split)
  same(2, E.count(both.leaders))
  assert(never("split_brain", s, both, "event"))
  same(false, swarm.managers_return.when(st(s, { node2 = true, node3 = true })))
end)

test("those of whom it is attested that they cannot come back are forgotten", function()
  local s = act(lost(m3, { 1 }), "force_new_cluster", { node = "node1" }, nil, { node2 = true, node3 = true })
  same(nil, s.gone)
end)

test("a manager that is lost takes the quorum with it, or the lead alone; that is no step", function()
  local s = whole(m3)
  same(3, #swarm.manager_lost.when(st(s)))
  local one = happen(s, "manager_lost", "node1")
  same("id2", one.leader)
  same(2, one.quorum.answering)
  local two = happen(one, "manager_lost", "node2")
  same(false, two.quorum.held)
  same(nil, two.leader)
  fine(one, two, "event")
  broken("held_quorum", one, two, "1 of 3 voters")
  same(false, swarm.manager_lost.when(st(happen(two, "manager_lost", "node3"))))
end)

test("a worker that is lost takes its tasks with it", function()
  local s = whole(m3)
  s.engines.node4 = { answers = true, control = false, local_state = "active", node_id = "id4", members = {} }
  s.nodes.id4 = { name = "node4", role = "worker", in_raft = false, state = "ready", availability = "active", labels = {}, ghost = false }
  s.services.web = { mode = "replicated", desired = 2, running = 2, local_volume = false, spread = { id4 = 1, id1 = 1 } }
  same("node4", swarm.worker_lost.when(st(s))[1])
  local after = happen(s, "worker_lost", "node4")
  same(1, after.services.web.running)
  same("down", after.nodes.id4.state)
  same("services lack tasks: web 1/2", swarm.services_at_count.finally(st(after)))
  same(nil, swarm.services_at_count.finally(st(s)))
  same(false, swarm.worker_lost.when(st(after)))
end)

test("a task with a local volume does not start while its old node may live", function()
  local s = whole(m3, { 1, 2 })
  s.services.db = { mode = "replicated", desired = 1, running = 0, local_volume = true, spread = {}, force_update = 0 }
  local after = act(s, "force_update", { service = "db" })
  broken("local_volume", s, after, "node3 (down) may still run it")
  same(nil, never("local_volume", s, after, "step", { node3 = true }))
  s.services.db.running, s.services.db.spread = 1, { id1 = 1 }
  fine(s, act(s, "force_update", { service = "db" }))
end)

test("the last state of a manager is not thrown away; one that is on a disk still is not lost", function()
  local s = lost(m3, { 1 })
  local gone = E.copy(s)
  gone.engines.node1 = { answers = true, control = false, local_state = "inactive", members = {}, swarm_dir = "empty" }
  broken("last_copy", s, gone, "node1")
  gone.engines.node1.swarm_dir = "present"
  fine(s, gone)
  fine(s, happen(s, "manager_lost", "node1"), "event")
end)

test("the last manager stays one", function()
  local s = act(lost(m3, { 1 }), "force_new_cluster", { node = "node1" })
  local none = E.copy(s)
  none.managers = {}
  broken("last_manager", s, none, "no manager left")
  broken("last_manager", s, (act(s, "demote", { node_id = "id1" })), "no manager left")
  same(nil, (act(s, "leave", { node = "node1" })))
  same(nil, (act(s, "remove_node", { node_id = "id1" })))
end)

test("at the end: a quorum, and an odd number", function()
  same(nil, swarm.quorum_at_end.finally(st(whole(m3))))
  assert(swarm.quorum_at_end.finally(st(lost(m3, { 1 }))):find("1 of 3 voters", 1, true))
  same(nil, swarm.odd_voters.finally(st(whole(m3))))
  assert(swarm.odd_voters.finally(st(whole({ 1, 2 }))):find("2 managers", 1, true))
end)

test("the picture is one line", function()
  same("node1* node2 | node3(down): 2 of 3 voters, 2 needed: held", swarm.picture(whole(m3, { 1, 2 })))
  same("node1 | node2(down) node3(down): 1 of 3 voters, 2 needed: lost", swarm.picture(lost(m3, { 1 })))
end)

test("forcing: half way, late, inactive only where autolock is not ruled out", function()
  local s, with = lost(m3, { 1 }), { node = "node1" }
  local after, r = act(s, "force_new_cluster", with, "half_way")
  same("unknown", r)
  same("pending", swarm.force_new_cluster.done(st(after), with))
  after, r = act(s, "force_new_cluster", with, "late_error")
  same(nil, r)
  same(true, after.quorum.held)
  after = act(s, "force_new_cluster", with, "inactive")
  same("inactive", after.engines.node1.local_state)
  fine(s, after)
  s.cluster.autolock = "off"
  same(nil, (act(s, "force_new_cluster", with, "inactive")))
  same(nil, (act(s, "force_new_cluster", { node = "node2" })))
end)

test("joining: in the background, on the other side of a split, or where the leader has another address than it tells", function()
  local s = act(lost(m3, { 1 }), "force_new_cluster", { node = "node1" })
  s = swarm.after_machines_back(swarm.after_calm(s))
  local with = { node = "node2", role = "manager" }
  local after, r = act(s, "join", with, "slow")
  same("unknown", r)
  same("pending", swarm.join.done(st(after), with))
  same(nil, (act(s, "join", with, "pending")))
  same(nil, (act(s, "join", with, "lands_apart")))
  after, r = act(s, "join", with)
  same("new-node2", r.node_id)
  fine(s, after)
  local moved = E.copy(s)
  moved.managers.id1.addr = "10.9.9.9:2377"
  same(nil, (act(moved, "join", with)))
  after = act(moved, "join", with, "pending")
  same(2, after.quorum.voters)
  same(1, after.quorum.answering)
  broken("held_quorum", moved, after, "node2(pending)")
  local two = act(whole(m3), "force_new_cluster", { node = "node1" })
  two.engines.node4 = { answers = true, control = false, local_state = "inactive", members = {}, swarm_dir = "empty", address = "10.0.0.4" }
  same(nil, (act(two, "join", { node = "node4" })))
  after = act(two, "join", { node = "node4" }, "lands_apart")
  same(1, after.quorum.voters)
  same("id2", after.engines.node4.leader)
  fine(two, after)
end)

test("leaving: a manager that was not demoted goes on counting, and may cost the quorum", function()
  local s = whole(m3)
  local after = act(s, "leave", { node = "node3" }, "ghost")
  same(3, after.quorum.voters)
  same(2, after.quorum.answering)
  fine(s, after)
  s = whole({ 1, 2 })
  broken("held_quorum", s, (act(s, "leave", { node = "node2" }, "ghost")), "node2(left)")
  fine(s, (act(s, "leave", { node = "node2" })))
end)

test("demoting, promoting, removing: half, and late", function()
  local s, with = whole(m3), { node_id = "id3" }
  local after, r = act(s, "demote", with, "half")
  same("unknown", r)
  same("pending", swarm.demote.done(st(after), with))
  after, r = act(s, "demote", with, "late_error")
  same(nil, r)
  same(2, after.quorum.voters)
  fine(s, after)
  r = select(2, act(after, "promote", with, "half"))
  same("unknown", r)
  same(3, act(after, "promote", with, "late_error").quorum.voters)
  s = whole(m3, { 1, 2 })
  after = act(s, "remove_node", with, "half")
  same("worker", after.nodes.id3.role)
  same(nil, act(s, "remove_node", with, "late_error").nodes.id3)
  same(nil, (act(whole(m3), "remove_node", with)))
  same(nil, (act(after, "remove_node", with, "half")))
  broken("held_quorum", s, (act(s, "demote", { node_id = "id1" })), "lost")
end)

test("a service: an update that is paused, a number that is not reached", function()
  local s = whole(m3)
  s.services.web = { mode = "replicated", desired = 2, running = 2, local_volume = false, spread = { id1 = 2 }, force_update = 0 }
  same("paused", act(s, "force_update", { service = "web" }, "paused").services.web.update)
  same(2, act(s, "scale", { service = "web", replicas = 4 }, "short").services.web.running)
  same(nil, (act(s, "scale", { service = "web", replicas = 1 }, "short")))
  same(nil, (act(s, "scale", { service = "none", replicas = 1 })))
  same(nil, (act(lost(m3, { 1 }), "force_update", { service = "web" }, "paused")))
end)

H.run()
