-- Source: "For a DTR cluster to be healthy, a majority of its replicas need to be healthy and be able to communicate".

return rule {
  summary = "At the end DTR has its quorum",
  needs = { "dtr" },
  why = "without a majority DTR answers every login, pull and push with an internal server error",
  finally = function(state)
    if state.dtr.quorum.held then return nil end
    return "DTR has no quorum: " .. dtr.picture(state.dtr)
  end,
}
