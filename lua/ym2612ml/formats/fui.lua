-- FUI: one instrument of Furnace. The new form is a list of features, of which those that
-- are not read here stay in the patch for when it is written again; the old form (before
-- version 127) is read only, and becomes the new.
local carry = require "ym2612ml.formats.carry"
local cursor = require "ym2612ml.formats.cursor"
local layout = require "ym2612ml.formats.layout"

local NAME = "fui"
local MAGIC, OLD_MAGIC = "FINS", "-Furnace instr.-"
local VERSION = 143 -- Furnace 0.6, the first stable release with features
local OPN, OPZ, OPM = 1, 19, 33 -- types of instrument that have these operators
local BLOCK_SINCE = 224 -- version from which a byte more stands before the operators
local LONGEST = 0xFFFE -- bytes of a name, with its end less than a feature's most
local SILENT = 127 -- level of an operator that is switched off
local MACROS = { MA = true, O1 = true, O2 = true, O3 = true, O4 = true }

local M = {
  name = NAME, extensions = { "fui" }, title = "Furnace instrument", depths = true,
}

--- How sure it is that bytes are of this format.
---@param bytes string
---@return integer certainty
function M.detect(bytes)
  return (bytes:sub(1, #MAGIC) == MAGIC or bytes:sub(1, #OLD_MAGIC) == OLD_MAGIC) and 3 or 0
end

-- The feature FM: flags, three bytes of the instrument, one more since BLOCK_SINCE, and the
-- operators.
local function new_fm(first)
  local places = layout.registers(function(register, slot)
    return first + 8 * slot + (register - 0x30) // 16
  end, true)
  for _, place in ipairs { { "algorithm", at = 1, shift = 4 }, { "feedback", at = 1 }, { "ams", at = 2, shift = 3 },
    { "fms", at = 2 } } do
    places[#places + 1] = place
  end
  return layout.new(first + 32, places)
end

local FM, FM_WITH_BLOCK = new_fm(4), new_fm(5)
local NEW_FM = "\xF4\0\0\x20" -- four operators, all on

local function fm_of(version)
  return version >= BLOCK_SINCE and FM_WITH_BLOCK or FM
end

-- The old form: a byte for each value, detune around 3.
local OLD_FM = layout.bytes({ "am", "ar", "dr", "mul", "rr", "sl", "tl", false, "rs", "dt", "sr", "ssg" }, 8, 32)
for i, name in ipairs { "algorithm", "feedback", "fms", "ams" } do
  OLD_FM[#OLD_FM + 1] = { name, at = i - 1 }
end
OLD_FM = layout.new(8 + 4 * 32, OLD_FM)
local OLD_ENABLED_SINCE, OLD_ENABLED = 114, 20 -- version, and offset in an operator

local function check_type(kind, notes)
  if kind == OPM or kind == OPZ then
    notes[#notes + 1] = "is for another chip (OPM or OPZ): what the YM2612 lacks is ignored"
  elseif kind ~= OPN then
    cursor.malformed(("instrument type %d, expected %d: not an FM instrument of this chip"):format(kind, OPN))
  end
end

-- Operators that are switched off are silent.
local function silence(patch, is_on, notes)
  for slot, operator in ipairs(layout.ORDER) do
    if not is_on(slot - 1) then
      patch[operator].tl = SILENT
      notes[#notes + 1] = ("operator %d is switched off: tl is %d"):format(operator, SILENT)
    end
  end
end

-- The features to the end, as {code, data} in their order.
local function read_features(file)
  local features = {}
  while file:left() >= 2 do
    local code = file:take(2, "feature")
    features[#features + 1] = { code }
    if code == "EN" then
      break
    end
    features[#features][2] = file:take(file:number("<I2", "length of a feature"), ("feature %q"):format(code))
  end
  return features
end

local function check_operators(fm, size)
  if #fm < size or fm:byte(1) & 15 ~= 4 then
    cursor.malformed(("FM feature of %d bytes and %d operators, expected %d and 4"):format(#fm,
      (fm:byte(1) or 0) & 15, size))
  end
end

-- The patch in the feature FM.
local function decode_fm(fm, version, notes)
  check_operators(fm, fm_of(version).size)
  local patch = fm_of(version):decode(fm)
  silence(patch, function(slot)
    return fm:byte(1) >> 4 + slot & 1 == 1 -- the flags are in the order of the operators
  end, notes)
  return patch
end

local function decode_new(file, notes)
  local version, kind = file:number("<I2", "version"), file:number("<I2", "type")
  check_type(kind, notes)
  local features = read_features(file)
  local patch, name, macros
  for _, feature in ipairs(features) do
    if feature[1] == "FM" and not patch then
      patch = decode_fm(feature[2], version, notes)
    elseif feature[1] == "NA" and not name then
      name = carry.unpadded(feature[2])
    end
    macros = macros or MACROS[feature[1]]
  end
  if not patch then
    cursor.malformed("has no FM feature")
  elseif macros then
    notes[#notes + 1] = "its macros are not heard here, but kept"
  end
  patch.name = name or ""
  patch.carried = {
    format = NAME, version = version, kind = kind, features = features, rest = file:take(file:left(), "rest"),
  }
  return patch
end

local function decode_old(file, notes)
  file:take(4, "version")
  file:go(file:number("<I4", "pointer"), "the instrument")
  if file:take(4, "block") ~= "INST" then
    cursor.malformed("has no instrument where it is said to be")
  end
  file:take(4, "size")
  local version = file:number("<I2", "version")
  check_type(file:number("B", "type"), notes)
  file:take(1, "header")
  local name = file:text("name")
  local offset = file.at - 1
  local found = file:take(OLD_FM.size, "instrument")
  local patch = OLD_FM:decode(OLD_FM:cleaned(found, offset, notes))
  if version >= OLD_ENABLED_SINCE then
    silence(patch, function(slot)
      return found:byte(8 + 32 * slot + OLD_ENABLED + 1) ~= 0
    end, notes)
  end
  notes[#notes + 1] = ("is of version %d: macros, if any, are not kept"):format(version)
  patch.name = name
  return patch
end

--- The patch in a file.
---@param bytes string
---@return ym2612ml.Patch[]?
---@return string[]|string  notes, or what is wrong
M.decode = cursor.guarded(function(bytes)
  local file, notes = cursor.new(bytes), {}
  if bytes:sub(1, #OLD_MAGIC) == OLD_MAGIC then
    file:take(#OLD_MAGIC, "magic number")
    return { decode_old(file, notes) }, notes
  elseif file:take(#MAGIC, "magic number") ~= MAGIC then
    cursor.malformed("does not begin as an FUI does")
  end
  return { decode_new(file, notes) }, notes
end)

-- The feature FM with the patch in it. An operator that was switched off stays so while it
-- is silent, and keeps its level.
local function encode_fm(patch, fm, version)
  local block, flags = fm_of(version), fm:byte(1)
  local bytes = block:encode(patch, fm)
  for slot, operator in ipairs(layout.ORDER) do
    local bit, level = 8 << slot, block.size - 32 + 8 * (slot - 1) + 2 -- its position in the bytes
    if flags & bit == 0 and patch[operator].tl == SILENT then
      bytes = bytes:sub(1, level - 1) .. fm:sub(level, level) .. bytes:sub(level + 1)
    else
      flags = flags | bit
    end
  end
  return string.char(flags) .. bytes:sub(2)
end

local function features_of(patch, carried)
  local list, seen, name = {}, {}, (patch.name or ""):sub(1, LONGEST)
  for _, feature in ipairs(carried.features or {}) do
    local code, data = feature[1], feature[2]
    if code == "FM" and not seen.FM then
      data = encode_fm(patch, data, carried.version)
    elseif code == "NA" and not seen.NA and carry.unpadded(data) ~= name then
      data = name .. "\0"
    end
    seen[code] = true
    list[#list + 1] = data and code .. string.pack("<s2", data) or code
  end
  if not seen.FM then
    table.insert(list, 1, "FM" .. string.pack("<s2", FM:encode(patch, NEW_FM .. ("\0"):rep(FM.size - #NEW_FM))))
  end
  if not seen.NA and name ~= "" then
    table.insert(list, 1, "NA" .. string.pack("<s2", name .. "\0"))
  end
  return table.concat(list)
end

--- A file of a patch, with all features that the file it was read from had.
---@param list ym2612ml.Patch[]
---@return string
function M.encode(list)
  local patch = list[1]
  local carried = carry.of(patch, NAME)
  local head = string.pack("<I2I2", carried.version or VERSION, carried.kind or OPN)
  return MAGIC .. head .. features_of(patch, carried) .. (carried.rest or "")
end

return M
