-- GYB: a bank of melodic and percussion instruments with a map to MIDI programs, and one
-- speed of the LFO (GYB editor, mid2smps). Versions 1 to 3 are read; what is written is 3.
local carry = require "ym2612ml.formats.carry"
local cursor = require "ym2612ml.formats.cursor"
local layout = require "ym2612ml.formats.layout"
local speeds = require "ym2612ml.formats.speeds"

local NAME = "gyb"
local MAGIC = "\26\12"
local KINDS = { "melodic", "percussion" } -- of instruments, in their order in the file
local MOST = 0x7FFF -- in either bank: one bit of a number in the map tells the bank
local MAP = 256 -- entries, of versions 1 and 2 a byte each
local CHECKSUM = 4
local PERCUSSION = 0x8000 -- bit of a number in the map

local M = {
  name = NAME, extensions = { "gyb" }, title = "GYB bank", lfo = true, many = true, versions = { 3 }, most = MOST,
}

-- The registers, one kind after the other: 30 of them, without 0xB4 in version 1.
local places = layout.register_major(0)
layout.add_register(places, 0xB0, 28)
layout.add_register(places, 0xB4, 29)
local REGISTERS = layout.new(30, places)

--- How sure it is that bytes are of this format.
---@param bytes string
---@return integer certainty
function M.detect(bytes)
  local version = bytes:byte(3)
  return bytes:sub(1, 2) == MAGIC and version and version >= 1 and version <= 3 and 3 or 0
end

local function patch_of(registers, offset, notes, flags, carried)
  local clean = REGISTERS:cleaned(registers, offset, notes)
  local patch = REGISTERS:decode(clean)
  patch.lfo = speeds.of(flags)
  carried.format, carried.registers = NAME, clean
  patch.carried = carried
  return patch
end

