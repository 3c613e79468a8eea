-- Source: "If UCP is still installed on the swarm, uninstall UCP"; domain notes "restore": no components of UCP on any node.

return rule {
  summary = "UCP is never restored over what is left of another one",
  needs = { "swarm", "ucp" },
  why = "components of the old UCP go on with the old certificates and stores beside the restored ones; uninstall it everywhere first",
  never = function(state, before, by)
    if by == "event" or not before or not before.ucp or not state.ucp.installed then return nil end
    local was = before.ucp
    if was.installed then
      if was.id == nil or state.ucp.id == was.id then return nil end
      return "UCP is restored while " .. ucp.picture(was) .. " is installed"
    end
    for node, n in pairs(lib.left(was)) do
      return "UCP is restored while " .. node .. " has " .. n .. " containers and volumes of another one"
    end
    return nil
  end,
}
