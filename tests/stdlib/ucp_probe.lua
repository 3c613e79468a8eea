-- What the probe of UCP makes of what engines, the swarm and managers say.

package.path = (os.getenv("ROOT") or ".") .. "/tests/stdlib/?.lua;" .. package.path
local H = require "harness"
local E, test, same = H.env, H.test, H.same
H.libs.docker = {}
local ucp = H.family("ucp")
local list = E.list

-- ---- worlds by hand ------------------------------------------------------------------------------------------------

local function has(text, words) assert(tostring(text):find(words, 1, true), tostring(text)) end

local function container(name, o)
  o = o or {}
  return { Names = list{ "/" .. name }, Image = o.image or "docker/" .. name .. ":3.1.4", State = o.state or "running", Labels = o.labels or {}, Ports = o.ports or list{} }
end

-- The engine of a manager with UCP; o: kv, auth (states, false: none), only_volumes, plain (no UCP)
local function manager(id, o)
  o = o or {}
  local e = { swarm = { NodeID = id, LocalNodeState = "active", ControlAvailable = true, Cluster = { ID = "cluster1" }, Error = o.error or "",
                        RemoteManagers = o.remote or list{} }, containers = list{}, volumes = list{} }
  if o.error then e.swarm.Cluster = { ID = "" } end
  if o.plain then return e end
  e.volumes = list{ { Name = "ucp-kv" }, { Name = "ucp-auth-store-data" }, { Name = "my-ucp-data" } }
  if o.only_volumes then return e end
  e.containers = list{ container("ucp-controller", { ports = list{ { PrivatePort = 8080, PublicPort = o.port or 443 } }, labels = { ["com.docker.ucp.InstanceID"] = "INST" } }),
                       container("ucp-proxy"), container("ucp-reconcile", { state = "exited" }), container("web-ucp-front") }
  if o.kv ~= false then table.insert(e.containers, container("ucp-kv", { state = o.kv })) end
  if o.auth ~= false then table.insert(e.containers, container("ucp-auth-store", { state = o.auth })) end
  return e
end
local function worker(id)
  return { swarm = { NodeID = id, LocalNodeState = "active", ControlAvailable = false, RemoteManagers = list{} }, containers = list{ container("ucp-proxy") }, volumes = list{ { Name = "ucp-node-certs" } } }
end
local function record(i, role, state, o)
  return { ID = "id" .. i, Spec = { Role = role }, Description = { Hostname = "host" .. i }, Status = { State = state, Addr = "10.0.0." .. i, Message = o and o.message },
           ManagerStatus = role == "manager" and { Addr = "10.0.0." .. i .. ":2377" } or nil }
end
local agent = { Spec = { Name = "ucp-agent", TaskTemplate = { ContainerSpec = { Image = "docker/ucp-agent:3.1.4@sha256:01" } } } }