-- A map of version 3, of one instrument at most for each program and percussion key, with
-- the numbers that a function tells; nil: none.
local function new_map(number_of)
  local parts = {}
  for i, kind in ipairs(KINDS) do
    local mark = kind == "percussion" and PERCUSSION or 0
    for program = 0, MAP // 2 - 1 do
      local number = number_of(i, program)
      parts[#parts + 1] = number and string.pack("<I2BBI2", 1, 0, 0, number | mark) or "\0\0"
    end
  end
  return table.concat(parts)
end

-- Versions 1 and 2: instruments of a fixed size, and then their names.
local function decode_old(file, version, list, notes)
  local counts = { file:number("B", "count"), file:number("B", "count") }
  local map = file:take(MAP, "map") -- melodic and percussion in turn; from 128 on: none
  local flags = version == 2 and file:number("B", "speed of the LFO") or 0
  local size = version == 2 and 30 or 29
  file:need((counts[1] + counts[2]) * (version == 2 and 32 or 30), "instruments")
  for i, kind in ipairs(KINDS) do
    for _ = 1, counts[i] do
      local offset = file.at - 1
      local registers = file:take(size, "instrument") .. (version == 1 and "\0" or "")
      local transpose = file:number("B", "transposition")
      file:take(version == 2 and 1 or 0, "padding")
      list[#list + 1] = patch_of(registers, offset, notes, flags, { kind = kind, transpose = transpose })
    end
  end
  for _, patch in ipairs(list) do
    patch.name = file:take(file:number("B", "length of a name"), "name")
  end
  list.carried = {
    format = NAME, version = version, flags = flags, counts = counts, map = new_map(function(i, program)
      local number = map:byte(2 * program + i)
      return number < math.min(counts[i], MAP // 2) and number or nil
    end),
  }
  if file:left() ~= CHECKSUM then
    notes[#notes + 1] = ("%d byte(s) after the names, expected a checksum of 4"):format(file:left())
  end
end

-- One instrument of version 3: its size, registers, transposition, flags, chord, name.
local function decode_instrument(file, kind, flags, notes)
  local offset = file.at - 1
  local inner = cursor.new(file:take(file:number("<I2", "size of an instrument") - 2, "instrument"))
  local registers = inner:take(REGISTERS.size, "registers")
  local carried = { kind = kind, transpose = inner:number("B", "transposition"), flags = inner:number("B", "flags") }
  if carried.flags & 1 ~= 0 then
    carried.chord = inner:take(inner:number("B", "length of a chord"), "chord")
  end
  local patch = patch_of(registers, offset + 2, notes, flags, carried)
  patch.name = inner:take(inner:number("B", "length of a name"), "name")
  carried.rest = inner:take(inner:left(), "rest")
  return patch
end

local function decode_new(file, list, notes)
  local flags = file:number("B", "speed of the LFO")
  file:take(4, "size of the file")
  local banks, map_offset = file:number("<I4", "offset of the banks"), file:number("<I4", "offset of the map")
  local counts = {}
  file:go(banks, "the banks")
  for i, kind in ipairs(KINDS) do
    counts[i] = file:number("<I2", "count")
    file:need(counts[i] * (REGISTERS.size + 5), ("%d instruments"):format(counts[i]))
    for _ = 1, counts[i] do
      list[#list + 1] = decode_instrument(file, kind, flags, notes)
    end
  end
  local after_banks = file.at
  file:go(map_offset, "the map")
  local first = file.at
  for _ = 1, MAP do
    file:take(4 * file:number("<I2", "count in the map"), "map")
  end
  local map = file.bytes:sub(first, file.at - 1)
  local last = math.max(file.at, after_banks) - 1
  list.carried = {
    format = NAME, version = 3, flags = flags, counts = counts, map = map, body = file.bytes:sub(1, last),
    rest = file.bytes:sub(last + 1),
  }
end

--- The patches in a file.
---@param bytes string
---@return ym2612ml.Patch[]?
---@return string[]|string  notes, or what is wrong
M.decode = cursor.guarded(function(bytes)
  local file, notes, list = cursor.new(bytes), {}, {}
  if file:take(2, "magic number") ~= MAGIC then
    cursor.malformed("does not begin as a GYB does")
  end
  local version = file:number("B", "version")
  if version == 1 or version == 2 then
    decode_old(file, version, list, notes)
  elseif version == 3 then
    decode_new(file, list, notes)
  else
    cursor.malformed(("version %d, expected 1..3"):format(version))
  end
  return list, notes
end)

local function encode_instrument(patch)
  local carried = carry.of(patch, NAME)
  local body = REGISTERS:encode(patch, carried.registers)
    .. string.char(carried.transpose or 0, (carried.flags or 0) & ~1 | (carried.chord and 1 or 0))
    .. (carried.chord and string.pack("s1", carried.chord) or "")
    .. string.pack("s1", (patch.name or ""):sub(1, 255)) .. (carried.rest or "")
  return string.pack("<I2", #body + 2) .. body
end

-- The indices of the patches that are melodic, or percussion.
local function indices_of(list, kind)
  local indices = {}
  for i, patch in ipairs(list) do
    if (carry.of(patch, NAME).kind or "melodic") == kind then
      indices[#indices + 1] = i
    end
  end
  return indices
end

--- The order of the patches in a file that is written.
---@param list ym2612ml.Patch[]
---@return integer[] indices
function M.order(list)
  local order = indices_of(list, "melodic")
  return table.move(indices_of(list, "percussion"), 1, #list, #order + 1, order)
end

--- A file of patches, of version 3. The map of the file they were read from is kept while
--- there are as many as there were.
---@param list ym2612ml.Patch[]
---@return string
function M.encode(list)
  local head = carry.of(list, NAME)
  local counts, parts = {}, {}
  for i, kind in ipairs(KINDS) do
    local bank = indices_of(list, kind)
    counts[i] = #bank
    for position, index in ipairs(bank) do
      bank[position] = encode_instrument(list[index])
    end
    parts[i] = string.pack("<I2", #bank) .. table.concat(bank)
  end
  local same = head.counts and head.counts[1] == counts[1] and head.counts[2] == counts[2]
  local map, banks = same and head.map or new_map(function(i, program)
    return program < counts[i] and program or nil
  end), table.concat(parts)
  local first = #MAGIC + 2 + 3 * 4 -- after the header
  local function body(rest)
    local size = first + #map + #banks + rest
    return MAGIC .. string.pack("<BBI4I4I4", 3, speeds.flags(list, head.flags or 0), size, first + #map, first)
      .. map .. banks
  end
  -- What follows the banks may be a checksum: it belongs to just this body.
  local rest = head.rest or ""
  return body(#rest) == head.body and head.body .. rest or body(0)
end

return M
