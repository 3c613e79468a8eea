-- Containers that a step runs to their end, and the files that come out of them. For the runs of actions.
-- Source: domain notes "Exit codes", "What an automated caller really passes": no terminal, no prompts; success is exit status 0 and no line of
-- level fatal; a container that goes on although nobody listens any more has an outcome that is not known.

local lib = {}

local default_timeout = 3600

-- ---- what tools say ----------------------------------------------------------------------------------------------------

-- logrus as text (time="…" level=fatal msg="…"), for a terminal (FATA[0001] …) and as JSON ({"level":"fatal","msg":"…"}).
local forms = { 'level=fatal.-msg="(.-)"%s*$', "level=fatal%s+msg=(%S+)", "^FATA%[%d+%]%s*(.-)%s*$", '"level":%s*"fatal".-"msg":%s*"(.-)"', '"msg":%s*"(.-)".-"level":%s*"fatal"' }

-- The first thing of level fatal that a text has, or nil.
function lib.fatal(text)
  for line in string.gmatch(text or "", "[^\r\n]+") do
    for _, form in ipairs(forms) do
      local said = string.match(line, form)
      if said then return (string.gsub(said, '\\"', '"')) end
    end
  end
  return nil
end

-- The last line that says something, without time and level.
function lib.last_words(text)
  local last
  for line in string.gmatch(text or "", "[^\r\n]+") do
    if string.find(line, "%S") then last = line end
  end
  if not last then return nil end
  local said = string.match(last, 'msg="(.*)"%s*$')
  return said and (string.gsub(said, '\\"', '"')) or last
end

-- ---- one container, from its making to its removal -----------------------------------------------------------------------

