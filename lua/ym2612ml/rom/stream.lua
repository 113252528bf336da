-- The commands of a cartridge's program, src/rom/player.s, with the time at which each is
-- carried out. Times are in samples of the chip and exact, except across its resets.
local M = {}

--- Samples of the chip in a tick, 144 clocks each.
M.TICK = 48

--- Samples that a reset takes, from the tick before it to where the first one begins.
M.RESET = 96

local COMMANDS = { finish = 0, write = { [0] = 1, [1] = 2 }, wait = 3, levels = 4, colour = 5, reset = 6 }

-- Writes between two waits: together shorter than a tick, of which the program must not
-- miss one. A write and what goes with it takes some 350 of a tick's 6,912 clocks.
local MOST_WRITES = 12
local LONGEST_WAIT = 0xFFFF

---@class ym2612ml.CartridgeStream
---@field now integer  samples since the program began
---@field parts string[]  commands as bytes
---@field writes integer  since the last wait

--- Makes a stream without commands.
---@return ym2612ml.CartridgeStream
function M.new()
  return { now = 0, parts = {}, writes = 0 }
end

local function add(stream, format, ...)
  stream.parts[#stream.parts + 1] = format:pack(...)
end

--- Waits; what follows is carried out right after the tick.
---@param stream ym2612ml.CartridgeStream
---@param ticks integer  0 or more
function M.wait(stream, ticks)
  stream.now = stream.now + ticks * M.TICK
  while ticks > 0 do
    local part = math.min(ticks, LONGEST_WAIT)
    add(stream, ">BI2", COMMANDS.wait, part)
    ticks = ticks - part
    stream.writes = 0
  end
end

--- Writes to the YM2612; waits for a tick first where many writes came before.
---@param stream ym2612ml.CartridgeStream
---@param port 0|1
---@param register integer  0..255
---@param value integer  0..255
function M.write(stream, port, register, value)
  if stream.writes == MOST_WRITES then
    M.wait(stream, 1)
  end
  add(stream, "BBB", COMMANDS.write[port], register, value)
  stream.writes = stream.writes + 1
end

--- Sends levels to the DAC, one a tick, the first of them now.
---@param stream ym2612ml.CartridgeStream
---@param levels integer[]  1: the highest, 0: the lowest; 255 at most
function M.levels(stream, levels)
  add(stream, "BB", COMMANDS.levels, #levels)
  for first = 1, #levels, 8 do
    local byte = 0
    for i = first, first + 7 do
      byte = byte << 1 | (levels[i] or 0)
    end
    add(stream, "B", byte)
  end
  stream.now = stream.now + #levels * M.TICK
  stream.writes = 0
end

--- Gives the screen a colour.
---@param stream ym2612ml.CartridgeStream
---@param colour integer  three bits each of blue, green and red: 0x0BGR with even digits
function M.colour(stream, colour)
  add(stream, ">BI2", COMMANDS.colour, colour)
end

--- Resets the YM2612. What follows the n-th tick after it is written in its sample
--- 48 n + 45.
---@param stream ym2612ml.CartridgeStream
function M.reset(stream)
  add(stream, "B", COMMANDS.reset)
  stream.now = stream.now + M.RESET
  stream.writes = 0
end

--- Ends the program.
---@param stream ym2612ml.CartridgeStream
---@return string bytes  of all commands
function M.finish(stream)
  add(stream, "B", COMMANDS.finish)
  return table.concat(stream.parts)
end

return M
