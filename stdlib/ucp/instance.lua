-- UCP's ID, as the tool wants it (--id). Source: domain notes "uninstall-ucp": what `docker/ucp id` prints; it is the swarm's cluster ID.

return func {
  summary = "instance(ctx, node, image) → the ID that `docker/ucp id` prints, else the swarm's cluster ID; or ends the task; for runs",
  call = function(ctx, node, image, seen)
    local r = ucp.tool(ctx, { command = "id", node = node, image = image, timeout = 120, soft = true, seen = seen })
    local id = r.ok and string.match(tostring(r.stdout or ""), "^%s*(%w+)%s*$")
    if id then return id end
    local info = ctx.docker(node):get("/info", { timeout = 30 })
    id = info.ok and info.body.Swarm and info.body.Swarm.Cluster and info.body.Swarm.Cluster.ID or ""
    if id ~= "" then
      ctx.log(node .. ": " .. image .. " id did not tell (" .. tostring(r.message or r.fatal or "no ID in its output") .. "); taking the swarm's cluster ID " .. id)
      return id
    end
    return ctx.fail(node .. ": UCP's ID is not known: " .. image .. " id: " .. tostring(r.message or r.fatal or "no ID in its output") ..
      ", and the engine tells no cluster ID. Give it as the input 'id'.")
  end,
}
