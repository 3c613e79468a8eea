-- How tasks can be spread anew. Source: "Force the swarm to rebalance": "In Docker 1.13 and higher, you can use the --force flag"; with an earlier version one
-- scales up and down again.

return func {
  summary = "rebalance_by(swarm) → \"scale\" if an engine that answers is older than 1.13, else \"force\"",
  call = function(s)
    for _, e in pairs(s.engines) do
      local major, minor = string.match(e.answers and tostring(seen(e, "version")) or "", "^(%d+)%.(%d+)")
      if major and tonumber(major) == 1 and tonumber(minor) < 13 then return "scale" end
    end
    return "force"
  end,
}
