-- JACK servers without a sound card, instruments in processes of their own, and a player
-- at exact frames: what the specs of the live instrument and its endurance test share.
local support = require "spec.support"

local M = { RATE = 48000, PERIOD = 256 }

local PATIENCE = 100 -- tenths of a second
local PLAYER, WATCH = ".build/live/player", ".build/live/watch.so"

local function exists(path)
  local file = io.open(path, "rb")
  return file ~= nil and file:close()
end

--- Whether all that a server needs is there.
---@return boolean
function M.is_there()
  return exists(PLAYER) and exists("lua/ym2612ml/live/core.so") and os.execute("command -v jackd >/dev/null") == true
end

local function output_of(command)
  local pipe <close> = assert(io.popen(command))
  return pipe:read("a")
end

--- Waits up to ten seconds for something.
---@param what string
---@param happened fun(): any
---@return any
function M.wait_for(what, happened)
  for _ = 1, PATIENCE do
    local result = happened()
    if result then
      return result
    end
    os.execute("sleep 0.1")
  end
  error("this did not happen: " .. what)
end

local Server = {}
Server.__index = Server

local started = 0

--- Runs jackd until a client can join. It waits for its clients (-S, -t), so that on a
--- machine with other work to do a late one is late, but no period is left out. The shell
--- beside it only waits for it, so that nothing is left of it afterwards.
function Server:run()
  os.remove(self.folder .. "/pid")
  local jackd = ("JACK_NO_AUDIO_RESERVATION=1 jackd -r -S -t 5000 -n %s -d dummy -r %d -p %d"):format(self.name,
    M.RATE, M.PERIOD)
  os.execute(("(%s >%s/jackd.log 2>&1 & echo $! >%s/pid; wait) >/dev/null 2>&1 </dev/null &"):format(jackd,
    self.folder, self.folder))
  self.pid = M.wait_for("a process", function()
    return exists(self.folder .. "/pid") and math.tointeger(tonumber(support.read_file(self.folder .. "/pid")))
  end)
  local core = require "ym2612ml.live.core"
  M.wait_for("a JACK server", function()
    local client = core.client { name = "probe", server = self.name, patch = support.PATCH }
    if client then
      client:close()
    end
    return client
  end)
end

--- Starts a server with a name of its own.
---@return table server
function M.start()
  started = started + 1
  local process <close> = assert(io.open("/proc/self/stat"))
  local name = ("ymspec%d_%d"):format(process:read("n"), started)
  local self = setmetatable({ name = name, folder = support.new_folder() }, Server)
  self:run()
  return self
end

local function is_running(pid)
  local status = io.open(("/proc/%d/stat"):format(pid))
  local text = status and status:read("a") or ""
  if status then
    status:close()
  end
  return text ~= "" and not text:find(") Z", 1, true)
end

--- Ends the server with a signal.
---@param signal? string  default "TERM"
function Server:kill(signal)
  os.execute(("kill -%s %d"):format(signal or "TERM", self.pid))
  M.wait_for("the server's end", function() return not is_running(self.pid) end)
end

--- Ends the server, if it still runs, and removes what it left. JACK knows eight servers at
--- most, and one that ended with clients or was killed stays among them until another of
--- its name has come and gone.
function Server:close()
  if is_running(self.pid) then
    self:kill()
  end
  if os.execute(("grep -q '%s' /dev/shm/jack-shm-registry 2>/dev/null"):format(self.name)) then
    self:run()
    self:kill()
  end
  os.execute(("rm -f /dev/shm/jack_sem.*_%s_*"):format(self.name))
  support.remove_folder(self.folder)
end

Server.__close = Server.close

local Instrument = {}
Instrument.__index = Instrument

--- Starts an instrument as a client "live".
---@param takes? number  seconds that a decode takes
---@param watched? string  variables of the environment that watch.so reads
---@return table instrument
function Server:instrument(takes, watched)
  local path = self.folder .. "/instrument"
  os.remove(path)
  local command = ("%s lua5.4 spec/live/instrument.lua %s live %s %g"):format(
    watched and ("LD_PRELOAD=%s WATCH=%s/watched %s"):format(WATCH, self.folder, watched) or "", self.name, path,
    takes or 0)
  local made = setmetatable({ path = path, pipe = assert(io.popen("exec env " .. command, "w")) }, Instrument)
  local text = M.wait_for("an instrument", function() return exists(path) and support.read_file(path) end)
  made.pid = assert(math.tointeger(tonumber(text:match("^pid (%d+)"))), text)
  return made
end

--- What the instrument wrote at its end, once it has ended.
---@return {first: string, [string]: integer}
function Instrument:report()
  local text = M.wait_for("the instrument's end", function()
    local found = support.read_file(self.path)
    return not found:find("^pid") and found
  end)
  self.pipe:close()
  local counts = { first = text:match("^[^\n]*") }
  for name, value in text:gmatch("\n(%a+) (%d+)") do
    counts[name] = math.tointeger(tonumber(value))
  end
  return counts
end

--- Ends the instrument.
---@return table  as of report
function Instrument:finish()
  self.pipe:write("\n")
  self.pipe:close()
  self.pipe = { close = function() end }
  return self:report()
end

--- Memory that the instrument's process has, in bytes.
---@return integer
function Instrument:memory()
  return 1024 * support.memory(self.pid)
end

--- Plays messages to the instrument and records it.
---@param messages table[]  {frame, byte, byte, byte?} in order
---@param seconds number
---@param record? boolean
---@return {origin: integer, sent: integer, late: integer, gaps: integer, heard: table[], bytes: string?} played
function Server:play(messages, seconds, record)
  local lines = {}
  for i, message in ipairs(messages) do
    lines[i] = ("%d"):format(message[1])
    for byte = 2, #message do
      lines[i] = ("%s %02x"):format(lines[i], message[byte])
    end
  end
  support.write_file(self.folder .. "/script", table.concat(lines, "\n") .. "\n")
  local recording = self.folder .. "/recording"
  local text = output_of(("%s %s live %s/script %g %s"):format(PLAYER, self.name, self.folder, seconds,
    record and recording or ""))
  local played = { heard = {}, bytes = record and support.read_file(recording) or nil }
  played.origin = math.tointeger(tonumber(text:match("origin (%d+)")))
  for name in ("sent late gaps"):gmatch("%a+") do
    local value = assert(text:match(name .. " (%d+)"), text)
    played[name] = math.tointeger(tonumber(value))
  end
  for frame, bytes in text:gmatch("midi (%-?%d+)([ %x]*)\n") do
    local message = { math.tointeger(tonumber(frame)) }
    for byte in bytes:gmatch("%x+") do
      message[#message + 1] = tonumber(byte, 16)
    end
    played.heard[#played.heard + 1] = message
  end
  return played
end

--- The left side of a recording.
---@param bytes string
---@return number[]
function M.left(bytes)
  local samples = {}
  for i = 1, #bytes // 8 do
    samples[i] = string.unpack("<f", bytes, 8 * i - 7)
  end
  return samples
end

--- What watch.so counted in an instrument that ended.
---@return {callbacks: integer, memory: integer, locks: integer}
function Server:watched()
  local text, counts = support.read_file(self.folder .. "/watched"), {}
  for name, value in text:gmatch("(%a+) (%d+)") do
    counts[name] = math.tointeger(tonumber(value))
  end
  return counts
end

return M
