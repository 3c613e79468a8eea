-- A step does not take away a quorum that is held. What the cluster does by itself is no step.
-- Source: "a DTR cluster requires a majority of replicas to be healthy at all times".

return rule {
  summary = "A step never costs DTR the quorum that it has",
  needs = { "dtr" },
  why = "without a majority DTR answers every login, pull and push with an internal server error, and only an emergency repair helps",
  never = function(state, before, by)
    if by == "event" or state.dtr.quorum.held or not before or not before.dtr or not before.dtr.quorum.held then return nil end
    return "DTR had its quorum and has lost it: " .. dtr.picture(state.dtr)
  end,
}
