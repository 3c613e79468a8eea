-- Change a setting of DTR: `docker/dtr reconfigure --existing-replica-id A …`. It redeploys the components, one replica after the other;
-- the membership stays. Source: domain notes: in DTR 2.6.0 to 2.6.3 a reconfigure with --nfs-storage-url drops all tags.

local own = { ["existing-replica-id"] = true, ["ucp-url"] = true, ["ucp-username"] = true, ["ucp-password"] = true, ["ucp-ca"] = true,
              ["ucp-insecure-tls"] = true, ["dtr-key"] = true }

return action {
  summary  = "Change settings of the DTR cluster",
  describe = "reconfigure DTR: ${settings}",
  inputs   = { existing_replica = { type = "string", required = true, description = "ID of a healthy replica" },
               settings = { type = "map", required = true, description = "options and their values, such as { log-level: info }" },
               image = { type = "image", description = "DTR's tool, such as docker/dtr:2.6.4; default: that of the version which runs" },
               on = { type = "node", description = "where the tool runs; default: where the existing replica is" } },
  changes  = { "dtr" },
  on_unknown = "again",
  membership = "dtr",
  settle   = "5m",
  effect   = function() end,

  images = lib.images,

  run = function(ctx, with)
    local d, id = dtr.look(ctx), with.existing_replica
    local r = d.replicas[id]
    for name in pairs(with.settings) do
      if own[name] or not string.find(name, "^[a-z][a-z0-9-]*$") then
        return ctx.fail("settings: '" .. name .. "' cannot be given here; what an option may be `docker/dtr reconfigure --help` tells, without the --")
      end
    end
    if with.settings["nfs-storage-url"] and r and string.find(tostring(r.version), "^2%.6%.[0-3]$") then
      return ctx.fail("DTR " .. r.version .. " drops all tags when nfs-storage-url is reconfigured; upgrade to 2.6.4 or later first")
    end
    dtr.tool(ctx, { command = "reconfigure", via = id, on = with.on, image = with.image, seen = d,
      argv = lib.options(list{ "--existing-replica-id", id }, with.settings),
      holds = function(now)
        local here = now.replicas[id]
        return here ~= nil and here.health == "healthy", "the replica " .. id .. " is " .. (here and here.health or "not there")
      end })
    return {}
  end,
}
