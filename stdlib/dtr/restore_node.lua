-- Where a restored replica goes: to a node that had one and answers, so that addresses stay; else to one that is labelled for it.

return func {
  summary = "restore_node(dtr, nodes) → name of a node, nil if none is known to answer",
  call = function(d, nodes)
    for _, x in pairs(d.replicas) do
      if x.answers and x.node then return x.node end
    end
    return dtr.join_nodes(d, nodes, 1)[1]
  end,
}
