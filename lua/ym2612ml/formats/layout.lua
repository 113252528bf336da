-- Where the fields of a patch lie in a block of bytes, and the codec made of that.
local carry = require "ym2612ml.formats.carry"
local core = require "ym2612ml.core"

local M = {}

--- The operators in the order of the chip's registers, which nearly all files keep.
M.ORDER = { 1, 3, 2, 4 }

local FIELDS = {} -- those of a patch, and of one operator
for _, field in ipairs(core.patch.fields()) do
  if (field.operator or 1) == 1 then
    FIELDS[field.name] = field
  end
end

local Layout = {}
Layout.__index = Layout
Layout.__name = "ym2612ml.layout"

---@class ym2612ml.Place
---@field [1] string  name of the field
---@field at integer  offset in the block, from 0
---@field operator? integer  1..4
---@field shift? integer  its lowest bit, default 0
---@field centred? boolean  of detune: 3 stands for none; otherwise as in the register

--- A layout. A place takes as many bits as the field has on the chip.
---@param size integer  bytes of the block
---@param places ym2612ml.Place[]
---@return table layout
function M.new(size, places)
  local self = setmetatable({ size = size, places = {}, masks = {} }, Layout)
  for i, place in ipairs(places) do
    local shift, mask = place.shift or 0, (1 << FIELDS[place[1]].width) - 1
    self.places[i] = {
      name = place[1], at = place.at, operator = place.operator, shift = shift, mask = mask,
      centred = place.centred,
    }
    self.masks[place.at] = (self.masks[place.at] or 0) | mask << shift
  end
  return self
end

--- Places of operators whose bytes hold what the chip's registers do.
---@param at fun(register: integer, slot: integer): integer  offset of register 0x30, 0x40,
---  ... 0x90 of the operator at 0..3 in the order of registers
---@param centred? boolean  detune is
---@return ym2612ml.Place[]
function M.registers(at, centred)
  local places = {}
  for slot, operator in ipairs(M.ORDER) do
    for name, field in pairs(FIELDS) do
      if field.operator then
        places[#places + 1] = {
          name, operator = operator, at = at(field.register, slot - 1), shift = field.shift, centred = centred,
        }
      end
    end
  end
  return places
end

--- Adds the places of fields of the whole patch that share one byte, as in its register.
---@param places ym2612ml.Place[]
---@param register integer  0xB0 or 0xB4
---@param at integer
---@return ym2612ml.Place[] places  the same table
function M.add_register(places, register, at)
  for name, field in pairs(FIELDS) do
    if not field.operator and field.register == register then
      places[#places + 1] = { name, at = at, shift = field.shift }
    end
  end
  return places
end

--- Places of the registers 0x30 to 0x9C one after the other.
---@param first integer  offset of 0x30
---@return ym2612ml.Place[]
function M.register_major(first)
  return M.registers(function(register, slot)
    return first + (register - 0x30) // 4 + slot
  end)
end

--- Places of operators with a byte for each field.
---@param names (string|false)[]  in their order; false: no field of ours
---@param first integer  offset of the first operator's
---@param stride? integer  from one operator to the next, default as many as there are names
---@return ym2612ml.Place[]
function M.bytes(names, first, stride)
  local places = {}
  for slot, operator in ipairs(M.ORDER) do
    for i, name in ipairs(names) do
      local at = first + (slot - 1) * (stride or #names) + i - 1
      places[#places + 1] = name and { name, operator = operator, at = at, centred = name == "dt" } or nil
    end
  end
  return places
end

--- Detune as the register holds it, 0..7, to -3..3.
---@param bits integer
---@return integer
function M.detune(bits)
  return bits & 4 ~= 0 and -(bits & 3) or bits & 3
end

--- Detune -3..3 as the register holds it.
---@param detune integer
---@return integer bits
function M.detune_bits(detune)
  return detune < 0 and 4 - detune or detune
end

local function value_of(place, byte)
  local bits = byte >> place.shift & place.mask
  if place.name ~= "dt" then
    return bits
  elseif place.centred then
    return bits == 7 and 0 or bits - 3 -- 7 is another none
  end
  return M.detune(bits)
end

local function bits_of(place, value)
  if place.name ~= "dt" then
    return value
  end
  return place.centred and value + 3 or M.detune_bits(value)
end

--- A patch without any value but those that may be absent.
---@return table patch
function M.blank()
  local patch = { ams = 0, fms = 0 }
  for operator = 1, 4 do
    patch[operator] = { am = 0, ssg = 0 }
  end
  return patch
end

--- The patch in a block.
---@param block string  at least as long as the layout
---@return ym2612ml.Patch
function Layout:decode(block)
  local patch = M.blank()
  for _, place in ipairs(self.places) do
    local owner = place.operator and patch[place.operator] or patch
    owner[place.name] = value_of(place, block:byte(place.at + 1))
  end
  return patch
end

--- The block without the bits that no field has, in the bytes where there are fields.
---@param block string
---@param offset integer  of the block in the file, for the note
---@param notes string[]  gets a note where bits are dropped
---@return string block
function Layout:cleaned(block, offset, notes)
  local count, first, bytes = 0, nil, { block:byte(1, -1) }
  for at, mask in pairs(self.masks) do
    local byte = bytes[at + 1]
    if byte & ~mask ~= 0 then
      count, first = count + 1, math.min(first or at, at)
      bytes[at + 1] = byte & mask
    end
  end
  if not first then
    return block
  end
  notes[#notes + 1] = ("bits outside the fields in %d byte(s), first at offset %d: %d read as %d"):format(count,
    offset + first, block:byte(first + 1), bytes[first + 1])
  return string.char(table.unpack(bytes))
end

--- Whether a block has bits only where there are fields, in those bytes.
---@param block string
---@return boolean
function Layout:is_clean(block)
  for at, mask in pairs(self.masks) do
    if block:byte(at + 1) & ~mask ~= 0 then
      return false
    end
  end
  return true
end

--- A block with the patch in it.
---@param patch ym2612ml.Patch
---@param template? string  a block of which every bit is kept but those of fields that
---  have another value there; default: zeros
---@return string
function Layout:encode(patch, template)
  template = template or ("\0"):rep(self.size)
  local bytes = { template:byte(1, -1) }
  for _, place in ipairs(self.places) do
    local value = (place.operator and patch[place.operator] or patch)[place.name] or 0
    local byte = bytes[place.at + 1]
    if value_of(place, byte) ~= value then
      bytes[place.at + 1] = byte & ~(place.mask << place.shift) | bits_of(place, value) << place.shift
    end
  end
  return string.char(table.unpack(bytes))
end

--- The format whose files are one block without a name, and nothing else.
---@param name string  also the files' extension
---@param title string
---@param block table  the layout
---@param depths? boolean  whether it has places for AMS, FMS and AM
---@return table format
function M.single_block(name, title, block, depths)
  local format = { name = name, extensions = { name }, title = title, depths = depths, nameless = true }
  function format.detect(bytes)
    return #bytes == block.size and block:is_clean(bytes) and 1 or 0
  end
  function format.decode(bytes)
    if #bytes ~= block.size then
      return nil, ("a %s has %d bytes, this has %d"):format(name:upper(), block.size, #bytes)
    end
    local notes = {}
    local clean = block:cleaned(bytes, 0, notes)
    local patch = block:decode(clean)
    patch.carried = { format = name, block = clean }
    return { patch }, notes
  end
  function format.encode(list)
    return block:encode(list[1], carry.of(list[1], name).block)
  end
  return format
end

return M
