-- Add one replica: `docker/dtr join --ucp-node NODE --existing-replica-id A`. One at a time: each changes the majority.
-- Source: "Join replicas", "Split-brain scenario": while a cut separates the replicas, the new one may end up on the side that has fewer.
-- `--unsafe-join` is never used.

local as_it_was, remember, through, on, add, recount, future_id = lib.was, lib.before, lib.through, lib.on, lib.add, lib.recount, lib.future_id

local function new_id(with)
  return type(with.replica) == "string" and with.replica or future_id(with.node)
end

-- Where it would join and through whom: view, index of the replica it goes through, its side; nil if the cluster refuses it.
local function start(d, with)
  local was = remember(d)
  local via, i = through(d, was, with.existing_replica)
  if not via or on(d, with.node) then return nil end
  local node = d.nodes and d.nodes[with.node]
  return was, i, node and node.side
end

-- The first replica that runs on a side and is a member; nil if that side has none.
local function on_side(d, v, side)
  for i = 1, v.n do
    if v.mates[i] ~= 0 and d.replicas[v.ids[i]].side == side then return i end
  end
  return nil
end

-- Somebody on another side than that of replica i, where fewer take part.
local function minority(d, v, i)
  for j = 1, v.n do
    if v.mates[j] ~= 0 and v.sees[j] & v.sees[i] == 0 and v.alive[j] <= v.alive[i] then return j end
  end
  return nil
end

local function half(d, with, was, side)
  d.replicas[new_id(with)] = { node = with.node, answers = true, health = "unhealthy", members = list{}, volumes = "absent", side = side }
  recount(d, was)
end

return action {
  summary  = "Join a new replica to the DTR cluster",
  describe = "join a DTR replica on ${node}",
  inputs   = { node = { type = "node", required = true, description = "UCP node that gets the replica; it must not have one" },
               existing_replica = { type = "string", required = true, description = "ID of a healthy replica" },
               replica = { type = "string", pattern = "^[0-9a-f]{12}$", description = "ID of the new replica; default: a random one" },
               image = { type = "image", description = "DTR's tool, such as docker/dtr:2.6.4; default: that of the version which runs" },
               http_port = { type = "integer", min = 1, max = 65535, description = "where it is published; default: 80" },
               https_port = { type = "integer", min = 1, max = 65535, description = "where it is published; default: 443" },
               on = { type = "node", description = "where the tool runs; default: where the existing replica is" } },
  outputs  = { replica = { type = "string", description = "ID of the new replica" } },
  changes  = { "dtr" },
  on_unknown = "check",
  membership = "dtr",
  settle   = "5m",

  effect = function(state, with, before)
    local old = as_it_was(state, before)
    local was, i, side = start(old, with)
    if not was then return false end
    local own = old.replicas[was.ids[i]].side
    if old.cut and side and side ~= own then
      i = on_side(old, was, side)
      if not i then return false end
    end
    local d = state.dtr
    add(d, was, new_id(with), with.node, i, side or own)
    recount(d, was)
    return { replica = new_id(with) }
  end,

  outcomes = {
    minority = function(state, with, before)
      local old = as_it_was(state, before)
      if not old.cut then return false end
      local was, i, side = start(old, with)
      if not was or side then return false end
      local j = minority(old, was, i)
      if not j then return false end
      local d = state.dtr
      add(d, was, new_id(with), with.node, j, d.replicas[was.ids[j]].side)
      recount(d, was)
      return "ok"
    end,
    half = function(state, with, before)
      local old = as_it_was(state, before)
      local was, i, side = start(old, with)
      if not was then return false end
      half(state.dtr, with, was, side or old.replicas[was.ids[i]].side)
    end,
  },
  outcome_texts = { minority = "lands on the side of the cut that has fewer replicas", half = "leaves containers behind that are no member" },

  done = function(state, with)
    if lib.busy(state.dtr) then return "pending" end
    local d = state.dtr
    local id, r = on(d, with.node)
    if not id then return false end
    if #r.members == 0 or r.health ~= "healthy" then return "pending" end
    return { replica = id }
  end,

  images = lib.images,

  follow = lib.follow,

  run = function(ctx, with)
    local d = dtr.look(ctx)
    local there, old = on(d, with.node)
    if there then
      return ctx.fail(with.node .. ": there is a replica already, " .. there .. " (" .. old.health .. "); " ..
        (#old.members > 0 and "remove it first (dtr.remove)" or "it is no member of the cluster: destroy what is left of it first (dtr.destroy)"))
    end
    local argv = list{ "--ucp-node", lib.host_name(ctx, with.node), "--existing-replica-id", with.existing_replica }
    lib.options(argv, { ["replica-id"] = with.replica, ["replica-http-port"] = with.http_port, ["replica-https-port"] = with.https_port })
    dtr.tool(ctx, { command = "join", via = with.existing_replica, on = with.on, image = with.image, seen = d, argv = argv,
      advice = "Containers of the new replica that are left on " .. with.node .. " have to go before the next attempt: dtr.destroy, or dtr.remove if it is counted.",
      holds = function(now)
        local id, r = on(now, with.node)
        if not id then return false, "there is no replica on " .. with.node end
        there = id
        if #r.members == 0 then return false, "the replica " .. id .. " is no member of the cluster" end
        return r.health == "healthy", "the replica " .. id .. " is " .. r.health .. (r.why and " (" .. r.why .. ")" or "")
      end })
    return { replica = there }
  end,
}
