-- The pure parts of stdlib/ucp: effects, outcomes, rules, what versions mean, and the document's steps on a state by hand.

package.path = (os.getenv("ROOT") or ".") .. "/tests/stdlib/?.lua;" .. package.path
local H = require "harness"
local ucp = H.family("ucp")
local swarm = H.family("swarm")
H.env.swarm = swarm
local E, test, same = H.env, H.test, H.same
local list = E.list
local image = "docker/ucp:3.2.5"

-- ---- clusters by hand ----------------------------------------------------------------------------------------------

local function node_id(i) return string.rep(string.char(96 + i), 25) end

-- cluster("mmmw"): managers and workers on node1, node2, …; capital letters are down. o: held, installed, fresh (nobody is in a swarm)
local function cluster(roles, o)
  o = o or {}
  local s = { cluster = { id = "w0rld", autolock = "off" }, leaders = {}, split = false, engines = {}, managers = {}, nodes = {}, services = {} }
  local u = { installed = o.installed ~= false, managers = {}, leftovers = {}, nodes = {}, credentials = "unproved", why = "by hand" }
  if u.installed then u.version, u.id, u.url, u.agents = "3.2.5", "1D", "https://ucp.example:443", { desired = #roles, running = #roles } end
  local leader
  for i = 1, #roles do
    local r, name, id = roles:sub(i, i), "node" .. i, node_id(i)
    local up, manager = r:lower() == r, r:lower() == "m"
    local e = { answers = up, control = false, members = {}, address = "10.0.0." .. i }
    s.engines[name] = e
    if up then e.host, e.local_state, e.swarm_dir = name, "inactive", "empty" end
    if not o.fresh then
      if up then e.local_state, e.control, e.node_id, e.swarm_dir = "active", manager, id, "present" end
      s.nodes[id] = { name = name, host = name, role = manager and "manager" or "worker", in_raft = manager, state = up and "ready" or "down",
                      availability = "active", labels = {}, addr = e.address, ghost = false }
      if manager then
        leader = leader or (up and id)
        s.managers[id] = { name = name, host = name, addr = e.address .. ":2377", answers = up, reachability = up and "reachable" or "unreachable",
                           members = list{}, in_raft = true }
        ucp.lib.set_manager(u, name, not up and "unknown" or u.installed and "running" or "absent", up and u.installed and "healthy" or "silent", u.version)
      end
    end
    if up then u.leftovers[name] = u.installed and not o.fresh and 20 or 0 end
  end
  s.leader = leader
  swarm.lib.settle(s)
  if o.fresh then s.quorum.why = "no engine that answers is a manager" end
  if not s.quorum.held then s.nodes = {} end
  ucp.lib.recount(u)
  return { swarm = s, ucp = u, attested = {} }
end

local function fits(state)
  same(nil, H.misfit(ucp.cluster.schema, state.ucp))
  same(nil, H.misfit(swarm.cluster.schema, state.swarm))
  return state
end

-- A copy of the state after an act, and what it returned.
local function act(state, name, with, outcome)
  local after = E.copy(state)
  with.image = with.image or image
  local fn = outcome and ucp[name].outcomes[outcome] or ucp[name].effect
  local r = fn(after, with, state)
  if r == false then after = E.copy(state) end
  return fits(after), r
end

local function never(rule, before, after, by) return ucp[rule].never(after, before, by or "step") end
local function broken(rule, before, after, words)
  local m = never(rule, before, after)
  assert(m, rule .. " says nothing")
  assert(m:find(words, 1, true), m)
end
local function fine(before, after)
  for _, rule in ipairs{ "restore_over_installed", "uninstall_with_dead_nodes", "layer", "second_swarm" } do same(nil, never(rule, before, after), rule) end
end
local function picture(state) return ucp.picture(state.ucp) end
local function holds(name, state) return ucp[name].holds(state) end

-- ---- versions ------------------------------------------------------------------------------------------------------

test("the version of an image is its tag, whatever registry it is from", function()
  local v = ucp.lib.image_version
  same("3.2.5", v("docker/ucp:3.2.5"))
  same("3.1.4", v("registry.example:5000/mirantis/ucp:3.1.4"))
  same("3.2.5", v("docker/ucp:3.2.5@sha256:0123"))
  same(nil, v("registry.example:5000/ucp"))
  same(nil, v("docker/ucp:latest"))
  same(nil, v("docker/ucp@sha256:0123"))
end)

test("a backup is restored by its own major.minor, with a later patch", function()
  local r = ucp.lib.restorable
  same(true, r("3.2.5", "3.2.5"))
  same(true, r("3.2.5", "3.2.6"))
  same(false, r("3.2.5", "3.2.4"))
  same(false, r("3.1.4", "3.2.5"))
  same(false, r("3.2.5", "3.1.4"))
  same(nil, r(nil, "3.2.5"))
  same(nil, r("3.2.5", nil))
end)

test("3.2 begins at 3.2, and what has no version is not known", function()
  local f = ucp.lib.at_least
  same(false, f("3.1.15", 3, 2))
  same(false, f("2.2.22", 3, 2))
  same(true, f("3.2.0", 3, 2))
  same(true, f("3.7.1", 3, 2))
  same(true, f("4.0.0", 3, 2))
  same(nil, f(nil, 3, 2))
end)

-- ---- healthy -------------------------------------------------------------------------------------------------------

test("three healthy managers are healthy", function()
  local state = fits(cluster("mmmw"))
  same(true, (holds("healthy", state)))
  same(true, (holds("installed", state)))
  same(nil, ucp.healthy_at_end.finally(state))
  same("UCP 3.2.5: node1 node2 node3: 3 of 3 in ucp-kv, 2 needed: held", picture(state))
end)

test("one lost manager of three costs health, not the quorum, and the end may be so", function()
  local state = fits(cluster("mmMw"))
  same(true, state.ucp.quorum.held)
  local ok, why = holds("healthy", state)
  same(false, ok)
  assert(why:find("node3", 1, true) and why:find("ucp/restore-from-backup", 1, true), why)
  same(nil, ucp.healthy_at_end.finally(state))
  same("UCP 3.2.5: node1 node2 node3(down): 2 of 3 in ucp-kv, 2 needed: held", picture(state))
end)

test("half of the managers lost is no quorum, and the end may not be so", function()
  local state = fits(cluster("mmMM"))
  same(false, state.ucp.quorum.held)
  same("unhealthy", state.ucp.managers.node1.ping)
  assert(ucp.healthy_at_end.finally(state):find("no quorum", 1, true))
end)

test("without UCP nothing is healthy, and the way back is named", function()
  local state = cluster("mmm", { installed = false })
  local ok, why = holds("installed", state)
  same(false, ok)
  assert(why:find("ucp/restore-from-backup", 1, true), why)
  same(false, (holds("healthy", state)))
  same(nil, ucp.healthy_at_end.finally(state))
  same("no UCP: node1(none) node2(none) node3(none)", picture(state))
end)

test("stores are told apart where only one of them has lost its quorum", function()
  local state = cluster("mmm")
  state.ucp.managers.node2.auth, state.ucp.managers.node3.auth = "stopped", "stopped"
  ucp.lib.recount(state.ucp)
  same(true, state.ucp.quorum.held)
  same(false, state.ucp.auth.held)
  assert(ucp.healthy_at_end.finally(state):find("ucp-auth-store", 1, true))
  assert(picture(state):find("ucp-auth-store 1 of 3: lost", 1, true), picture(state))
  assert(select(2, holds("healthy", state)):find("ucp-auth-store", 1, true))
end)

test("a manager that runs and is not well is told at the end", function()
  local state = cluster("mmm")
  state.ucp.managers.node3.ping = "unhealthy"
  assert(ucp.healthy_at_end.finally(state):find("node3", 1, true))
end)

-- ---- backup --------------------------------------------------------------------------------------------------------

test("a backup changes nothing, and needs a manager with UCP", function()
  local before = cluster("mmmw")
  local after, r = act(before, "backup", { node = "node2", file = "/b.tar" })
  same("/b.tar", r.file)
  same(picture(before), picture(after))
  fine(before, after)
  same(false, select(2, act(before, "backup", { node = "node4", file = "/b.tar" })))
  same(false, select(2, act(cluster("mmm", { installed = false }), "backup", { node = "node1", file = "/b.tar" })))
  same(false, select(2, act(cluster("mMM"), "backup", { node = "node1", file = "/b.tar" })), "a swarm without quorum")
end)

test("a backup up to 3.1 that fails leaves its manager stopped; one of 3.2 leaves all as it was", function()
  local before = cluster("mmm")
  local after, r = act(before, "backup", { node = "node2", file = "/b.tar", image = "docker/ucp:3.1.4" }, "fails")
  same(nil, r)
  same("stopped", after.ucp.managers.node2.kv)
  same(true, after.ucp.quorum.held)
  same("UCP 3.2.5: node1 node2(stopped) node3: 2 of 3 in ucp-kv, 2 needed: held", picture(after))
  fine(before, after)
  same(false, select(2, act(before, "backup", { node = "node2", file = "/b.tar" }, "fails")))
end)

test("a backup up to 3.1 that fails on the only manager is an outage", function()
  local after = act(cluster("mw"), "backup", { node = "node1", file = "/b.tar", image = "docker/ucp:3.1.4" }, "fails")
  same(false, after.ucp.quorum.held)
end)

-- ---- uninstall -----------------------------------------------------------------------------------------------------

test("uninstalling takes UCP from every node, and leaves the swarm", function()
  local before = cluster("mmmww")
  local after, r = act(before, "uninstall", { node = "node1" })
  same(nil, r)
  same(false, after.ucp.installed)
  same(0, E.count(ucp.lib.left(after.ucp)))
  same(3, E.count(after.ucp.managers, function(m) return m.kv == "absent" end))
  same(true, after.swarm.quorum.held)
  fine(before, after)
  same(true, ucp.uninstall.done(after, { node = "node1" }) ~= false)
end)

test("uninstalling with a dead node cannot end well, and is stuck half way", function()
  local before = cluster("mmMw")
  same(false, select(2, act(before, "uninstall", { node = "node1" })))
  local after = act(before, "uninstall", { node = "node1" }, "stuck")
  same(true, after.ucp.installed)
  same("absent", after.ucp.managers.node1.kv)
  same("unknown", after.ucp.managers.node3.kv)
  broken("uninstall_with_dead_nodes", before, after, "node3 is down")
  same(false, ucp.uninstall.done(after, { node = "node1" }))
  same(nil, never("uninstall_with_dead_nodes", before, after, "event"))
  same(false, select(2, act(before, "uninstall", { node = "node1", only_ready = true }, "stuck")), "it looks first")
end)

test("a node that hangs leaves UCP on itself and in the swarm, which no rule can foresee", function()
  local before = cluster("mmm")
  local after = act(before, "uninstall", { node = "node1" }, "stuck")
  same(true, after.ucp.installed)
  same("running", after.ucp.managers.node3.kv)
  same(20, ucp.lib.left(after.ucp).node3)
  fine(before, after)
  local again = act(after, "uninstall", { node = "node1" })
  same(false, again.ucp.installed)
  same(0, E.count(ucp.lib.left(again.ucp)))
end)

test("nothing is uninstalled through a worker, or without a quorum of the swarm", function()
  same(false, select(2, act(cluster("mmmw"), "uninstall", { node = "node4" })))
  local before = cluster("mMM")
  same(false, select(2, act(before, "uninstall", { node = "node1" })))
  same(false, select(2, act(before, "uninstall", { node = "node1" }, "stuck")))
end)

test("whether an uninstall happened is told by the state", function()
  same(false, ucp.uninstall.done(cluster("mmm"), {}))
  local left = cluster("mmm", { installed = false })
  left.ucp.leftovers.node2 = 3
  same(false, ucp.uninstall.done(left, {}))
end)

-- ---- restore -------------------------------------------------------------------------------------------------------

test("a restore on a manager brings UCP to every manager that answers", function()
  local before = cluster("mmmw", { installed = false })
  local after, r = act(before, "restore", { node = "node2", file = "/b.tar", version = "3.2.4" })
  same("new-ucp", r.id)
  same(node_id(2), r.node_id)
  same("UCP 3.2.5: node1 node2 node3: 3 of 3 in ucp-kv, 2 needed: held", picture(after))
  same(true, (holds("healthy", after)))
  same(0, E.count(ucp.restore.attests(before, { node = "node2" })))
  fine(before, after)
  same("new-ucp", ucp.restore.done(after, { node = "node2" }).id)
  same(false, ucp.restore.done(before, { node = "node2" }))
end)

test("a restore on a machine in no swarm makes one", function()
  local before = cluster("mmm", { installed = false, fresh = true })
  same(false, before.swarm.quorum.held)
  local after, r = act(before, "restore", { node = "node2", file = "/b.tar" })
  same("new-node2", r.node_id)
  same(true, after.swarm.quorum.held)
  same(1, after.swarm.quorum.voters)
  same("UCP 3.2.5: node2: 1 of 1 in ucp-kv, 1 needed: held", picture(after))
  fine(before, after)
end)

test("a restore is refused over UCP, on a worker, on swarm state that is left, and for another version", function()
  same(false, select(2, act(cluster("mmm"), "restore", { node = "node1", file = "/b.tar" })))
  local none = cluster("mmmw", { installed = false })
  same(false, select(2, act(none, "restore", { node = "node4", file = "/b.tar" })))
  same(false, select(2, act(none, "restore", { node = "node1", file = "/b.tar", version = "3.1.4" })))
  same(false, select(2, act(none, "restore", { node = "node1", file = "/b.tar", version = "3.1.4" }, "half")))
  local dirty = cluster("mmm", { installed = false, fresh = true })
  dirty.swarm.engines.node2.swarm_dir = "present"
  same(false, select(2, act(dirty, "restore", { node = "node2", file = "/b.tar" })))
end)

test("a restore that refuses changes nothing", function()
  local before = cluster("mmm", { installed = false })
  local after, r = act(before, "restore", { node = "node1", file = "/b.tar" }, "refused")
  same(nil, r)
  same(picture(before), picture(after))
end)

test("a restore half done is installed and not well", function()
  local before = cluster("mmm", { installed = false })
  local after = act(before, "restore", { node = "node1", file = "/b.tar" }, "half")
  same(true, after.ucp.installed)
  same(false, after.ucp.quorum.held)
  same("pending", ucp.restore.done(after, { node = "node1" }))
  assert(ucp.healthy_at_end.finally(after))
end)

test("managers that do not come along are told, and one manager has no others", function()
  local after, r = act(cluster("mmm", { installed = false }), "restore", { node = "node1", file = "/b.tar" }, "no_heal")
  same("ok", r)
  same("healthy", after.ucp.managers.node1.ping)
  same(false, (holds("healthy", after)))
  same(false, select(2, act(cluster("mw", { installed = false }), "restore", { node = "node1", file = "/b.tar" }, "no_heal")))
end)

test("what is left of UCP on another node breaks the rule", function()
  local before = cluster("mmmw", { installed = false })
  before.ucp.leftovers.node4 = 7
  local after = act(before, "restore", { node = "node1", file = "/b.tar" })
  broken("restore_over_installed", before, after, "node4 has 7")
  same(nil, never("restore_over_installed", before, after, "event"))
end)

test("another UCP in the place of one that is installed breaks the rule", function()
  local before = cluster("mmm")
  local after = E.copy(before)
  after.ucp.id = "0ther"
  broken("restore_over_installed", before, after, "UCP 3.2.5")
end)

test("machines that do not answer need a word before a restore, known workers do not", function()
  local state = cluster("mMMW", { installed = false })
  state.swarm.nodes = cluster("mmMW").swarm.nodes
  local a = ucp.restore.attests(state, { node = "node1" })
  same(2, E.count(a))
  assert(a.node2:find("was a manager of UCP", 1, true), a.node2)
  local fresh = cluster("mMw", { installed = false, fresh = true })
  assert(ucp.restore.attests(fresh, { node = "node1" }).node2:find("nobody knows", 1, true))
end)

-- ---- layers --------------------------------------------------------------------------------------------------------

test("UCP is not changed on a swarm without quorum", function()
  local before = cluster("mMM")
  local after = E.copy(before)
  ucp.lib.take_away(after, function(node) return node == "node1" end, false)
  broken("layer", before, after, "changed on node1")
  after.ucp.installed = false
  broken("layer", before, after, "uninstalled")
  same(nil, never("layer", before, after, "event"))
  same(nil, never("layer", before, before))
end)

test("UCP does not come to a machine in no swarm while others are in one", function()
  local before = cluster("mMMw", { installed = false })
  before.swarm.engines.node4.local_state, before.swarm.engines.node4.swarm_dir = "inactive", "empty"
  local after, r = act(before, "restore", { node = "node4", file = "/b.tar" })
  same("new-node4", r.node_id)
  broken("layer", before, after, "swarm/recover-quorum")
end)

test("UCP does not come in a second swarm beside one that lives", function()
  local before = cluster("mmmw", { installed = false })
  before.swarm.engines.node4 = { answers = true, local_state = "inactive", control = false, members = {}, address = "10.0.0.4", swarm_dir = "empty" }
  before.swarm.nodes[node_id(4)] = nil
  local after, r = act(before, "restore", { node = "node4", file = "/b.tar" })
  same("new-node4", r.node_id)
  broken("second_swarm", before, after, "node4, which makes a new swarm beside")
  same(nil, never("second_swarm", before, after, "event"))
  local fresh = cluster("mmm", { installed = false, fresh = true })
  same(nil, never("second_swarm", fresh, (act(fresh, "restore", { node = "node1", file = "/b.tar" }))))
end)

-- ---- the document's story ------------------------------------------------------------------------------------------

test("force, remove the dead, back up, uninstall, restore: UCP is well again on the survivor", function()
  local state = cluster("mMMw")
  same(false, state.ucp.quorum.held)
  local function step(family, name, with)
    local after = E.copy(state)
    local r = family[name].effect(after, with, state)
    assert(r ~= false, name)
    if family == ucp then fine(state, after) end
    state = fits(after)
    return r
  end
  step(swarm, "force_new_cluster", { node = "node1" })
  for id, n in pairs(state.swarm.nodes) do n.state = id == node_id(1) and "ready" or id == node_id(4) and "ready" or "down" end
  same(2, #ucp.lib.dead_nodes(state.swarm))
  step(ucp, "backup", { node = "node1", image = image, file = "/b.tar" })
  same(false, select(2, act(state, "uninstall", { node = "node1" })))
  for _, n in ipairs(ucp.lib.dead_nodes(state.swarm)) do step(swarm, "remove_node", { node_id = n.node_id, name = n.name }) end
  same(0, #ucp.lib.dead_nodes(state.swarm))
  step(ucp, "uninstall", { node = "node1", image = image })
  same(0, E.count(ucp.lib.left(state.ucp)))
  same(2, E.count(ucp.restore.attests(state, { node = "node1" })))
  step(ucp, "restore", { node = "node1", image = image, file = "/b.tar" })
  same("UCP 3.2.5: node1: 1 of 1 in ucp-kv, 1 needed: held", picture(state))
end)

H.run()
