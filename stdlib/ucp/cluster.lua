-- Which managers have UCP, how well each is, and whether its stores can decide.
-- Source: "UCP disaster recovery"; domain notes "UCP components and HTTP": /_ping of each manager itself, never HEAD; the service ucp-agent
-- or, without a quorum of the swarm, the image of the container ucp-proxy tells whether UCP is installed, and its version.

local function text(description) return { type = "string", description = description } end
local function flag(description) return { type = "boolean", description = description } end
local function number(description) return { type = "integer", description = description } end
local function words(list_of, description) return { type = "string", enum = list_of, description = description } end
local function evidence(entry) entry.evidence = true return entry end
local function moving(entry) entry.moves = true return entry end

local function majority(what)
  return { type = "map", description = what, keys = {
    held = flag("a majority runs, and no manager that answers says otherwise"), voters = number("managers that have its data"),
    needed = number("how many of them make a majority"), answering = number("how many of them run on managers that answer"),
    why = evidence(text("the evidence, in one line")) } }
end

return probe {
  summary = "UCP on each manager, and the quorum of its stores",
  schema = { type = "map", keys = {
    installed = flag("the service ucp-agent exists, or, where no swarm can tell, a container ucp-proxy or ucp-controller"),
    version = text("version of UCP"), id = text("instance ID"), url = text("where people reach it"), why = evidence(text("what that rests on")),
    quorum = majority("of ucp-kv"), auth = majority("of ucp-auth-store"),
    managers = { type = "map", description = "managers of the swarm, and machines with the data of a manager of UCP, by inventory name",
      of = { type = "map", keys = {
        answers = flag("its engine answers"), ping = words({ "healthy", "unhealthy", "silent", "unknown" }, "GET /_ping of this manager"),
        why = evidence(text("what /_ping or the engine said")),
        kv = words({ "running", "stopped", "absent", "unknown" }, "its ucp-kv"),
        auth = words({ "running", "stopped", "absent", "unknown" }, "its ucp-auth-store"), version = text("version of UCP on it") } } },
    agents = moving{ type = "map", keys = { desired = number("tasks wanted"), running = number("tasks that run") },
      description = "of the service ucp-agent; absent when it cannot be read" },
    leftovers = evidence{ type = "map", of = number("how many"), description = "containers and volumes of UCP, by inventory name" },
    busy = evidence{ type = "map", of = text("how it is: running, exited, …"), description = "a container with the name of UCP's tool, by inventory name" },
    nodes = evidence{ type = "map", of = text("Status.Message"), description = "what UCP says of nodes" },
    credentials = evidence(words({ "proved", "refused", "unproved", "missing" }, "whether the site's user can log in")),
  } },
  run = function(ctx) return ucp.look(ctx) end,
}
