-- What the actions of UCP ask of its tool, and when they say that it is done: with a tool that only writes down how it was called, and a UCP that
-- is as the test says, look after look.

package.path = (os.getenv("ROOT") or ".") .. "/tests/stdlib/?.lua;" .. package.path
local H = require "harness"
local E, test, same = H.env, H.test, H.same
local docker = {}
H.libs.docker = docker
local ucp = H.family("ucp")
local list = E.list

local function has(text, words) assert(tostring(text):find(words, 1, true), tostring(text)) end
local function hasnt(text, words) assert(not tostring(text):find(words, 1, true), tostring(text)) end

-- UCP of a version on node1 (and more); o replaces keys
local function state(version, nodes, o)
  local u = { installed = version ~= nil, version = version, id = version and "INST", why = "as the test says", managers = {}, leftovers = {}, nodes = {}, busy = {}, credentials = "proved" }
  for _, node in ipairs(nodes or { "node1" }) do
    ucp.lib.set_manager(u, node, version and "running" or "absent", version and "healthy" or "silent", version)
    u.leftovers[node] = version and 27 or 0
  end
  ucp.lib.recount(u)
  for k, v in pairs(o or {}) do u[k] = v end
  return u
end
local well, old, none = state("3.2.5", { "node1", "node2" }), state("3.1.4"), state(nil, { "node1", "node2" })

