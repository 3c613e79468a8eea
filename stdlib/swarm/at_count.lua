-- Whether a service has the tasks that it wants, on ready nodes.

return func {
  summary = "at_count(swarm, service) → whether that many tasks run on ready nodes",
  call = function(s, name)
    local service = s.services[name]
    return service ~= nil and service.running >= service.desired
  end,
}
