-- Containers that are run to their end, images, and what is a good backup: with an engine that answers as the test says.

package.path = (os.getenv("ROOT") or ".") .. "/tests/stdlib/?.lua;" .. package.path
local H = require "harness"
local E, test, same = H.env, H.test, H.same
E.json = { encode = function(t) return "{" .. table.concat(E.keys(t), ",") .. "}" end }
local docker = H.family("docker")
local lib, list = docker.lib, E.list

local function has(text, words) assert(tostring(text):find(words, 1, true), tostring(text)) end

-- o: answers by "METHOD path" (without the query), attach; the calls are written down in ctx.calls
local function world(o)
  local ctx = { calls = {}, run = { id = "r1", step = "s", attempt = 2 }, nodes = { node1 = {}, node2 = {} } }
  local function answer(node, method, path)
    ctx.calls[#ctx.calls + 1] = method .. " " .. path
    local key = method .. " " .. path:gsub("%?.*", "")
    local a = o[node .. " " .. key] or o[key] or { ok = true, status = 200, body = {} }
    return type(a) == "function" and a(path) or a
  end
  function ctx.docker(node)
    return {
      get = function(_, path) return answer(node, "GET", path) end,
      delete = function(_, path) return answer(node, "DELETE", path) end,
      post = function(_, path, body) if body then ctx.body = body end return answer(node, "POST", path) end,
      attach = function(_, id, how) ctx.calls[#ctx.calls + 1] = "ATTACH " .. id ctx.how = how return o.attach or { ok = true, status = 101, stdout = "", stderr = "" } end,
    }
  end
  function ctx.all(t) local r = {} for k, fn in E.pairs(t) do r[k] = fn() end return r end
  function ctx.fail(text, how) error({ failed = text, unknown = how and how.unknown or false }, 0) end
  function ctx.now() return 5000 end
  function ctx.log() end
  return ctx
end

-- An engine on which a container ends with that status.
local function ends(status, o)
  o = o or {}
  o["POST /containers/create"] = o["POST /containers/create"] or { ok = true, status = 201, body = { Id = "c0ffee" } }
  o["GET /containers/c0ffee/json"] = o["GET /containers/c0ffee/json"] or { ok = true, status = 200, body = { State = { Status = "exited", Running = false } } }
  o["POST /containers/c0ffee/wait"] = { ok = true, status = 200, body = { StatusCode = status } }
  return world(o)
end

local function failure(name, ctx, with)
  local ok, why = pcall(docker[name].run, ctx, with)
  assert(not ok and type(why) == "table", tostring(why))
  return why
end

local function removed(ctx) return E.contains(ctx.calls, "DELETE /containers/c0ffee?force=1&v=1") end

test("a container is run to its end and removed", function()
  local ctx = ends(0, { attach = { ok = true, stdout = "hi\n", stderr = "" } })
  local r = lib.run(ctx, "node1", { image = "tool:1", argv = list{ "a" }, env = { K = "v" } })
  same(true, r.ok) same(0, r.exit) same("hi\n", r.stdout)
  same("K=v", ctx.body.Env[1]) same("2", ctx.body.Labels["com.quorate.attempt"]) same(false, ctx.body.Tty)
  same(true, ctx.how.start) same(true, removed(ctx))
end)

test("an exit status of 0 with a line of level fatal is a failure", function()
  for _, said in ipairs{ 'time="x" level=fatal msg="no quorum"', "FATA[0003] no quorum", '{"level":"fatal","msg":"no quorum"}' } do
    local ctx = ends(0, { attach = { ok = true, stdout = "", stderr = "level=info msg=x\n" .. said .. "\n" } })
    local r = lib.run(ctx, "node1", { image = "tool:1" })
    same(false, r.ok) same("no quorum", r.fatal) has(r.message, "exit status 0, but said: no quorum") same(true, removed(ctx))
  end
end)

test("another exit status says what the tool said last", function()
  local r = lib.run(ends(3, { attach = { ok = true, stdout = "", stderr = 'time="x" level=error msg="it is full"\n' } }), "node1", { image = "tool:1" })
  same(3, r.exit) has(r.message, "exit status 3: it is full")
end)

test("an image that is missing is not pulled, and a container is not made", function()
  local ctx = world{ ["POST /containers/create"] = { ok = false, status = 404, message = "No such image" } }
  local r = lib.run(ctx, "node1", { image = "tool:1" })
  same(false, r.ok) same(false, r.unknown) has(r.message, "node1 does not have the image tool:1") same(1, #ctx.calls)
end)

test("a name that is in use says by what", function()
  local ctx = world{ ["POST /containers/create"] = { ok = false, status = 409, message = "Conflict" },
                     ["GET /containers/ucp/json"] = { ok = true, body = { Config = { Image = "other:1" }, State = { Status = "running" }, Created = "today" } } }
  has(lib.run(ctx, "node1", { image = "tool:1", name = "ucp" }).message, "'ucp' already: other:1, running, made today")
end)

test("a container that this step's run has left when it broke off makes room; one of another step does not", function()
  local tries = 0
  local function world_of(step)
    return ends(0, { ["POST /containers/create"] = function() tries = tries + 1 return tries == 1 and { ok = false, status = 409, message = "Conflict" } or { ok = true, status = 201, body = { Id = "c0ffee" } } end,
                     ["GET /containers/ucp/json"] = { ok = true, body = { Id = "01d", Config = { Image = "tool:1", Labels = { ["com.quorate.run"] = "r1", ["com.quorate.step"] = step } }, State = { Status = "running" } } } })
  end
  local ctx = world_of("s")
  ctx.run = { id = "r1", step = "s", attempt = 2 }
  same(true, lib.run(ctx, "node1", { image = "tool:1", name = "ucp" }).ok)
  same(true, E.contains(ctx.calls, "DELETE /containers/01d?force=1&v=1"))
  tries = 0
  ctx = world_of("another")
  ctx.run = { id = "r1", step = "s", attempt = 2 }
  has(lib.run(ctx, "node1", { image = "tool:1", name = "ucp" }).message, "already")
end)

test("what a step had started is found by its labels, followed to its end and removed, and nothing else is touched", function()
  local ctx = ends(3, { ["GET /containers/json"] = function() return { ok = true, body = list{ { Id = "c0ffee", State = "running" } } } end })
  ctx.run = { id = "r1", step = "repair[n'1]", attempt = 1 }
  ctx.nodes = { node1 = {} }
  lib.follow(ctx)
  same(true, removed(ctx)) same(true, E.contains(ctx.calls, "ATTACH c0ffee")) same(nil, ctx.how.start)
  ctx = world{ ["GET /containers/json"] = { ok = true, body = list{} } }
  ctx.run, ctx.nodes = { id = "r1", step = "s" }, { node1 = {} }
  lib.follow(ctx)
  same(1, #ctx.calls)
end)

test("a container that goes on when nobody listens is left, and its outcome is not known", function()
  local ctx = ends(0, { attach = { ok = false, failure = "broken", message = "cut off" },
                        ["GET /containers/c0ffee/json"] = { ok = true, body = { State = { Status = "running", Running = true } } } })
  local r = lib.run(ctx, "node1", { image = "tool:1" })
  same(true, r.unknown) same(false, r.ok) same(false, removed(ctx))
  same(true, failure("run", ctx, { node = "node1", image = "tool:1" }).unknown)
end)

test("a container that never started is removed, and nothing happened", function()
  local ctx = ends(0, { attach = { ok = false, status = 500, message = "no such bind" },
                        ["GET /containers/c0ffee/json"] = { ok = true, body = { State = { Status = "created", Running = false } } } })
  local r = lib.run(ctx, "node1", { image = "tool:1" })
  same(false, r.unknown) same(nil, r.exit) same(true, removed(ctx))
end)

test("only a backup that is whole takes the place of the old one", function()
  local renamed, wrote
  local ctx = { run = { id = "r1" }, now = function() return 7 end, sha256 = function() return "5ha" end,
                write = function(path) wrote = path return true end, rename = function(_, to) renamed = to return true end }
  function ctx.archive() return { ok = false, message = "b.part is cut off" } end
  local ok, why = lib.keep(ctx, "b.part", "b", {})
  same(nil, ok) has(why, "b.part is cut off") has(why, "b is as it was") same(nil, renamed) same(nil, wrote)
  function ctx.archive() return { ok = true, format = "tar", entries = 0, bytes = 1024 } end
  ok, why = lib.keep(ctx, "b.part", "b", {})
  same(nil, ok) has(why, "archive of nothing") same(nil, renamed)
  function ctx.archive() return { ok = true, format = "tar", entries = 2, bytes = 4096 } end
  same(true, lib.keep(ctx, "b.part", "b", { kind = "ucp" })) same("b.json", wrote) same("b", renamed)
end)

local tags = { ok = true, status = 200, body = list{ { RepoTags = list{ "docker/ucp:3.1.4", "a:latest" }, RepoDigests = list{ "a@sha256:1" } },
                                                     { RepoTags = list{ "<none>:<none>" } }, {} } }
local function images()
  return docker.images.run(world{ ["node1 GET /images/json"] = tags, ["node2 GET /images/json"] = { ok = false, failure = "connect", message = "refused" } })
end

test("the images of each engine are known by their names", function()
  local s = images()
  same(nil, H.misfit(docker.images.schema, s))
  same("a:latest a@sha256:1 docker/ucp:3.1.4", table.concat(E.keys(s.nodes.node1.images), " "))
  same(false, s.nodes.node2.answers) same(nil, s.nodes.node2.images) same("refused", s.nodes.node2.why)
end)

test("whether an engine has an image is not known of one that does not answer", function()
  local s = images()
  same(true, docker.has(s, "node1", "docker/ucp:3.1.4")) same(true, docker.has(s, "node1", "a")) same(true, docker.has(s, "node1", "a@sha256:1"))
  same(false, docker.has(s, "node1", "docker/ucp")) same(false, docker.has(s, "node3", "a"))
  same("unobserved", E.type(docker.has(s, "node2", "a")))
end)

test("the port of a registry is no tag", function()
  same("r:5000/a:latest", lib.full_name("r:5000/a")) same("r:5000/a:1", lib.full_name("r:5000/a:1"))
end)

test("an image that is loaded is there afterwards, and only where the engine answers", function()
  local s, with = { docker = images() }, { node = "node1", file = "/f", image = "docker/dtr:2.6.4" }
  same(false, docker.load.done(s, with))
  same(nil, docker.load.effect(s, with))
  assert(docker.load.done(s, with) and docker.has(s.docker, "node1", with.image))
  same(false, docker.load.effect(s, { node = "node2", image = "x:1" }))
  same(false, docker.load.done(s, { node = "node2", image = "x:1" }))
end)

test("a container that is gone already is no failure, one that runs is not ended unasked", function()
  local with = { node = "node1", container = "x" }
  same(false, docker.remove.run(world{ ["DELETE /containers/x"] = { ok = false, status = 404 } }, with).removed)
  same(true, docker.remove.run(world{}, with).removed)
  has(failure("remove", world{ ["DELETE /containers/x"] = { ok = false, status = 409, message = "it is running" } }, with).failed, "force: true")
  same(true, failure("remove", world{ ["DELETE /containers/x"] = { ok = false, failure = "timeout", message = "late" } }, with).unknown)
  same(false, failure("remove", world{ ["DELETE /containers/x"] = { ok = false, failure = "connect", message = "refused" } }, with).unknown)
  has(failure("remove", world{}, { node = "node1", container = "../x" }).failed, "cannot be the name")
end)

-- What the probe says of a file.
local function looked(archive, o)
  o = o or {}
  return docker.archive.run({ now = function() return 100000 end, stat = function() if o.gone then return nil, "no such file" end return { size = 9, modified = 40000 } end,
                              archive = function() return archive end, text = function() return nil, "none" end }, { file = "/b" })
end

test("a backup is known by what is in it, and one that is cut off is not readable", function()
  local function kind(first) return looked{ ok = true, format = "tar", entries = 1, bytes = 9, first = first, names = list{ first } } end
  local d = kind("dtr-backup-v2.6.4/")
  same("dtr", d.kind) same("2.6.4", d.version) same(60.0, d.age) same(nil, H.misfit(docker.archive.schema, d))
  same("ucp", kind("./ucp-kv/_data").kind) same("swarm", kind("swarm/docker-state.json").kind) same("unknown", kind("home/").kind)
  local cut = looked{ ok = false, format = "tar", entries = 3, bytes = 9, message = "it is cut off", names = list{} }
  same(true, cut.found) same(false, cut.readable) same("it is cut off", cut.why)
  same(false, looked(nil, { gone = true }).found)
end)

local function loads(o)
  return world{ ["POST /images/load"] = o.load or { ok = true, status = 200, sent = true, body = '{"stream":"Loaded image: docker/dtr:2.6.4\\n"}' },
                ["GET /images/docker/dtr:2.6.4/json"] = o.there or { ok = true, status = 200 } }
end
local dtr = { node = "node1", file = "/dtr.tar", image = "docker/dtr:2.6.4" }

test("an image is loaded only if it is there afterwards", function()
  same("docker/dtr:2.6.4", docker.load.run(loads{}, dtr).loaded[1])
  local why = failure("load", loads{ there = { ok = false, status = 404 } }, dtr)
  has(why.failed, "docker/dtr:2.6.4 is not there: it has docker/dtr:2.6.4") same(false, why.unknown)
  has(failure("load", loads{ load = { ok = true, status = 200, body = "" }, there = { ok = false, status = 404 } }, dtr).failed, "it names no image")
  same(true, failure("load", loads{ there = { ok = false, failure = "timeout", message = "late" } }, dtr).unknown)
end)

test("an archive that the engine gives up in the middle is a failure although the status is 200", function()
  has(failure("load", loads{ load = { ok = true, status = 200, body = '{"errorDetail":{"message":"x"},"error":"unexpected EOF"}' } }, dtr).failed, "unexpected EOF. Is it")
end)

test("of a load that broke off it is not known whether it happened, of a file that is not there it is", function()
  same(true, failure("load", loads{ load = { ok = false, failure = "broken", sent = true, message = "cut" } }, dtr).unknown)
  local why = failure("load", loads{ load = { ok = false, failure = "file", sent = false, message = "/dtr.tar: No such file or directory" } }, dtr)
  same(false, why.unknown) has(why.failed, "No such file")
end)

H.run()
