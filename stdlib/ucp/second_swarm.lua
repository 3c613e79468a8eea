-- A restore on a machine in no swarm makes one: beside a swarm that lives, there would be two, each with a UCP.
-- Source: "If there is an existing swarm, the restore operation must be performed on a manager node. If no swarm exists, the restore operation
-- will create one."

return rule {
  summary = "UCP is never restored in a new swarm while machines are in another one",
  needs = { "swarm", "ucp" },
  why = "services, nodes and tokens stay with the old swarm, and the new UCP knows none of them; restore on a manager",
  never = function(state, before, by)
    if by == "event" or not before or not before.swarm or not before.ucp or before.ucp.installed or not state.ucp.installed then return nil end
    if not lib.any_swarm(before.swarm) then return nil end
    for node in pairs(state.ucp.managers) do
      local e = before.swarm.engines[node]
      if e and e.answers and e.local_state == "inactive" then
        return "UCP is restored on " .. node .. ", which makes a new swarm beside: " .. swarm.picture(before.swarm)
      end
    end
    return nil
  end,
}
