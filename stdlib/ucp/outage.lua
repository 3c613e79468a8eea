-- Source: domain notes "backup": up to 3.1 UCP stops on that manager meanwhile, which is all of UCP where there is no other.

return func {
  summary = "outage(ucp, image, node) → whether a backup on that manager takes UCP away meanwhile",
  call = function(u, image, node)
    if lib.at_least(lib.image_version(image) or u.version, 3, 2) then return false end
    return not any(u.managers, function(m, name) return name ~= node and m.ping == "healthy" end)
  end,
}