-- engines: list, false for one that does not answer; o: nodes, services, pings { [node number] = status or false }, login (status), site
local function look(engines, o)
  o = o or {}
  local asked = list{}
  local ctx = { nodes = {}, run = {}, site = o.site or { ucp = { url = "https://ucp.example", username = "admin", password = "secret", ca = "ca.pem" } } }
  for i = 1, #engines do ctx.nodes["node" .. i] = { name = "node" .. i, address = "10.0.0." .. i } end
  function ctx.fail(message) error(message, 0) end
  function ctx.all(t) local r = {} for k, fn in E.pairs(t) do r[k] = fn() end return r end
  function ctx.docker(name)
    local e = engines[tonumber(name:sub(5))]
    return { get = function(_, path)
      if not e then return { ok = false, failure = "connect", message = "connection refused" } end
      local function ok(b) return { ok = true, status = 200, body = b } end
      if path == "/_ping" then return ok("OK") end
      if path == "/info" then return ok({ Name = name, Swarm = e.swarm }) end
      if path:find("^/containers/json") then return ok(e.containers) end
      if path:find("^/volumes") then return ok({ Volumes = e.volumes }) end
      if not e.swarm.ControlAvailable or e.swarm.Error ~= "" then return { ok = false, status = 503, message = "no leader" } end
      if path:find("^/services") then return ok(o.services or list{}) end
      if path:find("^/tasks") then return ok(o.tasks or list{}) end
      return ok(o.nodes or list{})
    end }
  end
  function ctx.http(spec)
    asked[#asked + 1] = spec
    if spec.ca and o.other_name then return { ok = false, failure = "tls", message = "no alternative certificate subject name matches" } end
    local i = tonumber(spec.url:match("^https://10%.0%.0%.(%d+):%d+/_ping$"))
    local status = o.pings and o.pings[i]
    if not status then return { ok = false, failure = "connect", message = "connection refused" } end
    return { ok = status == 200, status = status, message = "status " .. status .. " without a text" }
  end
  function ctx.login(spec)
    asked.login = spec
    if o.login == 200 then return { ok = true, status = 200 } end
    return { ok = false, status = o.login, message = "no" }
  end
  local u = ucp.cluster.run(ctx, {})
  same(nil, H.misfit(ucp.cluster.schema, u))
  return u, asked
end

local three = list{ record(1, "manager", "ready"), record(2, "manager", "ready"), record(3, "manager", "ready"), record(4, "worker", "ready", { message = "Healthy UCP worker" }) }
local all_well = { [1] = 200, [2] = 200, [3] = 200 }

-- ---- what is there -------------------------------------------------------------------------------------------------

test("three managers that are well are well, and the user can log in", function()
  local u, asked = look({ manager("id1"), manager("id2"), manager("id3"), worker("id4") }, { nodes = three, services = list{ agent }, pings = all_well, login = 200,
    tasks = list{ { DesiredState = "running", Status = { State = "running" } }, { DesiredState = "running", Status = { State = "pending" } }, { DesiredState = "shutdown", Status = { State = "failed" } } } })
  same(true, u.installed)
  same("3.1.4", u.version)
  same("INST", u.id)
  same("https://ucp.example", u.url)
  same("proved", u.credentials)
  same("admin", asked.login.username)
  same(true, (ucp.lib.well(u)))
  same("UCP 3.1.4: node1 node2 node3: 3 of 3 in ucp-kv, 2 needed: held", ucp.picture(u))
  same(2, u.agents.desired)
  same(1, u.agents.running)
  same("Healthy UCP worker", u.nodes.host4)
  same(nil, u.managers.node4)
  same(7, u.leftovers.node1, "five containers and two volumes")
  same(2, u.leftovers.node4)
end)

test("a manager whose certificate has another name is asked all the same, without anything secret", function()
  local u, asked = look({ manager("id1") }, { nodes = list{ record(1, "manager", "ready") }, services = list{ agent }, pings = { [1] = 200 }, other_name = true, login = 200 })
  same("healthy", u.managers.node1.ping)
  same("ca.pem", asked[1].ca)
  same(nil, asked[1].insecure)
  same(true, asked[2].insecure)
  for _, spec in ipairs(asked) do same(nil, spec.password) end
end)

test("a controller on another port is asked there", function()
  local _, asked = look({ manager("id1", { port = 4443 }) }, { nodes = list{ record(1, "manager", "ready") }, services = list{ agent }, pings = { [1] = 200 }, login = 200 })
  same("https://10.0.0.1:4443/_ping", asked[1].url)
end)

test("a manager that is down and a member counts, and is told", function()
  local u = look({ manager("id1"), manager("id2"), false, worker("id4") }, { nodes = list{ three[1], three[2], record(3, "manager", "down"), three[4] },
    services = list{ agent }, pings = { [1] = 200, [2] = 200 }, login = 200 })
  same(false, u.managers.node3.answers)
  same("unknown", u.managers.node3.kv)
  same("silent", u.managers.node3.ping)
  same(3, u.quorum.voters)
  same(true, u.quorum.held)
  same(nil, u.leftovers.node3)
  same(false, (ucp.lib.well(u)))
end)

test("without a quorum of the swarm the container tells that UCP is there, and the managers' addresses who else counts", function()
  local remote = list{ { NodeID = "id1", Addr = "10.0.0.1:2377" }, { NodeID = "id2", Addr = "10.0.0.2:2377" }, { NodeID = "id3", Addr = "10.0.0.3:2377" } }
  local u = look({ manager("id1", { error = "The swarm does not have a leader.", remote = remote }), false, false, worker("id4") }, { pings = { [1] = 500 } })
  same(true, u.installed)
  has(u.why, "ucp-proxy on node1")
  same("3.1.4", u.version)
  same(3, u.quorum.voters)
  same(false, u.quorum.held)
  same("unhealthy", u.managers.node1.ping)
  same(nil, u.agents)
  same("unproved", u.credentials)
  has(u.managers.node1.why, "500")
end)

test("a manager alone in a forced swarm has no quorum while its own word is that it is not well", function()
  local u = look({ manager("id1"), false, false }, { nodes = list{ record(1, "manager", "ready") }, services = list{ agent }, pings = { [1] = 500 } })
  same(1, u.quorum.voters)
  same(1, u.quorum.answering)
  same(false, u.quorum.held)
  has(u.quorum.why, "no manager's /_ping is healthy")
  same(false, u.auth.held)
end)

test("managers whose port is shut are told from their containers", function()
  local u = look({ manager("id1"), manager("id2"), manager("id3") }, { nodes = list{ three[1], three[2], three[3] }, services = list{ agent } })
  same("silent", u.managers.node1.ping)
  same(true, u.quorum.held)
  same(false, (ucp.lib.well(u)))
end)

test("stores that are stopped are told, each of its own", function()
  local u = look({ manager("id1", { auth = "exited" }), manager("id2", { kv = "restarting", auth = false }), manager("id3", { only_volumes = true }) },
    { nodes = list{ three[1], three[2], three[3] }, services = list{ agent } })
  same("running", u.managers.node1.kv)
  same("stopped", u.managers.node1.auth)
  same("stopped", u.managers.node2.kv)
  same("stopped", u.managers.node2.auth)
  same("stopped", u.managers.node3.kv)
  same(false, u.quorum.held)
  same(1, u.quorum.answering)
end)

test("a swarm without UCP has none, and what is left is counted", function()
  local left = worker("id4")
  left.containers = list{}
  local u = look({ manager("id1", { plain = true }), manager("id2", { plain = true }), manager("id3", { plain = true }), left }, { nodes = three })
  same(false, u.installed)
  has(u.why, "no service ucp-agent")
  same("absent", u.managers.node1.kv)
  same(0, u.leftovers.node1)
  same(1, u.leftovers.node4)
  same("node4 (1)", ucp.left(u))
  same("UCP is not installed", ucp.trouble(u))
end)

test("the ended task of the service that uninstalled UCP is not left of UCP", function()
  local m = manager("id1", { plain = true })
  m.containers = list{ container("ucp-uninstall-agent.id1.x1", { state = "exited", labels = { ["com.docker.swarm.task"] = "" } }),
                       container("ucp-agent.id1.x2", { state = "running", labels = { ["com.docker.swarm.task"] = "" } }) }
  local u = look({ m }, { nodes = list{ record(1, "manager", "ready") } })
  same(1, u.leftovers.node1)
end)

test("a service that is gone while containers are left is a UCP that is gone, half", function()
  local u = look({ manager("id1") }, { nodes = list{ record(1, "manager", "ready") }, pings = { [1] = 200 }, login = 200 })
  same(false, u.installed)
  same(true, ucp.to_uninstall(u))
end)

test("new machines have neither a swarm nor UCP", function()
  local fresh = { swarm = { NodeID = "", LocalNodeState = "inactive", ControlAvailable = false, Error = "", RemoteManagers = list{} }, containers = list{}, volumes = list{} }
  local u = look({ fresh, E.copy(fresh) })
  same(false, u.installed)
  same(0, E.count(u.managers))
  same(0, E.count(ucp.lib.left(u)))
end)

test("UCP's tool at work is seen, and is no part of UCP", function()
  local m = manager("id1", { plain = true })
  m.containers = list{ container("ucp", { state = "running" }) }
  local u = look({ m }, { nodes = list{ record(1, "manager", "ready") } })
  same("running", u.busy.node1)
  same(true, ucp.lib.busy(u))
  same(0, u.leftovers.node1)
end)

-- ---- credentials ---------------------------------------------------------------------------------------------------

test("a password that is refused, none, and one that nobody could ask about", function()
  local o = { nodes = list{ record(1, "manager", "ready") }, services = list{ agent }, pings = { [1] = 200 }, login = 401 }
  same("refused", look({ manager("id1") }, o).credentials)
  o.login = 500
  same("unproved", look({ manager("id1") }, o).credentials)
  o.site = { ucp = { url = "https://ucp.example" } }
  same("missing", look({ manager("id1") }, o).credentials)
  o.site = {}
  same("missing", look({ manager("id1") }, o).credentials)
end)

test("a swarm of which no engine answers says nothing of UCP", function()
  local ok, why = pcall(look, { false, false })
  same(false, ok)
  has(why, "no engine answers")
end)

H.run()
