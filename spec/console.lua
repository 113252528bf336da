-- A console that plays our cartridges on our own chip: what src/rom/player.s does, read
-- from its comments rather than from the code that writes its commands.
local ym = require "ym2612ml"

local M = {}

local START = 0x200 -- of the program
local TICK = 48 -- samples
local RESET = 96 -- samples from the tick before a reset to where the ticks after it begin
local AGE = 45 -- samples of the chip when ticks begin
local SWING = 789 -- of one channel, from rest: as ym.render scales

-- Where the commands begin: right after the program, whose size ships with it.
local COMMANDS = #require "ym2612ml.rom.player"

--- Plays a cartridge.
---@param bytes string
---@return ym2612ml.Tensor samples  f32, -1..1, left, at the chip's own rate
---@return integer[] key_ons  samples before the first that each can change
---@return integer[] clicks  samples before the first of each
---@return integer busiest  writes between two waits at most
function M.play(bytes)
  assert(bytes:sub(0x101, 0x104) == "SEGA" and (">I4"):unpack(bytes, 5) == START)
  local chip, parts, done = ym.chip.new {}, {}, 0
  local key_ons, clicks, writes, busiest = {}, {}, 0, 0
  local function run(samples)
    if samples > 0 then
      parts[#parts + 1] = chip:run(samples):to("f32")
      done = done + samples
    end
    busiest, writes = math.max(busiest, writes), 0
  end
  local function write(port, register, value)
    chip:write(port, register, value)
    writes = writes + 1
    if port == 0 and register == 0x28 and value & 0xF0 ~= 0 then
      key_ons[#key_ons + 1] = done + 4 -- channel 6 is heard one sample later than channel 1
    end
  end
  local position = COMMANDS + 1
  local actions = {
    function(register, value) write(0, register, value) return 2 end,
    function(register, value) write(1, register, value) return 2 end,
    function(high, low) run((high << 8 | low) * TICK) return 2 end,
    function(count)
      clicks[#clicks + 1] = done + 1
      for i = 0, count - 1 do
        local level = bytes:byte(position + 2 + i // 8) >> 7 - i % 8 & 1
        write(0, 0x2A, level == 1 and 0xFF or 0x01)
        run(TICK)
      end
      return 1 + (count + 7) // 8
    end,
    function() return 2 end,
    function()
      run(RESET - AGE)
      chip = ym.chip.new {}
      run(AGE)
      return 0
    end,
  }
  run(AGE)
  local command = bytes:byte(position)
  while command ~= 0 do
    local first, second = bytes:byte(position + 1, position + 2)
    position = position + 1 + actions[command](first, second)
    command = bytes:byte(position)
  end
  run(TICK)
  local samples = ym.tensor.new { done }
  local at = 0
  for _, part in ipairs(parts) do
    samples:slice(at + 1, at + #part):copy(part)
    at = at + #part
  end
  local rest = samples[1]
  local scaled = samples:totable()
  for i, value in ipairs(scaled) do
    scaled[i] = (value - rest) / SWING
  end
  return ym.tensor.from(scaled), key_ons, clicks, busiest
end

return M
