-- The pure parts of backup, restore, export and recreation of a swarm, and what their actions ask of a node: commands are tables here.

package.path = (os.getenv("ROOT") or ".") .. "/tests/stdlib/?.lua;" .. package.path
local H = require "harness"
local E, test, same = H.env, H.test, H.same
local docker = { part = function(_, file) return file .. ".part" end }
H.libs.docker = docker
local swarm = H.family("swarm")
local list = E.list
local function has(text, words) assert(tostring(text):find(words, 1, true), tostring(text)) end

-- ---- words of the site, names in an archive -----------------------------------------------------------------------------

test("a command of the site runs on the node, and on this machine if it names the node", function()
  local words, here = swarm.lib.command_words({ "systemctl", "stop", "docker" }, "node2")
  same("systemctl stop docker", table.concat(words, " "))
  same(false, here)
  words, here = swarm.lib.command_words({ "lab", "stop", "{node}", "x{node}-{node}" }, "node2")
  same("lab stop node2 xnode2-node2", table.concat(words, " "))
  same(true, here)
end)

test("an archive of the folder and one of what is in it are told apart, and anything else is none", function()
  same("swarm", swarm.lib.archive_root{ "swarm/", "swarm/docker-state.json" })
  same(".", swarm.lib.archive_root{ "./", "./docker-state.json" })
  same(nil, swarm.lib.archive_root{ "other/docker-state.json" })
end)

-- ---- which manager, and whether the others bear it ------------------------------------------------------------------------

local function three(down)
  local s = { managers = {}, engines = {}, leader = "id1", quorum = { held = true, voters = 3 }, cluster = { autolock = "off" }, nodes = {}, services = {}, leaders = {} }
  for i = 1, 3 do
    local up = not E.contains(down or {}, i)
    s.managers["id" .. i] = { name = "node" .. i, in_raft = true, answers = up, reachability = up and "reachable" or "unreachable", addr = "10.0.0." .. i .. ":2377", members = list{} }
    s.engines["node" .. i] = { answers = up, control = up, node_id = up and "id" .. i or nil, address = "10.0.0." .. i, members = {}, root_dir = "/d", version = "20.10.24", local_state = "active" }
  end
  return s
end

test("a backup is made on a manager that does not lead", function()
  same("node2", swarm.backup_node(three()))
  same("node3", swarm.backup_node(three{ 2 }))
  same("node1", swarm.backup_node(three{ 2, 3 }))
  same("node1", swarm.backup_node(three{ 1, 2, 3 }))
end)

test("a backup belongs to the machine at its address, whatever that is called now", function()
  same("node2", swarm.backup_home(three(), "old", "10.0.0.2"))
  same("node3", swarm.backup_home(three(), "node3", nil))
  same("node1", swarm.backup_home(three(), "gone", "10.0.0.9"))
end)

test("of three managers all must be up before one of them is stopped", function()
  same(true, swarm.survives(three(), "node2"))
  same(false, swarm.survives(three{ 3 }, "node2"))
  same(true, swarm.survives(three{ 2 }, "node2"))
end)

test("stopping and starting an engine gives the swarm that there was", function()
  local s = three()
  local known = swarm.stop_engine.effect({ swarm = s }, { node = "node2" })
  same("/d 20.10.24 10.0.0.2", known.root .. " " .. known.engine .. " " .. known.address)
  same(2, s.quorum.answering)
  swarm.start_engine.effect({ swarm = s }, { node = "node2", root = known.root })
  same(3, s.quorum.answering)
  same(true, swarm.is_back(s, "node2"))
end)

test("a restored manager has its old role and no leader", function()
  local s = three{ 1, 2, 3 }
  s.leader, s.quorum.held = nil, false
  swarm.start_engine.effect({ swarm = s }, { node = "node2", restored = true })
  same(true, s.engines.node2.control)
  same(false, s.quorum.held)
  same("node2", table.concat(swarm.survivors(s), " "))
end)

