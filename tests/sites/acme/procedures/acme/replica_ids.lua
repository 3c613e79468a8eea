-- The IDs of DTR's replicas, as this team wants them told: by the names of containers, and independent of DTR's own answers.
-- The document has two ways. `docker ps | grep dtr` shows running containers only, and whatever else has "dtr" in its name; cutting the third field between
-- hyphens off `docker inspect` is wrong as soon as UCP puts a node's name in front. Done right, both are one: containers that are stopped count too,
-- the name's part behind the last slash must be one of a component, and what follows its last hyphen must be twelve hexadecimal digits.

local components = { api = true, garant = true, jobrunner = true, nginx = true, ["notary-server"] = true, ["notary-signer"] = true, registry = true,
                     rethinkdb = true, scanningstore = true }

local function id_of(name)
  local component, id = string.match(name, "^/?[^/]*/?dtr%-(.+)%-(%x+)$")
  return component and components[component] and #id == 12 and id == string.lower(id) and id or nil
end

return probe {
  summary = "Where replicas of DTR are, by the names of their containers",
  schema = { type = "map", of = { type = "map", keys = { node = { type = "string", description = "whose engine has them" },
                                                         database = { type = "boolean", description = "its database is among them" } } } },
  run = function(ctx)
    local asks, found = {}, {}
    for name in pairs(ctx.nodes) do
      asks[name] = function() return ctx.docker(name):get("/containers/json?all=1", { timeout = 15 }) end
    end
    for node, answer in pairs(ctx.all(asks)) do
      for _, c in ipairs(answer.ok and answer.body or list{}) do
        local name = c.Names and c.Names[1] or ""
        local id = c.Labels and c.Labels["com.docker.dtr.replica"] or id_of(name)
        if id then
          found[id] = found[id] or { node = node, database = false }
          if string.find(name, "dtr-rethinkdb-", 1, true) then found[id].database = true end
        end
      end
    end
    return found
  end,
}
