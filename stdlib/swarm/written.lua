-- Data as a text that changes by few lines when the data changes a little: sorted keys, a line for each, for git.

local function put(out, v, indent)
  if type(v) ~= "table" then
    out[#out + 1] = json.encode(v)
    return
  end
  local ordered = string.sub(json.encode(v), 1, 1) == "["
  local first, deeper = true, indent .. "  "
  out[#out + 1] = ordered and "[" or "{"
  for k, x in pairs(v) do
    out[#out + 1] = (first and "" or ",") .. "\n" .. deeper
    if not ordered then out[#out + 1] = json.encode(k) .. ": " end
    put(out, x, deeper)
    first = false
  end
  out[#out + 1] = (first and "" or "\n" .. indent) .. (ordered and "]" or "}")
end

return func {
  summary = "written(data) → JSON text with sorted keys, one to a line",
  call = function(data)
    local out = {}
    put(out, data, "")
    return table.concat(out) .. "\n"
  end,
}
