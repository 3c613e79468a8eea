-- Load images from a file into an engine: POST /images/load, with the file as the body, in constant memory.
-- Source: Engine API: the answer is 200 before the file was read; what goes wrong later is said in the stream ({"error": …}), and a file that is cut off
-- can end without a word. So only the image's presence afterwards counts. What is in the file is not known before, so the image that it must bring is named, and `done` looks for it.

return action {
  summary  = "Load an image into an engine",
  describe = "load ${image} from ${file} into ${node}",
  inputs   = { node = { type = "node", required = true, description = "whose engine is to have it" },
               file = { type = "path", required = true, description = "what `docker save` wrote, on the operator's machine" },
               image = { type = "image", required = true, description = "that is in it, as NAME:TAG" } },
  changes  = { "docker" },
  on_unknown = "again",
  outputs  = { loaded = { type = "list", items = "string", description = "names that the engine says it has loaded" } },

  effect = function(state, with)
    local n = state.docker.nodes[with.node]
    if not n or not n.answers then return false end
    n.images[lib.full_name(with.image)] = true
  end,

  done = function(state, with)
    local n = state.docker.nodes[with.node]
    return n and n.answers and n.images[lib.full_name(with.image)] and {} or false
  end,

  run = function(ctx, with)
    local engine = ctx.docker(with.node)
    local got = engine:post("/images/load?quiet=1", nil, { file = with.file, timeout = 3600 })
    local unknown = got.sent == true and (got.status == nil or got.status >= 500)
    if not got.ok then
      return ctx.fail(with.node .. ": " .. with.file .. " cannot be loaded: " .. tostring(got.message), { unknown = unknown })
    end
    local said = type(got.body) == "string" and got.body or json.encode(got.body)
    local wrong = string.match(said, '"error":%s*"(.-)"')
    if wrong then return ctx.fail(with.node .. ": " .. with.file .. " cannot be loaded: " .. wrong .. ". Is it what `docker save` wrote?") end
    local loaded = list{}
    for name in string.gmatch(said, 'Loaded image:%s*([^\\"%s]+)') do loaded[#loaded + 1] = name end
    local there = engine:get("/images/" .. with.image .. "/json", { timeout = 20 })
    if there.status == 404 then
      return ctx.fail(with.node .. ": " .. with.file .. " was loaded, but " .. with.image .. " is not there: " ..
        (#loaded > 0 and "it has " .. table.concat(loaded, ", ") or "it names no image") .. ". Save it by its name: docker save " .. with.image)
    elseif not there.ok then
      return ctx.fail(with.node .. ": whether " .. with.image .. " is there now cannot be learnt: " .. tostring(there.message), { unknown = true })
    end
    return { loaded = loaded }
  end,
}
