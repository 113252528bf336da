-- OPM: voices as text, of VOPM and other editors for the YM2151, whose operators are those
-- of the YM2612 but for SSG-EG. Its LFO is another: speeds are brought to the nearest, the
-- numbers of depth are kept.
local carry = require "ym2612ml.formats.carry"
local layout = require "ym2612ml.formats.layout"
local rows = require "ym2612ml.formats.rows"

local NAME = "opm"
local LABELS = { "M1", "C1", "M2", "C2" } -- operators 1 to 4
local COLUMNS = { "ar", "dr", "sr", "rr", "sl", "tl", "rs", "mul", "dt" } -- then DT2 and AMS-EN
local SECOND_DETUNE, TREMOLO = 10, 11
local FREQUENCY, TREMOLO_DEPTH, VIBRATO_DEPTH = 1, 2, 3 -- places in the row LFO
local FEEDBACK, ALGORITHM, AMS, PMS, SLOT = 2, 3, 4, 5, 6 -- places in the row CH
local CENTRE, ALL_ON, FIRST_SLOT, FULL, SWITCHED_ON, SILENT = 64, 0x78, 8, 127, 128, 127
local NEEDED = { CH = 6, M1 = 11, C1 = 11, M2 = 11, C2 = 11 } -- numbers in a row

-- The frequency registers of the YM2151 that come nearest to the speeds of the YM2612,
-- 3.85, 5.40, 5.86, 6.21, 6.71, 9.46 and 52.0 Hz, at 3.58 MHz: clock (16 + low nibble)
-- 2^high nibble / 2^36; and its highest, 52.9 Hz, for 83.2 Hz.
local SPEEDS = { [0] = 194, 201, 203, 205, 207, 214, 254, 255 }

local M = {
  name = NAME, extensions = { "opm" }, title = "VOPM voices (YM2151)", lfo = true, many = true,
}

--- How sure it is that bytes are of this format.
---@param bytes string
---@return integer certainty
function M.detect(bytes)
  return (bytes:find("^@:%s*%d") or bytes:find("\n@:%s*%d") or bytes:find("\r@:%s*%d")) and 2 or 0
end

local function nearest_speed(frequency)
  local nearest = 0
  for speed = 1, 7 do
    if math.abs(SPEEDS[speed] - frequency) < math.abs(SPEEDS[nearest] - frequency) then
      nearest = speed
    end
  end
  return nearest
end

-- Depths and speed of the LFO: a sensitivity acts only where the LFO has a depth. At
-- frequency 0 it takes minutes for a turn, and stands for one that is off.
local function modulation(lfo, channel)
  local ams = (lfo[TREMOLO_DEPTH] or 0) > 0 and channel[AMS] & 3 or 0
  local fms = (lfo[VIBRATO_DEPTH] or 0) > 0 and channel[PMS] & 7 or 0
  local moves = (ams > 0 or fms > 0) and lfo[FREQUENCY] > 0
  return ams, fms, moves and nearest_speed(lfo[FREQUENCY]) or nil
end

