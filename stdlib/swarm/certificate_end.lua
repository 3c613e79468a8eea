-- The end of validity of a PEM certificate: the second of its two times, found by their DER tag.

return func {
  summary = "certificate_end(pem) → \"2027-02-21T08:00:00Z\", or nil",
  call = function(pem)
    local body = string.match(pem or "", "BEGIN CERTIFICATE%-%-%-%-%-(.-)%-%-%-%-%-END")
    if not body then return nil end
    local der = base64.decode((string.gsub(body, "%s", "")))
    local last
    for y, mo, d, h, mi, s in string.gmatch(der, "\x17\x0d(%d%d)(%d%d)(%d%d)(%d%d)(%d%d)(%d%d)Z") do
      local at = "20" .. y .. "-" .. mo .. "-" .. d .. "T" .. h .. ":" .. mi .. ":" .. s .. "Z"
      if last then return at end
      last = at
    end
    return nil
  end,
}
