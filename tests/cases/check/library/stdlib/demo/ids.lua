-- ids(members) → list of their IDs
return func(function(members) return keys(members) end)
