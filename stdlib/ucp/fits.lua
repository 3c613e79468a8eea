-- Whether an image may be told to back up or uninstall a UCP of that version: they are equal. What has no version is left to the tool.

return func {
  summary = "fits(image, version) → whether the image's tag is that version; true if one of them tells no version",
  call = function(image, version)
    local tag = lib.image_version(image)
    return tag == nil or version == nil or tag == version
  end,
}
