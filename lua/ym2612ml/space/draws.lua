-- Many patches of a learned space, block after block.
local hearing = require "ym2612ml.space.hearing"

local M = {}

local BLOCK = 256 -- patches of a block
local STRIDE = 1000003 -- from the seed of a block to that of the next
local FRUITLESS = 16 -- blocks in a row of which nothing can be heard

--- Makes a function that draws the next block of patches. The patches of a seed are the
--- same however many are wanted; those of the first block are what a draw of this seed
--- alone gives.
---@param draw fun(count: integer, seed: integer): ym2612ml.Patch[]
---@param count integer  in all
---@param seed integer
---@param audible? boolean  only patches that can be heard at A4; others are drawn again
---@return fun(): ym2612ml.Patch[]? next  nil at the end, or before it when nothing can be
---  heard any more
function M.blocks(draw, count, seed, audible)
  local drawn, block, fruitless = 0, 0, 0
  return function()
    local list = {}
    while #list == 0 and drawn < count and fruitless < FRUITLESS do
      list = draw(audible and BLOCK or math.min(BLOCK, count - drawn), seed + block * STRIDE)
      block = block + 1
      local heard = audible and hearing.audible(list)
      local kept = {}
      for i, patch in ipairs(list) do
        kept[#kept + 1] = #kept < count - drawn and (not heard or heard[i]) and patch or nil
      end
      list, fruitless = kept, #kept > 0 and 0 or fruitless + 1
    end
    drawn = drawn + #list
    return #list > 0 and list or nil
  end
end

return M
