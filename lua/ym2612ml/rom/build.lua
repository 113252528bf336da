-- A cartridge for the Mega Drive that plays patches one after another: the program
-- (src/rom/player.s), what it is to play, and a header in which all sums are right.
local attempt = require "ym2612ml.attempt"
local check = require "ym2612ml.check"
local click = require "ym2612ml.rom.click"
local core = require "ym2612ml.core"
local indices = require "ym2612ml.rom.index"
local patches = require "ym2612ml.patch"
local player = require "ym2612ml.rom.player"
local streams = require "ym2612ml.rom.stream"

local M = {}

-- Ticks from a reset to the key-on, which is then in the chip's sample 12,333: the period
-- of the clock of envelopes, 12,285 samples, after sample 48, where ym.render has it. And to
-- the click before it; the last third of the time between them is silent.
local KEY_ON, CLICK = 256, 144
-- Ticks in 1,024 steps of that clock, three samples each. All key-ons are some of these
-- apart, so that most envelopes are alike in emulators, too, which do not reset it.
local ROUND = 64
-- Ticks before all, a second in which picture and recorder settle, and those beyond it at
-- which the first round begins in BlastEm, counted from power-on.
local WARM_UP, PHASE = 17 * ROUND, 58
-- Samples of the chip by which a note is heard later than a level of the DAC written at
-- the same time: its key-on acts on the fourth sample after the write, channel 6 being
-- the latest, a level on the first.
local LATER = 3
local LARGEST = 4 << 20 -- bytes that the console can address without help
local SMALLEST = 128 << 10 -- of cartridges, padded
local COLOURS = { 0x200, 0x220, 0x020, 0x022, 0x002, 0x202 } -- dark, to tell patches by

local KEY, LFO, DAC, DAC_ON = 0x28, 0x22, 0x2A, 0x2B
-- Patches play on channel 6, the one that the DAC silences: what is left of a patch can
-- not disturb the next one's click, and both come out of the same place.
local CHANNEL, PORT, OFFSET, KEY_CHANNEL = 6, 1, 2, 6

local OPTIONS = {
  note = { type = { "number", "table" }, default = 60 },
  held = { type = "number", least = 0.001, most = 60, default = 1 },
  release = { type = "number", least = 0, most = 60, default = 0.5 },
  gap = { type = "number", least = 0.13, most = 10, default = 0.15 },
  title = { type = "string", default = "YM2612ML PATCHES" },
  pal = { type = "boolean", default = false },
  pad = { type = "boolean", default = false },
}

-- Silence, then the click of a number; gives when the click starts. The first reset ends
-- what still sounds, the second begins the times of CLICK and KEY_ON.
local function send_click(stream, number, gap)
  streams.reset(stream)
  streams.wait(stream, gap)
  streams.reset(stream)
  streams.wait(stream, CLICK - 1)
  streams.write(stream, 0, DAC, 0x80)
  streams.write(stream, 0, DAC_ON, 0x80)
  streams.wait(stream, 1)
  local start = stream.now
  streams.levels(stream, click.levels(number))
  streams.write(stream, 0, DAC, 0x80)
  streams.write(stream, 0, DAC_ON, 0)
  return start
end

