-- What patches of a learned space sound like: the note A4, held for a second.
local core = require "ym2612ml.core"
local patches = require "ym2612ml.patch"
local registers = require "ym2612ml.networks.registers"

local M = {}

local BLOCK = 512 -- patches rendered in one call of the core

-- As little as tells whether a note is heard, be its attack as slow as it may.
local ears = core.features.new { { kind = "mel", size = 512, bands = 8, on = { 0.01, 0.05, 0.2, 0.5, 0.98 } } }

-- The features of patches, and which rows are those of notes that are heard.
local function hear(list, features, chip)
  local values, heard = core.tensor.new({ #list, features:count() }, "f16"), {}
  for first = 1, #list, BLOCK do
    local last = math.min(first + BLOCK - 1, #list)
    local part, audible = core.batch.features(patches.pack(table.move(list, first, last, 1, {})), features, {
      note = 69, held = 1, release = 0.5, chip = chip,
    })
    assert(part, audible)
    values:slice(first, last):copy(part)
    for i = 1, #audible do
      heard[first + i - 1] = audible[i] == 1
    end
  end
  return values, heard
end

--- Which patches can be heard, on the chip of the first consoles.
---@param list ym2612ml.Patch[]
---@return boolean[]
function M.audible(list)
  local _, heard = hear(list, ears, "ym2612")
  return heard
end

--- What the matcher's network hears of patches (networks/registers.lua), of those that are
--- heard, in their order.
---@param list ym2612ml.Patch[]
---@return ym2612ml.Tensor features  f16 (heard, features)
function M.features(list)
  local values, heard = hear(list, core.features.new(registers.recipe), "clean")
  local rows = {}
  for i, is_heard in ipairs(heard) do
    rows[#rows + 1] = is_heard and i or nil
  end
  return values:rows(rows)
end

return M
