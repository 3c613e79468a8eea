-- The pure parts of stdlib/dtr: effects, outcomes, rules and events, and the story of the document step by step.

package.path = (os.getenv("ROOT") or ".") .. "/tests/stdlib/?.lua;" .. package.path
local H = require "harness"
local dtr = H.family("dtr")
local E, test, same = H.env, H.test, H.same
local list = E.list

-- ---- clusters by hand ----------------------------------------------------------------------------------------------

local letters = { "aaa10e1c15b6", "bbb20e1c15b6", "ccc30e1c15b6", "ddd40e1c15b6", "eee50e1c15b6", "fff60e1c15b6", "abc70e1c15b6" }
local a, b, c, d, e = table.unpack(letters)

-- cluster("aaabb", { cut = true, down = {…}, sick = {…} }): a replica for each letter, which is its side, on node1, node2, …
local function cluster(sides, o)
  o = o or {}
  local s = { version = "2.7.6", cut = o.cut or false, replicas = {}, gone = {}, nodes = {} }
  local ids = list{}
  for i = 1, #sides do ids[i] = letters[i] end
  ids = E.sorted(ids)
  for i = 1, #sides do
    local side = sides:sub(i, i)
    s.replicas[letters[i]] = { node = "node" .. i, answers = true, health = "healthy", members = E.copy(ids), side = side, volumes = "present" }
    s.nodes["node" .. i] = { side = side }
  end
  for i = 1, 9 do s.nodes["node" .. i] = s.nodes["node" .. i] or {} end
  local state = { dtr = s, attested = {} }
  for _, id in ipairs(o.down or {}) do s.replicas[id].answers = false end
  dtr.lib.recount(s, { sick = E.map(o.sick or {}, function() return true end) })
  for _, id in ipairs(o.sick or {}) do s.replicas[id].health = "unhealthy" end
  if o.sick then dtr.lib.recount(s, dtr.lib.before(s)) end
  return state
end

local function fits(state)
  same(nil, H.misfit(dtr.cluster.schema, state.dtr))
  return state
end

-- A copy of the state after an act, and what it returned.
local function act(state, name, with, outcome)
  local after = E.copy(state)
  local fn = outcome and dtr[name].outcomes[outcome] or dtr[name].effect
  local r = fn(after, with)
  if r == false then after = E.copy(state) end
  return fits(after), r
end

local function happen(state, name, choice)
  local after = E.copy(state)
  dtr[name].effect(after, choice)
  return fits(after)
end

local function never(rule, before, after, by) return dtr[rule].never(after, before, by or "step") end
local function broken(rule, before, after, words)
  local m = never(rule, before, after)
  assert(m, rule .. " says nothing")
  assert(m:find(words, 1, true), m)
end
local function picture(state) return dtr.picture(state.dtr) end
local function count_keys(t) return E.count(t) end

local function held(state, voters, healthy)
  same(true, state.dtr.quorum.held, picture(state))
  same(voters, state.dtr.quorum.voters, picture(state))
  same(healthy, state.dtr.quorum.healthy, picture(state))
end

-- Every way in which the library says that a change was bad, for changes that must be fine.
local function fine(before, after)
  for _, rule in ipairs{ "split_brain", "held_quorum", "last_copy", "layer" } do
    same(nil, never(rule, before, after), rule)
  end
end

-- ---- quorum and beliefs --------------------------------------------------------------------------------------------

test("a healthy cluster holds its quorum on one side", function()
  held(cluster("aaa"), 3, 3)
  same("aaa bbb ccc: 3 members, 2 needed: held by aaa bbb ccc", picture(cluster("aaa")))
  same(true, dtr.quorum.holds(cluster("aaa")))
  same(true, dtr.healthy.holds(cluster("aaa")))
end)

test("cut three and two, the three hold the quorum and the two are unhealthy", function()
  local s = cluster("aaabb", { cut = true })
  held(s, 5, 3)
  same("unhealthy", s.dtr.replicas[d].health)
  same("aaa bbb ccc | ddd eee: 5 members, 3 needed: held by aaa bbb ccc", picture(s))
  same("ddd40e1c15b6 eee50e1c15b6", table.concat(dtr.ids(dtr.unhealthy(s.dtr)), " "))
  same(true, dtr.quorum.holds(s))
  same(false, dtr.healthy.holds(s))
end)

