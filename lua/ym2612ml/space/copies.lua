-- Whether what is drawn from a learned space is new: how many draws are the same, among
-- each other and as the patches that it learned from.
local draws = require "ym2612ml.space.draws"
local hearing = require "ym2612ml.space.hearing"
local patches = require "ym2612ml.patch"
local sources = require "ym2612ml.space.sources"
local steps = require "ym2612ml.steps"
local tokens = require "ym2612ml.space.tokens"

local M = {}

local RULES = {
  count = { type = "integer", least = 1, default = 65536 },
  patches = { type = { "string", "table" }, default = {} },
  temperature = { type = "number", least = 0, most = 100, default = 1 },
  seed = { type = "integer", default = 1 },
}

-- One text for all patches that sound the same.
local function keys_of(list)
  local keys, classes = {}, tokens.classes(list)
  for row = 1, #list do
    keys[row] = classes[row]:bytes()
  end
  return keys
end

---@class ym2612ml.Copies
---@field count integer  draws
---@field valid integer  of them patches that the chip has
---@field audible integer  that can be heard as A4, held for a second
---@field distinct integer  of which none sounds the same as an earlier one by its registers
---@field patches integer  that they are compared to
---@field copied integer  draws that are one of these

--- Draws patches and counts those that are the same, in the form that stands for all that
--- sound the same.
---@param space ym2612ml.Space
---@param options? table  count: default 65536; patches: what the space learned from: a table,
---  a file or a folder (as of `ym.dataset.read_patches`), of which those are left out that its
---  training set aside; or a list of patches; default none; temperature: default 1; seed: default 1
---@return fun(): table|false|nil, string?, string? next  steps {done, total}, the first with
---  skipped, messages about files that cannot be read, the last with a summary,
---  ym2612ml.Copies; nil at the end; or false, message, kind
function M.steps(space, options)
  options = draws.check(space, options, RULES, "duplicates")
  return steps.new(function(report)
    local known, seen, training, skipped = {}, {}, options.patches, {}
    if type(training) == "string" then
      local _
      training, _, skipped = sources.parts_of(training, space)
    end
    report { done = 0, total = options.count, skipped = skipped }
    for _, key in ipairs(#training > 0 and keys_of(training) or {}) do
      known[key] = true
    end
    local found = { count = 0, valid = 0, audible = 0, distinct = 0, patches = #training, copied = 0 }
    local function count(name, is_so)
      found[name] = found[name] + (is_so and 1 or 0)
    end
    for list in draws.blocks(draws.generator(space, options), options.count, options.seed) do
      local heard = hearing.audible(list)
      for i, key in ipairs(keys_of(list)) do
        count("count", true)
        count("valid", not patches.problem(list[i]))
        count("audible", heard[i])
        count("distinct", not seen[key])
        count("copied", known[key])
        seen[key] = true
      end
      report { done = found.count, total = options.count, summary = found.count == options.count and found or nil }
    end
  end)
end

return M
