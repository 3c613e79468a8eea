-- The probe of the cases: a small cluster with members by ID.
return probe {
  summary = "The demonstration cluster",
  inputs = { quick = { type = "boolean", default = false } },
  schema = { type = "map", keys = {
    quorum = { type = "map", keys = { held = { type = "boolean" }, voters = { type = "integer" } } },
    members = { type = "map", of = { type = "map", keys = { name = { type = "string" }, healthy = { type = "boolean" } } } },
    names = { type = "list", of = { type = "string" } },
  } },
  run = function(ctx, with) return {} end,
}
