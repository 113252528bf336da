-- The head and the tags of VGM files, in and out; the commands between are the decoder's.
-- Offsets count from 0, as in the format's specification (version 1.71).
local core = require "ym2612ml.core"
local files = require "ym2612ml.files"

local M = {}

--- Ticks in a second, the unit of time of all VGM files.
M.RATE = 44100

--- Master clock of the chip in consoles for NTSC, in Hz: also that of a file without one.
M.CLOCK = 7670454

--- What is said of a file with two YM2612.
M.SECOND_CHIP = "the second YM2612 is not played"

local MOST = 1 << 26 -- bytes of a file, unpacked
local MOST_PACKED, DENSEST = 1 << 21, 100 -- bytes that any packed file may hold; how often its
-- own size, where it holds more: music is not packed so well, only a bomb is
local MOST_TAGS = 1 << 20 -- bytes of the tags
local LEAST = 0x40 -- bytes of a head
local HEAD = 0x80 -- bytes of the head that is written, which version 1.51 begins to need
local VERSION = 0x151 -- of it; older ones are refused by some players

--- The slowest and the fastest clock of a chip, in Hz.
M.SLOWEST, M.FASTEST = 1000000, 16000000

local SECOND_CHIP, YM3438 = 1 << 30, 1 << 31 -- bits of the clock
local CLOCK_BITS = SECOND_CHIP - 1

--- The tags, in the order of a file.
M.TAGS = {
  "track", "track_japanese", "game", "game_japanese", "system", "system_japanese", "author",
  "author_japanese", "date", "converter", "notes",
}

---@class ym2612ml.VgmTags
---@field track? string
---@field track_japanese? string
---@field game? string
---@field game_japanese? string
---@field system? string
---@field system_japanese? string
---@field author? string  of the music
---@field author_japanese? string
---@field date? string
---@field converter? string  who made the file
---@field notes? string

---@class ym2612ml.VgmHeader
---@field version string  such as "1.51"
---@field clock? integer  Hz, of the YM2612; nil: the file says it has none
---@field chip ym2612ml.Chip  which output stage the file names
---@field ticks integer  length that the file claims, in 44100ths of a second
---@field loop_ticks integer  of that, the part that is repeated; 0: none
---@field notes string[]  what was passed over, or is wrong with the file

local function u32(bytes, offset)
  return (string.unpack("<I4", bytes, offset + 1))
end

-- A code unit at a position from 1, or nil at the end.
local function unit_at(bytes, position, last)
  return position < last and string.unpack("<I2", bytes, position) or nil
end

