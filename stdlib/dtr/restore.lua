-- Install DTR anew from a backup, as a cluster of one: `docker/dtr restore … < FILE`. The last resort.
-- Source: "All replicas are unhealthy"; domain notes: every old replica is destroyed first, and the version equals that of the backup.
-- An old replica that does not answer could come back beside the new cluster, so each needs a word.

local function new_id(with)
  return type(with.replica) == "string" and with.replica or lib.future_id(with.node)
end

local function install(state, before, with, volumes)
  local old, id = lib.was(state, before), new_id(with)
  local _, there = lib.on(old, with.node)
  if there and there.answers and there.containers ~= 0 then return false end
  local was, d = lib.before(old), state.dtr
  local node = d.nodes and d.nodes[with.node]
  local good = volumes == "present"
  for _, other in ipairs(keys(d.replicas)) do
    local r = d.replicas[other]
    if not r.answers then
      lib.leave_behind(state, other)
    elseif r.containers == 0 and good then -- nobody counts without it any more
      d.leftovers = d.leftovers or {}
      d.leftovers[other], d.replicas[other] = r.node, nil
    end
  end
  d.replicas[id] = { node = with.node, answers = true, health = good and "healthy" or "unhealthy", members = good and list{ id } or list{},
                     volumes = volumes, version = with.version or d.version, side = node and node.side }
  lib.recount(d, was)
end

-- Where images are, as one of the three options of which the tool demands one.
local function storage(with)
  local s = with.storage or "default"
  if s == "default" then return { ["dtr-use-default-storage"] = true } end
  return string.find(s, "^nfs://") and { ["nfs-storage-url"] = s } or { ["dtr-storage-volume"] = s }
end

-- The version of a backup is in the name of its first folder. → version; or ends the task
local function version_of(ctx, file)
  local archive = ctx.archive(file)
  if not archive.ok then return ctx.fail(file .. ": " .. tostring(archive.message)) end
  local version = string.match(tostring(archive.first), "^%.?/?dtr%-backup%-v([^/]+)")
  return version or ctx.fail(file .. ": it is no backup of DTR: it begins with " .. tostring(archive.first) .. ", and not with dtr-backup-vVERSION/")
end

-- The replica on the node, as far as it is more than volumes of an old one.
local function newest(d, with)
  for id, r in pairs(d.replicas) do
    if r.node == with.node and r.containers ~= 0 then return id, r end
  end
  return nil
end

return action {
  summary  = "Install DTR anew from a backup, as a cluster of one replica",
  describe = "restore DTR on ${node} from ${file}",
  inputs   = { file = { type = "path", required = true, description = "the tar of a backup" },
               node = { type = "node", required = true, description = "UCP node that gets the replica" },
               replica = { type = "string", pattern = "^[0-9a-f]{12}$", description = "ID of the new replica; default: a random one" },
               version = { type = "string", description = "version of DTR to install; it must be that of the backup" },
               storage = { type = "string", default = "default", description = "where images are: default, a volume's name, or nfs://HOST/PATH; as it was" },
               image = { type = "image", description = "DTR's tool, such as docker/dtr:2.6.4; default: that of the version which runs" },
               external_url = { type = "string", description = "the address that people use (--dtr-external-url)" },
               http_port = { type = "integer", min = 1, max = 65535, description = "where it is published; default: 80" },
               https_port = { type = "integer", min = 1, max = 65535, description = "where it is published; default: 443" },
               on = { type = "node", description = "where the tool runs; default: where the new replica comes" } },
  outputs  = { replica = { type = "string", description = "ID of the new replica" } },
  changes  = { "dtr" },
  destroys = "whatever was stored since the backup",
  on_unknown = "check",
  membership = "dtr",
  settle   = "5m",

  attests = function(state)
    return lib.absent(state.dtr)
  end,

  effect = function(state, with, before)
    if install(state, before, with, "present") == false then return false end
    return { replica = new_id(with) }
  end,

  outcomes = {
    wrong_version = function() end,
    half = function(state, with, before)
      return install(state, before, with, "absent")
    end,
  },
  outcome_texts = { wrong_version = "refuses a backup of another version", half = "installs a replica, but the import fails" },

  done = function(state, with)
    if lib.busy(state.dtr) then return "pending" end
    local id, r = newest(state.dtr, with)
    if not id then return false end
    if r.health ~= "healthy" then return "pending" end
    return { replica = id }
  end,

  images = lib.images,

  follow = lib.follow,

  run = function(ctx, with)
    local d, version = dtr.look(ctx), version_of(ctx, with.file)
    if with.version and with.version ~= version then
      return ctx.fail(with.file .. ": it is a backup of DTR " .. version .. ", and version " .. with.version .. " is to be installed; they must be equal")
    end
    local image = with.image or "docker/dtr:" .. version
    local tag = string.match(image, ":([^/:@]+)$")
    if tag and tag ~= version and string.find(tag, "^%d+%.%d+%.%d+$") then
      return ctx.fail(with.file .. ": it is a backup of DTR " .. version .. ", and the image is " .. image .. "; they must be of one version")
    end
    local there = list{}
    for id, r in pairs(d.replicas) do
      if r.answers and r.containers ~= 0 then there[#there + 1] = id .. " on " .. tostring(r.node) end
    end
    for _, x in ipairs(dtr.remains(d)) do
      if not d.replicas[x.id] or d.replicas[x.id].containers == 0 then ctx.log(x.node .. ": volumes of the old replica " .. x.id .. " are left; nothing uses them") end
    end
    if #there > 0 then return ctx.fail("a backup is restored only where no replica is left, and there are: " .. table.concat(there, ", ") .. "; use dtr.destroy for each") end
    local argv = lib.options(list{ "--ucp-node", lib.host_name(ctx, with.node) }, storage(with))
    lib.options(argv, { ["replica-id"] = with.replica, ["dtr-external-url"] = with.external_url, ["replica-http-port"] = with.http_port,
                        ["replica-https-port"] = with.https_port })
    local found
    dtr.tool(ctx, { command = "restore", on = with.on or with.node, image = image, seen = d, stdin = with.file, argv = argv, timeout = 4 * 3600,
      advice = "Before the next attempt destroy what is left of the new replica (dtr.destroy).",
      holds = function(now)
        local id, r = newest(now, with)
        if not id then return false, "there is no replica on " .. with.node end
        found = id
        return r.health == "healthy", "the replica " .. id .. " is " .. r.health .. (r.why and " (" .. r.why .. ")" or "")
      end })
    return { replica = found }
  end,
}
