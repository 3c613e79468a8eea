-- Runs DTR's own tool, `docker/dtr COMMAND …`, as a container on an engine, and waits until DTR is as it should be then.
-- Source: domain notes "docker/dtr bootstrap CLI": it needs no socket of Docker, it goes through UCP; whatever it is not told it asks for, and
-- has nobody to ask. Its exit status alone proves nothing: success is status 0, no line of level fatal, and that DTR itself agrees.
--
-- spec: command; argv (list, without secrets); via (ID of the replica whose node and version go, where `on` and `image` are not given); on;
-- image; stdin, stdout (paths); quiet (keep the output from the log of the engine); timeout (seconds); advice (what to do after a failure);
-- seen (dtr.look, if there is one already); holds(d) → true, or false and what is missing yet; within (seconds).

local docker = library "docker"

local name = "quorate-dtr-tool" -- one at a time, and to be found again after a crash
local default_timeout, default_within, every = 3600, 300, 2

local function of_site(ctx)
  local ucp = ctx.site.ucp
  if not ucp or not ucp.url then return ctx.fail("the site does not say where UCP is, and DTR's tool goes through it: add ucp.url, ucp.username and ucp.password") end
  if not ucp.username or not ucp.password then
    return ctx.fail("the site has no credentials for UCP (ucp.username, ucp.password), and DTR's tool asks for an administrator's")
  end
  local env = { UCP_URL = ucp.url, UCP_USERNAME = ucp.username, UCP_PASSWORD = ucp.password }
  if ucp.insecure then env.UCP_INSECURE_TLS = "true" else env.UCP_CA = ucp.ca_text end
  return env
end

-- The image of the tool that fits what runs: from the same registry, of the same version.
local function fitting(d, via)
  local r = via and d.replicas[via]
  if r and r.image then return r.image end
  for _, other in pairs(d.replicas) do
    if other.image and (not via or not r or not r.version or other.version == r.version) then return other.image end
  end
  return d.version and "docker/dtr:" .. d.version or nil
end

-- One of ours that has ended, and whose end nobody saw: what it said is told, and it makes room.
local function clear(ctx, on)
  local engine = ctx.docker(on)
  local old = engine:get("/containers/" .. name .. "/json", { timeout = 20 })
  if not old.ok or not old.body.State or old.body.State.Running then return end
  ctx.log(on .. ": the container " .. name .. " of an earlier attempt (" .. table.concat(old.body.Args or {}, " ") .. ") has ended with exit status " ..
    tostring(old.body.State.ExitCode) .. ", and is removed")
  engine:delete("/containers/" .. old.body.Id .. "?force=1&v=1", { timeout = 60 })
end

local function await(ctx, spec, what)
  local deadline, missing = ctx.now() + (spec.within or default_within) * 1000, nil
  while true do
    local d, why = dtr.look(ctx, true)
    local ok
    if d then
      ok, why = spec.holds(d)
      if ok then return d end
    end
    if why and why ~= missing then ctx.progress(why) end
    missing = why or missing
    if ctx.now() >= deadline then
      return ctx.fail(what .. " ended well, but after " .. (spec.within or default_within) .. " s " .. (missing or "DTR does not show it") ..
        (spec.advice and ". " .. spec.advice or ""), { unknown = true })
    end
    ctx.sleep(every)
  end
end

return func {
  summary = "tool(ctx, spec) → what docker.run returned, once DTR is as spec.holds wants it; for the runs of actions",
  call = function(ctx, spec)
    local env, d = of_site(ctx), spec.seen or dtr.look(ctx)
    local at, other = next(d.busy or {})
    if at then
      return ctx.fail("DTR's tool is at work already (container " .. other .. " on " .. at .. "), and two at once can undo each other. Wait for its end; " ..
        "if nobody waits for it any more: docker rm -f " .. other)
    end
    local via = spec.via and d.replicas[spec.via]
    local on = spec.on or via and via.node
    if not on then
      return ctx.fail("it is not known on which node " .. (spec.via and "the replica " .. spec.via or "a replica") ..
        " runs, so tell where DTR's tool is to run: the input 'on'")
    end
    local image = spec.image or fitting(d, spec.via)
    if not image then return ctx.fail("the version of DTR is not known, so tell which image to run: the input 'image', such as docker/dtr:2.6.4") end
    local what = on .. ": " .. image .. " " .. spec.command
    local argv = list{ spec.command }
    for _, word in ipairs(spec.argv) do argv[#argv + 1] = word end
    ctx.log(what .. ": " .. table.concat(argv, " "))
    clear(ctx, on)
    local r = docker.run(ctx, on, { name = name, image = image, argv = argv, env = env, stdin = spec.stdin, stdout = spec.stdout, quiet_log = spec.quiet or nil,
                                    timeout = spec.timeout or default_timeout })
    if not r.ok then
      return ctx.fail(spec.command .. ": " .. tostring(r.message) .. (spec.advice and ". " .. spec.advice or ""), { unknown = r.unknown == true })
    end
    if spec.holds then await(ctx, spec, what) end
    return r
  end,
}
