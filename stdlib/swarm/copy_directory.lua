-- Copy a node's swarm folder aside, where a shell reaches it: `cp -a` on the node.
-- Source: domain notes "Backup / restore". A copy of a running manager's folder is a last resort, not a backup: nothing is stopped for it.

return action {
  summary  = "Copy a node's swarm folder aside",
  describe = "copy the swarm folder of ${node} aside",
  inputs   = { node = { type = "node", required = true, description = "whose folder" },
               root = { type = "path", required = true, description = "DockerRootDir of its engine" },
               to   = { type = "path", description = "where to; default: beside it, with the time in its name" } },
  outputs  = { path = { type = "string", description = "where the copy is" } },
  changes  = list{},
  on_unknown = "again",

  effect = function() end,

  run = function(ctx, with)
    local from = with.root .. "/swarm"
    local to = with.to or with.root .. "/swarm.quorate-" .. tostring(ctx.now() // 1000)
    local made = ctx.exec{ argv = { "cp", "-a", "--", from, to }, on = with.node, timeout = 120 }
    if not made.ok then
      return ctx.fail(with.node .. ": cp -a " .. from .. " " .. to .. " failed: " .. tostring(made.message or made.stderr or made.failure))
    end
    ctx.log(with.node .. ": " .. from .. " was copied to " .. to)
    return { path = to }
  end,
}
