-- Write the metadata of DTR to a file: `docker/dtr backup --existing-replica-id A > FILE`, without -t and with --log-driver none.
-- Source: domain notes: the chosen replica must be healthy; image blobs, users and the vulnerability database are not in it. Asked again
-- after a crash: the file is written anew. Until the new one is whole and readable, what was there before stays.

local docker = library "docker"

return action {
  summary  = "Write a backup of DTR's metadata to a file",
  describe = "back DTR up to ${file}",
  inputs   = { existing_replica = { type = "string", required = true, description = "ID of a healthy replica; always the same one" },
               file = { type = "path", required = true, description = "where the tar goes; it is not encrypted" },
               offline = { type = "boolean", default = false, description = "stop the database meanwhile, for a consistent dump" },
               image = { type = "image", description = "DTR's tool, such as docker/dtr:2.6.4; default: that of the version which runs" },
               on = { type = "node", description = "where the tool runs; default: where the existing replica is" } },
  outputs  = { file = { type = "path", description = "where it is" } },
  changes  = list{},
  on_unknown = "again",

  effect = function(state, with, before)
    local d = lib.was(state, before)
    local r = d and d.replicas[with.existing_replica]
    if r and r.health ~= "healthy" then return false end
    return { file = with.file }
  end,

  images = lib.images,

  run = function(ctx, with)
    local d, id, part = dtr.look(ctx), with.existing_replica, docker.part(ctx, with.file)
    local r = d.replicas[id]
    if not r or r.health ~= "healthy" then
      return ctx.fail("the replica " .. id .. " is " .. (r and r.health .. (r.why and " (" .. r.why .. ")" or "") or "not there") ..
        ", and a backup is made of one that is healthy: " .. tostring(dtr.best_healthy(d).id))
    end
    local made = dtr.tool(ctx, { command = "backup", via = id, on = with.on, image = with.image, seen = d, stdout = part, quiet = true, timeout = 4 * 3600,
      argv = lib.options(list{ "--existing-replica-id", id }, { ["offline-backup"] = with.offline == true }),
      advice = "Nothing was written to " .. with.file .. "; what was there before is there." })
    local archive = ctx.archive(part)
    local version = archive.ok and string.match(tostring(archive.first), "^%.?/?dtr%-backup%-v([^/]+)")
    if not version then
      return ctx.fail(part .. ": it is no backup of DTR: " .. tostring(archive.ok and "it begins with " .. tostring(archive.first) or archive.message))
    end
    local kept, why = docker.keep(ctx, part, with.file, { kind = "dtr", version = version, node = r.node, address = r.address, created = ctx.now() },
      made.sha256)
    if not kept then return ctx.fail(part .. ": the backup was made and cannot be kept: " .. tostring(why)) end
    return { file = with.file }
  end,
}
