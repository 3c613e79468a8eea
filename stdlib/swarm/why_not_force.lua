-- Why a swarm that has its quorum is not forced, and what to do instead, in one line. Source: "The best way to recover from losing the
-- quorum is to bring the failed nodes back online"; while it is held, nothing needs forcing at all.

return func {
  summary = "why_not_force(swarm) → one line with the reason and the better runbook",
  call = function(s)
    local q = s.quorum
    local lost = list{}
    for id, m in pairs(s.managers) do
      if not m.answers and m.reachability ~= "reachable" then lost[#lost + 1] = lib.label(m, id) end
    end
    local held = "The swarm has its quorum (" .. q.answering .. " of " .. q.voters .. " managers answer, " .. q.needed .. " are needed)"
    if #lost > 0 then
      return held .. "; forcing would throw managers away. Bring " .. table.concat(sorted(lost), ", ") ..
        " back, or demote it and promote another node; swarm/rebalance then spreads the tasks again."
    end
    return held .. ", so there is nothing to recover. If its tasks are badly spread, use swarm/rebalance."
  end,
}
