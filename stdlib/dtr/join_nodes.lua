-- Where new replicas can go, best first. Source: "join new ones"; domain notes "join": the node has no replica yet.
-- A machine that had an unhealthy one comes last: what made it unhealthy may still be there.

return func {
  summary = "join_nodes(dtr, nodes, n) → list of at most n names of nodes: those labelled dtr in the site that answer and have no replica, then those of unhealthy replicas that answer",
  call = function(d, nodes, n)
    local r, taken = list{}, {}
    for _, x in pairs(d.replicas) do
      if x.node then taken[x.node] = true end
    end
    for name, node in pairs(nodes) do
      local label = node.labels and node.labels.dtr
      if #r < n and (label == "yes" or label == true) and not taken[name] and d.nodes and d.nodes[name] then r[#r + 1] = name end
    end
    for _, x in pairs(d.replicas) do
      if #r < n and x.health ~= "healthy" and x.answers and x.node and not contains(r, x.node) then r[#r + 1] = x.node end
    end
    return r
  end,
}
