-- Runs UCP's own tool, `docker/ucp COMMAND …`, as the container `ucp` on a manager's engine, and waits until UCP is as it should be then.
-- Source: domain notes "docker/ucp bootstrap CLI": it works through the engine's own socket, and must be called `ucp`, so that there is one at a
-- time. Its exit status alone proves nothing: success is status 0, no line of level fatal, and that the cluster itself agrees.
--
-- spec: command; node; image; argv (list, without secrets); stdin, stdout (paths); quiet (keep the output from the log of the engine);
-- timeout (seconds); advice (what to do after a failure); seen (ucp.look, if there is one already); within (seconds); soft (a failure is returned);
-- holds(u) → true, or false and what is missing yet.

local docker = library "docker"

local default_timeout, default_within, every = 3600, 300, 3
local socket = "/var/run/docker.sock:/var/run/docker.sock"

-- The name `ucp` is free on every engine: somebody's run is left alone, and what a run of ours left behind, ended, is cleared away.
local function make_room(ctx, u)
  for node, state in pairs(u.busy or {}) do
    local d = ctx.docker(node)
    local got = d:get("/containers/ucp/json", { timeout = 20 })
    if got.ok then
      local c = got.body
      local labels = c.Config and c.Config.Labels or {}
      if c.State and c.State.Running then
        return ctx.fail(node .. ": UCP's tool is at work already (container ucp, " .. tostring(c.Config and c.Config.Image) .. " " ..
          table.concat(c.Args or list{}, " ") .. ", since " .. tostring(c.State.StartedAt) .. "), and two at once can undo each other. " ..
          "Wait for its end; if nobody waits for it any more: docker rm -f ucp")
      end
      if not labels["com.quorate.run"] then
        return ctx.fail(node .. ": there is a container called ucp (" .. state .. "), and UCP's tool needs that name. If it is not needed: docker rm ucp")
      end
      ctx.log(node .. ": removing the container ucp that the run " .. labels["com.quorate.run"] .. " left behind (" .. state .. ")")
      local gone = d:delete("/containers/" .. c.Id .. "?v=1", { timeout = 60 })
      if not gone.ok and gone.status ~= 404 then return ctx.fail(node .. ": the container ucp of an earlier run cannot be removed: " .. tostring(gone.message)) end
    end
  end
end

local function await(ctx, spec, what)
  local within = spec.within or default_within
  local deadline, missing = ctx.now() + within * 1000, nil
  while true do
    local u, why = ucp.look(ctx, true)
    if u then
      local ok
      ok, why = spec.holds(u)
      if ok then return u end
    end
    if why and why ~= missing then ctx.progress(why) end
    missing = why or missing
    if ctx.now() >= deadline then
      return ctx.fail(what .. " ended well, but after " .. within .. " s " .. (missing or "UCP does not show it") ..
        (spec.advice and "; " .. spec.advice or ""), { unknown = true })
    end
    ctx.sleep(every)
  end
end

return func {
  summary = "tool(ctx, spec) → what docker.run returned, and the state of UCP once it is as spec.holds wants it; for the runs of actions",
  call = function(ctx, spec)
    make_room(ctx, spec.seen or ucp.look(ctx))
    local what = spec.node .. ": " .. spec.image .. " " .. spec.command
    local argv = list{ spec.command }
    for _, word in ipairs(spec.argv or list{}) do argv[#argv + 1] = word end
    ctx.log(what .. (#argv > 1 and ": " .. table.concat(argv, " ") or ""))
    local r = docker.run(ctx, spec.node, { name = "ucp", image = spec.image, argv = argv, binds = list{ socket }, stdin = spec.stdin, stdout = spec.stdout,
                                           quiet_log = spec.quiet or nil, timeout = spec.timeout or default_timeout })
    if not r.ok then
      if spec.stdout and not r.unknown then ctx.remove(spec.stdout) end -- half a backup, with keys in it
      if spec.soft then return r end
      return ctx.fail(spec.command .. ": " .. tostring(r.message) .. (spec.advice and "; " .. spec.advice or ""), { unknown = r.unknown == true })
    end
    return r, spec.holds and await(ctx, spec, what) or nil
  end,
}
