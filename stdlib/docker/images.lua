-- Which images each engine has: nothing is pulled in a recovery, since the registry may be what is down.
-- Source: Engine API, GET /images/json: RepoTags of each image, RepoDigests of those that came from a registry.

local function text(description) return { type = "string", description = description } end
local function flag(description) return { type = "boolean", description = description } end

-- "<none>:<none>" is how an engine calls what has no name.
local function names(r, refs)
  for _, ref in ipairs(refs or list{}) do
    if not string.find(ref, "<none>", 1, true) then r[ref] = true end
  end
end

return probe {
  summary = "The images of each engine",
  schema = { type = "map", keys = {
    nodes = { type = "map", description = "by inventory name", of = { type = "map", keys = {
      answers = flag("its engine answers"), why = { type = "string", description = "why not", evidence = true },
      images = { type = "map", of = flag("true"), description = "names as NAME:TAG and NAME@DIGEST; absent where it does not answer" } } } } } },
  run = function(ctx)
    local asked = {}
    for node in pairs(ctx.nodes) do
      asked[node] = function() return ctx.docker(node):get("/images/json", { timeout = 20 }) end
    end
    local r = {}
    for node, got in pairs(ctx.all(asked)) do
      if got.ok then
        local images = {}
        for _, image in ipairs(got.body) do
          names(images, image.RepoTags)
          names(images, image.RepoDigests)
        end
        r[node] = { answers = true, images = images }
      else
        r[node] = { answers = false, why = tostring(got.message) }
      end
    end
    return { nodes = r }
  end,
}
