-- The services that have fewer tasks on ready nodes than they want. Source: field notes: ServiceStatus counts tasks on dead nodes.

return func {
  summary = "short(swarm) → sorted texts such as \"web 3/4\"; jobs are left out",
  call = function(s)
    local r = list{}
    for name, service in pairs(s.services) do
      if service.mode ~= "job" and service.running < service.desired then r[#r + 1] = name .. " " .. service.running .. "/" .. service.desired end
    end
    return sorted(r)
  end,
}
