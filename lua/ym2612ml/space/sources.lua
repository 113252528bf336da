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
---@return string[] skipped  messages about files of a folder that cannot be read
function M.parts(from, aside, seed)
  local rows, skipped = {}, {}
  if type(from) == "string" then
    rows = steps.must(bank.read_patches(from))
  else
    for i, patch in ipairs(from) do
      rows[i] = { patch = patch }
    end
  end
  for _, row in ipairs(rows) do
    skipped[#skipped + 1] = row.message
  end
  local training, kept = bank.parts(rows, aside, seed)
  return training, kept, skipped
end

--- The same as it was in the training of a space.
---@param from string|ym2612ml.Patch[]
---@param space ym2612ml.Space
---@param aside? number  another share of families
---@return ym2612ml.Patch[] training
---@return ym2612ml.Patch[] aside
---@return string[] skipped
function M.parts_of(from, space, aside)
  local settings = space.settings
  return M.parts(from, aside or settings.validation or 0, settings.seed or 1)
end

return M
