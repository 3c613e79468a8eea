-- Source: domain notes "backup": up to 3.1 UCP's containers on that manager are stopped meanwhile, from 3.2 on they are not.

return func {
  summary = "stops(image) → whether that version of the tool stops UCP on a manager while it makes a backup",
  call = function(image) return lib.at_least(lib.image_version(image), 3, 2) ~= true end,
}
