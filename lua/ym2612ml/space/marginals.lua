-- The plainest model of patches, to which the learned space is compared: the algorithm,
-- then each register by itself, as often as it occurs with that algorithm.
local core = require "ym2612ml.core"
local tokens = require "ym2612ml.space.tokens"

local M = {}

local ALGORITHM = tokens.place.algorithm

---@class ym2612ml.Marginals
---@field counts table<integer, table<integer, number[]>>  of algorithm and place, classes
---  0 and up at 1 and up
local Marginals = {}
Marginals.__index = Marginals
Marginals.__name = "ym2612ml.Marginals"

-- A list of ones: each class is taken to have been seen once.
local function ones(classes)
  local list = {}
  for class = 1, classes do
    list[class] = 1
  end
  return list
end

--- Counts how often each class of each register occurs with each algorithm, one added to
--- each.
---@param list ym2612ml.Patch[]
---@return ym2612ml.Marginals
function M.fit(list)
  local counts, algorithms = {}, ones(8)
  for algorithm = 0, 7 do
    counts[algorithm] = {}
    for place, register in ipairs(tokens.registers) do
      counts[algorithm][place] = place == ALGORITHM and algorithms or ones(register.classes)
    end
  end
  local classes = tokens.classes(list)
  for row = 1, #list do
    local values = classes[row]:totable()
    for place, own in ipairs(counts[values[ALGORITHM]]) do
      own[values[place] + 1] = own[values[place] + 1] + 1
    end
  end
  return setmetatable({ counts = counts }, Marginals)
end

local function sum(list)
  local total = 0
  for _, value in ipairs(list) do
    total = total + value
  end
  return total
end

--- The mean negative log-likelihood of patches.
---@param list ym2612ml.Patch[]
---@return number nats  of a patch
function Marginals:cost(list)
  local classes, nats = tokens.classes(list), 0
  for row = 1, #list do
    local values = classes[row]:totable()
    for place, own in ipairs(self.counts[values[ALGORITHM]]) do
      nats = nats - math.log(own[values[place] + 1] / sum(own))
    end
  end
  return nats / #list
end

--- Draws patches.
---@param count integer
---@param seed integer
---@return ym2612ml.Patch[]
function Marginals:draw(count, seed)
  local rng, classes = core.rng.new { seed = seed }, core.tensor.new({ count, tokens.count }, "u8")
  for row = 1, count do
    local algorithm = rng:choose(self.counts[0][ALGORITHM]) - 1
    for place, own in ipairs(self.counts[algorithm]) do
      classes:set(row, place, place == ALGORITHM and algorithm or rng:choose(own) - 1)
    end
  end
  return tokens.patches(classes)
end

return M
