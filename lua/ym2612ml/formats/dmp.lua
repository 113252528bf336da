-- DMP: one patch without a name, a byte for each value, detune around 3 (DefleMask,
-- Furnace). Versions 0 to 11 are read; what is written is 11, the last.
local carry = require "ym2612ml.formats.carry"
local cursor = require "ym2612ml.formats.cursor"
local layout = require "ym2612ml.formats.layout"

local NAME, VERSION = "dmp", 11
local COLUMNS = { "mul", "tl", "ar", "dr", "sl", "rr", "am", "rs", "dt", "sr", "ssg" }
local GENESIS, FM = 2, 1
local OPM = 8 -- a YM2151, whose second detune lies beside the first
local SYSTEMS = { [GENESIS] = true, [OPM] = true, [9] = true } -- 9: Neo Geo

-- A file of version 11: version, system, mode, then the values.
local FIRST = 7 -- offset of the first operator
local places = layout.bytes(COLUMNS, FIRST)
for i, name in ipairs { "fms", "feedback", "algorithm", "ams" } do
  table.insert(places, { name, at = 2 + i })
end
local block = layout.new(FIRST + 4 * #COLUMNS, places)

local M = {
  name = NAME, extensions = { "dmp" }, title = "DefleMask preset", depths = true, nameless = true,
}

--- How sure it is that bytes are of this format.
---@param bytes string
---@return integer certainty
function M.detect(bytes)
  local size, version = #bytes, bytes:byte(1)
  return size >= 49 and size <= 52 and version <= VERSION and 1 or 0
end

-- Whether the byte that tells FM from waves says FM.
local function check_mode(mode)
  if mode ~= FM then
    cursor.malformed(("mode %d, expected %d: not an FM instrument"):format(mode, FM))
  end
end

-- What comes before FMS or feedback in the versions before 11; returns the two bytes that
-- version 11 has instead, and FMS.
local function old_header(file, version)
  local fms = 0
  if version < 2 then
    file:take(1, "header")
  else
    check_mode(file:number("B", "mode"))
    if version < 10 then
      file:take(1, "header")
    end
    fms = file:number("B", "fms")
  end
  return string.char(VERSION, GENESIS, FM, fms)
end

local function new_header(file)
  local system = file:number("B", "system")
  if not SYSTEMS[system] then
    cursor.malformed(("system %d, expected 2, 8 or 9: not a chip with these operators"):format(system))
  end
  check_mode(file:number("B", "mode"))
  return string.char(VERSION, system, FM) .. file:take(1, "fms")
end

--- The patch in a file.
---@param bytes string
---@return ym2612ml.Patch[]?
---@return string[]|string  notes, or what is wrong
M.decode = cursor.guarded(function(bytes)
  local file, notes = cursor.new(bytes), {}
  local version = file:number("B", "version")
  if version > VERSION then
    cursor.malformed(("version %d, expected 0..%d"):format(version, VERSION))
  end
  local header = version == VERSION and new_header(file) or old_header(file, version)
  local offset = file.at - 1 - #header
  local found = header .. file:take(block.size - #header, "instrument")
  if file:left() > 0 then
    notes[#notes + 1] = ("%d byte(s) after the instrument are ignored"):format(file:left())
  end
  local clean = block:cleaned(found, offset, notes)
  local patch = block:decode(clean)
  -- The second detune of a YM2151 is no stray: it stays in its file.
  local kept = header:byte(2) == OPM and found or clean
  patch.carried = version == VERSION and { format = NAME, block = kept } or nil
  return { patch }, notes
end)

--- A file of a patch.
---@param list ym2612ml.Patch[]
---@return string
function M.encode(list)
  local template = carry.of(list[1], NAME).block or string.char(VERSION, GENESIS, FM) .. ("\0"):rep(block.size - 3)
  return block:encode(list[1], template)
end

return M
