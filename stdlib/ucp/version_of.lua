-- Which version an image is of: what the tools take (--id, --no-passphrase) goes by it.

return func {
  summary = "version_of(image) → \"3.2.5\"; \"\" if its tag is no version",
  call = function(image) return lib.image_version(image) or "" end,
}