-- The words of a list "K=V"; a secret value makes a secret word.
local function environment(env)
  local r = list{}
  for k, v in pairs(env or {}) do r[#r + 1] = k .. "=" .. v end
  return r
end

-- What is to be found again after a crash.
local function labels(ctx, spec)
  local r = copy(spec.labels or {})
  r["com.quorate.run"] = ctx.run.id
  r["com.quorate.step"] = ctx.run.step
  r["com.quorate.attempt"] = ctx.run.attempt and tostring(ctx.run.attempt) or nil
  return r
end

local function described(ctx, spec)
  local input = spec.stdin ~= nil or spec.stdin_text ~= nil
  return { Image = spec.image, Cmd = spec.argv, Entrypoint = spec.entrypoint, Env = environment(spec.env), Labels = labels(ctx, spec), Tty = false,
           OpenStdin = input, StdinOnce = input, AttachStdin = input, AttachStdout = true, AttachStderr = true,
           HostConfig = { Binds = spec.binds, NetworkMode = spec.network, LogConfig = spec.quiet_log and { Type = "none" } or nil } }
end

-- Why a container could not be made, and what to do about it.
local function not_made(engine, node, spec, answer)
  local words = answer.message or "?"
  if answer.status == 404 then
    return node .. " does not have the image " .. spec.image .. ", and nothing is pulled here: the registry may be what is down. Load it there first " ..
      "(docker load)"
  elseif answer.status == 409 and spec.name then
    local other = engine:get("/containers/" .. spec.name .. "/json", { timeout = 20 })
    local who = ""
    if other.ok then
      who = ": " .. tostring(other.body.Config and other.body.Config.Image) .. ", " .. tostring(other.body.State and other.body.State.Status) .. ", made " ..
        tostring(other.body.Created)
    end
    return node .. " has a container called '" .. spec.name .. "' already" .. who .. ". Wait for its end; if nobody waits for it any more: docker rm -f " .. spec.name
  end
  return node .. ": a container of " .. spec.image .. " could not be made: " .. words
end

-- Whether a container (as inspected) was made by an earlier attempt of this very step.
local function ours(ctx, c)
  local l = c.Config and c.Config.Labels or {}
  return ctx.run.id ~= nil and l["com.quorate.run"] == ctx.run.id and l["com.quorate.step"] == ctx.run.step
end

-- A text as it goes into the query of a URL.
function lib.quoted(s)
  return (string.gsub(s, "[^%w%-._~]", function(c) return string.format("%%%02X", string.byte(c)) end))
end

-- spec: image, argv (list, without secrets), env (values may be secrets), name, binds (list), network, stdin (path), stdin_text, stdout (path), quiet_log
-- (nothing of its output is kept by the engine), labels, timeout (seconds).
-- → { ok, exit, message, stdout, stderr, fatal, bytes, sha256, unknown }; the container is gone then, unless the outcome is unknown.
function lib.run(ctx, node, spec)
  local engine, timeout = ctx.docker(node), spec.timeout or default_timeout
  local path = "/containers/create" .. (spec.name and "?name=" .. spec.name or "")
  local made = engine:post(path, described(ctx, spec), { timeout = 60 })
  if made.status == 409 and spec.name then
    local other = engine:get("/containers/" .. spec.name .. "/json", { timeout = 20 })
    if other.ok and ours(ctx, other.body) then
      -- Left by this step when its run broke off; what it was to do is begun anew.
      ctx.log(node .. ": removing the container " .. spec.name .. " that an earlier attempt of this step has left")
      engine:delete("/containers/" .. other.body.Id .. "?force=1&v=1", { timeout = 60 })
      made = engine:post(path, described(ctx, spec), { timeout = 60 })
    end
  end
  if not made.ok then
    return { ok = false, unknown = false, message = not_made(engine, node, spec, made), stdout = "", stderr = "" }
  end
  local id = made.body.Id
  local got = engine:attach(id, { start = true, stdin = spec.stdin, stdin_text = spec.stdin_text, stdout = spec.stdout, timeout = timeout })
  local r = { ok = false, unknown = false, stdout = got.stdout or "", stderr = got.stderr or "", bytes = got.bytes, sha256 = got.sha256 }
  r.fatal = lib.fatal(r.stderr) or (not spec.stdout and lib.fatal(r.stdout)) or nil
  local state = engine:get("/containers/" .. id .. "/json", { timeout = 30 })
  local began = not state.ok or (state.body.State and state.body.State.Status ~= "created")
  if not got.ok and began and (not state.ok or state.body.State.Running) then
    r.unknown = true
    r.message = node .. ": the container " .. string.sub(id, 1, 12) .. " of " .. spec.image .. " was started, and may go on: " .. tostring(got.message)
    return r
  end
  if began then
    local ended = engine:post("/containers/" .. id .. "/wait", nil, { timeout = 60 })
    if not ended.ok then
      r.unknown = true
      r.message = node .. ": how the container " .. string.sub(id, 1, 12) .. " ended cannot be learnt: " .. tostring(ended.message)
      return r
    end
    r.exit = ended.body.StatusCode
  end
  engine:delete("/containers/" .. id .. "?force=1&v=1", { timeout = 60 })
  if not got.ok then
    r.message = node .. ": " .. tostring(got.message)
  elseif r.exit ~= 0 then
    r.message = node .. ": " .. spec.image .. " ended with exit status " .. tostring(r.exit)
    local said = r.fatal or lib.last_words(r.stderr) or (not spec.stdout and lib.last_words(r.stdout))
    if said then r.message = r.message .. ": " .. said end
  elseif r.fatal then
    r.message = node .. ": " .. spec.image .. " ended with exit status 0, but said: " .. r.fatal
  else
    r.ok = true
  end
  return r
end

-- Of a step whose run broke off: waits for the container that it had started, if it is there on any engine, tells what it still says, and removes it once
-- it has ended. How the act ended is for its `done` to tell. Only the step's own containers are looked for, by their labels.
function lib.follow(ctx, timeout)
  local filters = json.encode{ label = list{ "com.quorate.run=" .. tostring(ctx.run.id), "com.quorate.step=" .. tostring(ctx.run.step) } }
  for _, node in ipairs(keys(ctx.nodes)) do
    local engine = ctx.docker(node)
    local found = engine:get("/containers/json?all=1&filters=" .. lib.quoted(filters), { timeout = 20 })
    for _, c in ipairs(found.ok and found.body or list{}) do
      local id = c.Id
      ctx.log(node .. ": the container " .. string.sub(id, 1, 12) .. " that this step had started is " .. tostring(c.State) .. "; following it to its end")
      if c.State == "running" then engine:attach(id, { timeout = timeout or default_timeout }) end
      local ended = engine:post("/containers/" .. id .. "/wait", nil, { timeout = 60 })
      if ended.ok then
        ctx.log(node .. ": it has ended with exit status " .. tostring(ended.body.StatusCode))
        engine:delete("/containers/" .. id .. "?force=1&v=1", { timeout = 60 })
      end
    end
  end
end

-- ---- backups ---------------------------------------------------------------------------------------------------------------

-- Where a backup is written before it is known to be good.
function lib.part(ctx, file) return file .. ".part-" .. ctx.run.id end

-- Makes the good file of a part: only one that can be read to its end takes the place of the old one. manifest: what is known of it (kind, version,
-- cluster_id, node, address, autolock, passphrase); sha256: of the part, if it is known already. → true, or nil and why; the part is kept then.
function lib.keep(ctx, part, file, manifest, sha256)
  local a = ctx.archive(part)
  if not a.ok then return nil, tostring(a.message) .. "; it is kept as " .. part .. ", and " .. file .. " is as it was" end
  if a.format ~= "openpgp" and a.entries == 0 then return nil, part .. " is an archive of nothing; " .. file .. " is as it was" end
  local digest, why = sha256, nil
  if not digest then digest, why = ctx.sha256(part) end
  if not digest then return nil, why end
  local m = copy(manifest)
  m.sha256, m.bytes, m.entries, m.format, m.created = digest, a.bytes, a.entries, a.format, m.created or ctx.now()
  local ok
  ok, why = ctx.write(file .. ".json", json.encode(m) .. "\n")
  if not ok then return nil, why end
  ok, why = ctx.rename(part, file)
  if not ok then return nil, why end
  return true
end

-- What the manifest of a file says, if it is that of this very file; nil and why not.
function lib.manifest(ctx, file)
  local text, why = ctx.text(file .. ".json", 65536)
  if not text then return nil, why end
  local digest = string.match(text, '"sha256":%s*"(%x+)"')
  if not digest or not string.find(text, "^%s*{.*}%s*$") then return nil, file .. ".json is no manifest" end
  if ctx.sha256(file) ~= digest then return nil, file .. ".json belongs to another file" end
  return json.decode(text)
end

-- ---- images ----------------------------------------------------------------------------------------------------------------

-- A name with its tag: without one the engine means latest. The colon of a registry's port is none of a tag.
function lib.full_name(ref)
  if string.find(ref, "@", 1, true) or string.find(ref, ":[^/]*$") then return ref end
  return ref .. ":latest"
end

function lib.has_image(engine, ref)
  return engine:get("/images/" .. ref .. "/json", { timeout = 20 }).ok
end

return lib
