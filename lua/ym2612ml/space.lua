-- Learned spaces of patches: trained, read, and what is done in them.
local copies = require "ym2612ml.space.copies"
local frechet = require "ym2612ml.space.frechet"
local models = require "ym2612ml.models"
local space = require "ym2612ml.space.space"
local training = require "ym2612ml.space.training"

local M = {}

M.load = space.load
M.steps = training.steps
M.duplicates = copies.steps
M.frechet = frechet.steps

local shipped

--- The space that comes with the module, read once.
---@return ym2612ml.Space? space
---@return string? message
---@return string? kind
function M.shipped()
  if not shipped then
    local message, kind
    shipped, message, kind = space.load(models.folder() .. "/" .. models.files.space)
    if not shipped then
      return nil, message, kind
    end
  end
  return shipped
end

return M
