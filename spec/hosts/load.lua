-- The example for lighttpd under wrk's load: what it answers, and whether it grows.
--   lua5.4 spec/hosts/load.lua [seconds]
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local servers = require "spec.hosts.server"
local support = require "spec.support"
local ym = require "ym2612ml"

local FIRST = 10 -- seconds, after which memory is what it must stay
local MOST = 1.02 -- times that
local seconds = math.tointeger(tonumber(arg[1] or 120))

local missing = servers.missing() or not servers.find("wrk") and "wrk is not installed"
if missing then
  io.stderr:write(missing, "\n")
  os.exit(1)
end

local folder = support.new_folder()
support.write_file(folder .. "/patch", ym.patch.encode(support.PATCH, "y12"))
local server = servers.start(folder)

-- Loads it with eight connections, and prints what wrk counted and the memory after it.
local function load_for(time)
  local command = "wrk -t1 -c8 -d%ds --timeout 20s -s spec/hosts/post.lua %s -- @/patch"
  local out, complaint = support.run(command:format(time, server.url), folder)
  local line = assert(out:match("%d+ answers[^\n]*"), out .. complaint)
  local memory = server:memory()
  print(("%d s: %s; %.1f MiB"):format(time, line, memory / 1024))
  return memory, tonumber(line:match("(%d+) of another")) + tonumber(line:match("(%d+) failed"))
end

local first, wrong = load_for(FIRST)
local last, more = load_for(seconds)
local log = server:stop()
support.remove_folder(folder)
print(("grown by %.2f %%"):format(100 * (last / first - 1)))
if wrong + more > 0 or last > MOST * first or log:find("lua:", 1, true) then
  io.stderr:write("the server failed or grew\n", log)
  os.exit(1)
end