-- Text in UTF-16 from a position up to its NUL, or to last; and the position after.
local function read_text(bytes, position, last)
  local characters = {}
  local unit = unit_at(bytes, position, last)
  while unit and unit ~= 0 do
    position = position + 2
    local low = unit >= 0xD800 and unit < 0xDC00 and unit_at(bytes, position, last)
    if low and low >= 0xDC00 and low < 0xE000 then
      unit = 0x10000 + ((unit & 0x3FF) << 10 | low & 0x3FF)
      position = position + 2
    elseif unit >= 0xD800 and unit < 0xE000 then
      unit = 0xFFFD -- half a pair
    end
    characters[#characters + 1] = utf8.char(unit)
    unit = unit_at(bytes, position, last)
  end
  return table.concat(characters), position + 2
end

local function write_text(text)
  local units = {}
  for _, code in utf8.codes(text) do
    if code < 0x10000 then
      units[#units + 1] = string.pack("<I2", code)
    else
      code = code - 0x10000
      units[#units + 1] = string.pack("<I2I2", 0xD800 | code >> 10, 0xDC00 | code & 0x3FF)
    end
  end
  return table.concat(units) .. "\0\0"
end

-- The tags at an offset, as far as they are there.
local function read_tags(bytes, offset, notes)
  local tags = {}
  if bytes:sub(offset + 1, offset + 4) ~= "Gd3 " or offset + 12 > #bytes then
    notes[#notes + 1] = "the tags are missing"
    return tags
  end
  local position = offset + 13
  local last = math.min(#bytes, offset + 12 + math.min(u32(bytes, offset + 8), MOST_TAGS))
  for _, name in ipairs(M.TAGS) do
    local text
    text, position = read_text(bytes, position, last)
    tags[name] = text ~= "" and text or nil
  end
  return tags
end

local function write_tags(tags)
  local texts = {}
  for i, name in ipairs(M.TAGS) do
    texts[i] = write_text(tags[name] or "")
  end
  local body = table.concat(texts)
  return "Gd3 " .. string.pack("<I4I4", 0x100, #body) .. body
end

-- A version such as 0x151, whose digits are decimal.
local function version_text(version)
  return ("%x.%02x"):format(version >> 8, version & 0xFF)
end

--- What is known of a file before its commands are read.
---@class ym2612ml.VgmFile
---@field bytes string     unpacked
---@field data integer     position of the first command in bytes, from 1
---@field loop? integer    position of the command that a repetition begins with
---@field version integer  such as 0x151
---@field header ym2612ml.VgmHeader
---@field tags ym2612ml.VgmTags

-- The part of the head that tells of the chip; or nil, message.
local function read_chip(bytes, version, header)
  -- before version 1.10 the clock of the YM2413 was that of the YM2612 too
  local clock = u32(bytes, version >= 0x110 and 0x2C or 0x10)
  header.chip = clock & YM3438 ~= 0 and "ym3438" or "ym2612"
  if clock & SECOND_CHIP ~= 0 then
    header.notes[1] = M.SECOND_CHIP
  end
  clock = clock & CLOCK_BITS
  if clock ~= 0 and (clock < M.SLOWEST or clock > M.FASTEST) then
    return nil, ("a YM2612 with a clock of %d Hz, expected %d..%d"):format(clock, M.SLOWEST, M.FASTEST)
  end
  header.clock = clock ~= 0 and clock or nil
  return true
end

--- Reads the head and the tags.
---@param bytes string  of a .vgm or a .vgz
---@return ym2612ml.VgmFile? file
---@return string? message
---@return string? kind  "format"
function M.parse(bytes)
  if bytes:find("^\x1F\x8B") then
    local unpacked, message, kind = core.gunzip(bytes, math.min(MOST, math.max(MOST_PACKED, DENSEST * #bytes)))
    if not unpacked then
      return nil, message, kind
    end
    bytes = unpacked
  end
  if #bytes < LEAST or bytes:sub(1, 4) ~= "Vgm " then
    return nil, "not a VGM", "format"
  end
  local version = u32(bytes, 0x08)
  local header = {
    version = version_text(version), ticks = u32(bytes, 0x18), loop_ticks = u32(bytes, 0x20), notes = {},
  }
  local fine, message = read_chip(bytes, version, header)
  if not fine then
    return nil, message, "format"
  end
  local data = LEAST
  if version >= 0x150 and u32(bytes, 0x34) ~= 0 then
    data = 0x34 + u32(bytes, 0x34)
  end
  if data >= #bytes then
    return nil, ("no commands: they begin at byte %d, the file has %d"):format(data, #bytes), "format"
  end
  local loop = u32(bytes, 0x1C) ~= 0 and 0x1C + u32(bytes, 0x1C) or nil
  if loop and (loop < data or loop >= #bytes) then
    header.notes[#header.notes + 1] = "the point to repeat from is outside the file"
    loop = nil
  end
  local tags = u32(bytes, 0x14) ~= 0 and read_tags(bytes, 0x14 + u32(bytes, 0x14), header.notes) or {}
  return { bytes = bytes, data = data + 1, loop = loop and loop + 1, version = version, header = header, tags = tags }
end

--- Reads a file as far as its first command.
---@param path string
---@return ym2612ml.VgmFile? file
---@return string? message  names the path
---@return string? kind     "io" or "format"
function M.load(path)
  local bytes, message, kind = files.read(path, MOST)
  if not bytes then
    return nil, message, kind
  end
  local file
  file, message, kind = M.parse(bytes)
  if not file then
    return nil, ("%s: %s"):format(path, message), kind
  end
  return file
end

--- The bytes of a file for one YM2612.
---@param commands string  with the one that ends them
---@param ticks integer  their length
---@param clock integer  Hz
---@param tags ym2612ml.VgmTags  in UTF-8
---@return string bytes
function M.build(commands, ticks, clock, tags)
  local gd3 = write_tags(tags)
  local size = HEAD + #commands + #gd3
  local head = "Vgm " .. string.pack("<I4I4I4I4I4I4", size - 4, VERSION, 0, 0, HEAD + #commands - 0x14, ticks)
    .. string.pack("<I4I4I4I4I4I4I4", 0, 0, 0, 0, clock, 0, HEAD - 0x34)
  return head .. ("\0"):rep(HEAD - #head) .. commands .. gd3
end

return M
