-- What speaks for and against a survivor, in one line. Source: "Recover from losing the quorum" does not say which manager; this does.

local function known(v, text)
  if type(v) == "number" or type(v) == "string" then return string.format(text, tostring(v)) end
  return nil
end

return func {
  summary = "evidence(swarm, name) → one line on what is known of that engine",
  call = function(s, name)
    local e = s.engines[name]
    if not e then return name .. " is not in the inventory" end
    if not e.answers then return name .. " does not answer (" .. tostring(e.why) .. ")" end
    local parts = list{ name .. " is " .. tostring(e.local_state) .. (e.control and " with the state of a manager" or ", no manager") }
    local others = 0
    for other, o in pairs(s.engines) do
      if other ~= name and o.answers and o.version and e.version and o.version ~= e.version then others = others + 1 end
    end
    parts[#parts + 1] = known(e.address, "address %s") or "address not told"
    parts[#parts + 1] = (known(e.version, "engine %s") or "engine version not told") .. (others > 0 and " (others differ)" or "")
    parts[#parts + 1] = known(seen(e, "disk_free_percent"), "%s %% of the disk free") or "disk not seen"
    parts[#parts + 1] = known(seen(e, "clock_offset_ms"), "clock off by %s ms") or "clock not seen"
    parts[#parts + 1] = known(seen(e, "cert_expires"), "certificate until %s") or "certificate not seen"
    parts[#parts + 1] = "how far its Raft log goes cannot be read"
    return table.concat(parts, ", ")
  end,
}
