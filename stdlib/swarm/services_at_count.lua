-- Source: "Force the swarm to rebalance"; field notes: tasks on dead nodes do not count.

return rule {
  summary = "At the end every service has the tasks that it wants",
  needs = { "swarm" },
  why = "a service that lacks tasks answers slowly or not at all",
  finally = function(state)
    for _, service in pairs(state.swarm.services) do
      if service.mode ~= "job" and service.running < service.desired then
        return "services lack tasks: " .. table.concat(swarm.short(state.swarm), ", ")
      end
    end
    return nil
  end,
}