-- The voices as tables of rows by their labels.
local function read_voices(text)
  local voices, voice = {}, nil
  for line in rows.lines(text) do
    line = line:gsub("//.*", "")
    local number, name = line:match("^@:%s*(%d+)(.*)$")
    local label, rest = line:match("^%s*(%u%w+):(.*)$")
    if number then
      voice = { number = number, name = rows.trimmed(name) }
      voices[#voices + 1] = voice
    elseif label and voice then
      voice[label] = rows.numbers(rest)
    end
  end
  return voices
end

local function is_whole(voice)
  for label, count in pairs(NEEDED) do
    if not voice[label] or #voice[label] < count then
      return false
    end
  end
  return true
end

local function patch_of(voice, notes)
  local patch, channel, lfo = layout.blank(), voice.CH, voice.LFO or {}
  local where, off = ("voice %s"):format(voice.number), {}
  patch.name = voice.name
  patch.feedback = rows.fitted("feedback", channel[FEEDBACK], where, notes)
  patch.algorithm = rows.fitted("algorithm", channel[ALGORITHM], where, notes)
  patch.ams, patch.fms, patch.lfo = modulation(lfo, channel)
  local on = channel[SLOT] & ALL_ON == 0 and ALL_ON or channel[SLOT]
  for operator, label in ipairs(LABELS) do
    local numbers = voice[label]
    local place = ("%s, %s"):format(where, label)
    rows.read(patch[operator], COLUMNS, numbers, place, notes)
    patch[operator].am = numbers[TREMOLO] ~= 0 and 1 or 0
    if numbers[SECOND_DETUNE] ~= 0 then
      notes[#notes + 1] = ("%s: DT2 is %d, which the YM2612 does not have"):format(place, numbers[SECOND_DETUNE])
    end
    if on & FIRST_SLOT << operator - 1 == 0 then
      patch[operator].tl = SILENT
      off[#off + 1] = operator
    end
  end
  if off[1] then
    notes[#notes + 1] = ("%s: operators that are switched off, %s, have tl %d"):format(where,
      table.concat(off, " and "), SILENT)
  end
  patch.carried = { format = NAME, number = voice.number, lfo = lfo, channel = channel }
  return patch
end

--- The patches in a file.
---@param bytes string
---@return ym2612ml.Patch[]?
---@return string[]|string  notes, or what is wrong
function M.decode(bytes)
  return rows.decoded(read_voices(bytes), is_whole, patch_of, "@:0 name")
end

local function voice_of(patch, number)
  local carried = carry.of(patch, NAME)
  local lfo, channel = carried.lfo or {}, { table.unpack(carried.channel or { CENTRE, 0, 0, 0, 0, ALL_ON, 0 }) }
  channel[FEEDBACK], channel[ALGORITHM] = patch.feedback, patch.algorithm
  channel[SLOT] = ALL_ON
  local ams, fms, speed = modulation(lfo, channel)
  if ams ~= (patch.ams or 0) or fms ~= (patch.fms or 0) or speed ~= patch.lfo then
    channel[AMS], channel[PMS] = patch.ams or 0, patch.fms or 0
    lfo = { patch.lfo and SPEEDS[patch.lfo] or 0, channel[AMS] > 0 and FULL or 0, channel[PMS] > 0 and FULL or 0, 2, 0 }
  end
  local lines = {
    ("@:%d %s"):format(number, rows.one_line(patch.name)),
    ("LFO: %d %d %d %d %d"):format(lfo[1] or 0, lfo[2] or 0, lfo[3] or 0, lfo[4] or 0, lfo[5] or 0),
    "CH: " .. table.concat(channel, " "),
  }
  for operator, label in ipairs(LABELS) do
    local numbers = rows.of(patch[operator], COLUMNS)
    numbers[SECOND_DETUNE], numbers[TREMOLO] = 0, patch[operator].am == 1 and SWITCHED_ON or 0
    for column, value in ipairs(numbers) do
      numbers[column] = ("%3d"):format(value)
    end
    lines[#lines + 1] = label .. ": " .. table.concat(numbers, " ")
  end
  return table.concat(lines, "\n") .. "\n"
end

--- A file of patches, numbered from 0.
---@param list ym2612ml.Patch[]
---@return string
function M.encode(list)
  local parts = {
    "//LFO: LFRQ AMD PMD WF NFRQ\n//@:[Num] [Name]\n//CH: PAN FL CON AMS PMS SLOT NE\n"
      .. "//[OPname]: AR D1R D2R RR D1L TL KS MUL DT1 DT2 AMS-EN\n",
  }
  for i, patch in ipairs(list) do
    parts[#parts + 1] = voice_of(patch, i - 1)
  end
  return table.concat(parts, "\n")
end

return M
