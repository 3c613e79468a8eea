-- Run a container to its end on an engine that has the image. Nothing is pulled. What it does to the world is not modelled: that is its own.

return action {
  summary  = "Run a container to its end",
  describe = "run ${image} on ${node}",
  inputs   = { node = { type = "node", required = true, description = "whose engine runs it" },
               image = { type = "image", required = true, description = "which is there already" },
               argv = { type = "list", items = "string", default = {}, description = "its words, without secrets: everybody on the machine can read them" },
               name = { type = "string", description = "the container's name" },
               binds = { type = "list", items = "string", default = {}, description = "as /from:/to" },
               stdin = { type = "path", description = "file that it reads" },
               stdout = { type = "path", description = "file for what it writes" } },
  outputs  = { exit = { type = "integer", description = "its exit status" }, stdout = { type = "string", description = "what it wrote, up to 1 MiB" } },

  images = function(_, with) return { [with.node] = with.image } end,

  run = function(ctx, with)
    local r = lib.run(ctx, with.node, { image = with.image, argv = with.argv, name = with.name, binds = with.binds, stdin = with.stdin, stdout = with.stdout })
    if not r.ok then return ctx.fail(tostring(r.message), { unknown = r.unknown == true }) end
    return { exit = r.exit, stdout = r.stdout }
  end,
}
