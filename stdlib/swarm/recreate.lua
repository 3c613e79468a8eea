-- Make the objects of a file that `swarm.export` wrote, in the order in which they depend on each other.
-- Source: "Recreate objects". Asked again: what is there and equal is left. The content of a secret is read from a file of its name, goes to the
-- engine, and nowhere else.

local path_of = { networks = "/networks/create", configs = "/configs/create", secrets = "/secrets/create", services = "/services/create" }

-- The IDs of what a service refers to by name; nil and the name that is not there.
local function with_ids(spec, name, ids)
  local r = copy(spec)
  r.Name = name
  local task = r.TaskTemplate or {}
  local container = task.ContainerSpec or {}
  for _, where in ipairs{ task, r } do
    for _, n in ipairs(where.Networks or {}) do n.Target = ids.networks[n.Target] or n.Target end
  end
  for _, c in ipairs(container.Configs or {}) do
    c.ConfigID = ids.configs[c.ConfigName]
    if c.ConfigName and not c.ConfigID then return nil, "config " .. c.ConfigName end
  end
  for _, c in ipairs(container.Secrets or {}) do
    c.SecretID = ids.secrets[c.SecretName]
    if c.SecretName and not c.SecretID then return nil, "secret " .. c.SecretName end
  end
  return r
end

local function ids_in(raw)
  local r = { networks = {}, configs = {}, secrets = {}, services = {} }
  for _, n in ipairs(raw.networks) do
    if n.Scope == "swarm" or not r.networks[n.Name] then r.networks[n.Name] = n.Id end
  end
  for _, kind in ipairs{ "configs", "secrets", "services" } do
    for _, x in ipairs(raw[kind]) do r[kind][x.Spec.Name] = x.ID end
  end
  return r
end

return action {
  summary  = "Make the networks, configs, secrets and services of a file, as far as they are not there",
  describe = "recreate the objects of ${file}",
  inputs   = { file = { type = "path", required = true, description = "what swarm.export wrote" },
               only = { type = "list", items = "string", default = {}, description = "these services and what they refer to; default: all" },
               replace = { type = "boolean", default = false, description = "update services that differ" },
               secrets = { type = "path", description = "folder with a file for each secret, called as it is" } },
  outputs  = { created = { type = "integer", description = "how many objects were made" }, equal = { type = "integer", description = "how many were there and equal" },
               differ = { type = "string", description = "what differs and was left" } },
  changes  = { "swarm" },
  on_unknown = "again",

  effect = function(state)
    if not lib.decides(state.swarm) then return false end
    return { created = 0, equal = 0, differ = "" }
  end,

  run = function(ctx, with)
    local text, why = ctx.text(with.file, 16 << 20)
    if not text then return ctx.fail(tostring(why)) end
    if not string.find(text, '"kind": "swarm-objects"', 1, true) then return ctx.fail(with.file .. ": it is no file of swarm.export") end
    local wanted = json.decode(text)
    if wanted.version ~= 1 then return ctx.fail(with.file .. ": version " .. tostring(wanted.version) .. " of the format is not known here, only 1") end
    for _, name in ipairs(with.only or {}) do
      if not wanted.services[name] then return ctx.fail(with.file .. ": it has no service '" .. name .. "'") end
    end
    local via, engine = lib.spokesman(ctx)
    local raw = lib.raw_objects(ctx, via, engine)
    local ids, given = ids_in(raw), {}
    for name in pairs(wanted.secrets) do
      local st = with.secrets and not ids.secrets[name] and ctx.stat(with.secrets .. "/" .. name)
      given[name] = st and st.kind == "file" or nil
    end
    local todo = swarm.recreation(wanted, swarm.objects_of(raw), { only = with.only, replace = with.replace, given = given })
    local problems, created = list{}, 0
    for _, x in ipairs(todo.create) do
      local body = copy(wanted[x.kind][x.name])
      body.Name = x.name
      if x.kind == "networks" then
        body.CheckDuplicate = true
      elseif x.kind == "secrets" and not body.Driver then
        local content, unread = ctx.text(with.secrets .. "/" .. x.name, 512000)
        if not content then return ctx.fail("the secret " .. x.name .. ": " .. tostring(unread)) end
        ctx.secret(content) -- no answer that repeats it brings it into a log
        body.Data = base64.encode(content)
      elseif x.kind == "services" then
        local lacks
        body, lacks = with_ids(wanted.services[x.name], x.name, ids)
        if not body then problems[#problems + 1] = "service " .. x.name .. " needs " .. lacks .. ", which is not there" end
      end
      if body then
        ctx.progress(string.sub(x.kind, 1, -2) .. " " .. x.name)
        local made = engine:post(path_of[x.kind], body, { timeout = 60 })
        if made.ok then
          created, ids[x.kind][x.name] = created + 1, made.body.ID or made.body.Id
          ctx.log(string.sub(x.kind, 1, -2) .. " " .. x.name .. " was made")
        elseif made.status and made.status ~= 0 then
          problems[#problems + 1] = string.sub(x.kind, 1, -2) .. " " .. x.name .. ": " .. lib.answer_text(made)
        else
          return lib.fail(ctx, via, "POST " .. path_of[x.kind], made)
        end
      end
    end
    for _, name in ipairs(todo.update) do
      local spec, lacks = with_ids(wanted.services[name], name, ids)
      if not spec then
        problems[#problems + 1] = "service " .. name .. " needs " .. lacks .. ", which is not there"
      else
        lib.update_service(ctx, via, engine, name, function(live)
          local force = live.TaskTemplate and live.TaskTemplate.ForceUpdate
          for k in pairs(live) do live[k] = nil end
          for k, v in pairs(spec) do live[k] = v end
          live.TaskTemplate.ForceUpdate = force
        end)
        created = created + 1
        ctx.log("service " .. name .. " was updated")
      end
    end
    for _, text_of in ipairs(todo.differ) do ctx.log(text_of .. " differs from the file, and is left as it is" .. (with.replace and "" or " (services: replace=true)")) end
    if #todo.missing > 0 then
      problems[#problems + 1] = "the content of secrets cannot be recovered; put a file for each into a folder and name it by `secrets`: " .. table.concat(todo.missing, ", ") ..
        (#todo.blocked > 0 and ". Until then these services are not made: " .. table.concat(todo.blocked, ", ") or "")
    end
    if #problems > 0 then return ctx.fail(created .. " objects were made. " .. table.concat(problems, "; ")) end
    return { created = created, equal = todo.equal, differ = table.concat(todo.differ, ", ") }
  end,
}
