-- What wrk posts to the example for lighttpd: a patch at all notes and many lengths, and, once in
-- twenty requests, what is no patch. wrk runs this in LuaJIT, and calls its globals.
-- luacheck: globals wrk init request response setup done refused other

local patch
local number = 0
local threads = {}
refused, other = 0, 0 -- globals, so that `done` can ask each thread

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  patch = file:read("*a")
  file:close()
end

function request()
  number = number + 1
  local body = number % 20 == 0 and ("x"):rep(number % 5000) or patch
  local path = ("/render?note=%d&held=%.2f&release=0.1"):format(24 + number % 80, 0.1 + number % 7 / 20)
  return wrk.format("POST", path, nil, body)
end

function response(status)
  refused = refused + (status == 400 and 1 or 0)
  other = other + (status ~= 200 and status ~= 400 and 1 or 0)
end

function setup(thread)
  threads[#threads + 1] = thread
end

function done(summary)
  local errors, all_refused, all_other = summary.errors, 0, 0
  for _, thread in ipairs(threads) do
    all_refused, all_other = all_refused + thread:get("refused"), all_other + thread:get("other")
  end
  print(("%d answers, %.1f a second: %d refused, as they must be, %d of another status, %d failed"):format(
    summary.requests, summary.requests / summary.duration * 1e6, all_refused, all_other,
    errors.connect + errors.read + errors.write + errors.timeout))
end
