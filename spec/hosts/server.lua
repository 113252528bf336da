-- Runs the example for lighttpd, for the spec and for the load test.
local lfs = require "lfs"
local support = require "spec.support"

local M = {}

local LOOKS = 1200 -- a twentieth of a second each

-- A command's path, or nil where it is missing. Debian's servers are where not everybody looks.
local function find(name)
  for folder in (os.getenv("PATH") .. ":/usr/sbin:/usr/local/sbin"):gmatch("[^:]+") do
    if lfs.attributes(folder .. "/" .. name, "mode") == "file" then
      return folder .. "/" .. name
    end
  end
end
M.find = find

--- What the example needs that is not here, in words, or nil.
---@return string?
function M.missing()
  local names = { find("lighttpd") or "lighttpd", find("curl") or "curl" }
  for _, name in ipairs(names) do
    if not name:find("/") then
      return name .. " is not installed"
    end
  end
  if not lfs.attributes("/usr/lib/lighttpd/mod_magnet.so", "mode") then
    return "lighttpd's mod_magnet is not installed"
  end
end

local Server = {}
Server.__index = Server

-- The example's settings with another port.
local function configure(folder, port)
  local text, changed = support.read_file("examples/lighttpd/lighttpd.conf"):gsub("server.port = %d+",
    "server.port = " .. port)
  assert(changed == 1)
  support.write_file(folder .. "/lighttpd.conf", text)
  support.write_file(folder .. "/log", "") -- what is started in the background may not have made it yet
end

local function is_alive(id)
  local file = io.open("/proc/" .. id .. "/cmdline", "rb")
  local line = file and file:read("a") or ""
  if file then
    file:close()
  end
  return line ~= "" -- what has ended, and is only not waited for, has none
end

-- Starts it on a port; nil when it ends at once, as it does where the port is taken.
local function try(folder, port)
  configure(folder, port)
  local shell = ([[LUA_PATH="./lua/?.lua;./lua/?/init.lua;;" LUA_CPATH="./lua/?.so;;" \
    %s -D -f %s/lighttpd.conf >%s/log 2>&1 & echo $!]]):format(find("lighttpd"), folder, folder)
  local pipe = assert(io.popen(shell))
  local server = setmetatable({ id = assert(pipe:read("l")), folder = folder, port = port }, Server)
  pipe:close()
  server.url = "http://127.0.0.1:" .. port
  for _ = 1, LOOKS do
    if not is_alive(server.id) then
      return nil
    elseif server:log():find("server started", 1, true) then
      return server
    end
    os.execute("sleep 0.05")
  end
  server:stop()
end

--- Starts the example on a free port.
---@param folder string  for its settings and log
---@return table server
function M.start(folder)
  local first = 20000 + tonumber((support.run("echo $$", folder))) % 10000
  for port = first, first + 20 do
    local server = try(folder, port)
    if server then
      return server
    end
  end
  error("lighttpd does not start: " .. support.read_file(folder .. "/log"))
end

--- What it said so far.
---@return string
function Server:log()
  return support.read_file(self.folder .. "/log")
end

--- Posts what is in a file.
---@param path string
---@param query? string
---@return string answer  the body
---@return integer status  of HTTP
function Server:post(path, query)
  local command = "curl -s --data-binary @'%s' -o '%s/answer' -w '%%{http_code}' '%s/render%s'"
  local pipe = assert(io.popen(command:format(path, self.folder, self.url, query or "")))
  local status = pipe:read("a")
  pipe:close()
  return support.read_file(self.folder .. "/answer"), math.tointeger(status)
end

--- KiB of memory that it has.
---@return integer
function Server:memory()
  return support.memory(self.id)
end

--- Ends it in order; raises where it does not end.
---@return string log
function Server:stop()
  os.execute("kill -TERM " .. self.id)
  for _ = 1, LOOKS do
    if not is_alive(self.id) then
      return self:log()
    end
    os.execute("sleep 0.05")
  end
  os.execute("kill -KILL " .. self.id)
  error("lighttpd does not end: " .. self:log())
end

return M
