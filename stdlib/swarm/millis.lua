-- An engine's time. Source: GET /info, SystemTime.

return func {
  summary = "millis(text) → ms since 1970 of \"2026-11-23T08:21:57.123456789Z\", or nil",
  call = function(text)
    local y, mo, d, h, mi, s, f = string.match(tostring(text), "^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)%.?(%d*)Z$")
    if not y then return nil end
    y, mo, d = tonumber(y), tonumber(mo), tonumber(d)
    if mo <= 2 then y, mo = y - 1, mo + 12 end
    local days = 365 * y + y // 4 - y // 100 + y // 400 + (153 * (mo - 3) + 2) // 5 + d - 719469
    return ((days * 24 + tonumber(h)) * 60 + tonumber(mi)) * 60000 + tonumber(s) * 1000 + tonumber(string.sub(f .. "000", 1, 3))
  end,
}
