-- How many replicas to have. Source: domain notes "HA sizing": 1, 3, 5 or 7, never an even number.

return func {
  summary = "wanted(dtr, spare) → the odd number of replicas, at most 7, that the members and `spare` more nodes allow",
  call = function(d, spare)
    return odd_at_most(math.min(7, d.quorum.voters + (spare or 0)))
  end,
}
