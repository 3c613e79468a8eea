-- Change a setting of DTR: `docker/dtr reconfigure --existing-replica-id A …`. It redeploys the components, one replica after the other;
-- the membership stays. Source: domain notes: in DTR 2.6.0 to 2.6.3 a reconfigure with --nfs-storage-url drops all tags.

return action {
  summary  = "Change settings of the DTR cluster",
  describe = "reconfigure DTR: ${settings}",
  inputs   = { existing_replica = { type = "string", required = true, description = "ID of a healthy replica" },
               settings = { type = "map", required = true, description = "options and their values, such as { log-level: info }" } },
  changes  = { "dtr" },
  on_unknown = "again",
  membership = "dtr",
  settle   = "5m",
  planned  = true,
  effect   = function() end,
}
