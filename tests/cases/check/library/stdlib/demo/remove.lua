-- Takes members away.
return action {
  summary = "Remove members",
  inputs = { ids = { type = "list", items = "string", required = true, description = "their IDs" } },
  changes = { "demo" },
  destroys = "the data of the members",
  run = function(ctx, with) return {} end,
}
