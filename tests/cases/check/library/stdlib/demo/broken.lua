-- A definition that does not parse.
return action {
  summary = "Broken",
  run = function(ctx, with) return { end,
}
