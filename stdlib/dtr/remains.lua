-- What `dtr.destroy` is for before a restore: volumes that an earlier repair left behind first, since nobody counts them, then replicas.
-- Source: domain notes: every old replica is destroyed first.

return func {
  summary = "remains(dtr) → list of { id, node } of all that is left of DTR on engines that answer: volumes that nobody counts first, then replicas",
  call = function(d)
    local r = list{}
    for id, node in pairs(d.leftovers or {}) do r[#r + 1] = { id = id, node = node } end
    for id, x in pairs(d.replicas) do
      if x.answers then r[#r + 1] = { id = id, node = x.node } end
    end
    return r
  end,
}
