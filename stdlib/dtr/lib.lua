-- What the members of the family share. The shape of `state.dtr` is declared in cluster.lua.
--
-- What a replica believes (`members`) is not what is there. A replica takes part as long as it runs on usable volumes; two take part
-- together when they see each other (no cut, or the same side) and each counts the other as a member. A group of those that reaches its
-- majority decides. Two measures are kept apart, each on the careful side: whether the quorum is *held* asks for healthy replicas and the
-- majority of all members believed; whether a group could go on by itself counts whoever runs, and the majority that it may still go by:
-- that of the membership before a change, until every member has learnt of the change (`needed`).
--
-- These run very often (plans are explored), so groups are bits of an integer, texts are made only when something is wrong, and what follows from
-- a state that does not change any more is worked out once.

local pairs, ipairs, next, quorum, list, copy, once = pairs, ipairs, next, quorum, list, copy, once

local docker = library "docker"

local lib = {}

-- What a tool's container that was started by this step still does (`follow` of an action).
function lib.follow(ctx) docker.follow(ctx) end

local most = 60 -- replicas in one view; a cluster has at most 7

-- ---- read -------------------------------------------------------------------------------------------------------------

-- Whether it runs on volumes that it can use, healthy or not.
local function runs(r) return r.answers and not r.stopped and r.volumes ~= "absent" and r.volumes ~= "corrupt" end
lib.runs = runs

local function has(t, x)
  for i = 1, #t do
    if t[i] == x then return true end
  end
  return false
end

-- A list of texts in their order.
local function in_order(t)
  for i = 2, #t do
    local x, k = t[i], i
    while k > 1 and x < t[k - 1] do
      t[k] = t[k - 1]
      k = k - 1
    end
    t[k] = x
  end
  return t
end

-- How many bits are set, of 0 to 255.
local bits_of = { [0] = 0 }
for i = 1, 255 do bits_of[i] = bits_of[i >> 1] + (i & 1) end

local function bits(mask)
  local n = 0
  while mask > 255 do
    n = n + bits_of[mask & 255]
    mask = mask >> 8
  end
  return n + bits_of[mask]
end

