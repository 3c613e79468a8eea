-- Which managers can be asked for /_ping, and on which port. Source: domain notes "Ports": 443, or another one by --controller-port.

local default_port = 443

local function controller_port(e)
  local lowest
  for _, c in ipairs(e.containers or list{}) do
    if contains(c.Names or list{}, "/ucp-controller") then
      for _, p in ipairs(c.Ports or list{}) do
        if p.PublicPort == default_port then return default_port end
        if p.PublicPort and (not lowest or p.PublicPort < lowest) then lowest = p.PublicPort end
      end
    end
  end
  return lowest or default_port
end

return func {
  summary = "ports(seen) → { [node] = port } of the managers that UCP's controller is asked on",
  call = function(seen)
    local r = {}
    for name in pairs(lib.managers_seen(seen)) do
      local e = seen.engines[name]
      if e then r[name] = e.answers and controller_port(e) or default_port end
    end
    return r
  end,
}
