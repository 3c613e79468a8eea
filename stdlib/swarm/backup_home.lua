-- The machine that a backup belongs to. Source: domain notes "Backup / restore": a backup is tied to its node's address.

return func {
  summary = "backup_home(swarm, node, address) → name of the engine at that address, else that node, else some node's name",
  call = function(s, node, address)
    for name, e in pairs(s.engines) do
      if address and address ~= "" and e.address == address then return name end
    end
    if node and s.engines[node] then return node end
    return keys(s.engines)[1]
  end,
}
