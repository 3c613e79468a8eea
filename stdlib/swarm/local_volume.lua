-- A task that keeps data on its node is not started anew elsewhere while the node that had it may live: both would write, on different data.
-- What a node that does not answer runs cannot be seen: a task that is missing is taken to be there.

-- A record whose machine may run tasks that nobody sees.
local function hidden(state)
  local s, attested = state.swarm, state.attested
  for id, n in pairs(s.nodes) do
    if n.state ~= "ready" and not n.ghost and not lib.engine_of(s, id) and not (attested and attested[lib.label(n, id)]) then return n, id end
  end
  return nil
end

return rule {
  summary = "A task with a local volume never starts a second time while its old node may live",
  needs = { "swarm" },
  why = "two copies of such a task write to two volumes; which of the two is right nobody can tell afterwards",
  never = function(state, before, by)
    if by == "event" or not before or not before.swarm then return nil end
    for name, service in pairs(state.swarm.services) do
      local old = service.local_volume and before.swarm.services[name]
      if old and old.running < old.desired then
        for id, n in pairs(service.spread) do
          if n > (old.spread[id] or 0) then
            local node, lost = hidden(before)
            if node then
              return "a task of " .. name .. ", which keeps data on its node, starts on " .. lib.label(state.swarm.nodes[id] or {}, id) .. " while " ..
                lib.label(node, lost) .. " (" .. node.state .. ") may still run it"
            end
          end
        end
      end
    end
    return nil
  end,
}
