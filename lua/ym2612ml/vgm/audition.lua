-- An audition: a VGM in which one patch after the other plays its notes on channel 1.
local core = require "ym2612ml.core"
local files = require "ym2612ml.vgm.file"

local M = {}

local LEAD = 40 -- ticks from the first write of a patch to its key, in which the chip sees
-- them all: 48 of its samples, as before every note of ym.render
local KEY_FRAME = 48 -- sample of the chip, from its reset, at which ym.render presses a key
local EPOCH = 12285 -- samples after which the clock of the envelopes is where it was: 3 * 4095
local EPOCHS = 8 -- tried for a tick: at the clocks of consoles one of two will do
local LONGEST = 0xFFFFFFFF -- ticks that a file can tell of
local SLOTS = { 0, 4, 8, 12 }

local Writer = {}
Writer.__index = Writer

local function new_writer()
  return setmetatable({ parts = {}, ticks = 0 }, Writer)
end

function Writer:write(port, register, value)
  self.parts[#self.parts + 1] = string.char(0x52 + port, register, value)
end

function Writer:wait(ticks)
  self.ticks = self.ticks + ticks
  while ticks > 0 do
    local now = math.min(ticks, 0xFFFF)
    self.parts[#self.parts + 1] = string.pack("<BI2", 0x61, now)
    ticks = ticks - now
  end
end

-- All keys up, no LFO, no samples, no special pitches on channel 3.
local function begin(writer)
  for _, register in ipairs { 0x22, 0x27, 0x2B } do
    writer:write(0, register, 0)
  end
  for _, channel in ipairs { 0, 1, 2, 4, 5, 6 } do
    writer:write(0, 0x28, channel)
  end
end

-- Lets the channel fall silent as fast as it can, so that the next note begins as after
-- power-on, and stops the LFO, so that it begins anew as well.
local function silence(writer)
  for _, slot in ipairs(SLOTS) do
    writer:write(0, 0x40 + slot, 127)
    writer:write(0, 0x80 + slot, 0xFF)
    writer:write(0, 0x90 + slot, 0)
  end
  writer:write(0, 0x22, 0)
end

-- The first tick, from the earliest on, at which a key meets the envelopes' clock as in
-- ym.render, on a chip that was reset when the file began. Of some samples no tick is the
-- one in which they fall, and of a few clocks that holds for all that would do: then the
-- key comes up to two samples late.
local function key_tick(earliest, clock)
  local per_tick = clock / 144 / files.RATE
  local first = math.max(0, math.ceil((earliest * per_tick - KEY_FRAME) / EPOCH))
  for epoch = first, first + EPOCHS - 1 do
    local frame = KEY_FRAME + epoch * EPOCH
    local tick = math.ceil(frame / per_tick)
    if math.floor(tick * per_tick) == frame then
      return tick
    end
  end
  return math.ceil((KEY_FRAME + first * EPOCH) / per_tick)
end

local function play(writer, patch, note, options)
  local block, fnum = core.pitch_of(note, options.clock)
  writer:wait(key_tick(writer.ticks + LEAD, options.clock) - LEAD - writer.ticks)
  for _, write in ipairs(core.patch.registers(patch)) do
    writer:write(table.unpack(write))
  end
  writer:write(0, 0xA4, block << 3 | fnum >> 8)
  writer:write(0, 0xA0, fnum & 255)
  writer:wait(LEAD)
  local start = writer.ticks
  writer:write(0, 0x28, 0xF0)
  writer:wait(options.held)
  writer:write(0, 0x28, 0)
  writer:wait(options.release)
  silence(writer)
  writer:wait(options.gap)
  return start / files.RATE
end

local function ticks(seconds)
  return math.max(1, math.floor(seconds * files.RATE + 0.5))
end

--- The bytes of an audition, not packed.
---@param patches ym2612ml.Patch[]  in range
---@param options table  {notes = MIDI notes that each patch plays, held, release, gap =
---  seconds, clock = Hz, tags}
---@return string? bytes
---@return {patch: integer, note: number, time: number}[]|string index  which note begins
---  when, in seconds; or the message
---@return string? kind  "input": they take longer than a file can tell
function M.build(patches, options)
  local writer, index = new_writer(), {}
  local times = {
    held = ticks(options.held), release = ticks(options.release), gap = ticks(options.gap),
    clock = options.clock,
  }
  begin(writer)
  silence(writer)
  writer:wait(times.gap)
  for i, patch in ipairs(patches) do
    for _, note in ipairs(options.notes) do
      index[#index + 1] = { patch = i, note = note, time = play(writer, patch, note, times) }
    end
    if writer.ticks > LONGEST then
      return nil, ("%d patches take longer than a VGM can, 27 hours"):format(#patches), "input"
    end
  end
  local commands = table.concat(writer.parts) .. "\x66"
  return files.build(commands, writer.ticks, options.clock, options.tags), index
end

return M