-- Runs an action. o: looks (states, the last one again and again), tool (answers by command), archive, nodes (GET /nodes), swarm (GET /info .Swarm),
-- ucp (GET /containers/ucp/json). → { outputs | failed, unknown, calls, words (of the last call), removed }
local function run(name, with, o)
  local got, clock, looks = { calls = {}, kept = {}, removed = {} }, 0, 0
  local ctx = { run = { id = "r1" }, nodes = { node1 = { address = "10.0.0.1" }, node2 = { address = "10.0.0.2" } }, site = {} }
  with.image = with.image or "docker/ucp:3.2.5"
  function ctx.now() return clock end
  function ctx.sleep(s) clock = clock + s * 1000 end
  function ctx.log() end
  function ctx.progress() end
  function ctx.fail(text, how) error({ failed = text, unknown = how and how.unknown or false }, 0) end
  function ctx.all(t) local r = {} for k, fn in E.pairs(t) do r[k] = fn() end return r end
  function ctx.docker(node)
    return {
      get = function(_, path)
        local function ok(b) return { ok = true, status = 200, body = b } end
        if path == "/info" then return ok({ Name = "host-of-" .. node, Swarm = o.swarm or { NodeID = "id-" .. node, LocalNodeState = "active", ControlAvailable = true, Cluster = { ID = "cluster1" } } }) end
        if path == "/nodes" then
          return o.nodes == false and { ok = false, status = 500, message = "The swarm does not have a leader." } or
            ok(o.nodes or list{ { ID = "id-node1", Status = { State = "ready" } }, { ID = "id-node2", Status = { State = "ready" } } })
        end
        if path == "/containers/ucp/json" then return o.ucp and ok(o.ucp) or { ok = false, status = 404, message = "No such container: ucp" } end
        error("GET " .. path)
      end,
      delete = function(_, path) got.removed[#got.removed + 1] = node .. path return { ok = true, status = 204 } end,
    }
  end
  function ctx.remove(path) got.removed[#got.removed + 1] = path return true end
  function ctx.archive() return o.archive or { ok = true, format = "tar", entries = 120, bytes = 1000 } end
  function docker.part(_, file) return file .. ".part-r1" end
  function docker.run(_, on, spec)
    got.calls[#got.calls + 1] = { on = on, spec = spec, words = table.concat(spec.argv, " ") }
    return o.tool and o.tool[spec.argv[1]] or { ok = true, exit = 0, stderr = "", stdout = spec.argv[1] == "id" and "told1\n" or "", sha256 = "5ha" }
  end
  function docker.keep(_, part, file, manifest, sha256)
    got.kept[#got.kept + 1] = { part = part, file = file, manifest = manifest, sha256 = sha256 }
    if o.keep then return nil, o.keep end
    return true
  end
  rawset(ucp, "look", function()
    looks = math.min(looks + 1, #o.looks)
    return E.copy(o.looks[looks])
  end)
  local ok, r = pcall(ucp[name].run, ctx, with)
  if ok then got.outputs = r elseif type(r) == "table" then got.failed, got.unknown = r.failed, r.unknown else error(r, 0) end
  got.seconds = clock / 1000
  got.words = #got.calls > 0 and got.calls[#got.calls].words or nil
  return got
end

-- ---- the tool ------------------------------------------------------------------------------------------------------

test("the tool is called ucp, talks to its engine by its socket, and is given no terminal and no secret", function()
  local r = run("backup", { node = "node1", file = "/b.tar" }, { looks = { well } })
  local spec = r.calls[1].spec
  same("ucp", spec.name)
  same("node1", r.calls[1].on)
  same("/var/run/docker.sock:/var/run/docker.sock", spec.binds[1])
  same(nil, spec.env)
end)

test("a run of somebody else is left alone, and who it is is told", function()
  local busy = E.copy(well)
  busy.busy = { node2 = "running" }
  local r = run("backup", { node = "node1", file = "/b.tar" }, { looks = { busy },
    ucp = { Id = "c1", Args = list{ "uninstall-ucp" }, Config = { Image = "docker/ucp:3.2.5", Labels = {} }, State = { Running = true, StartedAt = "2019-05-01" } } })
  has(r.failed, "docker/ucp:3.2.5 uninstall-ucp")
  same(false, r.unknown)
  same(0, #r.calls)
  same(0, #r.removed)
end)

test("what an earlier run of ours left behind is cleared away, what somebody else left is not", function()
  local busy = E.copy(well)
  busy.busy = { node1 = "exited" }
  local mine = { Id = "c1", Config = { Image = "docker/ucp:3.2.5", Labels = { ["com.quorate.run"] = "r0" } }, State = { Running = false } }
  local r = run("backup", { node = "node1", file = "/b.tar" }, { looks = { busy }, ucp = mine })
  same(nil, r.failed)
  same("node1/containers/c1?v=1", r.removed[1])
  mine.Config.Labels = {}
  r = run("backup", { node = "node1", file = "/b.tar" }, { looks = { busy }, ucp = mine })
  has(r.failed, "docker rm ucp")
  same(0, #r.removed)
end)

-- ---- backup --------------------------------------------------------------------------------------------------------

test("from 3.2 on a backup says that it has no passphrase, up to 3.1 it tells UCP's ID", function()
  local r = run("backup", { node = "node1", file = "/b.tar" }, { looks = { well } })
  same("backup --no-passphrase", r.words)
  same("/b.tar", r.outputs.file)
  r = run("backup", { node = "node1", file = "/b.tar", image = "docker/ucp:3.1.4" }, { looks = { old } })
  same("backup --id INST", r.words)
  local anonymous = E.copy(old)
  anonymous.id = nil
  r = run("backup", { node = "node1", file = "/b.tar", image = "docker/ucp:3.1.4" }, { looks = { anonymous } })
  same("id", r.calls[1].words)
  same("backup --id told1", r.words)
end)

test("a backup goes to a part, is not kept in the engine's log, and takes the place of the old one when it is whole", function()
  local r = run("backup", { node = "node1", file = "/b.tar" }, { looks = { well } })
  local spec, kept = r.calls[1].spec, r.kept[1]
  same("/b.tar.part-r1", spec.stdout)
  same(true, spec.quiet_log)
  same("/b.tar.part-r1", kept.part)
  same("/b.tar", kept.file)
  same("5ha", kept.sha256)
  same("ucp", kept.manifest.kind)
  same("3.2.5", kept.manifest.version)
  same("cluster1", kept.manifest.cluster_id)
  same("node1", kept.manifest.node)
end)

test("a backup that is not whole is a failure", function()
  local r = run("backup", { node = "node1", file = "/b.tar" }, { looks = { well }, keep = "the archive ends too early" })
  has(r.failed, "ends too early")
end)

test("a tool that fails says why, and what there is", function()
  local r = run("backup", { node = "node1", file = "/b.tar" }, { looks = { well }, tool = { backup = { ok = false, exit = 1, message = "node1: docker/ucp:3.2.5 ended with exit status 1: another backup running" } } })
  has(r.failed, "another backup running")
  has(r.failed, "what was there before is there")
  same("/b.tar.part-r1", r.removed[1], "half a backup has keys in it")
  same(false, r.unknown)
  same(0, #r.kept)
end)

test("a tool that nobody listens to any more is unknown", function()
  local r = run("backup", { node = "node1", file = "/b.tar" }, { looks = { well }, tool = { backup = { ok = false, unknown = true, message = "may go on" } } })
  same(true, r.unknown)
  same(0, #r.removed)
end)

test("nothing is backed up where there is nothing, nor by another version, nor by one that is not known", function()
  has(run("backup", { node = "node9", file = "/b.tar" }, { looks = { well } }).failed, "nothing to back up")
  has(run("backup", { node = "node1", file = "/b.tar", image = "docker/ucp:3.1.4" }, { looks = { well } }).failed, "by its own version")
  has(run("backup", { node = "node1", file = "/b.tar", image = "mine/ucp:latest" }, { looks = { well } }).failed, "is no version")
end)

-- ---- uninstall -----------------------------------------------------------------------------------------------------

test("uninstalling asks the tool for the ID, and is done when nothing is left on any node of the swarm", function()
  local half = E.copy(none)
  half.leftovers = { node1 = 0, node2 = 4 }
  local r = run("uninstall", { node = "node1" }, { looks = { well, well, half, none } })
  same("id", r.calls[1].words)
  same("uninstall-ucp --id told1", r.words)
  same(nil, r.failed)
  same(0, E.count(r.outputs))
  assert(r.seconds > 0)
end)

test("without the tool's word the ID is that of the swarm", function()
  local r = run("uninstall", { node = "node1" }, { looks = { well, none }, tool = { id = { ok = false, exit = 1, message = "no" } } })
  same("uninstall-ucp --id cluster1", r.words)
end)

test("what is left on a machine outside of the swarm is not waited for", function()
  local out = E.copy(none)
  out.leftovers = { node1 = 0, node2 = 4 }
  local r = run("uninstall", { node = "node1", id = "x" }, { looks = { well, out }, nodes = list{ { ID = "id-node1", Status = { State = "ready" } } } })
  same(nil, r.failed)
  same("uninstall-ucp --id x", r.words)
end)

test("with a node that is down nothing begins, if that was asked for", function()
  local nodes = list{ { ID = "id-node1", Status = { State = "ready" } }, { ID = "id3", Description = { Hostname = "node3" }, Status = { State = "down" } } }
  local r = run("uninstall", { node = "node1", only_ready = true }, { looks = { well }, nodes = nodes })
  has(r.failed, "node3 (id3, down)")
  same(false, r.unknown)
  same(0, #r.calls)
  r = run("uninstall", { node = "node1" }, { looks = { well, none }, nodes = nodes })
  same(nil, r.failed)
end)

test("without a quorum of the swarm nothing begins", function()
  local r = run("uninstall", { node = "node1" }, { looks = { well }, nodes = false })
  has(r.failed, "does not have a leader")
  same(0, #r.calls)
end)

test("a tool that ended well and left UCP there is not believed", function()
  local r = run("uninstall", { node = "node1" }, { looks = { well } })
  same(true, r.unknown)
  has(r.failed, "UCP is still there")
end)

-- ---- restore -------------------------------------------------------------------------------------------------------

test("on a manager of a swarm a restore gets the file and nothing else, and is done when that manager is healthy", function()
  local sick = E.copy(well)
  sick.managers.node1.ping = "unhealthy"
  local r = run("restore", { node = "node1", file = "/b.tar", version = "3.2.4" }, { looks = { none, none, sick, well } })
  same("restore", r.words)
  same("/b.tar", r.calls[1].spec.stdin)
  same("INST", r.outputs.id)
  same("id-node1", r.outputs.node_id)
  assert(r.seconds > 0)
end)

test("on a machine in no swarm a restore is told the address of the new one", function()
  local swarm = { NodeID = "", LocalNodeState = "inactive", ControlAvailable = false }
  same("restore --host-address 10.0.0.1", run("restore", { node = "node1", file = "/b.tar" }, { looks = { none, well }, swarm = swarm }).words)
  same("restore --host-address 10.9.9.9", run("restore", { node = "node1", file = "/b.tar", host_address = "10.9.9.9" }, { looks = { none, well }, swarm = swarm }).words)
end)

test("a restore is refused over UCP, over what is left of one, on a worker, and without a quorum", function()
  has(run("restore", { node = "node1", file = "/b.tar" }, { looks = { well } }).failed, "is not restored over")
  local left = E.copy(none)
  left.leftovers = { node2 = 3 }
  has(run("restore", { node = "node1", file = "/b.tar" }, { looks = { left } }).failed, "node2 (3)")
  has(run("restore", { node = "node1", file = "/b.tar" }, { looks = { none }, swarm = { LocalNodeState = "active", ControlAvailable = false } }).failed, "on a manager")
  has(run("restore", { node = "node1", file = "/b.tar" }, { looks = { none }, swarm = { LocalNodeState = "active", ControlAvailable = true, Error = "no leader" } }).failed, "no leader")
end)

test("a file that is encrypted, cut off, or of another version is refused before anything begins", function()
  local r = run("restore", { node = "node1", file = "/b.tar" }, { looks = { none }, archive = { ok = true, format = "openpgp" } })
  has(r.failed, "gpg --decrypt /b.tar")
  hasnt(r.failed, "--passphrase")
  has(run("restore", { node = "node1", file = "/b.tar" }, { looks = { none }, archive = { ok = false, format = "tar", message = "it ends in the middle of a file" } }).failed, "in the middle")
  r = run("restore", { node = "node1", file = "/b.tar", version = "3.1.4" }, { looks = { none } })
  has(r.failed, "its own major.minor")
  same(0, #r.calls)
end)

test("a tool that ended well without a UCP that is healthy is not believed", function()
  local r = run("restore", { node = "node1", file = "/b.tar" }, { looks = { none } })
  same(true, r.unknown)
  has(r.failed, "UCP is not there")
end)

-- ---- what became of it ---------------------------------------------------------------------------------------------

test("while the tool is at work nobody knows what became of it", function()
  local busy = E.copy(none)
  busy.busy = { node1 = "running" }
  same("pending", ucp.uninstall.done({ ucp = busy }, { node = "node1" }))
  same("pending", ucp.restore.done({ ucp = busy, swarm = { engines = {} } }, { node = "node1" }))
end)

H.run()
