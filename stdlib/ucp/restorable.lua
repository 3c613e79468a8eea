-- Source: domain notes "restore": the image has the backup's major.minor, a later patch is allowed.

return func {
  summary = "restorable(image, version) → whether an image restores a backup of that version; true if one of them tells no version",
  call = function(image, version) return lib.restorable(version, lib.image_version(image)) ~= false end,
}
