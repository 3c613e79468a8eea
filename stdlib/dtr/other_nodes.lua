return func {
  summary = "other_nodes(names, dtr) → those of the names where no healthy replica runs, nor the one that a repair would begin with",
  call = function(names, d)
    local first, r = d.quorum.held and {} or dtr.candidates(d)[1] or {}, list{}
    for _, name in ipairs(names) do
      if name ~= first.node and not dtr.has_replica(d, name) then r[#r + 1] = name end
    end
    return r
  end,
}
