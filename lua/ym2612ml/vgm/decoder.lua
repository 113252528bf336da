-- The commands of a VGM file as writes to the chip, each with its time.
local core = require "ym2612ml.core"
local file = require "ym2612ml.vgm.file"

local M = {}

local byte, unpack = string.byte, string.unpack

local DAC = 0x2A -- register of the chip's samples
local CUT_SHORT = "the file ends before its commands do"

local Decoder = {}
Decoder.__index = Decoder

--- Makes a decoder that stands before the first command.
---@param source ym2612ml.VgmFile
---@param options? {loops: integer?, samples: userdata?}  how often the part to repeat is
---  played, default 1; samples: core.vgm.writes, where those of streams go. Without, no samples
---  are written at all, nor notes on what is not played
---@return table decoder  with `tick` = now, `ended`, and `notes`, what was passed over
function M.new(source, options)
  options = options or {}
  local decoder = {
    bytes = source.bytes, at = source.data, loop = source.loop, version = source.version,
    loops = options.loops or 1, samples = options.samples, streaming = false,
    tick = 0, ended = false, notes = { table.unpack(source.header.notes) }, noted = {},
    sample = 0, -- the next one of bank 0 that 0x8n writes
    last_block = 0, -- where the last data block ends: a repetition adds none again
    streams = core.vgm.streams(source.bytes),
  }
  return setmetatable(decoder, Decoder)
end

--- Notes something, once.
---@param text string
function Decoder:note(text)
  if not self.noted[text] then
    self.noted[text] = true
    self.notes[#self.notes + 1] = text
  end
end

--- Ends here, with a reason.
---@param reason string
function Decoder:stop(reason)
  self:note(reason)
  self.ended = true
end

-- Writes what streams play before a tick: when something else is written or changes them.
local function catch_up(self, tick)
  if self.streaming then
    self.streams:advance(tick, self.samples)
  end
end

-- Commands by their first byte: `length` in bytes, with it; `note`: what is passed over;
-- `handle(decoder, position)`, where there is something to do.
local COMMANDS = {}

local function define(first, last, length, note, handle)
  for command = first, last do
    COMMANDS[command] = { length = length, note = note, handle = handle }
  end
end

local PSG, OTHERS = "the PSG is not played", "other chips are not played"

define(0x30, 0x3F, 2, OTHERS)
define(0x40, 0x4E, 3, OTHERS)
define(0x4F, 0x50, 2, PSG)
define(0x51, 0x5F, 3, OTHERS) -- but the two that `run` knows
define(0x64, 0x64, 4)
define(0x68, 0x68, 12, OTHERS)
define(0xA0, 0xBF, 3, OTHERS)
define(0xA2, 0xA3, 3, file.SECOND_CHIP)
define(0xC0, 0xDF, 4, OTHERS)
define(0xE1, 0xFF, 5, OTHERS)

define(0x61, 0x61, 3, nil, function(self, position)
  self.tick = self.tick + unpack("<I2", self.bytes, position + 1)
end)
define(0x62, 0x62, 1, nil, function(self)
  self.tick = self.tick + 735
end)
define(0x63, 0x63, 1, nil, function(self)
  self.tick = self.tick + 882
end)
define(0x66, 0x66, 1, nil, function(self)
  self.loops = self.loops - 1
  if self.loops > 0 and self.loop then
    self.at = self.loop
  else
    self.ended = true
  end
end)
define(0x67, 0x67, 7, nil, function(self, position)
  local mark, kind, size = unpack("<BBI4", self.bytes, position + 1)
  size = size & 0x7FFFFFFF -- the highest bit tells the chip
  if mark ~= 0x66 or position + 7 + size > #self.bytes + 1 then
    self:stop(mark == 0x66 and CUT_SHORT or ("no data block at byte %d"):format(position - 1))
    return
  end
  self.at = position + 7 + size
  if kind < 0x40 and position > self.last_block then
    self.last_block = self.at - 1
    if not self.streams:add_block(kind, position + 7, size) then
      self:note("samples beyond those that commands can number are not played")
    end
  elseif kind >= 0x40 and kind < 0x80 then
    self:note("packed samples are not played")
  end
end)
define(0x90, 0x90, 5, nil, function(self, position)
  self.streams:set_up(byte(self.bytes, position + 1, position + 4))
end)
define(0x91, 0x91, 5, nil, function(self, position)
  self.streams:set_data(byte(self.bytes, position + 1, position + 4))
end)
define(0x92, 0x92, 6, nil, function(self, position)
  local id, frequency = unpack("<BI4", self.bytes, position + 1)
  self.streams:set_frequency(id, frequency)
end)
define(0x93, 0x93, 11, nil, function(self, position)
  local id, start, flags, length = unpack("<BI4BI4", self.bytes, position + 1)
  self.streaming = self.samples ~= nil
  self.streams:start(id, start, flags, length, self.tick)
end)
define(0x94, 0x94, 2, nil, function(self, position)
  self.streams:stop(byte(self.bytes, position + 1))
end)
define(0x95, 0x95, 5, nil, function(self, position)
  local id, block, flags = unpack("<BI2B", self.bytes, position + 1)
  self.streaming = self.samples ~= nil
  self.streams:start_block(id, block, flags, self.tick)
end)
define(0xE0, 0xE0, 5, nil, function(self, position)
  self.sample = unpack("<I4", self.bytes, position + 1)
end)

-- One of the rarer commands.
local function step(self, command, position)
  local known = COMMANDS[command]
  if not known then
    return self:stop(("command 0x%02X at byte %d is not known"):format(command, position - 1))
  end
  local length = known.length
  if command >= 0x40 and command <= 0x4E and self.version < 0x160 then
    length = 2
  end
  if position + length > #self.bytes + 1 then
    return self:stop(CUT_SHORT)
  end
  self.at = position + length
  if known.note and self.samples then
    self:note(known.note)
  end
  if known.handle then
    catch_up(self, self.tick)
    known.handle(self, position)
  end
end

-- 0x80 to 0x8F: the next sample.
local function write_sample(self, write)
  local value = self.samples and self.streams:sample(0, self.sample)
  if value then
    catch_up(self, self.tick)
    write(self.tick, 0, DAC, value)
  end
  self.sample = self.sample + 1
end

--- Decodes on until a time has come, or the commands end. What is written comes before that
--- time, but a single command may wait beyond it, up to 65,535 ticks.
---@param tick number
---@param write fun(tick: integer, port: integer, register: integer, value: integer)
---@param most? integer  commands after which it pauses before that: any number of them
---  may be of one time
function Decoder:run(tick, write, most)
  local bytes, left = self.bytes, most or math.huge
  while self.tick < tick and left > 0 and not self.ended do
    left = left - 1
    local position = self.at
    local command, first, second = byte(bytes, position, position + 2)
    if not command then
      self:stop(CUT_SHORT)
    elseif command == 0x52 or command == 0x53 then
      if second then
        catch_up(self, self.tick)
        write(self.tick, command - 0x52, first, second)
        self.at = position + 3
      else
        self:stop(CUT_SHORT)
      end
    elseif command >= 0x70 and command <= 0x7F then
      self.at = position + 1
      self.tick = self.tick + command - 0x6F
    elseif command >= 0x80 and command <= 0x8F then
      self.at = position + 1
      write_sample(self, write)
      self.tick = self.tick + (command & 15)
    else
      step(self, command, position)
    end
  end
  catch_up(self, math.min(self.tick, tick))
end

--- Seconds of a count of ticks.
---@param ticks number
---@return number
function M.seconds(ticks)
  return ticks / file.RATE
end

return M
