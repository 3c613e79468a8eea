-- Write what is declared in the swarm to a file: GET /networks, /configs, /secrets, /services.
-- Source: "Recreate objects". Of secrets only names and labels are known to anybody outside their tasks. What somebody wrote into the environment or
-- the arguments of a service is in the file.

return action {
  summary  = "Write the networks, configs, services and the names of the secrets of a swarm to a file for git",
  describe = "export the swarm's objects to ${file}",
  inputs   = { file = { type = "path", required = true, description = "JSON with sorted keys, on this machine" } },
  outputs  = { services = { type = "integer", description = "how many services" }, secrets = { type = "integer", description = "how many secrets, of which only names and labels" } },
  changes  = list{},
  on_unknown = "again",

  effect = function(state)
    if state.swarm and not lib.decides(state.swarm) then return false end
    return { services = count(state.swarm and state.swarm.services or {}), secrets = 0 }
  end,

  run = function(ctx, with)
    local via, engine = lib.spokesman(ctx)
    local objects = swarm.objects_of(lib.raw_objects(ctx, via, engine))
    local ok, why = ctx.write(with.file, swarm.written(objects))
    if not ok then return ctx.fail(tostring(why)) end
    return { services = count(objects.services), secrets = count(objects.secrets) }
  end,
}
