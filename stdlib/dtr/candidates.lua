-- Replicas that an emergency repair can start from, the best first. Source: "at least one replica is still healthy, or at least the data
-- volumes for DTR are accessible"; "If the emergency repair command fails, try running it again using a different replica ID".
-- Which one has the newest data cannot be read: it is an assumption that rests on who reported good last.

local volume_words = { present = "its volumes are there", unknown = "its volumes were not seen" }

local function evidence(id, r)
  local age = type(r.last_good) == "number" and math.tointeger(r.last_good // 1)
  return "replica " .. id .. " on " .. tostring(r.node) .. " is " .. r.health .. ", " .. volume_words[r.volumes] .. ", " ..
    (age and "it last reported good " .. dtr.age_text(age) .. " ago" or "when it last reported good is not known") ..
    (r.version and ", version " .. r.version or "")
end

return func {
  summary = "candidates(dtr) → list of { id, node, evidence } of the replicas that answer and whose volumes may be good, the best first",
  call = function(d)
    local r = list{}
    for id, x in pairs(d.replicas) do
      if x.answers and (x.volumes == "present" or x.volumes == "unknown") then
        local age = type(x.last_good) == "number" and x.last_good or 99999999999
        r[#r + 1] = { id = id, node = x.node, evidence = evidence(id, x),
                      key = string.format("%d %d %011d %s", x.volumes == "present" and 0 or 1, x.health == "healthy" and 0 or 1, age // 1, id) }
      end
    end
    r = sorted(r, "key")
    for i = 1, #r do r[i].key = nil end
    return r
  end,
}
