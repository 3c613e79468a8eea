-- What is to be done so that a swarm has the objects of a file, in the order in which they depend on each other. What is there and equal is left; what
-- differs is told, and left unless it is to be replaced. Configs cannot be changed, nor networks while they are used, nor the content of secrets read.

-- Names that the services refer to, by kind.
local function needed(services)
  local r = { networks = {}, configs = {}, secrets = {} }
  for _, s in pairs(services) do
    local task = s.TaskTemplate or {}
    local container = task.ContainerSpec or {}
    for _, where in ipairs{ task, s } do
      for _, n in ipairs(where.Networks or {}) do r.networks[n.Target] = true end
    end
    for _, c in ipairs(container.Configs or {}) do
      if c.ConfigName then r.configs[c.ConfigName] = true end
    end
    for _, c in ipairs(container.Secrets or {}) do
      if c.SecretName then r.secrets[c.SecretName] = true end
    end
  end
  return r
end

return func {
  summary = "recreation(wanted, there, {only = names, replace = bool, given = {secret = true}}) → {create = list of {kind, name}, update = names of services, equal = n, differ = list of texts, missing = names of secrets, blocked = names of services}",
  call = function(wanted, there, o)
    local r = { create = list{}, update = list{}, equal = 0, differ = list{}, missing = list{}, blocked = list{} }
    local services = wanted.services or {}
    local some = o.only and #o.only > 0
    if some then services = filter(services, function(_, name) return contains(o.only, name) end) end
    local uses = needed(services)
    local lacking = {}
    for _, kind in ipairs{ "networks", "configs", "secrets" } do
      for name, spec in pairs(wanted[kind] or {}) do
        local live = there[kind][name]
        if not some or uses[kind][name] then
          if not live and kind == "secrets" and not spec.Driver and not (o.given and o.given[name]) then
            r.missing[#r.missing + 1], lacking[name] = name, true
          elseif not live then
            r.create[#r.create + 1] = { kind = kind, name = name }
          elseif swarm.written(live) ~= swarm.written(spec) then
            r.differ[#r.differ + 1] = string.sub(kind, 1, -2) .. " " .. name
          else
            r.equal = r.equal + 1
          end
        end
      end
    end
    for name, spec in pairs(services) do
      local live = there.services[name]
      local mine = needed{ spec }
      if any(mine.secrets, function(_, secret) return lacking[secret] end) then
        r.blocked[#r.blocked + 1] = name
      elseif not live then
        r.create[#r.create + 1] = { kind = "services", name = name }
      elseif swarm.written(live) == swarm.written(spec) then
        r.equal = r.equal + 1
      elseif o.replace then
        r.update[#r.update + 1] = name
      else
        r.differ[#r.differ + 1] = "service " .. name
      end
    end
    return r
  end,
}
