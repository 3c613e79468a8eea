-- What GET /api/v0/meta/cluster_status says, of whatever release. Source: domain notes "DTR HTTP".
-- Members are those that tables are replicated to; where no table is listed, those whose health or server is.

local function replica_id(s)
  return type(s) == "string" and #s == 12 and not string.find(s, "[^0-9a-f]") and s or nil
end

local function server_id(name)
  return replica_id(string.match(tostring(name), "^dtr[_-]rethinkdb[_-]([0-9a-f]+)$"))
end

local function rows(t) return type(t) == "table" and t or {} end

-- Days since 1970 of a date.
local function days(y, m, d)
  if m <= 2 then y, m = y - 1, m + 12 end
  return 365 * y + y // 4 - y // 100 + y // 400 + (153 * (m - 3) + 2) // 5 + d - 719469
end

local months = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12 }

-- Seconds since 1970 of "2019-05-01T10:00:00.5+02:00" or of "Wed, 01 May 2019 10:00:00 GMT", or nil.
local function seconds(text)
  text = tostring(text or "")
  local y, mo, d, h, mi, s, rest = string.match(text, "^(%d+)-(%d+)-(%d+)[Tt ](%d+):(%d+):(%d+)(.*)$")
  if not y then
    local month
    d, month, y, h, mi, s = string.match(text, "^%a+, (%d+) (%a+) (%d+) (%d+):(%d+):(%d+) GMT$")
    mo, rest = month and months[month], ""
    if not mo then return nil end
  end
  local sign, zone_h, zone_m = string.match(rest, "([+-])(%d%d):?(%d%d)$")
  local zone = sign and (tonumber(zone_h) * 3600 + tonumber(zone_m) * 60) * (sign == "-" and -1 or 1) or 0
  local at = days(tonumber(y), tonumber(mo), tonumber(d)) * 86400 + tonumber(h) * 3600 + tonumber(mi) * 60 + tonumber(s) - zone
  return math.tointeger(at)
end

local function add(set, id) if id then set[id] = true end end

return func {
  summary = "told(body, date) → { members, sees, replicas, issues, unready } of an answer of cluster_status and its Date, or nil",
  call = function(body, date)
    if type(body) ~= "table" then return nil end
    local sys = rows(body.rethink_system_tables)
    if not body.replica_health and not body.rethink_system_tables and not body.current_issues then return nil end
    local configured, known, sees, some = {}, {}, {}, false
    for _, t in ipairs(rows(sys.table_config)) do
      for _, shard in ipairs(rows(t.shards)) do
        for _, name in ipairs(rows(shard.replicas)) do add(configured, server_id(name)) end
      end
    end
    for _, s in ipairs(rows(sys.server_status)) do
      local id = server_id(s.name)
      if id and s.status ~= "disconnected" then
        some, sees[id], known[id] = true, true, true
      end
    end
    local now, replicas = seconds(date), {}
    for id, health in pairs(rows(body.replica_health)) do
      if replica_id(id) then
        known[id] = true
        local at = seconds(rows(body.replica_timestamp)[id])
        replicas[id] = { ok = health == "OK", why = health ~= "OK" and tostring(health) or nil, age = at and now and math.max(0, now - at) or nil }
      end
    end
    local issues = list{}
    for _, from in ipairs{ rows(sys.current_issues), rows(body.current_issues) } do
      for _, issue in ipairs(from) do
        local text = type(issue) == "table" and (issue.description or issue.type) or issue
        if not contains(issues, tostring(text)) then issues[#issues + 1] = tostring(text) end
      end
    end
    local unready = list{}
    for _, t in ipairs(rows(sys.table_status)) do
      if type(t.status) == "table" and t.status.ready_for_writes == false then unready[#unready + 1] = tostring(t.db) .. "." .. tostring(t.name) end
    end
    return { members = keys(next(configured) and configured or known), sees = some and sees or nil, replicas = replicas, issues = issues,
             unready = unready }
  end,
}
