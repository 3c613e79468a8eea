-- The tool that fits what runs: from the same registry and of the same version. Source: domain notes: "the same version of the bootstrap image is used".

return func {
  summary = "default_image(dtr) → the image of the tool that fits the replicas; docker/dtr:VERSION if no container tells; nil if nothing does",
  call = function(d)
    local best = dtr.best_healthy(d).id
    local r = d.replicas[best]
    if r and r.image then return r.image end
    for _, other in pairs(d.replicas) do
      if other.image then return other.image end
    end
    return d.version and "docker/dtr:" .. d.version or nil
  end,
}
