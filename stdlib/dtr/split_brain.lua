-- Two groups of replicas that can each decide: both accept writes, and their histories part for good.
-- Source: "Split-brain scenario". Judged as there: a group counts with the majority of before a change until every member has learnt of it.

local view, rivals = lib.view, lib.rivals

return rule {
  summary = "There are never two groups of DTR replicas that can each decide",
  needs = { "dtr" },
  why = "both groups accept writes and their histories diverge, which makes two different clusters of one; what one of them stored is lost",
  never = function(state, before)
    local d = state.dtr
    local v = view(d)
    local i, j = rivals(d, v)
    if not i then return nil end
    if before and before.dtr and rivals(before.dtr, view(before.dtr)) then return nil end
    return lib.names(d, v, v.mates[i]) .. " and " .. lib.names(d, v, v.mates[j]) .. " form two groups that do not count each other, and each has the " ..
      "replicas it needs to decide (" .. lib.needed(d.replicas[v.ids[i]]) .. " and " .. lib.needed(d.replicas[v.ids[j]]) .. ")"
  end,
}
