-- An age in the largest unit that does not hide much.

return func {
  summary = "age_text(seconds) → \"40 s\", \"12 min\", \"5 h\", \"9 days\"",
  call = function(seconds)
    local s = math.tointeger(seconds // 1)
    if s < 120 then return s .. " s" end
    if s < 7200 then return (s // 60) .. " min" end
    if s < 172800 then return (s // 3600) .. " h" end
    return (s // 86400) .. " days"
  end,
}