test("two of five hold nothing, and are unhealthy though they run", function()
  local s = cluster("aaaaa", { down = { c, d, e } })
  same(false, s.dtr.quorum.held)
  same(3, s.dtr.quorum.needed)
  same("unhealthy", s.dtr.replicas[a].health)
  same("unknown", s.dtr.replicas[c].health)
  same("aaa bbb ccc(down) ddd(down) eee(down): 5 members, 3 needed: lost", picture(s))
  same(false, dtr.quorum.holds(s))
end)

test("a cut in the middle of four stops both halves", function()
  local s = cluster("aabb", { cut = true })
  same(false, s.dtr.quorum.held)
  same(nil, never("split_brain", cluster("aabb"), s))
end)

test("who is unhealthy for a reason of its own stays so when the others change", function()
  local s = cluster("aaaaa", { sick = { b } })
  held(s, 5, 4)
  s = happen(s, "replica_lost", c)
  same("unhealthy", s.dtr.replicas[b].health)
  held(s, 5, 3)
  s = happen(s, "replica_lost", d)
  same(false, s.dtr.quorum.held)
end)

-- ---- the story of the document -------------------------------------------------------------------------------------

test("the document's story: five, cut three and two, a sixth lands with the two: split brain", function()
  local whole = cluster("aaabb")
  local cut = happen(whole, "link_breaks")
  same(nil, never("split_brain", whole, cut, "event"))
  held(cut, 5, 3)
  local split, how = act(cut, "join", { node = "node6", existing_replica = a }, "minority")
  same("ok", how)
  broken("split_brain", cut, split, "aaa bbb ccc and ddd eee new-node6")
  same("b", split.dtr.replicas["new-node6"].side)
  same(3, split.dtr.replicas[d].needed)
  same("aaa bbb ccc | ddd eee new-node6: aaa bbb ccc and ddd eee new-node6 can each decide: split brain", picture(split))
  same(false, (dtr.quorum.holds(split)))
end)

test("the document's story: removed first, the two are gone, and joining brings five again", function()
  local cut = cluster("aaabb", { cut = true })
  local s = act(cut, "remove", { existing_replica = a, replicas = list{ d, e } })
  fine(cut, s)
  held(s, 3, 3)
  same(3, count_keys(s.dtr.replicas))
  for _, node in ipairs{ "node6", "node7" } do
    same(false, select(2, act(s, "join", { node = node, existing_replica = a }, "minority")), "nobody is on the other side")
    local after, outputs = act(s, "join", { node = node, existing_replica = a })
    same("new-" .. node, outputs.replica)
    fine(s, after)
    s = after
  end
  held(s, 5, 5)
  same(nil, dtr.odd_replicas.finally(s))
  same(nil, dtr.quorum_at_end.finally(s))
end)

test("the two that nobody could reach are dangerous after their removal too, if they return and a new one lands with them", function()
  local s = act(cluster("aaabb", { cut = true, down = { d, e } }), "remove", { existing_replica = a, replicas = list{ d, e } })
  held(s, 3, 3)
  same(2, count_keys(s.dtr.gone))
  local both = happen(s, "replicas_return", list{ d, e })
  same(nil, never("split_brain", s, both, "event"))
  same("aaa bbb ccc | ddd(not counted) eee(not counted): 3 members, 2 needed: held by aaa bbb ccc", picture(both))
  local split = act(both, "join", { node = "node6", existing_replica = a }, "minority")
  broken("split_brain", both, split, "ddd eee new-node6")
end)

test("in a cluster that was split already, a change is not blamed for it", function()
  local cut = cluster("aaabb", { cut = true })
  local split = act(cut, "join", { node = "node6", existing_replica = a }, "minority")
  local less = act(split, "destroy", { replica = "new-node6" })
  same(nil, never("split_brain", split, less))
  same(nil, never("split_brain", split, act(split, "join", { node = "node7", existing_replica = a }, "half")))
end)

-- ---- join ----------------------------------------------------------------------------------------------------------

