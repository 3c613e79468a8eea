-- What a backup file is: whether it can be read to its end, of what it is a backup, how old it is, and what it belongs to.
-- The manifest that was written beside it tells, if it is that of this very file; else what is in the archive.
-- Source: domain notes: the first folder of a backup of DTR has its version; one of UCP has the folders of its volumes; a swarm's has docker-state.json.

local function text(description) return { type = "string", description = description } end
local function flag(description) return { type = "boolean", description = description } end

local ucp_volumes = { ["ucp-auth-store-data"] = true, ["ucp-kv"] = true, ["ucp-controller-server-certs"] = true, ["ucp-client-root-ca"] = true,
                      ["ucp-cluster-root-ca"] = true, ["ucp-auth-api-certs"] = true, ["ucp-node-certs"] = true }

-- Of what it is a backup, by the names in it. → kind, version
local function judged(a)
  local version = string.match(tostring(a.first), "^%.?/?dtr%-backup%-v([^/]+)")
  if version then return "dtr", version end
  for _, name in ipairs(a.names) do
    local plain = string.gsub(name, "^%./", "")
    if ucp_volumes[string.match(plain, "^([^/]+)")] then return "ucp" end
    if string.match(plain, "^swarm/docker%-state%.json$") or plain == "docker-state.json" then return "swarm" end
  end
  return "unknown"
end

return probe {
  summary = "What a backup file is, how old, and whether it can be read to its end",
  inputs = { file = { type = "path", required = true, description = "on the operator's machine" } },
  schema = { type = "map", keys = {
    file = text("its path"), found = flag("there is such a file"), readable = flag("it can be read to its end; of an encrypted one: it begins as one"),
    why = { type = "string", description = "why it cannot be used, or what it is", evidence = true },
    kind = { type = "string", enum = { "swarm", "ucp", "dtr", "unknown" }, description = "of what it is a backup" },
    format = text("tar, tar.gz, zip, openpgp or unknown"), encrypted = flag("it is an OpenPGP message"),
    version = text("of what made it"), cluster_id = text("of the swarm that it was made in"), node = text("on which it was made"),
    address = text("of that node then"), engine = text("version of that node's engine then"),
    unlock_key = flag("the swarm was autolocked, so its unlock key is needed, too"),
    age = { type = "number", unit = "s", description = "since it was made", evidence = true },
    bytes = { type = "integer", description = "its size" }, entries = { type = "integer", description = "files in it" },
    manifest = flag("its manifest lies beside it") } },
  run = function(ctx, with)
    local r = { file = with.file, found = false, readable = false, kind = "unknown", encrypted = false, manifest = false, unlock_key = false }
    local st, why = ctx.stat(with.file)
    if not st then
      r.why = why
      return r
    end
    r.found, r.age = true, math.max(0, (ctx.now() - st.modified) / 1000)
    local a = ctx.archive(with.file)
    r.format, r.bytes, r.entries, r.encrypted, r.readable = a.format, a.bytes, a.entries, a.format == "openpgp", a.ok
    if not a.ok then
      r.why = a.message
      return r
    end
    r.kind, r.version = judged(a)
    local m = lib.manifest(ctx, with.file)
    if m then
      r.manifest, r.kind, r.version, r.cluster_id, r.node, r.address = true, m.kind or r.kind, m.version or r.version, m.cluster_id, m.node, m.address
      r.engine, r.unlock_key = m.engine, m.autolock == true
      if type(m.created) == "number" then r.age = math.max(0, (ctx.now() - m.created) / 1000) end
    end
    r.why = with.file .. ": " .. (r.encrypted and "encrypted" or a.format .. ", " .. a.entries .. " files") .. ", " ..
      (r.kind == "unknown" and "of what it is a backup cannot be told" or "a backup of " .. r.kind .. (r.version and " " .. r.version or ""))
    return r
  end,
}
