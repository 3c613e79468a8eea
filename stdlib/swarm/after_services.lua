-- What is assumed once the tasks have started.

return func {
  summary = "after_services(swarm) → the part with every service at its count",
  call = function(s)
    s = copy(s)
    for _, service in pairs(s.services) do service.running = service.desired end
    return s
  end,
}
