-- Looks at DTR, for the probe and for actions that wait until it is as they wanted: engines, then each replica. Nothing is changed.
-- Source: domain notes "DTR HTTP": GET /_ping is about one replica, and whatever is not 200 is unhealthy; cluster_status is about all of them.

local ping_timeout, engine_timeout, http_timeout = 6, 20, 12
local only_dtr = "filters=%7B%22name%22%3A%5B%22dtr-%22%5D%7D" -- {"name":["dtr-"]}: those that contain it

local function words(answer)
  if answer.status then return tostring(answer.status) .. ": " .. tostring(answer.message or "no text") end
  return "no answer (" .. tostring(answer.message or answer.failure) .. ")"
end

local function ask_engine(ctx, name)
  local d = ctx.docker(name)
  local ping = d:get("/_ping", { timeout = ping_timeout })
  if not ping.ok then return { answers = false, why = words(ping) } end
  local got = ctx.all{ containers = function() return d:get("/containers/json?all=1&" .. only_dtr, { timeout = engine_timeout }) end,
                       volumes = function() return d:get("/volumes?" .. only_dtr, { timeout = engine_timeout }) end }
  if not got.containers.ok or type(got.containers.body) ~= "table" then return { answers = false, why = words(got.containers) } end
  local readable = got.volumes.ok and type(got.volumes.body) == "table"
  return { answers = true, containers = got.containers.body, volumes = readable and got.volumes.body.Volumes or {},
           volumes_why = not readable and words(got.volumes) or nil }
end

-- "https://host[:port]" with its port.
local function with_port(url)
  local plain = string.gsub(url, "/+$", "")
  return string.find(plain, ":%d+$") and plain or plain .. ":443"
end

-- A request to a replica, → answer, whether its certificate was not verified. It is verified by the name that the site gives DTR, else by the
-- replica's address; if neither is so, it is asked all the same, but the password is not sent, unless the site says `verify: false`.
local function get(ctx, base, path, login)
  local d = ctx.site.dtr
  if d and d.ca and not d.insecure then
    for _, spec in ipairs{ { url = d.url .. path, connect = string.gsub(base, "^https://", "") }, { url = base .. path } } do
      spec.ca, spec.timeout = d.ca, http_timeout
      if login then spec.user, spec.password = login.username, login.password end
      local answer = ctx.http(spec)
      if answer.failure ~= "tls" then return answer, false end
    end
  end
  local spec = { url = base .. path, timeout = http_timeout, insecure = true }
  if login and not (d and d.insecure) then
    return { ok = false, message = "the administrator's password is not sent to a replica whose certificate cannot be verified; name DTR's CA in the site: dtr: { ca: FILE }" }, true
  end
  if login then spec.user, spec.password = login.username, login.password end
  return ctx.http(spec), true
end

local function read_ping(answer)
  if not answer.status then return { why = words(answer) } end
  local body = type(answer.body) == "table" and answer.body or {}
  local healthy = answer.status == 200 and body.Healthy ~= false
  local error = type(body.Error) == "string" and body.Error ~= "" and body.Error or answer.message or "no text"
  return { status = answer.status, healthy = healthy, error = not healthy and error or nil }
end

-- → { ping, told, why, unverified }
local function ask_replica(ctx, base, login)
  local answer, unverified = get(ctx, base, "/_ping")
  local r = { ping = read_ping(answer), unverified = unverified }
  if r.ping.status and login then
    local status = get(ctx, base, "/api/v0/meta/cluster_status", login)
    r.told = status.ok and dtr.told(status.body, status.date) or nil
    r.denied = status.status == 401 or status.status == 403
    r.why = not r.told and words(status) or nil
  end
  return r
end

-- A database that does not run, or not for long, and says of its files that they are corrupt. → { [id] = what it said }
local function corrupt_ones(ctx, found)
  local asks = {}
  for id, f in pairs(found) do
    local c = f.containers.rethinkdb
    -- One that dies again and again is found running, too.
    if c and c.id and (c.state ~= "running" or string.find(tostring(c.status), "second", 1, true)) then
      asks[id] = function()
        local log = ctx.docker(f.node):get("/containers/" .. c.id .. "/logs?stdout=1&stderr=1&tail=20", { timeout = engine_timeout })
        if not log.ok or type(log.body) ~= "string" then return nil end
        return string.match(string.lower(log.body), "[^\n]*corrupt[^\n]*")
      end
    end
  end
  return ctx.all(asks)
end

local function bracketed(address) return string.find(address, ":", 1, true) and "[" .. address .. "]" or address end

-- Whether a certificate was shown that the site does not vouch for; a handshake that breaks off says nothing about it.
local function stranger(answer)
  return not answer.status and answer.failure == "tls" and string.find(tostring(answer.message), "certificate", 1, true) ~= nil
end

return func {
  summary = "look(ctx, soft) → the state of DTR now; soft: without any engine that answers nil and why, instead of a failure; for runs",
  call = function(ctx, soft)
    local ucp, asks = ctx.site.ucp, {}
    local login = ucp and ucp.username and ucp.password and ucp or nil
    for name in pairs(ctx.nodes) do asks[name] = function() return ask_engine(ctx, name) end end
    local engines = ctx.all(asks)
    local found, busy = dtr.found(engines)
    asks = { [""] = function() return { corrupt = corrupt_ones(ctx, found) } end }
    for id, f in pairs(found) do
      local nginx, address = f.containers.nginx, ctx.nodes[f.node].address
      if nginx and nginx.state == "running" and f.port and address then
        asks[id] = function() return ask_replica(ctx, "https://" .. bracketed(address) .. ":" .. f.port, login) end
      end
    end
    local asked = ctx.all(asks)
    local seen = { engines = engines, found = found, nodes = ctx.nodes, corrupt = asked[""].corrupt, url = ctx.site.dtr and ctx.site.dtr.url,
                   credentials = login and "unproved" or "missing", unverified = false, asked = {}, busy = busy }
    for id, x in pairs(asked) do
      if id ~= "" then
        seen.asked[id] = x
        seen.unverified = seen.unverified or x.unverified
        if x.told then seen.credentials = "proved" end
        if x.denied and seen.credentials ~= "proved" then seen.credentials = "refused" end
      end
    end
    -- Where no engine shows a replica that tells, the site's own way in may.
    if login and seen.url and seen.credentials == "unproved" then
      local x = ask_replica(ctx, with_port(seen.url), login)
      seen.balancer, seen.credentials = x.told, x.told and "proved" or x.denied and "refused" or "unproved"
    end
    -- No replica tells whether the administrator is one; UCP may.
    if login and seen.credentials == "unproved" then
      local x = ctx.login{ url = login.url, username = login.username, password = login.password, ca = login.ca, insecure = login.insecure, timeout = http_timeout }
      seen.credentials = x.ok and "proved" or (x.status == 401 or x.status == 403) and "refused" or stranger(x) and "untrusted" or "unproved"
    elseif login and seen.credentials == "proved" and not login.insecure then
      -- A replica has taken them; the tool will show them to UCP, too, if it knows UCP's certificate.
      local x = ctx.http{ url = login.url .. "/_ping", ca = login.ca, timeout = http_timeout }
      if stranger(x) then seen.credentials = "untrusted" end
    end
    if not seen.balancer and not any(engines, "answers") then
      local name, e = next(engines)
      local why = "no engine answers, so nothing is known of DTR" .. (name and " (" .. name .. ": " .. tostring(e.why) .. ")" or "")
      if soft then return nil, why end
      return ctx.fail(why)
    end
    return dtr.judged(seen)
  end,
}
