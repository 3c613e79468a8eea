-- The replica that an emergency repair starts from, see dtr.candidates.

return func {
  summary = "best_candidate(dtr) → { id, node, evidence } of the best replica for an emergency repair; id is empty if there is none",
  call = function(d)
    local found = dtr.candidates(d)[1]
    return found or { id = "", node = "", evidence = "no replica answers whose volumes could be good; only a restore is left" }
  end,
}
