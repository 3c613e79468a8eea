-- From what was seen to the state: whether UCP is installed, what each manager has of it, and whether its stores can decide.
--
-- `seen`: nodes (the inventory), engines by name { answers, why, host, swarm (GET /info .Swarm), containers, volumes }, told { services, nodes,
-- tasks } or nil, pings by name { status, why }, credentials, login (what a login said), url.
-- How many members a store counts can only be told from inside, so the managers' own word goes first: a healthy /_ping is a quorum, and
-- where managers answer and none is healthy there is none. A manager whose record was removed still counts in there, unseen.

local function state_of(e, container, volume)
  if not e or not e.answers then return "unknown" end
  local c = lib.container(e, container)
  if c then return c.State == "running" and "running" or "stopped" end
  return lib.has_volume(e, volume) and "stopped" or "absent"
end

local function version_on(e)
  if not e or not e.answers then return nil end
  for _, c in ipairs(e.containers) do
    if lib.is_ours(c) then
      local v = (c.Labels or {})["com.docker.ucp.version"] or lib.image_version(c.Image)
      if v then return v end
    end
  end
  return nil
end

local function manager(seen, name)
  local e, p = seen.engines[name], seen.pings[name]
  local m = { answers = e ~= nil and e.answers, ping = "unknown", kv = state_of(e, "ucp-kv", "ucp-kv"), version = version_on(e),
              auth = state_of(e, "ucp-auth-store", "ucp-auth-store-data") }
  if p then
    m.ping = p.status == 200 and "healthy" or p.status and "unhealthy" or "silent"
    if m.ping ~= "healthy" then m.why = "GET /_ping: " .. p.why end
  end
  if not m.answers then m.why = e and tostring(e.why) or "it is not in the inventory, so nobody asked it" end
  if m.ping == "unknown" and m.kv == "absent" then m.ping = "silent" end
  return m
end

local function majority(managers, key, what, proved, refuted)
  local voters, running = 0, 0
  for _, m in pairs(managers) do
    if m[key] ~= "absent" then
      voters = voters + 1
      if m.answers and m[key] == "running" then running = running + 1 end
    end
  end
  local needed = quorum(voters)
  local why = what .. " runs on " .. running .. " of " .. voters .. (voters == 1 and " manager" or " managers")
  local held = voters > 0 and running >= needed
  if proved then
    held, why = true, why .. "; " .. proved
  elseif refuted and voters > 0 then
    held, why = false, why .. "; " .. refuted
  end
  return { held = held, voters = voters, needed = needed, answering = running, why = why }
end

-- Whether there is a UCP, and what says so.
local function installed(seen)
  if seen.told then
    for _, s in ipairs(seen.told.services) do
      if s.Spec and s.Spec.Name == "ucp-agent" then return true, "the service ucp-agent", s end
    end
    return false, "the swarm has no service ucp-agent"
  end
  for name, e in pairs(seen.engines) do
    local c = e.answers and (lib.container(e, "ucp-proxy") or lib.container(e, "ucp-controller"))
    if c then return true, "the container " .. string.sub(c.Names[1], 2) .. " on " .. name end
  end
  return false, "no manager of a swarm tells, and no engine that answers has a container ucp-proxy or ucp-controller"
end

local function labelled(seen, service, label)
  local v = service and service.Spec.Labels and service.Spec.Labels[label]
  for _, e in pairs(seen.engines) do
    for _, c in ipairs(e.containers or list{}) do
      if lib.is_ours(c) then v = v or (c.Labels or {})[label] end
    end
  end
  return v ~= "" and v or nil
end

local function version(service, managers, engines)
  local spec = service and service.Spec.TaskTemplate and service.Spec.TaskTemplate.ContainerSpec
  local v = spec and lib.image_version(spec.Image)
  for _, m in pairs(managers) do v = v or m.version end
  for _, e in pairs(engines) do v = v or version_on(e) end
  return v
end

local function agents(tasks)
  local desired, running = 0, 0
  for _, t in ipairs(tasks) do
    if t.DesiredState == "running" then
      desired = desired + 1
      if t.Status and t.Status.State == "running" then running = running + 1 end
    end
  end
  return { desired = desired, running = running }
end

return func {
  summary = "judged(seen) → the state of UCP that was seen",
  call = function(seen)
    local u = { managers = {}, leftovers = {}, nodes = {}, busy = {}, url = seen.url, credentials = seen.credentials }
    for name in pairs(lib.managers_seen(seen)) do u.managers[name] = manager(seen, name) end
    local service
    u.installed, u.why, service = installed(seen)
    if u.installed then
      u.version = version(service, u.managers, seen.engines)
      u.id = labelled(seen, service, "com.docker.ucp.InstanceID")
      if seen.told and seen.told.tasks then u.agents = agents(seen.told.tasks) end
    end
    local asked, healthy = 0, nil
    for name, m in pairs(u.managers) do
      if m.ping == "healthy" then healthy = healthy or name end
      if m.ping == "unhealthy" then asked = asked + 1 end
    end
    local proved = healthy and "GET /_ping of " .. healthy .. " is healthy"
    local refuted = not healthy and asked > 0 and "no manager's /_ping is healthy" or nil
    u.quorum = majority(u.managers, "kv", "ucp-kv", proved, refuted)
    u.auth = majority(u.managers, "auth", "ucp-auth-store", seen.credentials == "proved" and "somebody can log in" or nil, refuted)
    for name, e in pairs(seen.engines) do
      if e.answers then
        u.leftovers[name] = count(e.containers, lib.is_ours) + count(e.volumes, function(v) return string.sub(v.Name, 1, 4) == "ucp-" end)
        local tool = lib.container(e, "ucp")
        if tool then u.busy[name] = tool.State end
      end
    end
    for _, n in ipairs(seen.told and seen.told.nodes or list{}) do
      local said = n.Status and n.Status.Message or ""
      if said ~= "" then u.nodes[n.Description and n.Description.Hostname or n.ID] = said end
    end
    return u
  end,
}
