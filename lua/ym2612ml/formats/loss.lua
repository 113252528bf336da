-- What is lost of patches in a file: found by reading what was written.
local core = require "ym2612ml.core"
local rows = require "ym2612ml.formats.rows"

local M = {}

---@class ym2612ml.Loss
---@field patch integer  which of the list
---@field field string  or "patch": the file would not have it at all
---@field operator? integer  1..4
---@field value any  in the patch
---@field becomes any  in the file

local FIELDS = core.patch.fields()
local NAMES = { "name", "dumper", "game" }
local OFF = -1 -- the speed of an LFO that is off

-- What a value of a field amounts to: SSG-EG below 8 is off, and no speed of the LFO is
-- heard of a patch without a depth.
local function meaning(name, value, deep)
  if name == "ssg" then
    return (value or 0) >= 8 and value
  elseif name == "lfo" then
    return deep and (value or OFF)
  end
  return value or 0
end

-- Adds what one patch loses.
local function add_losses(losses, index, patch, back)
  local deep = (patch.ams or 0) > 0 or (patch.fms or 0) > 0
  for _, field in ipairs(FIELDS) do
    local from, to = patch, back
    if field.operator then
      from, to = patch[field.operator], back[field.operator]
    end
    local value, becomes = from[field.name], to[field.name]
    if meaning(field.name, value, deep) ~= meaning(field.name, becomes, deep) then
      losses[#losses + 1] = {
        patch = index, field = field.name, operator = field.operator, value = value, becomes = becomes,
      }
    end
  end
  for _, name in ipairs(NAMES) do
    if rows.trimmed(patch[name] or "") ~= rows.trimmed(back[name] or "") then
      losses[#losses + 1] = { patch = index, field = name, value = patch[name], becomes = back[name] }
    end
  end
end

--- Every field that came back with another meaning, and every patch that did not come back.
---@param list ym2612ml.Patch[]
---@param back ym2612ml.Patch[]  what was read of the file of them
---@param order integer[]?  the indices in the list of those in back; nil: they are the same
---@return ym2612ml.Loss[]
function M.between(list, back, order)
  local came_back = order and {} or back
  for position, index in ipairs(order or {}) do
    came_back[index] = back[position]
  end
  local losses = {}
  for i, patch in ipairs(list) do
    if came_back[i] then
      add_losses(losses, i, patch, came_back[i])
    else
      losses[#losses + 1] = { patch = i, field = "patch", value = patch.name }
    end
  end
  return losses
end

return M