-- The majority that a replica may still go by.
function lib.needed(r) return r.needed or quorum(#r.members) end

-- Who takes part with whom: { n, ids[i], mates[i] (bits: itself and those it takes part with), alive[i] (how many those are),
-- fit[i] (how many of them are healthy), sees[i] (bits: who is on its side of a cut) } of the replicas that run, in the order of IDs.
-- With `sick` (IDs that are unhealthy for a reason of their own), the health of all is worked out on the way, as if each that runs had its quorum.
local function view(d, sick, cured)
  local ids, at, n, well, all = {}, {}, 0, 0, 0
  local replicas, sides = d.replicas, d.cut and {}
  local believes, counted = {}, {} -- bits: whom i counts, who counts i
  for id, r in pairs(replicas) do
    local up = r.answers and not r.stopped and r.volumes ~= "absent" and r.volumes ~= "corrupt"
    if sick then r.health = up and (sick[id] and id ~= cured and "unhealthy" or "healthy") or r.answers and "unhealthy" or "unknown" end
    if up and n < most then
      local b = 1 << n
      n = n + 1
      ids[n], at[id], counted[n] = id, n, 0
      all = all | b
      if r.health == "healthy" then well = well | b end
      if sides then
        local side = r.side or "?"
        sides[side] = (sides[side] or 0) | b
      end
    end
  end
  for i = 1, n do
    local members, b, own = replicas[ids[i]].members, 0, 1 << (i - 1)
    for k = 1, #members do
      local j = at[members[k]]
      if j then
        b = b | 1 << (j - 1)
        counted[j] = counted[j] | own
      end
    end
    believes[i] = b
  end
  local sees, mates, alive, fit = {}, {}, {}, {}
  for i = 1, n do
    local s = sides and sides[replicas[ids[i]].side or "?"] or all
    local m = believes[i] & counted[i] & s
    if m & (1 << (i - 1)) == 0 then m = 0 end
    sees[i], mates[i], alive[i], fit[i] = s, m, bits(m), bits(m & well)
  end
  return { n = n, ids = ids, mates = mates, alive = alive, fit = fit, sees = sees }
end

-- The same; it is not to be changed.
function lib.view(d) return once(d, view) end

-- The replica whose group decides: the largest such group, the first ID in it; nil if none does. → id, its index
function lib.holder(d, v)
  local best
  for i = 1, v.n do
    if v.fit[i] >= quorum(#d.replicas[v.ids[i]].members) and (not best or v.fit[i] > v.fit[best]) then best = i end
  end
  return best and v.ids[best], best
end

-- Two replicas whose groups have nobody in common, each with the majority that it may go by: indices; nil if there are none.
function lib.rivals(d, v)
  for i = 1, v.n do
    if v.alive[i] > 0 and v.alive[i] >= lib.needed(d.replicas[v.ids[i]]) then
      for j = i + 1, v.n do
        if v.mates[i] & v.mates[j] == 0 and v.alive[j] > 0 and v.alive[j] >= lib.needed(d.replicas[v.ids[j]]) then return i, j end
      end
    end
  end
  return nil
end

-- The IDs in a set of bits, one after the other, as people read them.
function lib.names(d, v, mask)
  local r = list{}
  for i = 1, v.n do
    if mask & (1 << (i - 1)) ~= 0 then r[#r + 1] = lib.short(d, v.ids[i]) end
  end
  return table.concat(r, " ")
end

-- An ID as far as it takes to tell it from the others, at least three digits; names of what is yet to come as they are.
function lib.short(d, id)
  if not string.find(id, "^%x+$") then return id end
  local n = 3
  for other in pairs(d.replicas) do
    if other ~= id then
      while n < #id and string.sub(other, 1, n) == string.sub(id, 1, n) do n = n + 1 end
    end
  end
  return string.sub(id, 1, n)
end

-- What people and --attest call a replica: the machine that it is on.
function lib.label(r, id) return r.node or id end

-- { [machine] = why } of all replicas but `keep` that do not answer, those that no cluster counts any more included. One that nothing is left of
-- cannot come back.
function lib.absent(d, keep)
  local r = {}
  for _, part in ipairs{ d.replicas, d.gone or {} } do
    for id, x in pairs(part) do
      if id ~= keep and not x.answers and x.volumes ~= "absent" then r[lib.label(x, id)] = "replica " .. id .. " does not answer, and could come back with its old state" end
    end
  end
  return r
end

-- A replica that a change of the membership can be made through: the one that is asked for if it runs in a group that decides (if it is
-- not known which, the best); nil if there is none: such a change is refused by the cluster.
function lib.through(d, v, id)
  if type(id) ~= "string" then return lib.holder(d, v) end
  for i = 1, v.n do
    if v.ids[i] == id then
      if v.fit[i] >= quorum(#d.replicas[id].members) and d.replicas[id].health == "healthy" then return id, i end
      return nil
    end
  end
  return nil
end

-- Whether DTR's tool is at work somewhere: until it is over, nobody knows what it will have done.
function lib.busy(d) return d.busy ~= nil and next(d.busy) ~= nil end

-- The IDs of the replicas on a machine, first member, or nil.
function lib.on(d, node)
  for id, r in pairs(d.replicas) do
    if r.node == node then return id, r end
  end
  return nil
end

-- What a new replica will be called, before there is one: the same for the same machine.
function lib.future_id(node) return "new-" .. tostring(node) end

-- ---- changed (effects) ------------------------------------------------------------------------------------------------

-- The state as it was before an effect; plain tests give the changed one alone, and then before anything is changed.
function lib.was(state, before) return before and before.dtr or state.dtr end

local function remember(d)
  local v, sick = lib.view(d), {}
  for i = 1, v.n do
    local id = v.ids[i]
    local r = d.replicas[id]
    if r.health ~= "healthy" and #r.members > 0 and v.alive[i] >= quorum(#r.members) then sick[id] = true end
  end
  return { n = v.n, ids = v.ids, mates = v.mates, alive = v.alive, fit = v.fit, sees = v.sees, sick = sick }
end

-- What is to be remembered of the state before a change: who is unhealthy for a reason of its own, not for want of a quorum. → view; it is not to
-- be changed
function lib.before(d) return once(d, remember) end

-- Works out the quorum from the replicas and their health; `v` is their view.
function lib.tally(d, v, why)
  local replicas, voters, fit, most_alive = d.replicas, 0, 0, 0
  local id, i = lib.holder(d, v)
  if id then
    voters, fit = #replicas[id].members, v.fit[i]
  else
    for k = 1, v.n do
      if v.alive[k] > most_alive then
        most_alive, voters = v.alive[k], #replicas[v.ids[k]].members
      end
    end
    if most_alive == 0 then
      for _, r in pairs(replicas) do
        if #r.members > voters then voters = #r.members end
      end
    end
  end
  d.quorum = { held = id ~= nil, voters = voters, needed = quorum(voters), healthy = fit, why = why }
  if d.installed ~= nil then d.installed = next(replicas) ~= nil or d.leftovers ~= nil and next(d.leftovers) ~= nil end
end

-- Works out health and quorum anew after a change; `was` is what lib.before gave; `cured`: one that is not unhealthy any more.
function lib.recount(d, was, cured)
  local replicas, v = d.replicas, view(d, was and was.sick or {}, cured)
  for k = 1, v.n do
    local r = replicas[v.ids[k]]
    if #r.members == 0 or v.fit[k] < quorum(#r.members) then r.health = "unhealthy" end
  end
  lib.tally(d, v, "predicted")
  return v
end

-- Lets `learners` (a list of IDs) believe in `members`. As long as a member has not learnt of it, they may go by the old majority.
function lib.learn(d, learners, members)
  local replicas, needed, n, learnt = d.replicas, quorum(#members), 0, {}
  for i = 1, #learners do
    local r = replicas[learners[i]]
    if #r.members > 0 then
      local old = lib.needed(r)
      if old < needed then needed = old end
    end
    learnt[learners[i]] = true
  end
  for i = 1, #members do
    if learnt[members[i]] then n = n + 1 end
  end
  if n == #members then needed = nil end
  for i = 1, #learners do
    local r = replicas[learners[i]]
    r.members, r.needed = copy(members), needed
  end
end

-- The IDs in a set of bits that are among `members`.
function lib.among(v, mask, members)
  local r = list{}
  for j = 1, v.n do
    if mask & (1 << (j - 1)) ~= 0 and has(members, v.ids[j]) then r[#r + 1] = v.ids[j] end
  end
  return r
end

-- Replicas have met: all whom the deciding group counts as members and sees take over its view (`first`: one of that group; nil if there was
-- none); the others put their views together with those whom they take part with.
function lib.meet(d, first)
  local v = view(d)
  local seen_already = {}
  local function settle(mask, members)
    local learners = lib.among(v, mask, members)
    for j = 1, #learners do seen_already[learners[j]] = true end
    lib.learn(d, learners, members)
  end
  for i = 1, v.n do
    if v.ids[i] == first then settle(v.sees[i], copy(d.replicas[first].members)) end
  end
  for i = 1, v.n do
    if not seen_already[v.ids[i]] and v.mates[i] ~= 0 then
      local members, there = list{}, {}
      for j = 1, v.n do
        if v.mates[i] & (1 << (j - 1)) ~= 0 and not seen_already[v.ids[j]] then
          for _, m in ipairs(d.replicas[v.ids[j]].members) do
            if not there[m] then
              there[m] = true
              members[#members + 1] = m
            end
          end
        end
      end
      settle(v.mates[i], in_order(members))
    end
  end
end

-- A replica that does not answer is not counted any more: it is kept aside, since it may come back as it was, unless somebody has attested
-- that it cannot.
function lib.leave_behind(state, id)
  local d = state.dtr
  local r = d.replicas[id]
  d.replicas[id] = nil
  if r.volumes == "absent" or (state.attested and state.attested[lib.label(r, id)]) then return end
  d.gone = d.gone or {}
  d.gone[id] = r
end

-- A replica of which nothing is left shows as long as somebody who can be read counts it. `id`: one that has just been destroyed.
function lib.haunt(d, id)
  local function counted(x)
    for _, r in pairs(d.replicas) do
      if r.health == "healthy" and has(r.members, x) then return true end
    end
    return false
  end
  for _, other in ipairs(keys(d.replicas)) do
    local r = d.replicas[other]
    if not r.answers and r.volumes == "absent" and not counted(other) then d.replicas[other] = nil end
  end
  if counted(id) then d.replicas[id] = { answers = false, health = "unknown", members = list{}, volumes = "absent" } end
end

-- Takes victims (a list of IDs) out of the membership that the group of replica `via` (index i) believes in. Containers and volumes of
-- those that answer go with `clear`; one that does not answer stays behind as it is, and nobody counts it.
function lib.drop(state, v, via, i, victims, clear)
  local d = state.dtr
  local members, replicas = list{}, d.replicas
  for _, m in ipairs(replicas[via].members) do
    if not has(victims, m) then members[#members + 1] = m end
  end
  local learners = lib.among(v, v.mates[i], members)
  for k = 1, #victims do
    local id = victims[k]
    local r = replicas[id]
    if r and not r.answers then
      lib.leave_behind(state, id)
    elseif r and clear then
      replicas[id] = nil
    end
  end
  lib.learn(d, learners, members)
end

-- A new replica on a machine, with the members that the replicas it has met believe in.
function lib.add(d, v, id, node, i, side)
  local met = d.replicas[v.ids[i]]
  local members = list{}
  for _, m in ipairs(met.members) do members[#members + 1] = m end
  if not has(members, id) then members[#members + 1] = id end
  in_order(members)
  local learners = lib.among(v, v.mates[i], members)
  if not has(learners, id) then learners[#learners + 1] = id end
  d.replicas[id] = { node = node, answers = true, health = "healthy", members = list{}, volumes = "present", version = met.version, side = side }
  if d.nodes and d.nodes[node] and side then d.nodes[node].side = side end
  lib.learn(d, learners, members)
end

-- ---- the world, through ctx -------------------------------------------------------------------------------------------

-- Adds options to the words for DTR's tool, in the order of their names; false and nil are left out.
function lib.options(argv, options)
  for name, value in pairs(options) do
    if value == true then
      argv[#argv + 1] = "--" .. name
    elseif value ~= false then
      argv[#argv + 1] = "--" .. name
      argv[#argv + 1] = tostring(value)
    end
  end
  return argv
end

-- The images that an action's tool is started from (`images` of an action), as tool.lua chooses them: on the machine where it runs, and on the one that gets a
-- replica, where it starts its second half.
function lib.images(state, with)
  local d = state.dtr
  local via = with.existing_replica or with.replica
  local r = d and type(via) == "string" and d.replicas[via]
  local image = with.image or r and r.image or d and d.version and "docker/dtr:" .. d.version
  if not image then return {} end
  local images = {}
  for _, node in ipairs{ with.on or r and r.node or with.node or false, with.node or false } do
    if node then images[node] = image end
  end
  return images
end

-- What UCP calls a node: the host name that its engine tells.
function lib.host_name(ctx, node)
  local answer = ctx.docker(node):get("/info", { timeout = 25 })
  local name = answer.ok and type(answer.body) == "table" and answer.body.Name
  if name and name ~= "" then return name end
  return ctx.fail(node .. ": its engine does not tell its host name (" .. tostring(answer.message or "no Name in GET /info") .. ")")
end

return lib
