-- Whether DTR can decide anything. Source: "a majority of its replicas (n/2 + 1) need to be healthy and be able to communicate".

return capability {
  summary = "A majority of DTR's replicas is healthy and connected, and there is one such group",
  needs = { "dtr" },
  holds = function(state)
    local d = state.dtr
    if d.installed == false then return false, "no replica of DTR was seen (" .. tostring(d.quorum.why) .. ")" end
    if d.quorum.held then
      if lib.rivals(d, lib.view(d)) then return false, "two groups of replicas can each decide (" .. dtr.picture(d) .. ")" end
      return true
    end
    return false, "DTR has no quorum (" .. tostring(d.quorum.why) .. "); use dtr/emergency-repair"
  end,
}
