-- Nothing to repair in DTR.

return capability {
  summary = "DTR has its quorum, and every replica is healthy",
  needs = { "dtr" },
  holds = function(state)
    local d = state.dtr
    if d.installed == false then return false, "no replica of DTR was seen (" .. tostring(d.quorum.why) .. ")" end
    if not d.quorum.held then return false, "DTR has no quorum (" .. tostring(d.quorum.why) .. ")" end
    for id, r in pairs(d.replicas) do
      if r.health ~= "healthy" then return false, "replica " .. id .. " on " .. tostring(r.node) .. " is not healthy; use dtr/repair-replicas" end
    end
    return true
  end,
}
