-- What is assumed once machines have been brought up in the place of lost ones: empty, with an engine in no swarm.

return func {
  summary = "after_machines(swarm, names) → the part as it is assumed to be then",
  call = function(s, names)
    s = copy(s)
    for _, name in ipairs(names) do
      local e = s.engines[name]
      if e and not e.answers then
        s.engines[name] = { answers = true, local_state = "inactive", control = false, address = e.address, host = name, swarm_dir = "empty", members = {} }
      end
    end
    return s
  end,
}
