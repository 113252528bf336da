-- Y12: one patch with its names, 128 bytes, no LFO settings (Gens KMod, DefleMask,
-- Furnace).
local core = require "ym2612ml.core"

local SIZE, ALGORITHM, FEEDBACK = 128, 0x40, 0x41

local M = { name = "y12", extensions = { "y12" }, title = "Gens KMod instrument" }

--- How sure it is that bytes are of this format.
---@param bytes string
---@return integer certainty
function M.detect(bytes)
  return #bytes == SIZE and bytes:byte(ALGORITHM + 1) <= 7 and bytes:byte(FEEDBACK + 1) <= 7 and 1 or 0
end

--- The patch in a file.
---@param bytes string
---@return ym2612ml.Patch[]?
---@return string[]|string  notes, or what is wrong
function M.decode(bytes)
  local patch, note = core.patch.decode_y12(bytes)
  if not patch then
    return nil, note
  end
  return { patch }, { note }
end

--- A file of a patch.
---@param list ym2612ml.Patch[]
---@return string
function M.encode(list)
  return core.patch.encode_y12(list[1])
end

return M
