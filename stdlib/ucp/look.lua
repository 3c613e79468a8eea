-- Looks at UCP, for the probe and for actions that wait until it is as they wanted: engines, the swarm's word, each manager's /_ping, a login.
-- Source: domain notes "UCP components and HTTP". Nothing is changed: a login makes a session and nothing else.

local engine_ping, info_timeout, engine_timeout, http_timeout = 6, 25, 20, 12
local only_ucp = "filters=%7B%22name%22%3A%5B%22ucp%22%5D%7D" -- {"name":["ucp"]}: those that contain it
local only_agent = "filters=%7B%22name%22%3A%5B%22ucp-agent%22%5D%7D"
local agent_tasks = "filters=%7B%22service%22%3A%5B%22ucp-agent%22%5D%7D"

local function words(answer)
  if answer.status then return tostring(answer.status) .. ": " .. tostring(answer.message or "no text") end
  return "no answer (" .. tostring(answer.message or answer.failure) .. ")"
end

local function body(answer) return answer.ok and type(answer.body) == "table" and answer.body or nil end

local function ask_engine(ctx, name)
  local d = ctx.docker(name)
  local ping = d:get("/_ping", { timeout = engine_ping })
  if not ping.ok then return { answers = false, why = words(ping) } end
  local got = ctx.all{ info = function() return d:get("/info", { timeout = info_timeout }) end,
                       containers = function() return d:get("/containers/json?all=1&" .. only_ucp, { timeout = engine_timeout }) end,
                       volumes = function() return d:get("/volumes?" .. only_ucp, { timeout = engine_timeout }) end }
  local info, containers, volumes = body(got.info), body(got.containers), body(got.volumes)
  if not info or not containers or not volumes then
    return { answers = false, why = words(not info and got.info or not containers and got.containers or got.volumes) }
  end
  return { answers = true, host = info.Name, swarm = info.Swarm or {}, containers = containers, volumes = volumes.Volumes or {} }
end

-- What the swarm says, asked of the first manager that can tell: { services, nodes, tasks }, or nil.
local function ask_swarm(ctx, engines)
  for name, e in pairs(engines) do
    if e.answers and e.swarm.ControlAvailable and (e.swarm.Error or "") == "" then
      local d = ctx.docker(name)
      local got = ctx.all{ services = function() return d:get("/services?" .. only_agent, { timeout = engine_timeout }) end,
                           nodes = function() return d:get("/nodes", { timeout = engine_timeout }) end,
                           tasks = function() return d:get("/tasks?" .. agent_tasks, { timeout = engine_timeout }) end }
      local services, nodes = body(got.services), body(got.nodes)
      if services and nodes then return { services = services, nodes = nodes, tasks = body(got.tasks) } end
    end
  end
  return nil
end

-- Verified by the site's CA; where that does not match, without: nothing secret is sent, and one manager's name is seldom in its certificate.
local function ping(ctx, url)
  local ucp, answer = ctx.site.ucp, nil
  if ucp and ucp.ca and not ucp.insecure then
    answer = ctx.http{ url = url, ca = ucp.ca, timeout = http_timeout }
    if answer.status or answer.failure ~= "tls" then return answer end
  end
  return ctx.http{ url = url, insecure = true, timeout = http_timeout }
end

local function bracketed(address) return string.find(address, ":", 1, true) and "[" .. address .. "]" or address end

local function log_in(ctx, ucp)
  if not ucp or not ucp.username or not ucp.password then return "missing" end
  if not ucp.url then return "unproved" end
  local answer = ctx.login{ url = ucp.url, username = ucp.username, password = ucp.password, ca = ucp.ca, insecure = ucp.insecure, timeout = http_timeout }
  if answer.ok then return "proved" end
  return (answer.status == 401 or answer.status == 403) and "refused" or "unproved", words(answer)
end

return func {
  summary = "look(ctx, soft) → the state of UCP now; soft: without any engine that answers nil and why, instead of a failure; for runs",
  call = function(ctx, soft)
    local asks = {}
    for name in pairs(ctx.nodes) do asks[name] = function() return ask_engine(ctx, name) end end
    local engines = ctx.all(asks)
    if not any(engines, "answers") then
      local name, e = next(engines)
      local why = "no engine answers, so nothing is known of UCP" .. (name and " (" .. name .. ": " .. tostring(e.why) .. ")" or "")
      if soft then return nil, why end
      return ctx.fail(why)
    end
    local told = ask_swarm(ctx, engines)
    local seen = { nodes = ctx.nodes, engines = engines, told = told, url = ctx.site.ucp and ctx.site.ucp.url, pings = {} }
    asks = {}
    for name, port in pairs(ucp.ports(seen)) do
      local address = ctx.nodes[name] and ctx.nodes[name].address
      if address then asks[name] = function() return ping(ctx, "https://" .. bracketed(address) .. ":" .. port .. "/_ping") end end
    end
    for name, answer in pairs(ctx.all(asks)) do seen.pings[name] = { status = answer.status, why = words(answer) } end
    local healthy = any(seen.pings, function(p) return p.status == 200 end)
    local site = ctx.site.ucp
    seen.credentials = site and site.username and site.password and "unproved" or "missing"
    if healthy then seen.credentials, seen.login = log_in(ctx, site) end
    return ucp.judged(seen)
  end,
}
