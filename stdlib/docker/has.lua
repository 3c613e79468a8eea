-- Whether an engine has an image. A name without tag means the tag latest, as for the engine itself.

return func {
  summary = "has(docker, node, ref) → whether the engine of that node has the image; nothing is known of one that does not answer",
  call = function(d, node, ref)
    local n = d.nodes[node]
    if not n then return false end
    if not n.answers then return unobserved("the engine of " .. node .. " does not answer, so its images are not known") end
    return n.images[lib.full_name(ref)] == true
  end,
}
