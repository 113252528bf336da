-- Voices of Yamaha's DX7, as its System Exclusive messages hold them: names and
-- parameters. They have six operators and are no patches of the YM2612; one is made of the
-- other by listening (ym.estimate).
local check = require "ym2612ml.check"
local cursor = require "ym2612ml.formats.cursor"
local files = require "ym2612ml.files"

local M = {}

local LARGEST = 1 << 22 -- bytes of a file that is read
local BANK_HEAD, VOICE_HEAD = "^\xF0\x43[\0-\x0F]\x09\x20\0", "^\xF0\x43[\0-\x0F]\0\x01\x1B"
local HEAD, PACKED, UNPACKED, BANK = 6, 128, 155, 32 -- bytes of the first three; voices
local TAIL = 2 -- checksum and the end of the message

-- Parameters: name, highest value, and in a packed voice its byte of the operator (or of
-- the voice), lowest bit and highest value there. In an unpacked voice each has a byte.
local OF_OPERATOR = {
  { "rate_1", 99, 0 }, { "rate_2", 99, 1 }, { "rate_3", 99, 2 }, { "rate_4", 99, 3 },
  { "level_1", 99, 4 }, { "level_2", 99, 5 }, { "level_3", 99, 6 }, { "level_4", 99, 7 },
  { "break_point", 99, 8 }, { "left_depth", 99, 9 }, { "right_depth", 99, 10 },
  { "left_curve", 3, 11, 0, 3 }, { "right_curve", 3, 11, 2, 3 }, { "rate_scaling", 7, 12, 0, 7 },
  { "tremolo_sensitivity", 3, 13, 0, 3 }, { "velocity_sensitivity", 7, 13, 2, 7 }, { "output_level", 99, 14 },
  { "fixed_frequency", 1, 15, 0, 1 }, { "coarse", 31, 15, 1, 31 }, { "fine", 99, 16 }, { "detune", 14, 12, 3, 15 },
}
local OF_VOICE = {
  { "pitch_rate_1", 99, 102 }, { "pitch_rate_2", 99, 103 }, { "pitch_rate_3", 99, 104 }, { "pitch_rate_4", 99, 105 },
  { "pitch_level_1", 99, 106 }, { "pitch_level_2", 99, 107 }, { "pitch_level_3", 99, 108 },
  { "pitch_level_4", 99, 109 }, { "algorithm", 31, 110, 0, 31 }, { "feedback", 7, 111, 0, 7 },
  { "oscillator_sync", 1, 111, 3, 1 }, { "lfo_speed", 99, 112 }, { "lfo_delay", 99, 113 },
  { "vibrato_depth", 99, 114 }, { "tremolo_depth", 99, 115 }, { "lfo_sync", 1, 116, 0, 1 },
  { "lfo_wave", 5, 116, 1, 7 }, { "vibrato_sensitivity", 7, 116, 4, 7 }, { "transpose", 48, 117 },
}
local OPERATORS, PACKED_OPERATOR, NAME = 6, 17, 10
-- What a value less than which is told: algorithms count from 1, detune and transposition
-- lie around 0.
local OFFSET = { algorithm = 1, detune = -7, transpose = -24 }

-- The parameters out of their bytes; values that are too high become the highest.
local function parameters(list, bytes, first, packed)
  local into = {}
  for i, row in ipairs(list) do
    local name, highest, at, shift, mask = table.unpack(row)
    local byte = bytes:byte(first + (packed and at or i - 1) + 1)
    local value = packed and byte >> (shift or 0) & (mask or 0x7F) or byte & 0x7F
    into[name] = math.min(value, highest) + (OFFSET[name] or 0)
  end
  return into
end

-- A voice, whose operators stand from the sixth to the first.
local function voice_of(bytes, packed)
  local size = packed and PACKED_OPERATOR or #OF_OPERATOR
  local voice = parameters(OF_VOICE, bytes, packed and 0 or OPERATORS * size, packed)
  for operator = 1, OPERATORS do
    voice[operator] = parameters(OF_OPERATOR, bytes, (OPERATORS - operator) * size, packed)
  end
  voice.name = bytes:sub(-NAME):gsub("[^\x20-\x7E]", " "):gsub(" +$", "")
  return voice
end

local function add_bank(list, bytes)
  for first = 1, #bytes, PACKED do
    list[#list + 1] = voice_of(bytes:sub(first, first + PACKED - 1), true)
  end
end

-- One message, of a bank or of a voice.
local function read_message(file, list, notes)
  local head = file:take(HEAD, "message")
  local is_bank = head:find(BANK_HEAD)
  if not is_bank and not head:find(VOICE_HEAD) then
    cursor.malformed(("has no voices of a DX7 at offset %d"):format(file.at - 1 - HEAD))
  end
  local data = file:take(is_bank and BANK * PACKED or UNPACKED, "voices")
  local sum = 0
  for i = 1, #data do
    sum = sum + data:byte(i)
  end
  if file:left() < TAIL then
    notes[#notes + 1] = "ends without a checksum"
  elseif file:take(TAIL, "checksum"):byte(1) ~= -sum & 0x7F then
    notes[#notes + 1] = "has a wrong checksum"
  end
  if is_bank then
    add_bank(list, data)
  else
    list[#list + 1] = voice_of(data, false)
  end
end

local decode = cursor.guarded(function(bytes)
  local list, notes = {}, {}
  if bytes:byte(1) == 0xF0 then
    local file = cursor.new(bytes)
    repeat
      read_message(file, list, notes)
    until file:left() < HEAD
  elseif #bytes > 0 and #bytes % PACKED == 0 and not bytes:find("[\x80-\xFF]") then
    add_bank(list, bytes)
  else
    cursor.malformed("has no voices of a DX7")
  end
  return list, notes
end)

--- Whether bytes begin as System Exclusive messages of Yamaha do.
---@param bytes string
---@return boolean
function M.is_message(bytes)
  return bytes:sub(1, 2) == "\xF0\x43"
end

---@class ym2612ml.Dx7Voice
---@field name string
---@field algorithm integer  1..32
---@field feedback integer  0..7
---@field transpose integer  -24..24 semitones
---@field [1] table<string, integer>  parameters of operator 1, and so on to 6: rate_1 to
---  rate_4, level_1 to level_4, output_level, coarse, fine, detune -7..7, fixed_frequency,
---  ...; the other parameters are in the voice itself, by the names of the instrument

--- Decodes voices: System Exclusive messages of banks and voices, or packed voices alone.
---@param bytes string
---@return ym2612ml.Dx7Voice[]? voices
---@return string[]|string notes  or the message
---@return string? kind  "format"
function M.decode(bytes)
  check.type(bytes, "string", 1, "decode")
  local list, notes = decode(bytes)
  return list, notes, not list and "format" or nil
end

--- Reads a file of voices.
---@param path string
---@return ym2612ml.Dx7Voice[]? voices
---@return string[]|string notes  or the message
---@return string? kind  "io" or "format"
function M.read(path)
  check.type(path, "string", 1, "read")
  local bytes, message, kind = files.read(path, LARGEST)
  if not bytes then
    return nil, message, kind
  end
  local list, notes = decode(bytes)
  if not list then
    return nil, ("%s: %s"):format(path, notes), "format"
  end
  return list, notes
end

return M
