-- What --replica-ids takes.

return func {
  summary = "ids(list) → the `id` of each, in the same order",
  call = function(t)
    local r = list{}
    for _, x in pairs(t) do r[#r + 1] = x.id end
    return r
  end,
}
