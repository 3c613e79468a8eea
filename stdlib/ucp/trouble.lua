-- What keeps UCP from being called well, in one line. Source: "GET /_ping of each manager".

return func {
  summary = "trouble(ucp) → one line on what is wrong, or \"\"",
  call = function(u)
    local ok, why = lib.well(u)
    return ok and "" or why
  end,
}
