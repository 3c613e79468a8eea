-- The last replica whose volumes are good is neither destroyed nor removed. Volumes that turn out to be corrupt were not thrown away.
-- Source: "minimizes the amount of data lost"; "All replicas are unhealthy".

local function good(r) return r.volumes == "present" and r.answers end

return rule {
  summary = "The last good copy of DTR's data is never thrown away",
  needs = { "dtr" },
  why = "repositories, tags, access rights and signatures are in these volumes alone; after that only a backup is left",
  never = function(state, before, by)
    if by == "event" or not before or not before.dtr then return nil end
    local now = state.dtr.replicas
    for _, r in pairs(now) do
      if good(r) then return nil end
    end
    for id, r in pairs(before.dtr.replicas) do
      if good(r) and (not now[id] or now[id].volumes == "absent") then
        return "replica " .. id .. " on " .. tostring(r.node) .. " had the last volumes that were known to be good, and they are gone"
      end
    end
    return nil
  end,
}
