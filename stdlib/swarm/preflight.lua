-- What may go wrong on the way, where it can be seen: clocks, certificates, disks, engine versions. Source: domain notes, "known DR problems".

return func {
  summary = "preflight(swarm[, now_ms]) → sorted list of warnings; what cannot be seen is not warned about",
  call = function(s)
    local r, versions = list{}, {}
    for name, e in pairs(s.engines) do
      if e.answers then
        local clock, disk = seen(e, "clock_offset_ms"), seen(e, "disk_free_percent")
        if clock and (clock > 5000 or clock < -5000) then
          r[#r + 1] = name .. ": its clock is off by " .. clock // 1000 .. " s"
        end
        if disk and disk < 10 then
          r[#r + 1] = name .. ": only " .. disk .. " % of its disk is free"
        end
        if e.version then
          versions[e.version] = versions[e.version] or list{}
          versions[e.version][#versions[e.version] + 1] = name
        end
      end
    end
    if count(versions) > 1 then
      local parts = list{}
      for v, names in pairs(versions) do parts[#parts + 1] = v .. " on " .. table.concat(sorted(names), ", ") end
      r[#r + 1] = "engine versions differ: " .. table.concat(parts, "; ")
    end
    return sorted(r)
  end,
}
