-- What is declared in a swarm, apart from what the swarm makes of it: networks, configs, secrets (never their content) and services by name, with the
-- IDs in them replaced by names, so that it can be kept in git and made anew elsewhere.
-- Source: "Recreate objects": "you can recreate workloads by manually recreating output from docker inspect commands".

-- null and empty maps are left out: engines of different versions write them or do not. `Global: {}` says something.
local function plain(v)
  if type(v) ~= "table" then return v end
  local r = map(v, plain)
  return filter(r, function(x, k) return type(x) ~= "table" or next(x) ~= nil or k == "Global" or k == "GlobalJob" or type(k) == "number" end)
end

local function network(n)
  local options = filter(n.Options or {}, function(_, k) return k ~= "com.docker.network.driver.overlay.vxlanid_list" end)
  local ipam = n.IPAM or {}
  return plain{ Driver = n.Driver, Internal = n.Internal, Attachable = n.Attachable, EnableIPv6 = n.EnableIPv6, Labels = n.Labels, Options = options,
                IPAM = { Driver = ipam.Driver, Config = ipam.Config, Options = ipam.Options } }
end

local function service(spec, names)
  local r = copy(spec)
  r.Name = nil
  local task = r.TaskTemplate or {}
  task.ForceUpdate, task.Runtime = nil, nil
  local container = task.ContainerSpec or {}
  for _, key in ipairs{ "Secrets", "Configs" } do
    for _, ref in ipairs(container[key] or {}) do ref.SecretID, ref.ConfigID = nil, nil end
  end
  for _, where in ipairs{ task, r } do
    for _, n in ipairs(where.Networks or {}) do n.Target = names[n.Target] or n.Target end
  end
  return plain(r)
end

return func {
  summary = "objects_of({networks, configs, secrets, services}) → {kind, version, networks, configs, secrets, services}: the lists of the engine as maps by name, without IDs and without what secrets contain",
  call = function(raw)
    local r = { kind = "swarm-objects", version = 1, networks = {}, configs = {}, secrets = {}, services = {} }
    local names = {}
    for _, n in ipairs(raw.networks) do
      names[n.Id] = n.Name
      if n.Scope == "swarm" and not n.Ingress then r.networks[n.Name] = network(n) end
    end
    for _, c in ipairs(raw.configs) do r.configs[c.Spec.Name] = plain{ Labels = c.Spec.Labels, Templating = c.Spec.Templating, Data = c.Spec.Data } end
    for _, s in ipairs(raw.secrets) do r.secrets[s.Spec.Name] = plain{ Labels = s.Spec.Labels, Templating = s.Spec.Templating, Driver = s.Spec.Driver } end
    for _, s in ipairs(raw.services) do r.services[s.Spec.Name] = service(s.Spec, names) end
    return r
  end,
}
