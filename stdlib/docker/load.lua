-- Load images from a file into an engine: POST /images/load, with the file as the body. It cannot act yet: an engine cannot be sent a file.
-- Source: Engine API. What is in the file is not known before, so the image that it must bring is named, and `done` looks for it.

return action {
  summary  = "Load an image into an engine",
  describe = "load ${image} from ${file} into ${node}",
  inputs   = { node = { type = "node", required = true, description = "whose engine is to have it" },
               file = { type = "path", required = true, description = "what `docker save` wrote, on the operator's machine" },
               image = { type = "image", required = true, description = "that is in it, as NAME:TAG" } },
  changes  = { "docker" },
  on_unknown = "again",
  planned  = true,

  effect = function(state, with)
    local n = state.docker.nodes[with.node]
    if not n or not n.answers then return false end
    n.images[lib.full_name(with.image)] = true
  end,

  done = function(state, with)
    local n = state.docker.nodes[with.node]
    return n and n.answers and n.images[lib.full_name(with.image)] and {} or false
  end,
}