test("those that do not answer need a word before a backup is put in place; the machine itself does not", function()
  local s = three{ 1, 2, 3 }
  same("node1 node3", table.concat(E.keys(swarm.extract.attests({ swarm = s }, { node = "node2" })), " "))
  s.managers, s.engines.node4 = {}, { answers = false }
  same("node1 node3 node4", table.concat(E.keys(swarm.extract.attests({ swarm = s }, { node = "node2" })), " "))
end)

-- ---- what the actions ask of a node ---------------------------------------------------------------------------------------

-- o: up (the engine answers /_ping), exec (by the first word: an answer), archive, kept
local function run(name, with, o)
  local got, now = { words = {}, logs = {}, removed = {} }, 0
  local ctx = { run = { id = "r1" }, nodes = { node2 = { address = "10.0.0.2" } } }
  function ctx.now() now = now + 1000 return now end
  function ctx.sleep() end
  function ctx.log(text) got.logs[#got.logs + 1] = text end
  function ctx.progress() end
  function ctx.fail(text, how) error({ failed = text, unknown = how and how.unknown or false }, 0) end
  function ctx.docker() return { get = function() local up = o.up if type(up) == "function" then up = up() end return { ok = up or false } end } end
  function ctx.exec(c)
    got.words[#got.words + 1] = (c.on or "here") .. ": " .. table.concat(c.argv, " ") .. (c.stdout and " > " .. c.stdout or "") .. (c.stdin_file and " < " .. c.stdin_file or "")
    return o.exec and o.exec[c.argv[1]] or { ok = true, stdout = "", sha256 = "5ha" }
  end
  function ctx.archive() return o.archive or { ok = true, names = { "swarm/docker-state.json" } } end
  function ctx.remove(path) got.removed[#got.removed + 1] = path end
  function docker.keep(_, part, file, manifest) got.manifest = manifest return o.kept ~= false, "why" end
  local ok, r = pcall(swarm[name].run, ctx, with)
  if ok then got.outputs = r else assert(type(r) == "table", r) got.failed, got.unknown = r.failed, r.unknown end
  return got
end
local pack = { node = "node2", file = "/b/s.tgz", root = "/d", engine = "20.10.24", address = "10.0.0.2", cluster_id = "c1", autolock = true }

test("the folder is packed as a stream, and the manifest says what it belongs to and that a key is needed, but not the key", function()
  local got = run("archive", pack, {})
  same("node2: tar -C /d -czf - swarm > /b/s.tgz.part", table.concat(got.words, "\n"))
  local m = got.manifest
  same("swarm 20.10.24 node2 10.0.0.2 c1 true", table.concat({ m.kind, m.engine, m.node, m.address, m.cluster_id, tostring(m.autolock) }, " "))
end)

test("the folder of an engine that runs, or was started meanwhile, is not kept", function()
  local got = run("archive", pack, { up = true })
  has(got.failed, "its engine runs")
  same(0, #got.words)
  local n = 0
  got = run("archive", pack, { up = function() n = n + 1 return n > 1 end })
  has(got.failed, "docker.socket")
  same("/b/s.tgz.part", got.removed[1])
  same(nil, got.manifest)
end)

test("a folder that is there is moved aside before another is put in its place", function()
  local got = run("extract", { node = "node2", file = "/b/s.tgz", root = "/d" }, {})
  same("/d/swarm.quorate-1000", got.outputs.aside)
  same("node2: test -e /d/swarm\nnode2: mv -- /d/swarm /d/swarm.quorate-1000\nnode2: mkdir -m 0700 -- /d/swarm\nnode2: tar -C /d -xpzf - < /b/s.tgz", table.concat(got.words, "\n"))
  has(run("extract", { node = "node2", file = "/b/s.tgz", root = "/d" }, { up = true }).failed, "Stop it first")
  got = run("extract", { node = "node2", file = "/b/s.tgz", root = "/d" }, { archive = { ok = true, names = { "dtr-backup-v2.6.4/" } } })
  has(got.failed, "no archive of a swarm folder")
  same(0, #got.words)
  got = run("extract", { node = "node2", file = "/b/s.tgz", root = "/d" }, { exec = { tar = { ok = false, message = "tar ended with status 2" } } })
  has(got.failed, "What was there before is /d/swarm.quorate-1000")
end)

test("too little room is told before anything is stopped", function()
  local df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/x 100000 1 %d 1%% /\n"
  local du = { ok = true, stdout = "5000\t/d/swarm\n" }
  local with = { node = "node2", root = "/d", file = "/b/s.tgz" }
  same(nil, run("room", with, { exec = { du = du, df = { ok = true, stdout = df:format(9000) } } }).failed)
  has(run("room", with, { exec = { du = du, df = { ok = true, stdout = df:format(5200) } } }).failed, "/b has 5200 KiB free")
  has(run("room", with, { exec = { du = { ok = false, message = "no shell" } } }).failed, "no shell")
end)

-- Engines of tables: answers[node]["METHOD path"] is a body, a function(body) → body, or { status, message }.
local function act(name, with, answers, o)
  local got, now = { asked = {}, words = {}, logs = {} }, 0
  local ctx = { run = { id = "r1" }, nodes = {} }
  for node in E.pairs(answers) do ctx.nodes[node] = { address = "10.0.0." .. node:match("%d+") } end
  function ctx.now() now = now + 1000 return now end
  function ctx.sleep() end
  function ctx.log(text) got.logs[#got.logs + 1] = text end
  function ctx.progress() end
  function ctx.all(t) local r = {} for k, f in E.pairs(t) do r[k] = f() end return r end
  function ctx.fail(text, how) error({ failed = text, unknown = how and how.unknown or false }, 0) end
  function ctx.read() return nil, "no" end
  function ctx.secret() end
  function ctx.text(path) return o and o.files and o.files[path], path .. " cannot be read" end
  function ctx.stat(path) return o and o.files and o.files[path] and { kind = "file" } end
  function ctx.exec(c) got.words[#got.words + 1] = (c.on or "here") .. ": " .. table.concat(c.argv, " ") return o and o.exec and o.exec[c.argv[1]] or { ok = true, stdout = "" } end
  function ctx.docker(node)
    local function ask(method, path, body)
      local key = method .. " " .. path:gsub("%?.*", "")
      if method ~= "GET" then got.asked[#got.asked + 1] = node .. " " .. key got.last = body end
      local a = answers[node][key]
      if path == "/_ping" and a == nil then a = "OK" end
      if type(a) == "function" then a = a(body) end
      if a == nil then return { ok = false, status = 404, message = "no such thing: " .. key } end
      if type(a) == "table" and a.status then return { ok = false, status = a.status, message = a.message } end
      return { ok = true, status = 200, body = a }
    end
    return { get = function(_, path) return ask("GET", path) end, post = function(_, path, body) return ask("POST", path, body) end }
  end
  local ok, r = pcall(swarm[name].run, ctx, with)
  if ok then got.outputs = r else assert(type(r) == "table", r) got.failed, got.unknown = r.failed, r.unknown end
  return got
end

local function manager(id, o)
  local m = { ["GET /info"] = { Name = id, ServerVersion = "20.10.24", DockerRootDir = "/d", Swarm = { NodeID = id, NodeAddr = "10.0.0.1", LocalNodeState = "active", ControlAvailable = true, Cluster = { ID = "c1" } } },
              ["GET /nodes"] = list{ { ID = "id1", Spec = {}, Status = {}, ManagerStatus = { Leader = true, Addr = "10.0.0.1:2377" } } } }
  for k, v in pairs(o or {}) do m[k] = v end
  return m
end

test("an engine whose folder no shell reaches is not stopped", function()
  local got = act("stop_engine", { node = "node2", command = { "lab", "stop", "{node}" } }, { node2 = manager("id2") }, { exec = { test = { ok = false, message = "no way" } } })
  has(got.failed, "is not stopped")
  same("node2: test -d /d", table.concat(got.words, "\n"))
end)

test("an engine that answers again after it was stopped is told, and what may start it", function()
  local got = act("stop_engine", { node = "node2", command = { "systemctl", "stop", "docker" } }, { node2 = manager("id2") })
  same("node2: systemctl stop docker", got.words[2])
  has(got.failed, "docker.socket")
  same(true, got.unknown)
end)

test("a manager of an autolocked swarm is unlocked with the key that another one tells, which is not logged", function()
  local locked = { ["GET /info"] = { Swarm = { LocalNodeState = "locked" } }, ["POST /swarm/unlock"] = {} }
  local with = { node = "node2", command = { "systemctl", "start", "docker" } }
  local got = act("start_engine", with, { node1 = manager("id1", { ["GET /swarm/unlockkey"] = { UnlockKey = "SWMKEY-1-x" } }), node2 = locked })
  same(nil, got.failed)
  same("node2 POST /swarm/unlock", table.concat(got.asked, " "))
  same("SWMKEY-1-x", got.last.UnlockKey)
  same(0, #got.logs)
  got = act("start_engine", with, { node2 = locked })
  same(0, #got.asked)
  has(got.logs[1], "Unlock it: docker swarm unlock")
end)

-- ---- what is declared ------------------------------------------------------------------------------------------------------

-- Enough of JSON for what is written here.
local E_json = { encode = function(v)
  if type(v) == "table" then return (getmetatable(v) == getmetatable(list{}) or #v > 0) and "[" or "{" end
  return type(v) == "string" and string.format("%q", v) or tostring(v)
end }
E.json, E.base64.encode = E_json, function(s) return "b64:" .. s end

local function raw()
  return {
    networks = list{ { Id = "n1", Name = "back", Scope = "swarm", Driver = "overlay", Options = { ["com.docker.network.driver.overlay.vxlanid_list"] = "4097" }, Labels = {} },
                     { Id = "n0", Name = "ingress", Scope = "swarm", Ingress = true }, { Id = "n2", Name = "bridge", Scope = "local" } },
    configs = list{ { ID = "c1", Spec = { Name = "conf", Data = "eA==", Labels = { a = "" } } } },
    secrets = list{ { ID = "x1", Spec = { Name = "pw", Labels = {} } } },
    services = list{ { ID = "s1", Spec = { Name = "api", Mode = { Global = {} }, TaskTemplate = { ForceUpdate = 7, Networks = list{ { Target = "n1" } }, ContainerSpec = { Image = "i",
      Secrets = list{ { SecretID = "x1", SecretName = "pw" } }, Configs = list{ { ConfigID = "c1", ConfigName = "conf" } } } } } } } }
end

test("objects have names in place of IDs, and nothing that the swarm made of them", function()
  local o = swarm.objects_of(raw())
  same("back", table.concat(E.keys(o.networks), " "))
  same(nil, o.networks.back.Options)
  local task = o.services.api.TaskTemplate
  same("back", task.Networks[1].Target)
  same(nil, task.ForceUpdate)
  same(nil, task.ContainerSpec.Secrets[1].SecretID)
  same("pw", task.ContainerSpec.Secrets[1].SecretName)
  assert(o.services.api.Mode.Global, "a global service is global")
end)

test("the text has sorted keys, one to a line", function()
  same('{\n  "a": [\n    1,\n    2\n  ],\n  "b": {\n    "c": true\n  }\n}\n', swarm.written{ b = { c = true }, a = list{ 1, 2 } })
end)

local none = { networks = {}, configs = {}, secrets = {}, services = {} }
local function names(t) return table.concat(E.map(t, function(x) return type(x) == "table" and x.kind .. "/" .. x.name or x end), " ") end

test("objects are made in the order in which they depend on each other; what is there and equal is left", function()
  local o = swarm.objects_of(raw())
  local todo = swarm.recreation(o, none, { given = { pw = true } })
  same("networks/back configs/conf secrets/pw services/api", names(todo.create))
  todo = swarm.recreation(o, o, {})
  same("0 4 0", #todo.create .. " " .. todo.equal .. " " .. #todo.differ)
end)

test("a secret without content is named, and so is the service that needs it", function()
  local todo = swarm.recreation(swarm.objects_of(raw()), none, {})
  same("networks/back configs/conf", names(todo.create))
  same("pw api", todo.missing[1] .. " " .. todo.blocked[1])
end)

test("what differs is told and left, unless services are to be replaced", function()
  local o, live = swarm.objects_of(raw()), swarm.objects_of(raw())
  live.services.api.TaskTemplate.ContainerSpec.Image = "j"
  live.configs.conf.Data = "eQ=="
  local todo = swarm.recreation(o, live, {})
  same("config conf service api", names(todo.differ))
  todo = swarm.recreation(o, live, { replace = true })
  same("config conf|api", names(todo.differ) .. "|" .. names(todo.update))
end)

test("some services bring only what they refer to", function()
  local r = raw()
  r.configs[2] = { ID = "c2", Spec = { Name = "other", Data = "eA==" } }
  r.services[2] = { ID = "s2", Spec = { Name = "web", TaskTemplate = {} } }
  same("services/web", names(swarm.recreation(swarm.objects_of(r), none, { only = { "web" } }).create))
end)

test("what is not there is made, with IDs in place of names; a refusal does not keep the others from being made", function()
  local one = manager("id1", { ["GET /networks"] = list{}, ["GET /configs"] = list{}, ["GET /secrets"] = list{}, ["GET /services"] = list{}, ["POST /networks/create"] = { Id = "N" },
    ["POST /configs/create"] = { ID = "C" }, ["POST /secrets/create"] = { ID = "S" }, ["POST /services/create"] = { ID = "V" } })
  local objects = swarm.objects_of(raw())
  E_json.decode = function() return objects end
  local with = { file = "/o.json", only = list{}, secrets = "/s" }
  local files = { ["/o.json"] = '{"kind": "swarm-objects"}', ["/s/pw"] = "content" }
  local got = act("recreate", with, { node1 = one }, { files = files })
  same(4, got.outputs.created)
  same("node1 POST /networks/create node1 POST /configs/create node1 POST /secrets/create node1 POST /services/create", table.concat(got.asked, " "))
  local task = got.last.TaskTemplate
  same("api N C S", table.concat({ got.last.Name, task.Networks[1].Target, task.ContainerSpec.Configs[1].ConfigID, task.ContainerSpec.Secrets[1].SecretID }, " "))
  assert(not table.concat(got.logs, "\n"):find("content", 1, true), "a secret was logged")
  one["POST /configs/create"] = { status = 409, message = "already exists" }
  got = act("recreate", with, { node1 = one }, { files = files })
  has(got.failed, "2 objects were made. config conf: 409: already exists; service api needs config conf")
  got = act("recreate", { file = "/o.json", only = list{} }, { node1 = one }, { files = files })
  has(got.failed, "cannot be recovered")
  objects.version = 2
  has(act("recreate", with, { node1 = one }, { files = files }).failed, "version 2")
  has(act("recreate", { file = "/x" }, { node1 = one }).failed, "/x cannot be read")
end)

-- ---- tasks spread by scaling -------------------------------------------------------------------------------------------------

test("engines before 1.13 are scaled, others forced", function()
  local s = three()
  same("force", swarm.rebalance_by(s))
  s.engines.node3.version = "1.12.6"
  same("scale", swarm.rebalance_by(s))
end)

test("a service goes up by the number of idle nodes, a few times, and back", function()
  local s = { nodes = {}, services = { web = { mode = "replicated", desired = 6, running = 6, spread = { a = 3, b = 3 } } }, quorum = { held = true } }
  for _, id in ipairs{ "a", "b", "c" } do s.nodes[id] = { state = "ready", availability = "active" } end
  local r = swarm.increments(s, list{ "web" })
  same("7 8 6", table.concat(E.map(r, "to"), " "))
  for _, x in ipairs(r) do swarm.scale.effect({ swarm = s }, { service = "web", replicas = x.to }) end
  same("2 2 2", s.services.web.spread.a .. " " .. s.services.web.spread.b .. " " .. s.services.web.spread.c)
end)

H.run()
