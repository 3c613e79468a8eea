-- Names that no service has.

return func {
  summary = "unknown_services(swarm, names) → those of the names that are no service of the swarm",
  call = function(s, names)
    return filter(names, function(name) return s.services[name] == nil end)
  end,
}
