-- Adds a member.
return action {
  summary = "Let a node join",
  describe = "let ${node} join as ${role}",
  inputs = {
    node = { type = "node", required = true, description = "the node that joins" },
    role = { type = "string", enum = { "voter", "observer" }, default = "voter" },
    wait = { type = "duration", default = "30s" },
  },
  outputs = { id = { type = "string" } },
  changes = { "demo" },
  effect = function(state, with) end,
  run = function(ctx, with) return { id = "x" } end,
}
