-- OPNI: one instrument of OPN2BankEditor, versions 1 and 2. Real files of version 2 have
-- the two delays that the specification keeps to banks.
local carry = require "ym2612ml.formats.carry"
local cursor = require "ym2612ml.formats.cursor"
local entry = require "ym2612ml.formats.entry"

local NAME = "opni"
local MAGIC = { "WOPN2-INST\0", "WOPN2-IN2T\0" }

local M = {
  name = NAME, extensions = { "opni" }, title = "OPN2BankEditor instrument", depths = true, versions = { 1, 2 },
}

--- How sure it is that bytes are of this format.
---@param bytes string
---@return integer certainty
function M.detect(bytes)
  local magic = bytes:sub(1, #MAGIC[1])
  return (magic == MAGIC[1] or magic == MAGIC[2]) and 3 or 0
end

--- The patch in a file.
---@param bytes string
---@return ym2612ml.Patch[]?
---@return string[]|string  notes, or what is wrong
M.decode = cursor.guarded(function(bytes)
  local file, notes = cursor.new(bytes), {}
  local version = file:take(#MAGIC[1], "magic number") == MAGIC[2] and 2 or 1
  if M.detect(bytes) == 0 then
    cursor.malformed("does not begin as an OPNI does")
  end
  local code = version == 2 and file:number("<I2", "version") or 1
  local percussion = file:number("B", "kind")
  local offset = file.at - 1
  local size = file:left() >= entry.SIZE + entry.DELAYS and entry.SIZE + entry.DELAYS or entry.SIZE
  local patch, clean = entry.decode(file:take(size, "instrument"), offset, notes)
  if file:left() > 0 then
    notes[#notes + 1] = ("%d byte(s) after the instrument are ignored"):format(file:left())
  end
  patch.carried = { format = NAME, version = version, code = code, percussion = percussion, entry = clean }
  return { patch }, notes
end)

--- A file of a patch.
---@param list ym2612ml.Patch[]
---@param options {version?: integer}  default: that of the file it was read from, or 2
---@return string
function M.encode(list, options)
  local patch = list[1]
  local carried = carry.of(patch, NAME)
  local version = options.version or carried.version or 2
  local kept = carried.version == version and carried.entry
  local size = kept and #kept or version == 2 and entry.SIZE + entry.DELAYS or entry.SIZE
  local percussion = string.char(carried.percussion or 0)
  local head = version == 2 and string.pack("<I2", kept and carried.code or 2) or ""
  return MAGIC[version] .. head .. percussion .. entry.encode(patch, carried.entry, size)
end

return M
