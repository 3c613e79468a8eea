-- What dtr.cluster makes of the answers of engines and replicas: names, IDs, variants of cluster_status, and the state that comes of it.

package.path = (os.getenv("ROOT") or ".") .. "/tests/stdlib/?.lua;" .. package.path
local H = require "harness"
local dtr = H.family("dtr")
local E, test, same = H.env, H.test, H.same
local list = E.list

local a, b, c, d, e = "aaa10e1c15b6", "000000000002", "ccc30e1c15b6", "ddd40e1c15b6", "eee50e1c15b6"
local components = { "api", "garant", "jobrunner", "nginx", "notary-server", "notary-signer", "registry", "rethinkdb", "scanningstore" }
local images = { rethinkdb = "rethink", scanningstore = "postgres" }
local now = "Wed, 01 May 2019 10:00:05 GMT"

-- ---- a fake world ---------------------------------------------------------------------------------------------------

-- The containers of a replica as GET /containers/json tells them.
local function containers(id, o)
  o = o or {}
  local r = list{}
  for i, k in ipairs(components) do
    local state = o.stopped and (o.stopped == true or E.contains(o.stopped, k)) and "exited" or "running"
    r[i] = { Id = k .. id, Names = list{ (o.prefix or "") .. "/dtr-" .. k .. "-" .. id }, State = state, Status = "Up 2 hours",
             Image = "docker/dtr-" .. (images[k] or k) .. ":2.6.4", Labels = k == "rethinkdb" and (o.labels or {}) or {},
             Ports = k == "nginx" and state == "running" and list{ { PrivatePort = 80, PublicPort = 80, Type = "tcp" },
                                           { PrivatePort = 443, PublicPort = o.port or 443, Type = "tcp" } } or list{} }
  end
  return r
end

local function volumes(id)
  local r = list{}
  for i, k in ipairs{ "ca", "notary", "postgres", "registry", "rethink" } do r[i] = { Name = "dtr-" .. k .. "-" .. id } end
  return r
end

local function status(members, o)
  o = o or {}
  local shards, servers = list{}, list{}
  for i, id in ipairs(members) do shards[i] = "dtr_rethinkdb_" .. id end
  for i, id in ipairs(o.sees or members) do servers[i] = { name = "dtr_rethinkdb_" .. id } end
  local health, at = {}, {}
  for _, id in ipairs(members) do
    health[id], at[id] = o.health and o.health[id] or "OK", o.at and o.at[id] or "2019-05-01T10:00:00Z"
  end
  return { rethink_system_tables = { current_issues = list{}, server_status = servers,
                                     table_config = list{ { db = "dtr2", name = "repositories", shards = list{ { replicas = shards } } } } },
           replica_health = health, replica_timestamp = at, gc_lock_holder = "" }
end

