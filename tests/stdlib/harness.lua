-- The sandbox's names in plain Lua, so that the library can be tested without the interpreter: definitions come back as the tables that
-- they declare, in H.swarm.NAME; facts that were not observed are values of type "unobserved", as in the sandbox.

local H = { root = os.getenv("ROOT") or "." }
local raw_type, raw_pairs = type, pairs
local list_mt = { __name = "list" }
local E = {}

E.math, E.string, E.table, E.utf8 = math, string, table, utf8
E.tonumber, E.tostring, E.select, E.error, E.assert, E.ipairs = tonumber, tostring, select, error, assert, ipairs

local opaque_mt = { __name = "opaque" }
local function read() error("a fact that was not observed was read", 2) end
for _, name in raw_pairs{ "__index", "__newindex", "__len", "__concat", "__add", "__sub", "__lt", "__le", "__call" } do opaque_mt[name] = read end
function E.unobserved(why) return setmetatable({ why }, opaque_mt) end
function E.seen(t, k) local v = t[k] if getmetatable(v) == opaque_mt then return nil, rawget(v, 1) end return v end
function E.type(v) return getmetatable(v) == opaque_mt and "unobserved" or raw_type(v) end
function E.once(t, fn) return fn(t) end
function E.list(t) return setmetatable(t or {}, list_mt) end

local function ordered_keys(t)
  local ks = {}
  for k in raw_pairs(t) do ks[#ks + 1] = k end
  table.sort(ks, function(a, b)
    if raw_type(a) ~= raw_type(b) then return raw_type(a) == "number" end
    return a < b
  end)
  return ks
end

function E.pairs(t)
  local ks, i = ordered_keys(t), 0
  return function()
    i = i + 1
    if ks[i] ~= nil then return ks[i], t[ks[i]] end
  end
end
function E.next(t) local k = ordered_keys(t)[1] if k ~= nil then return k, t[k] end end
local pairs = E.pairs

local function is_list(t) return getmetatable(t) == list_mt or #t > 0 end
local function test(fn, v, k)
  if fn == nil then return v end
  if raw_type(fn) == "string" then return v[fn] end
  return fn(v, k)
end
function E.count(t, fn)
  local n = 0
  for k, v in pairs(t) do if fn == nil or test(fn, v, k) then n = n + 1 end end
  return n
end
function E.take(t, n) local r = E.list{} for i = 1, math.min(n, #t) do r[i] = t[i] end return r end
function E.sorted(t, by)
  local items, r = {}, E.list{}
  for _, v in pairs(t) do items[#items + 1] = { test(by, v), #items, v } end
  table.sort(items, function(a, b) if a[1] ~= b[1] then return a[1] < b[1] end return a[2] < b[2] end)
  for i, x in ipairs(items) do r[i] = x[3] end
  return r
end
function E.any(t, fn) for k, v in pairs(t) do if test(fn, v, k) then return true end end return false end
function E.all(t, fn) for k, v in pairs(t) do if not test(fn, v, k) then return false end end return true end
function E.keys(t) return E.list(ordered_keys(t)) end
function E.values(t) local r = E.list{} for _, v in pairs(t) do r[#r + 1] = v end return r end
function E.map(t, fn) local r = is_list(t) and E.list{} or {} for k, v in pairs(t) do r[k] = test(fn, v, k) end return r end
function E.filter(t, fn)
  local ordered = is_list(t)
  local r = ordered and E.list{} or {}
  for k, v in pairs(t) do if test(fn, v, k) then if ordered then r[#r + 1] = v else r[k] = v end end end
  return r
end
function E.find(t, fn) for k, v in pairs(t) do if test(fn, v, k) then return v, k end end end
function E.contains(t, x) for _, v in pairs(t) do if v == x then return true end end return false end
function E.copy(t)
  if raw_type(t) ~= "table" or getmetatable(t) == opaque_mt then return t end
  local r = setmetatable({}, getmetatable(t))
  for k, v in raw_pairs(t) do r[k] = E.copy(v) end
  return r
end
function E.quorum(n) return n // 2 + 1 end
function E.odd_at_most(n) if n < 1 then return 0 end return n % 2 == 1 and n or n - 1 end

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
E.base64 = { decode = function(s)
  local bits, n, out = 0, 0, {}
  for c in s:gmatch("[%w+/]") do
    bits, n = bits << 6 | (alphabet:find(c, 1, true) - 1), n + 6
    if n >= 8 then
      n = n - 8
      out[#out + 1] = string.char(bits >> n & 255)
      bits = bits & ((1 << n) - 1)
    end
  end
  return table.concat(out)
end }

for _, kind in ipairs{ "action", "probe", "func", "capability", "rule", "event" } do
  E[kind] = function(decl) decl.kind = kind return decl end
end

-- lib.lua of another family, or what a test has put in its place.
H.libs = {}
function E.library(name) return H.libs[name] or H.family(name).lib end

-- A family whose members are loaded when they are first named.
function H.family(name)
  local env = setmetatable({}, { __index = E })
  local dir = H.root .. "/stdlib/" .. name .. "/"
  env.lib = assert(loadfile(dir .. "lib.lua", "t", env))()
  env[name] = setmetatable({ lib = env.lib }, { __index = function(t, member)
    local def = assert(loadfile(dir .. member .. ".lua", "t", env))()
    t[member] = def.kind == "func" and def.call or def
    return t[member]
  end })
  return env[name]
end

-- Whether a value fits a probe's schema; nil or the first place that does not.
function H.misfit(schema, v, path)
  path = path or "the value"
  if not schema or E.type(v) == "unobserved" then return nil end
  local t = schema.type
  local ok = t == "any" or t == raw_type(v) or ((t == "map" or t == "list") and raw_type(v) == "table") or (t == "integer" and math.type(v) == "integer")
  if not ok then return path .. ": expected " .. t .. ", got " .. E.type(v) end
  if schema.enum and not E.contains(schema.enum, v) then return path .. ": '" .. tostring(v) .. "' is not one of the words" end
  if raw_type(v) ~= "table" then return nil end
  for k, x in pairs(v) do
    local below = schema.keys and schema.keys[k] or schema.of
    if not below and (schema.keys or schema.of) then return path .. "." .. tostring(k) .. ": no such key" end
    local why = H.misfit(below, x, path .. "." .. tostring(k))
    if why then return why end
  end
end

-- ---- TAP ------------------------------------------------------------------------------------------------------------

local tests = {}
function H.test(promise, fn) tests[#tests + 1] = { promise, fn } end
function H.same(want, got, what)
  if want ~= got then error((what and what .. ": " or "") .. "wanted " .. tostring(want) .. ", got " .. tostring(got), 2) end
end
function H.run()
  print("1.." .. #tests)
  local bad = 0
  for i, t in ipairs(tests) do
    local ok, why = xpcall(t[2], debug.traceback)
    print((ok and "ok " or "not ok ") .. i .. " - " .. t[1])
    if not ok then
      bad = bad + 1
      print("# " .. tostring(why):gsub("\n", "\n# "))
    end
  end
  os.exit(bad == 0)
end

H.env = E
return H
