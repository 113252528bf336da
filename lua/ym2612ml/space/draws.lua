-- Many patches of a learned space, block after block.
local check = require "ym2612ml.check"
local hearing = require "ym2612ml.space.hearing"
local patches = require "ym2612ml.patch"

local M = {}

--- Checks the arguments of a function that judges what is drawn from a space: raises, or
--- gives the options with defaults.
---@param space any
---@param options table?
---@param rules table<string, table>  as of `check.options`, with a rule for patches
---@param caller string  that function's name
---@return table options
function M.check(space, options, rules, caller)
  check.options({ space = space }, { space = { class = "ym2612ml.Space", needed = true } }, 1, caller)
  options = check.options(options, rules, 2, caller)
  if type(options.patches) == "table" then
    patches.check_all(options.patches, 2, caller)
  end
  return options
end

--- Makes a function that draws patches with a seed.
---@param space ym2612ml.Space
---@param options {temperature: number, lock: table?}  of `generate`
---@return fun(count: integer, seed: integer): ym2612ml.Patch[] draw
function M.generator(space, options)
  return function(count, seed)
    return (space:generate(count, { seed = seed, temperature = options.temperature, lock = options.lock }))
  end
end

local BLOCK = 256 -- patches of a block
local STRIDE = 1000003 -- from the seed of a block to that of the next
local FRUITLESS = 4 -- blocks in a row of which nothing can be heard

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
