-- What the actions of DTR ask of its tool, and when they say that it is done: with a tool that only writes down how it was called, and a DTR
-- that is as the test says, look after look.

package.path = (os.getenv("ROOT") or ".") .. "/tests/stdlib/?.lua;" .. package.path
local H = require "harness"
local E, test, same = H.env, H.test, H.same
local docker = {}
H.libs.docker = docker
local dtr = H.family("dtr")
local list = E.list

local a, b, c = "aaa10e1c15b6", "bbb20e1c15b6", "000000000003"

local function replica(id, node, members, o)
  local r = { node = node, answers = true, health = "healthy", members = list(members), volumes = "present", version = "2.6.4", image = "docker/dtr:2.6.4",
              address = tostring(node) .. ":443" }
  for k, v in pairs(o or {}) do r[k] = v end
  return id, r
end

local function state(...)
  local d = { cut = false, installed = true, replicas = {}, nodes = {}, version = "2.6.4" }
  for _, x in ipairs{ ... } do
    local id, r = replica(table.unpack(x))
    d.replicas[id] = r
  end
  dtr.lib.tally(d, dtr.lib.view(d), "as the test says")
  return d
end

-- Runs an action. o: looks (states, the last one again and again), tool (what docker.run returns), archive. → { outputs | failed, unknown, calls, … }
local function run(name, with, o)
  local got, clock, looks = { calls = {}, kept = {} }, 0, 0
  local ctx = { run = {}, nodes = { node1 = {}, node2 = {}, node3 = {}, node4 = {} },
                site = { ucp = { url = "https://ucp.example", username = "admin", password = "hunter2", ca_text = "PEM" } } }
  if o.site then ctx.site = o.site end
  function ctx.now() return clock end
  function ctx.sleep(s) clock = clock + s * 1000 end
  function ctx.log() end
  function ctx.progress() end
  function ctx.fail(text, how) error({ failed = text, unknown = how and how.unknown or false }, 0) end
  function ctx.docker(node)
    return { get = function(_, path)
      if path == "/info" then return { ok = true, status = 200, body = { Name = "host-of-" .. node } } end
      assert(path == "/containers/quorate-dtr-tool/json", path)
      if not o.old then return { ok = false, status = 404, message = "No such container" } end
      return { ok = true, status = 200, body = { Id = "old", Args = { "remove" }, State = { Running = o.old == "running", ExitCode = 1 } } }
    end, delete = function(_, path) got.deleted = path return { ok = true, status = 204 } end }
  end
  function ctx.archive() return o.archive or { ok = true, first = "dtr-backup-v2.6.4/", format = "tar" } end
  function docker.run(_, on, spec)
    got.calls[#got.calls + 1] = { on = on, spec = spec, words = table.concat(spec.argv, " ") }
    return o.tool or { ok = true, exit = 0, stderr = "" }
  end
  function docker.part(_, file) return file .. ".part" end
  function docker.keep(_, part, file, manifest) got.kept[#got.kept + 1] = { part = part, file = file, manifest = manifest } return true end
  rawset(dtr, "look", function()
    looks = math.min(looks + 1, #o.looks)
    return E.copy(o.looks[looks])
  end)
  local ok, r = pcall(dtr[name].run, ctx, with)
  if ok then got.outputs = r elseif type(r) == "table" then got.failed, got.unknown = r.failed, r.unknown else error(r, 0) end
  got.seconds = clock / 1000
  got.words = got.calls[1] and got.calls[1].words
  return got
end

local function has(text, words) assert(tostring(text):find(words, 1, true), tostring(text)) end

local three = state({ a, "node1", { a, b, c } }, { b, "node2", { a, b, c } }, { c, "node3", { a, b, c }, { health = "unhealthy" } })
local two = state({ a, "node1", { a, b } }, { b, "node2", { a, b } })

test("remove goes through the replica to keep, where that one is, with the tool of its version", function()
  local r = run("remove", { existing_replica = a, replicas = list{ c } }, { looks = { three, two } })
  same("remove --existing-replica-id " .. a .. " --replica-ids " .. c, r.words)
  same("node1", r.calls[1].on)
  same("docker/dtr:2.6.4", r.calls[1].spec.image)
  assert(r.outputs)
end)

test("credentials are in the environment and nowhere else", function()
  local spec = run("remove", { existing_replica = a, replicas = list{ c } }, { looks = { three, two } }).calls[1].spec
  same("hunter2", spec.env.UCP_PASSWORD)
  same("admin", spec.env.UCP_USERNAME)
  same("https://ucp.example", spec.env.UCP_URL)
  same("PEM", spec.env.UCP_CA)
  same(nil, spec.env.UCP_INSECURE_TLS)
  for _, word in ipairs(spec.argv) do assert(not word:find("hunter2", 1, true)) end
  local site = { ucp = { url = "u", username = "admin", password = "hunter2", ca_text = "PEM", insecure = true } }
  spec = run("remove", { existing_replica = a, replicas = list{ c } }, { looks = { three, two }, site = site }).calls[1].spec
  same("true", spec.env.UCP_INSECURE_TLS)
  same(nil, spec.env.UCP_CA)
end)

test("without credentials nothing is begun", function()
  local r = run("remove", { existing_replica = a, replicas = list{ c } }, { looks = { three }, site = {} })
  has(r.failed, "ucp.password")
  same(0, #r.calls)
end)

test("image and place can be chosen", function()
  local r = run("remove", { existing_replica = a, replicas = list{ c }, image = "registry.example/dtr:2.6.4", on = "node4" }, { looks = { three, two } })
  same("node4", r.calls[1].on)
  same("registry.example/dtr:2.6.4", r.calls[1].spec.image)
end)

test("what is removed already is not removed again", function()
  local r = run("remove", { existing_replica = a, replicas = list{ c } }, { looks = { two } })
  same(0, #r.calls)
  assert(r.outputs)
end)

test("an end with status 0 is not enough: DTR has to agree, and if it does not the outcome is unknown", function()
  local r = run("remove", { existing_replica = a, replicas = list{ c } }, { looks = { three } })
  same(true, r.unknown)
  has(r.failed, "the replica " .. c .. " is still there")
  assert(r.seconds >= 120 and r.seconds < 130)
end)

test("DTR may take its time to agree", function()
  local r = run("remove", { existing_replica = a, replicas = list{ c } }, { looks = { three, three, three, two } })
  same(4, r.seconds)
  assert(r.outputs)
end)

test("a failure says what the tool said last, and what to do; an end that nobody saw is unknown", function()
  local r = run("remove", { existing_replica = a, replicas = list{ c } }, { looks = { three },
    tool = { ok = false, exit = 1, unknown = false, message = "node1: docker/dtr:2.6.4 ended with exit status 1: no quorum left" } })
  same(false, r.unknown)
  has(r.failed, "remove: node1: docker/dtr:2.6.4 ended with exit status 1: no quorum left")
  has(r.failed, "dtr/emergency-repair")
  r = run("remove", { existing_replica = a, replicas = list{ c } }, { looks = { three }, tool = { ok = false, unknown = true, message = "the connection broke" } })
  same(true, r.unknown)
  has(r.failed, "the connection broke")
end)

test("a container of an earlier attempt that has ended makes room, and one that runs stays", function()
  same("/containers/old?force=1&v=1", run("remove", { existing_replica = a, replicas = list{ c } }, { looks = { three, two }, old = "exited" }).deleted)
  same(nil, run("remove", { existing_replica = a, replicas = list{ c } }, { looks = { three, two }, old = "running" }).deleted)
end)

test("while the tool is at work nothing is begun, and what was begun is not over", function()
  local busy = E.copy(three)
  busy.busy = { node2 = "dtr-phase2" }
  local r = run("remove", { existing_replica = a, replicas = list{ c } }, { looks = { busy } })
  same(0, #r.calls)
  has(r.failed, "container dtr-phase2 on node2")
  for _, name in ipairs{ "remove", "join", "destroy", "emergency_repair", "restore" } do
    same("pending", dtr[name].done({ dtr = busy }, { replica = a, node = "node4", replicas = list{ c } }), name)
  end
end)

test("join names the node as UCP does, and is done when the new one is a healthy member", function()
  local half = state({ a, "node1", { a, b } }, { b, "node2", { a, b } }, { c, "node3", {}, { health = "unhealthy" } })
  local whole = state({ a, "node1", { a, b, c } }, { b, "node2", { a, b, c } }, { c, "node3", { a, b, c } })
  local r = run("join", { node = "node3", existing_replica = a, https_port = 4443 }, { looks = { two, half, whole } })
  same("join --ucp-node host-of-node3 --existing-replica-id " .. a .. " --replica-https-port 4443", r.words)
  same("node1", r.calls[1].on)
  same(c, r.outputs.replica)
  r = run("join", { node = "node3", existing_replica = a }, { looks = { two, half } })
  same(true, r.unknown)
  has(r.failed, "no member")
end)

test("join refuses a node that has a replica, or what is left of one", function()
  local r = run("join", { node = "node3", existing_replica = a }, { looks = { three } })
  same(0, #r.calls)
  has(r.failed, "dtr.remove")
end)

test("destroy runs where the replica is, and is done when nothing of it is left, though others still count it", function()
  local counted = state({ a, "node1", { a, b, c } }, { b, "node2", { a, b, c } }, { c, nil, {}, { answers = false, volumes = "absent", health = "unknown" } })
  local r = run("destroy", { replica = c }, { looks = { three, counted } })
  same("destroy --replica-id " .. c, r.words)
  same("node3", r.calls[1].on)
  assert(r.outputs)
  assert(dtr.destroy.done({ dtr = counted }, { replica = c }))
  same(0, #run("destroy", { replica = c }, { looks = { counted } }).calls)
end)

test("destroy takes what is only left over, too", function()
  local left = E.copy(two)
  left.leftovers = { [c] = "node3" }
  local r = run("destroy", { replica = c }, { looks = { left, two } })
  same("node3", r.calls[1].on)
  assert(r.outputs)
end)

test("emergency repair answers the question of the tool, and is done when the replica counts itself alone", function()
  local lost = state({ a, "node1", { a, b, c }, { health = "unhealthy" } })
  local r = run("emergency_repair", { replica = a, prune = false }, { looks = { lost, state({ a, "node1", { a } }) } })
  same("emergency-repair --existing-replica-id " .. a .. " --yes", r.words)
  assert(r.outputs)
  r = run("emergency_repair", { replica = a, prune = true, overlay_subnet = "10.9.0.0/24" }, { looks = { lost, state({ a, "node1", { a } }) } })
  same("emergency-repair --existing-replica-id " .. a .. " --yes --overlay-subnet 10.9.0.0/24 --prune", r.words)
  r = run("emergency_repair", { replica = a }, { looks = { lost, state({ a, "node1", { a, b, c } }) } })
  has(r.failed, "counts 3 members")
end)

test("a backup is kept only when it is one; the log of the engine does not get it", function()
  local r = run("backup", { existing_replica = a, file = "dtr.tar", offline = false }, { looks = { three } })
  same("backup --existing-replica-id " .. a, r.words)
  same("dtr.tar.part", r.calls[1].spec.stdout)
  same(true, r.calls[1].spec.quiet_log)
  same("dtr.tar.part", r.kept[1].part)
  same("dtr.tar", r.kept[1].file)
  same("2.6.4", r.kept[1].manifest.version)
  same("dtr", r.kept[1].manifest.kind)
  same("dtr.tar", r.outputs.file)
  r = run("backup", { existing_replica = a, file = "dtr.tar" }, { looks = { three }, archive = { ok = true, first = "etc/" } })
  same(0, #r.kept)
  has(r.failed, "no backup of DTR")
  r = run("backup", { existing_replica = c, file = "dtr.tar" }, { looks = { three } })
  same(0, #r.calls)
  has(r.failed, "unhealthy")
end)

test("a restore names its storage, takes the version of the backup, and the file by stdin", function()
  local none = state()
  local one = state({ c, "node3", { c } })
  local function restore(with, o)
    with.node, with.file = "node3", "dtr.tar"
    o = o or {}
    o.looks = o.looks or { none, one }
    return run("restore", with, o)
  end
  local r = restore{ storage = "default" }
  same("restore --ucp-node host-of-node3 --dtr-use-default-storage", r.words)
  same("docker/dtr:2.6.4", r.calls[1].spec.image)
  same("dtr.tar", r.calls[1].spec.stdin)
  same("node3", r.calls[1].on)
  same(c, r.outputs.replica)
  has(restore{ storage = "nfs://h/p", replica = c }.words, "--nfs-storage-url nfs://h/p --replica-id " .. c)
  has(restore{ storage = "blobs" }.words, "--dtr-storage-volume blobs")
  for _, with in ipairs{ { version = "2.7.6" }, { image = "docker/dtr:2.7.6" } } do
    r = restore(with)
    same(0, #r.calls)
    has(r.failed, "2.7.6")
  end
  r = restore({}, { looks = { two } })
  same(0, #r.calls)
  has(r.failed, "dtr.destroy")
  local volumes = state({ a, "node3", { a }, { containers = 0, health = "unhealthy", stopped = true } })
  local beside = E.copy(one)
  beside.leftovers = { [a] = "node3" }
  same(c, restore({}, { looks = { volumes, beside } }).outputs.replica)
  r = restore({}, { archive = { ok = false, message = "no such file" } })
  has(r.failed, "no such file")
end)

test("reconfigure passes options on, but not those that are the tool's own", function()
  local r = run("reconfigure", { existing_replica = a, settings = { ["log-level"] = "debug", ["async-nfs"] = true } }, { looks = { three } })
  same("reconfigure --existing-replica-id " .. a .. " --async-nfs --log-level debug", r.words)
  r = run("reconfigure", { existing_replica = a, settings = { ["ucp-password"] = "x" } }, { looks = { three } })
  same(0, #r.calls)
  local old = state({ a, "node1", { a }, { version = "2.6.2" } })
  r = run("reconfigure", { existing_replica = a, settings = { ["nfs-storage-url"] = "nfs://h/p" } }, { looks = { old } })
  has(r.failed, "drops all tags")
end)

H.run()
