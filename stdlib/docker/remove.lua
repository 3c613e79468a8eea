-- Remove a container: DELETE /containers/{id}. Of one that is not there nothing is asked; its named volumes stay, as do those of `docker rm -f`.
-- Source: Engine API; `v` removes only anonymous volumes.

return action {
  summary  = "Remove a container",
  describe = "remove the container ${container} of ${node}",
  inputs   = { node = { type = "node", required = true, description = "whose engine has it" },
               container = { type = "string", required = true, description = "name or ID" },
               force = { type = "boolean", default = false, description = "also one that runs" } },
  outputs  = { removed = { type = "boolean", description = "it was there" } },
  on_unknown = "again",

  run = function(ctx, with)
    if not string.find(with.container, "^[%w][%w_.-]*$") then return ctx.fail("'" .. with.container .. "' cannot be the name of a container") end
    local got = ctx.docker(with.node):delete("/containers/" .. with.container .. "?v=1" .. (with.force and "&force=1" or ""), { timeout = 60 })
    if got.status == 404 then return { removed = false } end
    if got.status == 409 and not with.force then
      return ctx.fail(with.node .. ": " .. tostring(got.message) .. ". If it is to be ended: force: true")
    end
    if not got.ok then
      return ctx.fail(with.node .. ": the container " .. with.container .. " cannot be removed: " .. tostring(got.message), { unknown = got.status == nil and got.failure ~= "connect" })
    end
    return { removed = true }
  end,
}
