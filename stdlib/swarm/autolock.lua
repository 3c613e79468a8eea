-- Whether the swarm's keys are locked: what a person says, else what a key file or a leader tells. Field notes, "Autolock": forcing on an
-- autolocked survivor turns its engine inactive, and without a quorum the API does not tell.

return func {
  summary = "autolock(swarm, survivor, told) → \"on\", \"off\" or \"unknown\"; told is the input, which a locked key overrules",
  call = function(s, survivor, told)
    local e = s.engines[survivor]
    if s.cluster.autolock == "on" or (e and seen(e, "key_locked")) then return "on" end
    if told == "on" or told == "off" then return told end
    if e and e.answers and seen(e, "key_locked") ~= nil and e.swarm_dir == "present" then return "off" end
    return s.cluster.autolock
  end,
}