-- One note of a patch; gives when its click and its key-on are. The LFO starts one tick
-- before the key-on, as in ym.render.
local function play(stream, number, patch, pitch, times)
  local clicked = send_click(stream, number, times.gap)
  local vibrato
  for _, write in ipairs(core.patch.registers(patch, CHANNEL)) do
    local port, register, value = table.unpack(write)
    if port == 0 and register == LFO then
      vibrato = value
    else
      streams.write(stream, port, register, value)
    end
  end
  streams.write(stream, PORT, 0xA4 + OFFSET, pitch.block << 3 | pitch.fnum >> 8)
  streams.write(stream, PORT, 0xA0 + OFFSET, pitch.fnum & 0xFF)
  streams.colour(stream, COLOURS[number % #COLOURS + 1])
  streams.wait(stream, KEY_ON - CLICK - 1 - (stream.now - clicked) // streams.TICK)
  streams.write(stream, 0, LFO, vibrato)
  streams.wait(stream, 1)
  local keyed = stream.now
  streams.write(stream, 0, KEY, 0xF0 | KEY_CHANNEL)
  streams.wait(stream, times.held)
  streams.write(stream, 0, KEY, KEY_CHANNEL)
  streams.colour(stream, 0)
  streams.wait(stream, times.release)
  return clicked, keyed
end

-- The ticks of the parts of a note.
local function times_of(set, tick)
  local function ticks(seconds)
    return math.floor(seconds / tick + 0.5)
  end
  local times = { held = math.max(ticks(set.held), 1), release = ticks(set.release) }
  local least = math.max(ticks(set.gap) - CLICK, 0)
  local all = times.held + times.release + 2 * streams.RESET // streams.TICK + KEY_ON + least
  times.gap = least + -all % ROUND
  return times
end

-- The notes asked for, with how the chip plays each; raises for what is none.
local function pitches_of(note, clock)
  local list = {}
  for i, value in ipairs(type(note) == "table" and note or { note }) do
    local fine, block, fnum = attempt(core.pitch_of, value, clock)
    if not fine then
      check.misuse(("bad argument #2 to 'build' (option 'note': %s is %s, expected MIDI notes the chip can play)")
        :format(type(note) == "table" and "element " .. i or "it", tostring(value)))
    end
    list[i] = { note = value, block = block, fnum = fnum }
  end
  if #list == 0 then
    check.misuse("bad argument #2 to 'build' (option 'note': an empty list, expected MIDI notes)")
  end
  return list
end

-- What a patch is called, in UTF-8: other bytes are taken for Latin-1.
local function name_of(patch, number)
  local name = patch.name
  if not name or name == "" then
    return ("patch %d"):format(number)
  end
  return utf8.len(name) and name or (name:gsub("[\x80-\xFF]", function(byte) return utf8.char(byte:byte()) end))
end

-- Puts text over the bytes at an offset from 0.
local function put(bytes, offset, text)
  return bytes:sub(1, offset) .. text .. bytes:sub(offset + #text + 1)
end

-- The sum of all 16-bit words after the header.
local function sum_of(bytes)
  local sum = 0
  for position = 0x201, #bytes, 2 do
    sum = sum + (">I2"):unpack(bytes, position)
  end
  return sum & 0xFFFF
end

-- The cartridge, its header filled in.
local function finish(bytes, options)
  local size = #bytes + #bytes % 2
  if options.pad then
    size = SMALLEST
    while size < #bytes do
      size = 2 * size
    end
  end
  bytes = bytes .. ("\0"):rep(size - #bytes)
  local title = ("%-48.48s"):format(options.title:gsub("[^\x20-\x7E]", "?"))
  bytes = put(bytes, 0x120, title .. title)
  bytes = put(bytes, 0x1A0, (">I4I4"):pack(0, size - 1))
  return put(bytes, 0x18E, (">I2"):pack(sum_of(bytes)))
end

---@class ym2612ml.CartridgeOptions
---@field note? number|number[]  MIDI, default 60; of a list, each patch plays all
---@field held? number  seconds from key-on to key-off, 0.001..60, default 1
---@field release? number  seconds that are heard after it, 0..60, default 0.5
---@field gap? number  seconds of silence before the next click, 0.13..10, default 0.15, and
---  up to 0.06 more
---@field pal? boolean  for consoles of 50 Hz, whose clock is 0.9 % slower, default false;
---  on those of the other kind it plays too, out of tune by 16 cents
---@field title? string  of the cartridge, 48 characters at most count
---@field pad? boolean  to a power of two, at least 128 KiB, as some hardware wants it

--- A cartridge image that plays patches, each from silence after a click that says its
--- number, and the index that tells when. The times of a note are rounded to ticks of 48
--- samples of the chip (0.9 ms); the index has what they are.
---@param list ym2612ml.Patch[]
---@param options? ym2612ml.CartridgeOptions
---@return string? bytes
---@return ym2612ml.CartridgeIndex|string index  or a message
---@return string? kind  "input": they are more than fit
function M.build(list, options)
  patches.check_all(list, 1, "build")
  local set = check.options(options, OPTIONS, 2, "build")
  if #list == 0 then
    check.misuse("bad argument #1 to 'build' (an empty list, expected patches)")
  end
  local region = set.pal and "PAL" or "NTSC"
  local clock = indices.CLOCKS[region]
  local pitches = pitches_of(set.note, clock)
  if #list * #pitches >= click.MOST then
    return nil, ("%d notes are more than a cartridge can number, %d"):format(#list * #pitches, click.MOST - 1), "input"
  end
  local sample = 144 / clock -- seconds
  local tick = streams.TICK * sample
  local times = times_of(set, tick)
  local stream, index, first = streams.new(), { region = region, entries = {} }, nil
  streams.wait(stream, WARM_UP + (PHASE - times.gap) % ROUND)
  for i, patch in ipairs(list) do
    for _, pitch in ipairs(pitches) do
      local number = #index.entries + 1
      local clicked, keyed = play(stream, number, patch, pitch, times)
      first = first or clicked
      index.entries[number] = {
        number = number, name = name_of(patch, i), note = pitch.note,
        held = times.held * tick, release = times.release * tick, patch = patch, click = (clicked - first) * sample,
        start = (keyed - first + LATER) * sample,
      }
    end
  end
  index.finish = (send_click(stream, #index.entries + 1, times.gap) - first) * sample
  local bytes = finish(player .. streams.finish(stream), set)
  if #bytes > LARGEST then
    return nil, ("%d notes make a cartridge of %d bytes, more than %d"):format(#index.entries, #bytes, LARGEST), "input"
  end
  return bytes, index
end

return M
