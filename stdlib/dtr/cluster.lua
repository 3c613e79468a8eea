-- Which replicas there are, what each believes, and whether DTR can decide anything.
-- Source: "DTR disaster recovery"; domain notes "DTR HTTP" and "DTR containers, volumes, networks".

local function text(description) return { type = "string", description = description } end
local function flag(description) return { type = "boolean", description = description } end
local function number(description) return { type = "integer", description = description } end
local function words(list_of, description) return { type = "string", enum = list_of, description = description } end

local function evidence(entry) entry.evidence = true return entry end -- for people

local function moving(entry) entry.moves = true return entry end -- it changes at a time of its own

local replica = { type = "map", keys = {
  node = text("inventory name of its node; absent: not known"), address = text("where it is asked"),
  port = number("where its nginx is published"), why = evidence(text("why it is not healthy, or who says that it is")),
  answers = flag("the engine of its node answers, or the others hear of it"),
  stopped = flag("its database does not run, as its engine tells: it takes no part until it is repaired or started"),
  containers = evidence(number("how many of its containers there are, running or not; none: volumes only")),
  health = words({ "healthy", "unhealthy", "unknown" }, "as GET /_ping and cluster_status tell"),
  members = { type = "list", of = text("replica ID"), description = "whom it believes to be members; empty: it is none itself" },
  needed = moving(number("the majority that it may still go by while not every member has learnt of a change; absent: that of its members")),
  side = text("its side of a cut, as far as it is known"),
  volumes = words({ "present", "absent", "corrupt", "unknown" }, "what is known of its volumes"),
  last_good = { type = "number", description = "seconds since it last reported that it is well", unit = "s", evidence = true },
  version = text("its version of DTR"), image = evidence(text("the image of the tool that fits it")) } }

return probe {
  summary = "Replicas, their beliefs and the quorum of DTR",
  schema = { type = "map", keys = {
    installed = flag("some container or volume of a replica was seen, or heard of"),
    url = evidence(text("the site's way in")),
    credentials = evidence(words({ "proved", "refused", "untrusted", "unproved", "missing" }, "what cluster_status says to the administrator of ucp in the site")),
    version = text("version of DTR"),
    cut = flag("replicas on different sides do not see each other"),
    quorum = { type = "map", keys = {
      held = flag("some group of replicas has the majority of those that it believes in, healthy and connected"),
      voters = number("members, as the best view tells"), needed = number("how many of them make a majority"),
      healthy = number("how many of them are healthy and connected"),
      why = { type = "string", description = "the evidence, in one line", evidence = true } } },
    replicas = { type = "map", of = replica, description = "by replica ID" },
    gone = evidence{ type = "map", of = replica, description = "by ID: replicas that no cluster counts any more and that did not answer when they were " ..
      "dropped; predicted only, nobody can see them" },
    leftovers = evidence{ type = "map", of = text("node"), description = "volumes of replicas that no cluster counts any more, by ID" },
    busy = evidence{ type = "map", of = text("container"), description = "where a container of DTR's tool runs, by node: somebody is changing DTR" },
    nodes = { type = "map", of = { type = "map", keys = { side = text("its side of a cut") } }, description = "nodes whose engines answer" },
  } },
  run = function(ctx) return dtr.look(ctx) end,
}
