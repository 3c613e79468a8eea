-- From what was seen to the state: who is a replica, what each believes, how it is, which of them see each other, who decides.
-- Source: "For a DTR cluster to be healthy, a majority of its replicas need to be healthy and be able to communicate".
--
-- `seen`: engines by node { answers, why }; found (dtr.found); asked by ID { ping = { status, healthy, error, why }, told (dtr.told), why };
-- balancer (dtr.told of the site's own url); corrupt by ID; credentials; url; unverified; nodes; busy.
-- What each believes is its own answer; of one that cannot give it, that of whoever counts it; where nobody can be read, what is there.

local fresh = 60 -- seconds: a report of health that is older says nothing of now

-- ---- who can tell -----------------------------------------------------------------------------------------------------

local function reports_well(told, id)
  local r = told and told.replicas[id]
  return r and r.ok and (not r.age or r.age <= fresh) or false
end

-- The answer that goes for all: the one that counts most replicas well.
local function voice_of(seen)
  local best, most
  local function hear(told)
    local n = count(told.replicas, function(r) return r.ok end)
    if not best or n > most then best, most = told, n end
  end
  for _, x in pairs(seen.asked) do
    if x.told then hear(x.told) end
  end
  if not best and seen.balancer then hear(seen.balancer) end
  return best
end

-- IDs that the text of a ping names, into a set: what cannot be reached is at least believed to be a member.
local function hints(x, set)
  for word in string.gmatch(tostring(x and x.ping and x.ping.error or ""), "%w+") do
    if #word == 12 and not string.find(word, "[^0-9a-f]") then set[word] = true end
  end
  return set
end

-- ---- what is there ----------------------------------------------------------------------------------------------------

local function lives(f) return next(f.containers) ~= nil end
local function up(f, component) return f.containers[component] ~= nil and f.containers[component].state == "running" end

local function volumes_of(seen, id)
  local f, x = seen.found[id], seen.asked[id]
  if seen.corrupt[id] and not (x and x.ping and x.ping.healthy) then return "corrupt" end
  if not f or seen.engines[f.node].volumes_why then return "unknown" end
  return f.volumes.rethink and "present" or "absent"
end

local function health_of(seen, voice, id)
  local f, x = seen.found[id], seen.asked[id]
  local ping, told = x and x.ping, voice and voice.replicas[id]
  if ping and ping.status then
    if not ping.healthy then return "unhealthy", "_ping " .. ping.status .. ": " .. ping.error end
    if told and not told.ok then return "unhealthy", "cluster_status: " .. tostring(told.why) end
    return "healthy"
  end
  if f and not up(f, "nginx") then
    return "unhealthy", f.containers.nginx and "dtr-nginx is " .. f.containers.nginx.state or lives(f) and "it has no dtr-nginx" or "it has volumes only"
  end
  if reports_well(voice, id) then return "healthy", "cluster_status names it OK" .. (ping and ", though its _ping had " .. tostring(ping.why) or "") end
  if f then return "unhealthy", "_ping: " .. tostring(ping and ping.why or "its port is not published") end
  return "unknown", "it was not found on any engine that answers"
end

-- ---- sides ------------------------------------------------------------------------------------------------------------

-- Whether id takes part in the network of the replicas: its database runs, and it said something.
local function heard(seen, id)
  local f, x = seen.found[id], seen.asked[id]
  return f and up(f, "rethinkdb") and x and x.ping and x.ping.status ~= nil
end

-- A cut is seen when somebody counts a replica as a member whose database runs and that it does not see. → { [id] = side } or nil
local function sides_of(seen, ids)
  local cut = false
  for _, x in pairs(seen.asked) do
    local told = x.told
    for _, id in ipairs(told and told.sees and told.members or {}) do
      if not contains(told.sees_list, id) and heard(seen, id) then cut = true end
    end
  end
  if not cut then return nil end
  local sides, n = {}, 0
  local function next_side()
    n = n + 1
    return string.char(96 + n)
  end
  for _, id in ipairs(ids) do
    local told = seen.asked[id] and seen.asked[id].told
    if told and told.sees and not sides[id] then
      local side = next_side()
      sides[id] = side
      for _, other in ipairs(told.sees_list) do sides[other] = sides[other] or side end
    end
  end
  local rest
  for _, id in ipairs(ids) do
    if not sides[id] and heard(seen, id) then
      rest = rest or next_side()
      sides[id] = rest
    end
  end
  return sides
end

-- ---- the whole --------------------------------------------------------------------------------------------------------

-- Every ID that matters, and those that only left something behind, by node.
local function all_ids(seen, voice, told_by)
  local ids, left = {}, {}
  local well = any(seen.asked, function(x) return x.ping and x.ping.healthy end)
  for id, f in pairs(seen.found) do
    -- Volumes alone are a replica only as long as nobody counts without them.
    local counted = any(told_by, function(t) return contains(t.members, id) end)
    if lives(f) or counted or not (voice or well) then ids[id] = true else left[id] = f.node end
  end
  for _, t in ipairs(told_by) do
    for _, m in ipairs(t.members) do ids[m] = true end
  end
  if not voice then
    for _, x in pairs(seen.asked) do hints(x, ids) end
  end
  return keys(ids), left
end

local function evidence(seen, d, voice, silent, why)
  local parts = list{}
  local n = 0
  for _, r in pairs(d.replicas) do
    if r.health == "healthy" then n = n + 1 end
  end
  parts[1] = n .. " of " .. count(d.replicas) .. " replicas are healthy"
  if next(d.replicas) == nil then parts[1] = "no container or volume of DTR was seen" end
  for id, text in pairs(why) do parts[#parts + 1] = lib.short(d, id) .. ": " .. text end
  if voice then
    for _, text in ipairs(voice.issues) do parts[#parts + 1] = "issue: " .. text end
    if #voice.unready > 0 then parts[#parts + 1] = "not ready for writes: " .. table.concat(voice.unready, ", ") end
  elseif next(d.replicas) ~= nil then
    local no = { missing = "there is no password for it (ucp.password of the site)", refused = "the credentials were refused" }
    parts[#parts + 1] = "cluster_status could not be read, as " .. (no[d.credentials] or "no replica gave it") .. "; who is a member was taken from what is there"
  end
  for node, name in pairs(seen.busy or {}) do parts[#parts + 1] = "DTR's tool is at work: container " .. name .. " on " .. node end
  if #silent > 0 then parts[#parts + 1] = "without an answer, and whatever is on them not seen: " .. table.concat(silent, ", ") end
  if seen.unverified then parts[#parts + 1] = "certificates of replicas were not verified" end
  local text = table.concat(parts, "; ")
  return #text <= 1500 and text or string.sub(text, 1, 1500) .. "…"
end

-- The node of a replica that nobody shows: the only engine without an answer, if it is the only such replica.
local function only_place(ids, seen, silent)
  local lost
  for _, id in ipairs(ids) do
    if not seen.found[id] then
      if lost then return nil end
      lost = id
    end
  end
  return #silent == 1 and lost and { [lost] = silent[1] } or nil
end

return func {
  summary = "judged(seen) → the state of DTR, from what engines and replicas answered (see dtr.look)",
  call = function(seen)
    local voice, told_by, silent = voice_of(seen), list{}, list{}
    if voice then told_by[1] = voice end
    for _, x in pairs(seen.asked) do
      if x.told then
        told_by[#told_by + 1] = x.told
        x.told.sees_list = x.told.sees and keys(x.told.sees)
      end
    end
    for name, e in pairs(seen.engines) do
      if not e.answers then silent[#silent + 1] = name end
    end
    local ids, left = all_ids(seen, voice, told_by)
    local sides = sides_of(seen, ids)
    local places = only_place(ids, seen, silent) or {}
    local d = { installed = false, url = seen.url, credentials = seen.credentials, cut = sides ~= nil, replicas = {}, nodes = {} }
    if next(left) then d.leftovers = left end
    if seen.busy and next(seen.busy) then d.busy = seen.busy end
    for name, e in pairs(seen.engines) do
      if e.answers then d.nodes[name] = {} end
    end
    local why, versions = {}, {}
    for _, id in ipairs(ids) do
      local f, x = seen.found[id], seen.asked[id]
      local r = { node = f and f.node or places[id], answers = f ~= nil or reports_well(voice, id), volumes = volumes_of(seen, id) }
      r.health, r.why = health_of(seen, voice, id)
      if f then r.containers = count(f.containers) end
      if f and not up(f, "rethinkdb") then r.stopped = true end
      if f and seen.nodes[f.node] then
        r.port, r.version = f.port, f.version
        r.image = f.image and f.version and f.image .. ":" .. f.version or nil
        r.address = seen.nodes[f.node].address and f.port and seen.nodes[f.node].address .. ":" .. f.port or seen.nodes[f.node].address
      end
      if x and x.told then
        r.members = copy(x.told.members)
      elseif #told_by > 0 then
        local by = find(told_by, function(t) return contains(t.members, id) end)
        -- One that nobody counts any more may still go by what it was.
        local own = not by and hints(x, {}) or {}
        if next(own) then own[id] = true end
        r.members = by and copy(by.members) or keys(own)
      else
        r.members = list{}
        for i, other in ipairs(ids) do r.members[i] = other end
      end
      -- Every engine answers and shows nothing of it: only others still count it.
      if not f and not r.answers and #silent == 0 then
        r.volumes, r.members, r.why = "absent", list{}, "nothing of it is left on any engine, and it is still counted as a member"
      end
      for _, t in ipairs(told_by) do
        local age = t.replicas[id] and t.replicas[id].age
        if age and (not r.last_good or age < r.last_good) then r.last_good = age end
      end
      if sides and sides[id] then
        r.side = sides[id]
        -- Of one that cannot tell whom it sees, the database may be cut off, and not its machine.
        if x and x.told and r.node and d.nodes[r.node] then d.nodes[r.node].side = sides[id] end
      end
      why[id] = r.why
      if r.version then versions[r.version] = (versions[r.version] or 0) + 1 end
      d.replicas[id] = r
    end
    for version, n in pairs(versions) do
      if not d.version or n > versions[d.version] then d.version = version end
    end
    lib.tally(d, lib.view(d), evidence(seen, d, voice, silent, why))
    return d
  end,
}
