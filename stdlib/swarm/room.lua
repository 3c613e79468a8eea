-- Whether there is room for an archive of a node's swarm folder: `du` there, `df` here. Looked at before anything is stopped.

return action {
  summary  = "Make sure that this machine has room for the swarm folder of a node",
  describe = "see whether there is room for the swarm folder of ${node}",
  inputs   = { node = { type = "node", required = true, description = "whose folder" },
               root = { type = "string", required = true, description = "DockerRootDir of its engine" },
               file = { type = "path", required = true, description = "where the archive is to go" } },
  changes  = list{},
  on_unknown = "again",

  effect = function() end,

  run = function(ctx, with)
    local used = ctx.exec{ argv = { "du", "-sk", with.root .. "/swarm" }, on = with.node, timeout = 120 }
    local need = used.ok and tonumber(string.match(used.stdout, "^(%d+)"))
    if not need then return ctx.fail(with.node .. ": the size of " .. with.root .. "/swarm cannot be learnt: " .. tostring(used.message or used.stderr)) end
    local folder = string.match(with.file, "^(.*)/[^/]*$")
    if folder == "" then folder = "/" end
    local here = ctx.exec{ argv = { "df", "-Pk", folder or "." }, timeout = 60 }
    local free = here.ok and tonumber(string.match(here.stdout, "\n%S+%s+%d+%s+%d+%s+(%d+)"))
    if not free then return ctx.fail("the free room in " .. (folder or "this folder") .. " cannot be learnt: " .. tostring(here.message or here.stdout)) end
    if free < need + need // 10 + 1024 then
      return ctx.fail((folder or "this folder") .. " has " .. free .. " KiB free, and the swarm folder of " .. with.node .. " may take " .. need .. " KiB")
    end
    return {}
  end,
}
