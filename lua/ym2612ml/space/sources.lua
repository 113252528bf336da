-- The patches that a learned space is made from, and those by which it is judged.
local bank = require "ym2612ml.bank"
local steps = require "ym2612ml.steps"

local M = {}

--- The patches that are learned from: of a table, a file or a folder, without those that
--- are set aside; or a list as it is. Ends the work where they cannot be read.
---@param from string|ym2612ml.Patch[]
---@param aside number  share of families set aside where no table tells
---@param seed integer  of the training
---@return ym2612ml.Patch[] training
---@return ym2612ml.Patch[] aside
function M.parts(from, aside, seed)
  local rows = {}
  if type(from) == "string" then
    rows = steps.must(bank.read_patches(from))
  else
    for i, patch in ipairs(from) do
      rows[i] = { patch = patch }
    end
  end
  return bank.parts(rows, aside, seed)
end

return M
