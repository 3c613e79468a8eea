-- Write a backup of UCP to a file: `docker/ucp backup > FILE` on a manager, without -t and with --log-driver none.
-- Source: "Create a backup of the remaining manager node"; domain notes "backup": up to 3.1 it takes --id and stops UCP on that manager meanwhile,
-- from 3.2 on it wants --no-passphrase. A passphrase could only be given as an argument, where everybody on the machine can read it, so
-- none is: the file is readable by its owner alone, and is to be encrypted where it is kept. Asked again after a crash: written anew.

return action {
  summary  = "Write a backup of UCP to a file",
  describe = "back UCP up on ${node} to ${file}",
  inputs   = { node = { type = "node", required = true, description = "a manager that has UCP" },
               image = { type = "image", required = true, description = "docker/ucp in the version that is installed" },
               file = { type = "path", required = true, description = "where the tar goes; it is not encrypted" },
               id = { type = "string", description = "UCP's ID, for versions up to 3.1; default: the one that is there" } },
  outputs  = { file = { type = "path", description = "where it is" } },
  changes  = { "ucp" },
  on_unknown = "again",
  settle   = "2m",
  planned  = true,

  effect = function(state, with)
    local u, m = state.ucp, state.ucp.managers[with.node]
    if not u.installed or not m or m.kv == "absent" or not lib.can_manage(state.swarm, with.node) then return false end
    return { file = with.file }
  end,

  outcomes = {
    fails = function(state, with)
      local u, m = state.ucp, state.ucp.managers[with.node]
      if not m or m.kv ~= "running" or not lib.can_manage(state.swarm, with.node) then return false end
      if lib.at_least(lib.image_version(with.image) or u.version, 3, 2) then return false end
      lib.set_manager(u, with.node, "stopped", "silent", m.version)
      lib.recount(u)
    end,
  },
  outcome_texts = { fails = "fails, and leaves UCP on that manager stopped (up to 3.1)" },
}
