-- Replicas as engines show them: containers, stopped ones too, and volumes. Source: domain notes "DTR containers, volumes, networks".
--
-- Names are `dtr-api-ID` on the engine (with a leading /) and `NODE/dtr-api-ID` through UCP; names of hosts have hyphens, IDs may be all digits.
-- Whatever else begins with dtr- is the users' own and does not count.

local components = { api = true, etcd = true, garant = true, jobrunner = true, nginx = true, ["notary-server"] = true, ["notary-signer"] = true,
                     registry = true, rethinkdb = true, scanningstore = true }
local kinds = { ca = true, notary = true, postgres = true, registry = true, rethink = true, ["nfs-registry"] = true, ["registry-nfs"] = true }

local function replica_id(s)
  return type(s) == "string" and #s == 12 and not string.find(s, "[^0-9a-f]") and s or nil
end

-- "/node-1/dtr-notary-server-a1640e1c15b6" → "notary-server", "a1640e1c15b6"; nil if it is none of DTR's.
local function parts(name, known)
  local last = string.match(tostring(name), "([^/]*)$")
  local component, id = string.match(last, "^dtr%-(.+)%-([^-]+)$")
  if not component or not known[component] then return nil end
  return component, replica_id(id)
end

-- Older releases have only compose's label: a sentence whose fourth word is the version and whose last word is the ID and ")".
local function sentence(text)
  local words = {}
  for word in string.gmatch(tostring(text or ""), "%S+") do words[#words + 1] = word end
  local version = words[4] and string.match(words[4], "^v?(%d+%.%d+[%w.%-]*)$")
  return version, words[1] and replica_id(string.match(words[#words], "^%(?([0-9a-f]+)%)$"))
end

-- "registry.example:5000/docker/dtr-rethink:2.6.4" → "registry.example:5000/docker/dtr", "2.6.4"
local function reference(image)
  local path, tag = string.match(tostring(image), "^(.*):([^/:@]+)$")
  local base = string.match(path or tostring(image), "^(.*dtr)%-%w[%w%-]*$")
  return base, tag
end

local function container(to, node, c)
  local component, id
  for _, name in ipairs(c.Names or {}) do
    local k, i = parts(name, components)
    if k then component, id = k, i end
  end
  if not component then return end
  local labels = c.Labels or {}
  local version, told = sentence(labels["com.docker.compose.project"])
  id = replica_id(labels["com.docker.dtr.replica"]) or id or told
  if not id then return end
  local r = to(id, node)
  local base, tag = reference(c.Image)
  r.containers[component] = { id = c.Id, state = c.State or "unknown", status = c.Status }
  r.version = labels["com.docker.dtr.version"] or r.version or version
  r.tag, r.image = r.tag or tag, r.image or base
  if component == "nginx" then
    for _, p in ipairs(c.Ports or {}) do
      if p.PrivatePort == 443 and math.tointeger(p.PublicPort) and p.PublicPort > 0 then r.port = math.tointeger(p.PublicPort) end
    end
  end
end

-- A container of the tool itself: phase 2 of whoever started it, or one of ours (see dtr.tool).
local function is_tool(name)
  local last = string.match(tostring(name), "([^/]*)$")
  return last == "dtr-phase2" or string.find(last, "^quorate%-dtr%-") ~= nil
end

return func {
  summary = "found(engines) → by ID { node, containers, volumes, version, image, port }, and by node the tool's containers that run; engines: as they answered",
  call = function(engines)
    local all, busy = {}, {} -- by ID, by node; by node
    local function to(id, node)
      all[id] = all[id] or {}
      all[id][node] = all[id][node] or { node = node, containers = {}, volumes = {} }
      return all[id][node]
    end
    for node, e in pairs(engines) do
      for _, c in ipairs(e.containers or {}) do
        container(to, node, c)
        for _, name in ipairs(c.Names or {}) do
          if c.State == "running" and is_tool(name) then busy[node] = string.match(name, "([^/]*)$") end
        end
      end
      for _, v in ipairs(e.volumes or {}) do
        local kind, id = parts(v.Name, kinds)
        if id then to(id, node).volumes[kind] = true end
      end
    end
    -- One that has left volumes elsewhere is where its containers are.
    local r = {}
    for id, nodes in pairs(all) do
      for _, x in pairs(nodes) do
        if not r[id] or count(x.containers) > count(r[id].containers) then r[id] = x end
      end
      r[id].version, r[id].tag = r[id].version or r[id].tag, nil
    end
    return r, busy
  end,
}
