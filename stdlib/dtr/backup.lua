-- Write the metadata of DTR to a file: `docker/dtr backup --existing-replica-id A > FILE`, without -t and with --log-driver none.
-- Source: domain notes: the chosen replica must be healthy; image blobs, users and the vulnerability database are not in it. Asked again
-- after a crash: the file is written anew.

return action {
  summary  = "Write a backup of DTR's metadata to a file",
  describe = "back DTR up to ${file}",
  inputs   = { existing_replica = { type = "string", required = true, description = "ID of a healthy replica; always the same one" },
               file = { type = "path", required = true, description = "where the tar goes; it is not encrypted" },
               offline = { type = "boolean", default = false, description = "stop the database meanwhile, for a consistent dump" } },
  outputs  = { file = { type = "path", description = "where it is" } },
  changes  = list{},
  on_unknown = "again",
  planned  = true,

  effect = function(state, with, before)
    local d = lib.was(state, before)
    local r = d and d.replicas[with.existing_replica]
    if r and r.health ~= "healthy" then return false end
    return { file = with.file }
  end,
}