-- engines: by node, { containers =, volumes = } or false for one that does not answer; replicas: by "address:port", { ping = status, error =, status = body | n }
local function world(engines, replicas, o)
  o = o or {}
  local asked = {}
  local ctx = { nodes = {}, site = { ucp = not o.nobody and { url = "https://ucp.example", username = "admin", password = "secret" } or nil,
                                     dtr = o.dtr or { url = "https://dtr.example", ca = "dtr-ca.pem" } }, run = {} }
  local i = 0
  for name in E.pairs(engines) do
    i = i + 1
    ctx.nodes[name] = { name = name, address = "10.0.0." .. i }
  end
  function ctx.fail(message) error(message, 0) end
  function ctx.all(t) local r = {} for k, fn in E.pairs(t) do r[k] = fn() end return r end
  function ctx.docker(name)
    return { get = function(_, path)
      local x = engines[name]
      if not x then return { ok = false, failure = "connect", message = "connection refused" } end
      if path == "/_ping" then return { ok = true, status = 200, body = "OK" } end
      if path:find("^/containers/json") then return { ok = true, status = 200, body = x.containers or list{} } end
      if path:find("^/volumes") then
        if x.volumes == false then return { ok = false, status = 403, message = "denied by policy" } end
        return { ok = true, status = 200, body = { Volumes = x.volumes } }
      end
      return { ok = true, status = 200, body = x.log or "" }
    end }
  end
  function ctx.login(spec)
    same("secret", spec.password)
    return o.login or { ok = false, failure = "connect", message = "connection refused" }
  end
  function ctx.http(spec)
    local at, path = spec.url:match("^https://([^/]+)(/.*)$")
    if at == "ucp.example" then
      same(nil, spec.password)
      return o.ucp or { ok = true, status = 200 }
    end
    asked[#asked + 1] = spec
    if spec.ca and at ~= (o.certified or "dtr.example") then return { ok = false, failure = "tls", message = "no such name in the certificate" } end
    at = spec.connect or at
    local x = replicas[at]
    if not x then return { ok = false, failure = "connect", message = "connection refused" } end
    if path == "/_ping" then
      local body = { Healthy = x.ping == 200, Error = x.error or "" }
      return { ok = x.ping == 200, status = x.ping, body = body, date = now, message = "status " .. x.ping .. " without a text" }
    end
    if type(x.status) ~= "table" then return { ok = false, status = x.status or 500, message = "internal server error" } end
    return { ok = true, status = 200, body = x.status, date = now }
  end
  local got = dtr.cluster.run(ctx, {})
  same(nil, H.misfit(dtr.cluster.schema, got))
  return got, asked
end

local function joined(...)
  local r = list{}
  for _, t in ipairs{ ... } do for _, x in ipairs(t) do r[#r + 1] = x end end
  return r
end
local function ids(t) return table.concat(t, " ") end
local function has(text, words) assert(tostring(text):find(words, 1, true), tostring(text)) end

-- A replica on each of the nodes, all well unless the options of one say otherwise.
local function three(o)
  o = o or {}
  local engines, replicas, all = {}, {}, { a, b, c }
  for i, id in ipairs(all) do
    engines["node" .. i] = { containers = containers(id, o[id]), volumes = volumes(id) }
    replicas["10.0.0." .. i .. ":443"] = { ping = 200, status = status(o.members or E.sorted(all), o) }
  end
  engines.node4 = { volumes = list{} }
  return engines, replicas
end

-- ---- names ----------------------------------------------------------------------------------------------------------

local function found(list_of, vols) return dtr.found{ n1 = { containers = list_of, volumes = vols } } end

test("a replica is found by the last part of a name, on the engine and through UCP, with hyphens in the host's name", function()
  for _, prefix in ipairs{ "", "/node-1", "/dtr-01.example-site" } do
    local f = found(containers("a1640e1c15b6", { prefix = prefix }))
    same("a1640e1c15b6", ids(E.keys(f)))
    same(9, E.count(f["a1640e1c15b6"].containers))
    same("running", f["a1640e1c15b6"].containers["notary-server"].state)
  end
end)

test("an ID of digits only is an ID", function()
  same("000000000001", ids(E.keys(found(containers("000000000001")))))
end)

test("containers and volumes of users that are called dtr-something do not count", function()
  local f = found(list{ { Names = list{ "/dtr-mirror-a1640e1c15b6" } }, { Names = list{ "/dtr-api-1" } }, { Names = list{ "/dtr-registry-A1640E1C15B6" } },
                        { Names = list{ "/dtr-phase2" } }, { Names = list{ "/my-dtr-api-a1640e1c15b6" } }, { Names = list{ "/dtr-01" } },
                        { Names = list{ "/dtr-api-a1640e1c15b6x" } } },
                  list{ { Name = "dtr-data" }, { Name = "dtr-rethink-copy" }, { Name = "dtr-backup-a1640e1c15b6" } })
  same(0, E.count(f))
end)

test("the label names the replica before its container's name does", function()
  local f = found(list{ { Names = list{ "/dtr-rethinkdb-old" }, Labels = { ["com.docker.dtr.replica"] = a, ["com.docker.dtr.version"] = "2.7.6" }, State = "exited" } })
  same(a, ids(E.keys(f)))
  same("2.7.6", f[a].version)
  same("exited", f[a].containers.rethinkdb.state)
end)

test("the version is told by the label, else by compose's sentence, else by the image", function()
  local function version(labels) return found(containers(a, { labels = labels }))[a].version end
  same("2.7.0", version{ ["com.docker.dtr.version"] = "2.7.0" })
  same("2.3.4", version{ ["com.docker.compose.project"] = "Docker Trusted Registry 2.3.4 (replica " .. a .. ")" })
  same("2.6.4", version{})
end)

test("the image of the tool is that of the replica's own registry", function()
  same("docker/dtr", found(containers(a))[a].image)
  local f = found(list{ { Names = list{ "/dtr-registry-" .. a }, Image = "registry.example:5000/mirantis/dtr-registry:2.6.15", State = "running" } })
  same("registry.example:5000/mirantis/dtr", f[a].image)
  same("2.6.15", f[a].version)
end)

test("volumes alone are found, with and without a node before their names", function()
  local f = found(list{}, list{ { Name = "node-1/dtr-rethink-" .. a }, { Name = "dtr-nfs-registry-" .. b } })
  same(ids{ b, a }, ids(E.keys(f)))
  same(true, f[a].volumes.rethink)
end)

-- ---- cluster_status -------------------------------------------------------------------------------------------------

test("cluster_status as documented, with the issues inside or on top", function()
  local body = { rethink_system_tables = { current_issues = list{} }, replica_health = { [a] = "OK" }, replica_timestamp = { [a] = "2019-05-01T10:00:00Z" } }
  local t = dtr.told(body, now)
  same(a, ids(t.members))
  same(5, t.replicas[a].age)
  same(nil, t.sees)
  same(0, #t.issues)
  body = { current_issues = list{ { type = "table_availability", description = "some replicas are not ready. dtr_rethinkdb_" .. b } }, replica_health = { [a] = "OK" } }
  t = dtr.told(body, now)
  same(1, #t.issues)
  has(t.issues[1], b)
  same(nil, t.replicas[a].age)
end)

test("members are those that tables are replicated to, not whoever has left a report of health", function()
  local body = status({ a, b }, { sees = { a } })
  body.replica_health[c] = "OK"
  local t = dtr.told(body, now)
  same(ids{ b, a }, ids(t.members))
  same(a, ids(E.keys(t.sees)))
end)

test("server names with hyphens, and servers that are listed as disconnected", function()
  local t = dtr.told({ rethink_system_tables = { server_status = list{ { name = "dtr-rethinkdb-" .. a }, { name = "dtr_rethinkdb_" .. b, status = "disconnected" } } } }, now)
  same(a, ids(E.keys(t.sees)))
  same(a, ids(t.members))
end)

test("times with fractions and zones are read, and a clock that goes ahead is no negative age", function()
  local function age(at) return dtr.told({ replica_health = { [a] = "OK" }, replica_timestamp = { [a] = at } }, now).replicas[a].age end
  same(5, age("2019-05-01T12:00:00.123456789+02:00"))
  same(3605, age("2019-05-01T10:00:00+01:00"))
  same(0, age("2019-05-01T11:00:00Z"))
  same(nil, age("yesterday"))
end)

test("what is no cluster_status is none", function()
  same(nil, dtr.told("<html>", now))
  same(nil, dtr.told({ errors = list{} }, now))
end)

-- ---- the state ------------------------------------------------------------------------------------------------------

test("three replicas that are well: the quorum is held, and every replica's own belief is known", function()
  local s, asked = world(three())
  same("proved", s.credentials)
  same(true, s.quorum.held)
  same(3, s.quorum.voters)
  same(3, s.quorum.healthy)
  same(false, s.cut)
  same(ids{ b, a, c }, ids(s.replicas[a].members))
  same("node2", s.replicas[b].node)
  same("10.0.0.2:443", s.replicas[b].address)
  same("2.6.4", s.version)
  same("present", s.replicas[c].volumes)
  same(5, s.replicas[c].last_good)
  same(true, s.installed)
  for _, spec in ipairs(asked) do
    same(nil, spec.method)
    same("dtr-ca.pem", spec.ca)
    same(spec.url:find("cluster_status", 1, true) and "secret" or nil, spec.password)
  end
  same(nil, s.quorum.why:find("not verified", 1, true))
end)

test("DTR that is not there is not installed", function()
  local s = world({ node1 = { volumes = list{} } }, {})
  same(false, s.installed)
  same(false, s.quorum.held)
  same(0, s.quorum.voters)
end)

test("without any engine that answers nothing is claimed", function()
  local ok, why = pcall(world, { node1 = false }, {})
  same(false, ok)
  has(why, "no engine answers")
end)

test("a port of its own is asked", function()
  local engines, replicas = three{ [a] = { port = 4443 } }
  replicas["10.0.0.1:4443"], replicas["10.0.0.1:443"] = replicas["10.0.0.1:443"], nil
  local s = world(engines, replicas)
  same(4443, s.replicas[a].port)
  same("healthy", s.replicas[a].health)
end)

test("a replica whose containers are stopped is there, and unhealthy", function()
  local engines, replicas = three{ [c] = { stopped = true }, sees = { a, b }, health = { [c] = "Replica reported health too long ago" } }
  local s = world(engines, replicas)
  same("unhealthy", s.replicas[c].health)
  same(true, s.replicas[c].answers)
  same("present", s.replicas[c].volumes)
  same(true, s.replicas[c].stopped)
  same(nil, s.replicas[a].stopped)
  same(ids{ b, a, c }, ids(s.replicas[c].members))
  same(true, s.quorum.held)
  same(2, s.quorum.healthy)
  same(false, s.cut)
  has(s.replicas[c].why, "dtr-nginx is exited")
end)

test("any answer of _ping but 200 is unhealthy, and its text is the evidence", function()
  for _, code in ipairs{ 503, 500, 404 } do
    local engines, replicas = three()
    replicas["10.0.0.3:443"] = { ping = code, error = "rethinkdb is away", status = 500 }
    local s = world(engines, replicas)
    same("unhealthy", s.replicas[c].health)
    has(s.replicas[c].why, "rethinkdb is away")
    same(true, s.quorum.held)
  end
end)

test("a replica that is well, and of which the others hear nothing any more, is not healthy", function()
  local s = world(three{ health = { [c] = "Replica reported health too long ago" } })
  same("unhealthy", s.replicas[c].health)
end)

test("a machine that is away: its replica is known from the others, and its node because no other is left", function()
  local engines, replicas = three{ sees = { a, b }, health = { [c] = "Replica reported health too long ago" } }
  engines.node3, replicas["10.0.0.3:443"] = false, nil
  local s = world(engines, replicas)
  same(false, s.replicas[c].answers)
  same("unknown", s.replicas[c].health)
  same("unknown", s.replicas[c].volumes)
  same("node3", s.replicas[c].node)
  same("node1 node2 node4", ids(E.keys(s.nodes)))
  same(3, s.quorum.voters)
  same(true, s.quorum.held)
  has(s.quorum.why, "node3")
end)

test("an engine that is away while its replica goes on: the replica is healthy, as the others hear of it", function()
  local engines, replicas = three()
  engines.node3, replicas["10.0.0.3:443"] = false, nil
  local s = world(engines, replicas)
  same("healthy", s.replicas[c].health)
  same(3, s.quorum.healthy)
end)

test("a machine that came back empty: its replica is nowhere, and still counted", function()
  local engines, replicas = three{ sees = { a, b }, health = { [c] = "Replica reported health too long ago" } }
  engines.node3, replicas["10.0.0.3:443"] = { volumes = list{} }, nil
  local s = world(engines, replicas)
  same("absent", s.replicas[c].volumes)
  same(false, s.replicas[c].answers)
  same(nil, s.replicas[c].node)
  same(3, s.quorum.voters)
  has(s.replicas[c].why, "still counted")
  same(0, E.count(dtr.lib.absent(s, a)))
end)

test("without a quorum nobody can be read: who is there is taken for a member, and so are those that _ping names", function()
  local engines, replicas = three()
  engines.node2, engines.node3, replicas["10.0.0.2:443"], replicas["10.0.0.3:443"] = false, false, nil, nil
  replicas["10.0.0.1:443"] = { ping = 503, error = "The following replicas are unhealthy: " .. b .. "; Reasons: too long ago: 2019-05-01T10:00:00Z; Replicas " .. a ..
    ", " .. c .. " are still healthy.", status = 500 }
  local s = world(engines, replicas)
  same(false, s.quorum.held)
  same(3, s.quorum.voters)
  same(ids{ b, a, c }, ids(E.keys(s.replicas)))
  same(false, s.replicas[b].answers)
  same("unproved", s.credentials)
  same(2, E.count(dtr.lib.absent(s, a)))
  has(s.quorum.why, "node2, node3")
end)

test("volumes alone can be repaired from as long as nobody counts without them; after that they are left over", function()
  local engines = { node1 = { volumes = volumes(a) }, node2 = { volumes = list{} } }
  local s = world(engines, {})
  same("unhealthy", s.replicas[a].health)
  same("present", s.replicas[a].volumes)
  same(a, dtr.candidates(s)[1].id)
  engines, replicas = three{ members = { a } }
  engines.node2, engines.node3 = { volumes = volumes(b) }, { volumes = volumes(c) }
  s = world(engines, { ["10.0.0.1:443"] = { ping = 200, status = status{ a } } })
  same(a, ids(E.keys(s.replicas)))
  same("node2", s.leftovers[b])
  same(ids{ b, c, a }, ids(dtr.ids(dtr.remains(s))))
  local after = E.copy(s)
  dtr.destroy.effect({ dtr = after }, { replica = b }, { dtr = s })
  same(nil, after.leftovers[b])
  same(true, after.installed)
  same(1, s.quorum.voters)
  same(true, s.quorum.held)
end)

test("containers that no member counts are no member", function()
  local engines, replicas = three{ members = { a, b }, sees = { a, b } }
  replicas["10.0.0.3:443"] = { ping = 503, error = "no rethinkdb", status = 500 }
  local s = world(engines, replicas)
  same(0, #s.replicas[c].members)
  same(2, s.quorum.voters)
  same(true, s.quorum.held)
end)

test("two that come back with the state from before a repair still count each other: they could decide, too", function()
  local engines, replicas = three()
  replicas["10.0.0.1:443"].status = status{ a }
  local function away(...) return "some replicas are not ready. The following servers are not reachable: dtr_rethinkdb_" .. table.concat({ ... }, ", dtr_rethinkdb_") end
  replicas["10.0.0.2:443"] = { ping = 503, error = away(a, c), status = 500 }
  replicas["10.0.0.3:443"] = { ping = 503, error = away(a, b), status = 500 }
  local s = world(engines, replicas)
  same(ids{ b, a, c }, ids(s.replicas[c].members))
  same(a, ids(s.replicas[a].members))
  assert(dtr.lib.rivals(s, dtr.lib.view(s)))
  same(false, (dtr.quorum.holds{ dtr = s }))
end)

test("a database that runs and that the others do not see is on another side", function()
  local engines, replicas = {}, {}
  local all = E.sorted{ a, b, c, d, e }
  for i, id in ipairs{ a, b, c, d, e } do
    engines["node" .. i] = { containers = containers(id), volumes = volumes(id) }
    replicas["10.0.0." .. i .. ":443"] = i <= 3 and { ping = 200, status = status(all, { sees = { a, b, c }, health = { [d] = "too long ago", [e] = "too long ago" } }) } or
      { ping = 503, error = "rethinkdb: no majority", status = 500 }
  end
  engines.node6 = { volumes = list{} }
  local s = world(engines, replicas)
  same(true, s.cut)
  same("a", s.replicas[a].side)
  same("b", s.replicas[d].side)
  same("b", s.replicas[e].side)
  same("a", s.nodes.node1.side)
  same(nil, s.nodes.node4.side)
  same(nil, s.nodes.node6.side)
  same(5, s.quorum.voters)
  same(3, s.quorum.healthy)
  same(true, s.quorum.held)
end)

test("a container of the tool that runs is told, and one that has ended is not", function()
  local engines, replicas = three()
  engines.node3.containers[10] = { Names = list{ "/dtr-phase2" }, State = "running" }
  engines.node2.containers[10] = { Names = list{ "/dtr-phase2" }, State = "exited" }
  engines.node4.containers = list{ { Names = list{ "/quorate-dtr-tool" }, State = "running" } }
  local s = world(engines, replicas)
  same("dtr-phase2", s.busy.node3)
  same("quorate-dtr-tool", s.busy.node4)
  same(2, E.count(s.busy))
  same(3, E.count(s.replicas))
end)

test("credentials are missing, refused or proved, and what then can be told is", function()
  local engines, replicas = three()
  local s = world(engines, replicas, { nobody = true })
  same("missing", s.credentials)
  same(true, s.quorum.held)
  for _, x in E.pairs(replicas) do x.status = 401 end
  s = world(engines, replicas)
  same("refused", s.credentials)
  same(3, s.quorum.voters)
  has(s.quorum.why, "refused")
end)

test("volumes that cannot be listed are unknown, and files that are corrupt are", function()
  local engines, replicas = three{ [b] = { stopped = { "rethinkdb" } } }
  engines.node1.volumes = false
  engines.node2.log = "loading\nError: the metablock is Corrupted: checksum\n"
  replicas["10.0.0.2:443"] = { ping = 503, error = "rethinkdb", status = 500 }
  local s = world(engines, replicas)
  same("unknown", s.replicas[a].volumes)
  same("corrupt", s.replicas[b].volumes)
  for _, x in ipairs(engines.node2.containers) do x.State, x.Status = "running", "Up 3 seconds" end
  same("corrupt", world(engines, replicas).replicas[b].volumes)
  replicas["10.0.0.2:443"].ping = 200
  same("present", world(engines, replicas).replicas[b].volumes)
end)

test("a UCP whose certificate the site does not vouch for is trusted with nothing, though replicas take the credentials", function()
  local engines, replicas = three()
  same("untrusted", world(engines, replicas, { ucp = { ok = false, failure = "tls", message = "SSL certificate problem: unable to get local issuer certificate" } }).credentials)
  same("proved", world(engines, replicas, { ucp = { ok = false, failure = "tls", message = "connection reset by peer" } }).credentials)
  same("proved", world(engines, replicas, { ucp = { ok = false, failure = "connect", message = "refused" } }).credentials)
end)

test("a replica is verified by the name that the site gives DTR, or by its address; no other gets the password", function()
  local engines, replicas = three()
  local s, asked = world(engines, replicas, { certified = "10.0.0.1:443" })
  local verified = 0
  for _, spec in ipairs(asked) do
    same(spec.password ~= nil, spec.ca ~= nil and spec.url:find("cluster_status", 1, true) ~= nil)
    if spec.ca and spec.url:find("//10.0.0.1:", 1, true) then verified = verified + 1 end
  end
  same(2, verified)
  has(s.quorum.why, "not verified")
  same("proved", s.credentials)
  same(3, s.quorum.healthy)
  s, asked = world(engines, replicas, { dtr = { url = "https://dtr.example" } })
  for _, spec in ipairs(asked) do same(nil, spec.password) end
  same("unproved", s.credentials)
  s = world(engines, replicas, { dtr = { url = "https://dtr.example", insecure = true } })
  same("proved", s.credentials)
end)

test("where no replica can tell, UCP tells whether the administrator is one", function()
  local function credentials(login) return world({ node1 = { volumes = volumes(a) } }, {}, { login = login }).credentials end
  same("proved", credentials{ ok = true, status = 200 })
  same("refused", credentials{ ok = false, status = 401 })
  same("unproved", credentials{ ok = false, failure = "timeout" })
end)

test("the site's own address is asked when no engine shows a replica that tells", function()
  local s = world({ node1 = false, node2 = false }, { ["dtr.example:443"] = { ping = 200, status = status({ a, b, c }) } },
    { dtr = { url = "https://dtr.example/", ca = "dtr-ca.pem" } })
  same("proved", s.credentials)
  same(3, E.count(s.replicas))
  same("healthy", s.replicas[a].health)
  same(true, s.installed)
end)

H.run()
