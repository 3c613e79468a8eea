-- A check of this team's own: nothing is repaired while two ways of counting replicas disagree.

return capability {
  summary = "DTR's containers and DTR's own answers tell of the same replicas, on the same nodes",
  needs = { "dtr", "containers" },
  holds = function(state)
    for id, r in pairs(state.dtr.replicas) do
      local seen = state.containers[id]
      if r.answers and r.volumes == "present" and (not seen or seen.node ~= r.node) then
        return false, "replica " .. id .. " is said to be on " .. tostring(r.node) .. ", and its containers are " .. (seen and "on " .. seen.node or "nowhere")
      end
    end
    return true
  end,
}