test("a new replica is known to all that it meets; over a cut the old majority counts until the others have learnt", function()
  local s = act(cluster("aaa"), "join", { node = "node4", existing_replica = a })
  held(s, 4, 4)
  same(nil, s.dtr.replicas[a].needed)
  same(4, #s.dtr.replicas[c].members)
  s = act(cluster("aaabb", { cut = true }), "join", { node = "node6", existing_replica = a })
  held(s, 6, 4)
  same(3, s.dtr.replicas[a].needed)
  same(5, #s.dtr.replicas[d].members)
  s = happen(s, "link_heals")
  held(s, 6, 6)
  same(nil, s.dtr.replicas[a].needed)
  same(6, #s.dtr.replicas[d].members)
end)

test("a node whose side is known decides where a replica lands", function()
  local cut = cluster("aaabb", { cut = true })
  cut.dtr.nodes.node6.side = "b"
  same(false, select(2, act(cut, "join", { node = "node6", existing_replica = a }, "minority")))
  broken("split_brain", cut, act(cut, "join", { node = "node6", existing_replica = a }), "ddd eee new-node6")
  cut.dtr.nodes.node6.side = "a"
  held(act(cut, "join", { node = "node6", existing_replica = a }), 6, 4)
  same(false, select(2, act(cut, "join", { node = "node6", existing_replica = a }, "minority")))
end)

test("without a cut nothing can land on the wrong side of it", function()
  same(false, select(2, act(cluster("aaabb"), "join", { node = "node6", existing_replica = a }, "minority")))
end)

test("half a join leaves containers that nobody counts, and that a removal clears", function()
  local s, how = act(cluster("aaa"), "join", { node = "node4", existing_replica = a }, "half")
  same(nil, how)
  held(s, 3, 3)
  same("aaa bbb ccc new-node4(no member): 3 members, 2 needed: held by aaa bbb ccc", picture(s))
  same("pending", dtr.join.done(s, { node = "node4" }))
  local clear = act(s, "remove", { existing_replica = a, replicas = dtr.ids(dtr.unhealthy(s.dtr)) })
  same(3, count_keys(clear.dtr.replicas))
end)

test("a join cannot end well without a quorum, through an unhealthy replica, or on a node that has one", function()
  for _, case in ipairs{ { cluster("aaaaa", { down = { c, d, e } }), "node6", a }, { cluster("aaabb", { cut = true }), "node6", d },
                         { cluster("aaa"), "node3", a } } do
    local with = { node = case[2], existing_replica = case[3] }
    same(false, select(2, act(case[1], "join", with)))
    same(false, select(2, act(case[1], "join", with, "half")))
  end
end)

test("whether a join happened is told by a healthy member on that node", function()
  local s = cluster("aaa")
  same(false, dtr.join.done(s, { node = "node4" }))
  s = act(s, "join", { node = "node4", existing_replica = a, replica = "000000000001" })
  same("000000000001", dtr.join.done(s, { node = "node4" }).replica)
end)

-- ---- remove --------------------------------------------------------------------------------------------------------

test("half a removal leaves the other victim a member", function()
  local cut = cluster("aaabb", { cut = true })
  local with = { existing_replica = a, replicas = list{ d, e } }
  local s, how = act(cut, "remove", with, "partial")
  same(nil, how)
  fine(cut, s)
  held(s, 4, 3)
  same(false, dtr.remove.done(s, with))
  same(false, select(2, act(cut, "remove", { existing_replica = a, replicas = list{ d } }, "partial")))
end)

test("a removal that ends in an error late leaves containers that nobody counts", function()
  local cut = cluster("aaabb", { cut = true })
  local with = { existing_replica = a, replicas = list{ d, e } }
  local s = act(cut, "remove", with, "late_error")
  fine(cut, s)
  held(s, 3, 3)
  same(5, count_keys(s.dtr.replicas))
  local healed = happen(s, "link_heals")
  held(healed, 3, 3)
  same(nil, never("split_brain", s, healed, "event"))
  local again = act(s, "remove", with)
  same(3, count_keys(again.dtr.replicas))
  same("table", type(dtr.remove.done(again, with)))
end)

test("a removal cannot end well through the replica that is to go, or without a quorum; there is nothing to do without a victim", function()
  same(false, select(2, act(cluster("aaa"), "remove", { existing_replica = a, replicas = list{ a, b } })))
  same(false, select(2, act(cluster("aaaaa", { down = { c, d, e } }), "remove", { existing_replica = a, replicas = list{ c } })))
  same(nil, select(2, act(cluster("aaaaa", { down = { c, d, e } }), "remove", { existing_replica = a, replicas = list{} })))
end)

test("a node that is alone on its side of a cut cannot join", function()
  local cut = cluster("aaabb", { cut = true })
  cut.dtr.nodes.node6.side = "c"
  same(false, select(2, act(cut, "join", { node = "node6", existing_replica = a })))
end)

test("one that returns after it was removed is counted by nobody and decides nothing", function()
  local s = act(cluster("aaa", { down = { c } }), "remove", { existing_replica = a, replicas = list{ c } })
  held(s, 2, 2)
  local back = happen(s, "replicas_return", list{ c })
  same(nil, never("split_brain", s, back, "event"))
  same(2, #back.dtr.replicas[a].members)
  same("unhealthy", back.dtr.replicas[c].health)
end)

-- ---- destroy -------------------------------------------------------------------------------------------------------

test("a destroyed replica is still counted: two of three hold, one of three does not", function()
  local s = act(cluster("aaa"), "destroy", { replica = c })
  held(s, 3, 2)
  same(nil, never("held_quorum", cluster("aaa"), s))
  broken("held_quorum", s, act(s, "destroy", { replica = b }), "aaa: 3 members, 2 needed: lost")
  same("table", type(dtr.destroy.done(s, { replica = c })))
  same(false, dtr.destroy.done(s, { replica = b }))
end)

test("volumes that went without their containers are gone", function()
  local s = act(cluster("a"), "destroy", { replica = a }, "volumes_only")
  broken("last_copy", cluster("a"), s, a)
  same("aaa(no volumes): 1 member, 1 needed: lost", picture(s))
end)

-- ---- emergency repair ----------------------------------------------------------------------------------------------

test("an emergency repair leaves a cluster of one, and asks for a word about each that does not answer", function()
  local lost = cluster("aaaaa", { down = { c, d, e } })
  same("node3 node4 node5", table.concat(E.keys(dtr.emergency_repair.attests(lost, { replica = a })), " "))
  for _, n in ipairs{ "node3", "node4", "node5" } do lost.attested[n] = true end
  local s = act(lost, "emergency_repair", { replica = a })
  fine(lost, s)
  held(s, 1, 1)
  same("aaa: 1 member, 1 needed: held by aaa", picture(s))
  same(false, dtr.replicas_return.when(s))
  same("table", type(dtr.emergency_repair.done(s, { replica = a })))
  same(false, dtr.emergency_repair.done(lost, { replica = a }))
end)

test("those that nobody attested return together after an emergency repair: split brain", function()
  local s = act(cluster("aaaaa", { down = { c, d, e } }), "emergency_repair", { replica = a })
  local sets = dtr.replicas_return.when(s)
  same(7, #sets)
  local back = happen(s, "replicas_return", list{ c, d, e })
  broken("split_brain", s, back, "aaa and ccc ddd eee")
  same(nil, never("split_brain", s, happen(s, "replicas_return", list{ c, d }), "event"))
end)

test("a repair that ends in an error late leaves the others running: harmless with one of five, a split with two of three", function()
  local lost = cluster("aaaaa", { down = { c, d, e } })
  same(nil, never("split_brain", lost, act(lost, "emergency_repair", { replica = a }, "late_error")))
  local well = cluster("aaa")
  broken("split_brain", well, act(well, "emergency_repair", { replica = a }, "late_error"), "aaa and bbb ccc")
end)

test("volumes that turn out to be corrupt are no loss by the step, and another replica is the next choice", function()
  local lost = cluster("aaaaa", { down = { c, d, e } })
  same(a, dtr.best_candidate(lost.dtr).id)
  local s = act(lost, "emergency_repair", { replica = a }, "fails_on_replica")
  fine(lost, s)
  same("aaa(corrupt) bbb ccc(down) ddd(down) eee(down): 5 members, 3 needed: lost", picture(s))
  same(b, dtr.best_candidate(s.dtr).id)
  s = act(s, "emergency_repair", { replica = b })
  held(s, 1, 1)
end)

test("a repair from corrupt volumes cannot end well", function()
  local lost = cluster("aaaaa", { down = { c, d, e } })
  lost.dtr.replicas[a].volumes = "corrupt"
  same(false, select(2, act(lost, "emergency_repair", { replica = a })))
  same(false, select(2, act(lost, "emergency_repair", { replica = a }, "late_error")))
end)

-- ---- restore, backup, reconfigure ----------------------------------------------------------------------------------

test("a restore makes a cluster of one where nothing is left", function()
  local none = { dtr = { version = "2.7.6", cut = false, replicas = {}, gone = {}, nodes = {}, quorum = { held = false, voters = 0, needed = 1, healthy = 0, why = "" } } }
  local with = { node = "node1", file = "/b.tar" }
  local s, outputs = act(none, "restore", with)
  same("new-node1", outputs.replica)
  held(s, 1, 1)
  same("new-node1", dtr.restore.done(s, with).replica)
  same(false, dtr.restore.done(none, with))
  same(0, count_keys(act(none, "restore", with, "wrong_version").dtr.replicas))
  s = act(none, "restore", with, "half")
  same(false, s.dtr.quorum.held)
  same("pending", dtr.restore.done(s, with))
end)

test("a restore beside a cluster that lives, or that returns, is a split brain", function()
  local well = cluster("aaa")
  broken("split_brain", well, act(well, "restore", { node = "node4" }), "aaa bbb ccc and new-node4")
  local lost = cluster("aaa", { down = { a, b, c } })
  same(3, count_keys(dtr.restore.attests(lost, { node = "node4" })))
  local s = act(lost, "restore", { node = "node4" })
  held(s, 1, 1)
  broken("split_brain", s, happen(s, "replicas_return", list{ a, b }), "aaa bbb and new-node4")
end)

test("a backup tells its file and a reconfiguration leaves the membership", function()
  local cut = cluster("aaabb", { cut = true })
  same("/b.tar", dtr.backup.effect(cut, { existing_replica = a, file = "/b.tar" }).file)
  same(false, dtr.backup.effect(cut, { existing_replica = d, file = "/b.tar" }))
  same(nil, dtr.reconfigure.effect(cluster("aaa"), {}))
end)

-- ---- rules ---------------------------------------------------------------------------------------------------------

test("a quorum that the cluster loses by itself, or that was lost before, is no step's fault", function()
  local whole = cluster("aaa", { down = { c } })
  local lost = happen(whole, "replica_lost", b)
  same(false, lost.dtr.quorum.held)
  same(nil, never("held_quorum", whole, lost, "event"))
  assert(never("held_quorum", whole, lost, "step"))
  same(nil, never("held_quorum", lost, happen(lost, "replica_lost", a), "step"))
end)

test("the last good copy is not thrown away; one of two may be", function()
  local two = cluster("aa")
  same(nil, never("last_copy", two, act(two, "destroy", { replica = a })))
  local one = cluster("a")
  broken("last_copy", one, act(one, "destroy", { replica = a }), "node1")
  same(nil, never("last_copy", one, happen(one, "replica_lost", a), "event"))
end)

test("volumes on a machine that does not answer are no copy to rely on", function()
  local s = cluster("aaa", { down = { b, c } })
  broken("last_copy", s, act(s, "destroy", { replica = a }), a)
end)

test("DTR is not changed while the swarm has no quorum", function()
  local before = cluster("aaa")
  local after = act(before, "remove", { existing_replica = a, replicas = list{ c } })
  before.swarm, after.swarm = { quorum = { held = true } }, { quorum = { held = true } }
  same(nil, never("layer", before, after))
  before.swarm.quorum.held = false
  broken("layer", before, after, "swarm/recover-quorum")
  same(nil, never("layer", before, before))
  same(nil, never("layer", before, after, "event"))
end)

test("at the end the quorum is held and the number of replicas is odd", function()
  same(nil, dtr.quorum_at_end.finally(cluster("aaa")))
  assert(dtr.quorum_at_end.finally(cluster("aaaaa", { down = { c, d, e } })):find("lost", 1, true))
  same(nil, dtr.odd_replicas.finally(cluster("aaaaa")))
  assert(dtr.odd_replicas.finally(cluster("aaaa")):find("4 replicas", 1, true))
end)

-- ---- events --------------------------------------------------------------------------------------------------------

test("each replica that answers can be lost, and comes back as it was", function()
  local s = cluster("aaa")
  same(3, #dtr.replica_lost.when(s))
  local lost = happen(s, "replica_lost", b)
  same(2, #dtr.replica_lost.when(lost))
  same(b, dtr.replicas_return.when(lost)[1][1])
  held(happen(lost, "replicas_return", list{ b }), 3, 3)
  same(false, dtr.replicas_return.when(s))
end)

test("of many that are away, each alone and all together return", function()
  local s = cluster("aaaaaaa", { down = { b, c, d, e, letters[6] } })
  same(6, #dtr.replicas_return.when(s))
end)

test("the network is cut along sides that are known, and only then", function()
  same(false, dtr.link_breaks.when(cluster("aaa")))
  same(true, dtr.link_breaks.when(cluster("aab")))
  same(false, dtr.link_breaks.when(cluster("aab", { cut = true })))
  same(true, dtr.link_heals.when(cluster("aab", { cut = true })))
  same(false, dtr.link_heals.when(cluster("aab")))
end)

test("healed, the view of those that decided wins: who was removed meanwhile is not counted again", function()
  local s = cluster("aaaabb", { cut = true, down = { d } })
  same(false, s.dtr.quorum.held)
  s = cluster("aaaaabb", { cut = true, down = { d } })
  held(s, 7, 4)
  s = act(s, "remove", { existing_replica = a, replicas = list{ d } })
  same(7, #s.dtr.replicas[letters[6]].members)
  s = happen(s, "link_heals")
  held(s, 6, 6)
  same(6, #s.dtr.replicas[letters[6]].members)
end)

test("healed after a split, the views are put together", function()
  local cut = cluster("aaabb", { cut = true })
  local split = act(cut, "join", { node = "node6", existing_replica = a }, "minority")
  local s = happen(split, "link_heals")
  held(s, 6, 6)
  same(nil, dtr.lib.rivals(s.dtr, dtr.lib.view(s.dtr)))
end)

-- ---- funcs ---------------------------------------------------------------------------------------------------------

test("the best healthy replica is one of the group that decides; without any there is still an answer", function()
  local s = cluster("bbaaa", { cut = true })
  same(c, dtr.best_healthy(s.dtr).id)
  s.dtr.replicas[e].last_good = 3
  same(e, dtr.best_healthy(s.dtr).id)
  same(a, dtr.best_healthy(cluster("aaaaa", { down = { c, d, e } }).dtr).id)
  same("", dtr.best_healthy({ replicas = {}, quorum = {} }).id)
end)

test("candidates are told with their evidence, the one that was well last first", function()
  local s = cluster("aaaaa", { down = { c, d, e } })
  s.dtr.replicas[a].last_good, s.dtr.replicas[b].last_good = 900, 30
  same(b, dtr.best_candidate(s.dtr).id)
  assert(dtr.best_candidate(s.dtr).evidence:find("30 s ago", 1, true))
  same(2, #dtr.candidates(s.dtr))
  same("", dtr.best_candidate(cluster("aa", { down = { a, b } }).dtr).id)
end)

test("an odd number of replicas is wanted, at most seven", function()
  same(5, dtr.wanted(cluster("aaa").dtr, 2))
  same(3, dtr.wanted(cluster("aaa").dtr, 1))
  same(7, dtr.wanted(cluster("aaaaa").dtr, 9))
  same(3, dtr.wanted(cluster("aaa").dtr))
end)

test("IDs are shortened as far as they can be told apart", function()
  local s = cluster("aa")
  s.dtr.replicas["aaa1ffffffff"] = E.copy(s.dtr.replicas[a])
  same("aaa10", dtr.lib.short(s.dtr, a))
  same("bbb", dtr.lib.short(s.dtr, b))
  same("new-node4", dtr.lib.short(s.dtr, "new-node4"))
end)

test("replicas whose databases are stopped take no part: nobody need vouch for them, and they are no second cluster", function()
  local s = cluster("aaa")
  for _, id in ipairs{ b, c } do s.dtr.replicas[id].stopped = true end
  dtr.lib.recount(s.dtr, { sick = {} })
  same("aaa bbb(stopped) ccc(stopped): 3 members, 2 needed: lost", picture(s))
  same(0, count_keys(dtr.emergency_repair.attests(s, { replica = a })))
  for _, outcome in ipairs{ false, "late_error" } do
    local after = act(s, "emergency_repair", { replica = a }, outcome or nil)
    fine(s, after)
    held(after, 1, 1)
  end
  local other = act(s, "emergency_repair", { replica = b })
  held(other, 1, 1)
  same("healthy", other.dtr.replicas[b].health)
  same(nil, act(s, "destroy", { replica = c }).dtr.replicas[c])
end)

test("one that is destroyed instead of removed shows as gone as long as others count it", function()
  local s = act(cluster("aaaaa"), "destroy", { replica = e })
  same("absent", s.dtr.replicas[e].volumes)
  same("aaa bbb ccc ddd eee(gone): 5 members, 3 needed: held by aaa bbb ccc ddd", picture(s))
  same(0, count_keys(dtr.lib.absent(s.dtr)))
  assert(dtr.destroy.done(s, { replica = e }))
  local removed = act(s, "remove", { existing_replica = a, replicas = list{ e } })
  same(nil, removed.dtr.replicas[e])
  same(0, count_keys(removed.dtr.gone))
  held(removed, 4, 4)
  for _, id in ipairs{ d, c } do s = act(s, "destroy", { replica = id }) end
  same("aaa bbb: 5 members, 3 needed: lost", picture(s))
end)

H.run()
