-- A probe without a schema, and with a key that nobody knows.
return probe {
  summary = "No schema",
  sumary = "twice",
  run = function() return {} end,
}
