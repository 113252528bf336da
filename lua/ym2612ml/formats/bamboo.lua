-- Instruments and banks of BambooTracker (YM2608, whose FM channels are the YM2612's):
-- read only. Sequences and instruments that are not FM are passed over.
local cursor = require "ym2612ml.formats.cursor"
local layout = require "ym2612ml.formats.layout"

local INSTRUMENT, BANK = "BambooTrackerIst", "BambooTrackerBnk"
local ENVELOPE, LFO = 0, 1 -- kinds of properties
local FM = 0 -- type of instrument
local UNUSED = 0x80 -- bit of a number of properties
local SILENT = 127

local M = {
  name = "bamboo", extensions = { "bti", "btb" }, title = "BambooTracker instrument or bank", lfo = true,
  many = true,
}

--- How sure it is that bytes are of this format.
---@param bytes string
---@return integer certainty
function M.detect(bytes)
  local magic = bytes:sub(1, #INSTRUMENT)
  return (magic == INSTRUMENT or magic == BANK) and 3 or 0
end

-- A section: its name, its size with these four bytes, and what it holds.
local function section(file, name)
  if file:take(#name, "section") ~= name then
    cursor.malformed(("has no section %s where it is expected"):format(name))
  end
  return cursor.new(file:take(file:number("<I4", "size of a section") - 4, "section " .. name))
end

-- An instrument: its name, and the numbers of its envelope and LFO, nil where it is no FM.
local function read_instrument(inner, is_bank)
  local instrument = { name = inner:take(inner:number("<I4", "length of a name"), "name") }
  if inner:number("B", "type") == FM then
    instrument.envelope = is_bank and inner:number("B", "envelope") or 0
    instrument.lfo = is_bank and inner:number("B", "LFO") or 0
  end
  return instrument
end

local function read_instruments(file, is_bank)
  if not is_bank then
    return { read_instrument(file, false) }
  end
  local list = {}
  for _ = 1, file:number("B", "count") do
    file:take(1, "number")
    local size = file:number("<I4", "size of an instrument") - 4
    list[#list + 1] = read_instrument(cursor.new(file:take(size, "instrument")), true)
  end
  return list
end

-- The envelopes and LFOs by number; these two kinds come first, and have short sizes.
local function read_properties(file, is_bank)
  local properties = { [ENVELOPE] = {}, [LFO] = {} }
  while file:left() > 0 do
    local kind = file:number("B", "kind of properties")
    if not properties[kind] then
      break
    end
    for _ = 1, is_bank and file:number("B", "count") or 1 do
      local number = is_bank and file:number("B", "number") or 0
      local offset = file.at - 1
      local data = file:take(file:number("B", "size of properties") - 1, "properties")
      properties[kind][number] = { offset = offset, data = cursor.new(data) }
    end
  end
  return properties
end

local function read_operator(data, operator, index, notes)
  local ar, dr, sr = data:number("B", "ar"), data:number("B", "dr"), data:number("B", "sr")
  local level, tl, multiple = data:number("B", "sl"), data:number("B", "tl"), data:number("B", "mul")
  operator.ar, operator.dr, operator.sr = ar & 31, dr & 31, sr & 31
  operator.rs, operator.dt = dr >> 5 & 3, layout.detune(sr >> 5)
  operator.sl, operator.rr, operator.tl, operator.mul = level >> 4, level & 15, tl & 127, multiple & 15
  operator.ssg = multiple & 0x80 ~= 0 and 0 or 8 | multiple >> 4
  if ar & 32 == 0 then
    operator.tl = SILENT
    notes[#notes + 1] = ("operator %d is switched off: tl is %d"):format(index, SILENT)
  end
end

local function read_lfo(data, patch)
  local first, second = data:number("B", "LFO"), data:number("B", "LFO")
  patch.lfo, patch.fms, patch.ams = first >> 4 & 7, first & 7, second & 3
  for operator = 1, 4 do
    patch[operator].am = second >> 3 + operator & 1
  end
end

local function patch_of(instrument, properties, notes)
  local patch, own = layout.blank(), {}
  local envelope = properties[ENVELOPE][instrument.envelope]
  if not envelope then
    notes[#notes + 1] = ("%q has no FM envelope, and is left out"):format(instrument.name)
    return nil
  end
  local data = cursor.new(envelope.data.bytes)
  local connection = data:number("B", "algorithm")
  patch.name, patch.algorithm, patch.feedback = instrument.name, connection >> 4 & 7, connection & 7
  for operator = 1, 4 do
    read_operator(data, patch[operator], operator, own)
  end
  local lfo = instrument.lfo & UNUSED == 0 and properties[LFO][instrument.lfo]
  if lfo then
    read_lfo(cursor.new(lfo.data.bytes), patch)
  end
  for _, note in ipairs(own) do
    notes[#notes + 1] = ("%q: %s"):format(instrument.name, note)
  end
  return patch
end

--- The patches in a file. A bank without FM instruments has none.
---@param bytes string
---@return ym2612ml.Patch[]?
---@return string[]|string  notes, or what is wrong
M.decode = cursor.guarded(function(bytes)
  local file, notes, list, others = cursor.new(bytes), {}, {}, 0
  local magic = file:take(#INSTRUMENT, "magic number")
  if M.detect(bytes) == 0 then
    cursor.malformed("does not begin as a file of BambooTracker does")
  end
  file:take(8, "size and version")
  local instruments = read_instruments(section(file, "INSTRMNT"), magic == BANK)
  local properties = read_properties(section(file, "INSTPROP"), magic == BANK)
  for _, instrument in ipairs(instruments) do
    if instrument.envelope then
      list[#list + 1] = patch_of(instrument, properties, notes)
    else
      others = others + 1
    end
  end
  if others > 0 then
    notes[#notes + 1] = ("%d instrument(s) that are not FM are left out"):format(others)
  end
  return list, notes
end)

return M
