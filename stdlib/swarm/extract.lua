-- Put the swarm folder of a backup in the place of a node's own, whose engine is stopped. The one that is there is moved aside, never deleted.
-- Source: domain notes "Backup / restore": empty the folder, extract. Never on another node than the backup's.
-- The old managers that do not answer are not to come back with their old state, so each of them needs somebody's word.

return action {
  summary  = "Replace the swarm folder of a node with a stopped engine by that of a backup; the old one is moved aside",
  describe = "extract ${file} on ${node}",
  inputs   = { node = { type = "node", required = true, description = "the node that the backup was made on; its engine is stopped" },
               file = { type = "path", required = true, description = "tar.gz of a swarm folder, on this machine" },
               root = { type = "string", required = true, description = "DockerRootDir of its engine" } },
  outputs  = { aside = { type = "string", description = "where the folder is that was there before; empty if there was none" } },
  changes  = list{},
  destroys = "whatever the swarm has come to since the backup; the node's swarm folder of now is kept beside it",
  on_unknown = "again",
  membership = "swarm",

  attests = function(state, with)
    local s, r = state.swarm, {}
    local known = next(s.managers) ~= nil
    for name, e in pairs(s.engines) do
      local manager = not known or any(s.managers, function(m) return m.name == name end)
      if name ~= with.node and not e.answers and manager then
        r[name] = "it does not answer (" .. tostring(e.why) .. "), and is or may be a manager of the swarm that is restored"
      end
    end
    for id, m in pairs(s.managers) do
      if not m.name and not m.answers then r[lib.label(m, id)] = "it is a manager of the swarm, and is not in the inventory, so nobody asked it" end
    end
    return r
  end,

  effect = function(state, with)
    local e = state.swarm.engines[with.node]
    if not e or e.answers then return false end
    return { aside = "" }
  end,

  run = function(ctx, with)
    local node, root = with.node, with.root
    local function on_node(argv, o)
      return ctx.exec{ argv = argv, on = node, stdin_file = o and o.file, timeout = o and o.timeout or 60 }
    end
    if root == "" then return ctx.fail(node .. ": where its engine keeps its data is not known") end
    local a = ctx.archive(with.file)
    if not a.ok then return ctx.fail(tostring(a.message)) end
    local below = lib.archive_root(a.names)
    if not below then return ctx.fail(with.file .. ": it is no archive of a swarm folder: there is no docker-state.json in it") end
    if ctx.docker(node):get("/_ping", { timeout = 5 }).ok then return ctx.fail(node .. ": its engine runs. Stop it first: what it has in memory would be mixed with the backup") end
    local aside = root .. "/swarm.quorate-" .. tostring(ctx.now())
    local there = on_node{ "test", "-e", root .. "/swarm" }
    if there.ok then
      local moved = on_node{ "mv", "--", root .. "/swarm", aside }
      if not moved.ok then return ctx.fail(node .. ": " .. root .. "/swarm cannot be moved aside: " .. tostring(moved.message)) end
      ctx.log(node .. ": the swarm folder that was there is " .. aside .. " now")
    elseif there.failure then
      return ctx.fail(node .. ": " .. tostring(there.message))
    else
      aside = ""
    end
    local made = on_node{ "mkdir", "-m", "0700", "--", root .. "/swarm" }
    if not made.ok then return ctx.fail(node .. ": " .. root .. "/swarm cannot be made: " .. tostring(made.message)) end
    local put = on_node({ "tar", "-C", below == "." and root .. "/swarm" or root, "-xpzf", "-" }, { file = with.file, timeout = 1800 })
    if not put.ok then
      return ctx.fail(node .. ": " .. with.file .. " cannot be extracted: " .. tostring(put.message) .. (aside ~= "" and ". What was there before is " .. aside or ""))
    end
    return { aside = aside }
  end,
}
