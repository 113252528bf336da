-- An instrument in a process of its own, in the space of spec/live/space.lua, until its
-- input ends; then it writes what happened:
--   lua5.4 spec/live/instrument.lua SERVER NAME REPORT [SECONDS that a decode takes]
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local live = require "ym2612ml.live"
local space = require "spec.live.space"

local server, name, path, takes = table.unpack(arg)
space.takes = tonumber(takes or 0)
local instrument, message = live.open {
  space = space, server = server, name = name, chip = "ym3438", controllers = { 20, 21, 22, 23, 24, 25, 26, 27 },
}

local function report(text)
  local file <close> = assert(io.open(path .. ".new", "w"))
  file:write(text)
  file:close()
  assert(os.rename(path .. ".new", path))
end

if not instrument then
  report("refused " .. message)
  os.exit(1)
end
local process <close> = assert(io.open("/proc/self/stat"))
report(("pid %d"):format(process:read("n")))
local events, news, kind = 0, nil, nil
while live.input() do
  news, message, kind = instrument:poll()
  if not news then
    break
  end
  events = events + news.events
  instrument:wait(0.02, true)
end
local counts = instrument:status().counts
counts.events, counts.decoded = events, space.decoded
local text = { news and "fine" or ("ended %s: %s"):format(kind, message) }
for count, value in pairs(counts) do
  text[#text + 1] = ("%s %d"):format(count, value)
end
instrument:close()
report(table.concat(text, "\n"))
