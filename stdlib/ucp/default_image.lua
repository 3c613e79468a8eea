-- The image that a version is published as. Source: domain notes "Mirantis naming": the organisation moved with 3.1.15, 3.2.8, 3.3.2 and 3.4.

local moved = { [1] = 15, [2] = 8, [3] = 2 } -- minor of 3 → first patch

return func {
  summary = "default_image(version) → \"docker/ucp:3.2.5\"; from where the name has moved \"mirantis/ucp:…\"; without a version",
  call = function(version)
    local major, minor, patch = lib.parts(version)
    if not major then return "docker/ucp" end
    local new = major > 3 or (major == 3 and (minor >= 4 or patch >= (moved[minor] or 1000)))
    return (new and "mirantis" or "docker") .. "/ucp:" .. version
  end,
}
