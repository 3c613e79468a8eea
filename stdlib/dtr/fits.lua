-- Whether a tool's image is of the version that runs. Source: domain notes: the versions must be equal.

return func {
  summary = "fits(image, version) → whether the tag of the image is that version; a digest or no tag cannot be told and fits",
  call = function(image, version)
    local tag = image and not string.find(image, "@", 1, true) and string.match(image, ":([%w%.%-_]+)$")
    return not tag or not version or version == "" or tag == version
  end,
}
