-- Source: domain notes, "Numbers": 1, 3, 5 or 7 managers bear the loss of 0, 1, 2 or 3; one more bears no more.

return rule {
  summary = "At the end the number of managers is odd",
  needs = { "swarm" },
  why = "an even number bears no more losses than one less, and a cut in the middle stops both halves",
  finally = function(state)
    local n = state.swarm.quorum.voters
    if n % 2 == 1 then return nil end
    return "the swarm has " .. n .. " managers, an even number: it bears the loss of " .. math.max(0, (n - 1) // 2) ..
      (n > 0 and ", as " .. n - 1 .. " would" or "")
  end,
}
