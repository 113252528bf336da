-- An instrument of OPN2BankEditor and libOPNMIDI, as OPNI and WOPN hold it: a name of 32
-- bytes, note offset, percussion key, registers and, from version 2, two delays.
local carry = require "ym2612ml.formats.carry"
local layout = require "ym2612ml.formats.layout"

local M = {}

local NAME = 32
local REGISTERS = NAME + 3 -- offset of 0xB0
local SOUNDING = 30 -- bytes of registers: where all are 0, there is no instrument

local places = layout.registers(function(register, slot)
  return REGISTERS + 2 + 7 * slot + (register - 0x30) // 16
end)
layout.add_register(places, 0xB0, REGISTERS)
layout.add_register(places, 0xB4, REGISTERS + 1)

M.SIZE = REGISTERS + SOUNDING -- without the delays
M.DELAYS = 4

-- The delays of a patch that comes from elsewhere: ms that it is heard while a key is down,
-- as of one that does not fade, and after. Where both are 0, OPN2BankEditor and libOPNMIDI
-- take a bank's instrument for an empty slot.
local NEW_DELAYS = string.pack(">I2I2", 40000, 300)

local block = layout.new(M.SIZE, places)

--- Whether an entry holds no instrument.
---@param bytes string
---@return boolean
function M.is_blank(bytes)
  return not bytes:sub(REGISTERS + 1, M.SIZE):find("[^\0]")
end

--- The patch in an entry, and the entry without stray bits.
---@param bytes string
---@param offset integer  of the entry in the file, for notes
---@param notes string[]
---@return ym2612ml.Patch
---@return string clean
function M.decode(bytes, offset, notes)
  local clean = block:cleaned(bytes, offset, notes)
  local patch = block:decode(clean)
  patch.name = carry.unpadded(clean:sub(1, NAME))
  return patch, clean
end

--- The entry of a patch.
---@param patch ym2612ml.Patch
---@param template string?  the entry that the patch came from
---@param size integer  M.SIZE, or more with delays
---@return string
function M.encode(patch, template, size)
  template = (template or ("\0"):rep(M.SIZE)):sub(1, size)
  template = template .. NEW_DELAYS:sub(1, size - #template)
  local bytes = block:encode(patch, template)
  if carry.unpadded(bytes:sub(1, NAME)) ~= (patch.name or "") then
    bytes = carry.padded(patch.name, NAME) .. bytes:sub(NAME + 1)
  end
  return bytes
end

return M
