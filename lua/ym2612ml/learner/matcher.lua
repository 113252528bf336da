-- The matcher's own network as a learner of the chip's parameters: what it makes of a
-- sound at once, without a search.
local check = require "ym2612ml.check"
local choice = require "ym2612ml.learner.choice"
local core = require "ym2612ml.core"
local models = require "ym2612ml.models"
local opn2 = require "ym2612ml.synths.opn2"
local parameters = require "ym2612ml.synths.parameters"
local patches = require "ym2612ml.patch"
local registers = require "ym2612ml.networks.registers"

local M = {}

local RATE = 53267 -- Hz: what the network hears
local ALGORITHMS = 8

---@class ym2612ml.MatcherLearner: ym2612ml.Learner
local MatcherLearner = {}
MatcherLearner.__index = MatcherLearner
MatcherLearner.__name = "ym2612ml.MatcherLearner"

--- Makes it for a data set of the synthesizer opn2, whose note and held time it is told.
---@param set ym2612ml.SoundSet
---@param shipped? ym2612ml.Models  default those that come with the module
---@return ym2612ml.MatcherLearner? learner
---@return string? message
---@return string? kind
function M.new(set, shipped)
  check.no_problem(set.synth.name ~= "opn2" and ("the data set is of %s, expected opn2"):format(set.synth.name) or nil,
    1, "new")
  local message, kind
  if not shipped then
    shipped, message, kind = models.shipped()
  end
  if not shipped then
    return nil, message, kind
  end
  local self = setmetatable({
    synth = set.synth, rate = set.rate, length = set.length, models = shipped,
    architecture = { name = "matcher", title = "the matcher's network, without a search" },
  }, MatcherLearner)
  self.parameters, self.dropped, self.usual = choice.of(set)
  return self
end

-- What the network makes of a sound: logits of the mixtures and probabilities; or nil,
-- message, kind.
local function answer_to(self, sound)
  local options, heard, message, kind = self.synth.options, sound, nil, nil
  if self.rate ~= RATE then
    heard, message, kind = core.audio.resample(sound, self.rate, RATE)
  end
  if heard then
    heard, message, kind = self.models:hear(heard, options.note, options.held)
  end
  if not heard then
    return nil, message, kind
  end
  return self.models:answer(heard)
end

-- The algorithm that is fixed, or the likeliest.
local function algorithm_of(self, answer)
  local fixed = self.synth.by_name.algorithm.fixed
  if fixed then
    return fixed
  end
  local best = 1
  for i = 2, ALGORITHMS do
    best = answer.probabilities[i] > answer.probabilities[best] and i or best
  end
  return best - 1
end

-- Distributions over the classes of all heads in a row of logits, by operator (0: the
-- patch's) and name.
local function distributions(row)
  local all = { [0] = {}, {}, {}, {}, {} }
  for _, head in ipairs(registers.heads) do
    all[head.operator or 0][head.name] =
      registers.softmax(table.move(row, head.first, head.first + head.width - 1, 1, {}))
  end
  return all
end

-- Gives a share of a distribution to its first class.
local function gather_first(distribution, share)
  for class = 1, #distribution do
    distribution[class] = distribution[class] * (1 - share)
  end
  distribution[1] = distribution[1] + share
end

-- What distributions of an envelope become in the canonical form. The network learned
-- decay rates only where the sustain level is not 0, and where they are 0 the sustain
-- level as 15.
local function rest_envelope(own)
  local level, decay = own.sl, own.dr
  local at_once, never = level[1], (1 - level[1]) * decay[1] -- sustain comes
  local last = #level
  local moved = math.min(never, level[last])
  level[1], level[last] = level[1] + moved, level[last] - moved
  gather_first(decay, at_once)
  gather_first(own.sr, never)
end

-- The middle of a distribution mixed of several, by their shares: the value on whose both
-- sides half of the probability lies, which makes the mean absolute error small.
local function middle(head, list, shares)
  local total, mixed = 0, {}
  for class = 1, head.width do
    mixed[class] = 0
    for i, all in ipairs(list) do
      mixed[class] = mixed[class] + shares[i] * all[head.operator or 0][head.name][class]
    end
    total = total + mixed[class]
  end
  local sum, class = mixed[1], 1
  while sum < total / 2 and class < head.width do
    class = class + 1
    sum = sum + mixed[class]
  end
  return math.min(head.minimum + (class - 1) * head.size + (head.size - 1) // 2, head.maximum)
end

-- The middles of all registers as the patch that stands for all of the same sound.
local function middles(self, answer)
  local algorithm = algorithm_of(self, answer)
  local each = #answer.shares // ALGORITHMS
  local list, shares = {}, {}
  for i = 1, each do
    list[i] = distributions(answer.logits[algorithm * each + i]:totable())
    shares[i] = answer.shares[algorithm * each + i]
    for operator = 1, 4 do
      rest_envelope(list[i][operator])
    end
  end
  local patch, level = { algorithm = algorithm, {}, {}, {}, {} }, 0
  for _, head in ipairs(registers.heads) do
    local value = middle(head, list, shares)
    if head.operator then
      patch[head.operator][head.name] = value
    elseif head.name == "level" then
      level = self.synth.options.chip == "clean" and 0 or value
    else
      patch[head.name] = value
    end
  end
  for _, operator in ipairs(patches.carriers(algorithm)) do
    patch[operator].tl = math.min(patch[operator].tl + level, 127)
  end
  return registers.ordered(patch)
end

local STEP = 20 * math.log(2, 10) / 8 -- dB: of a total level

local function energy(samples)
  local sum = 0
  for _, value in ipairs(samples:totable()) do
    sum = sum + value * value
  end
  return sum
end

-- The patch with the level that a sound has, which the network does not hear: the total
-- levels of its carriers changed by as many steps as it is too soft or too loud.
local function at_level(self, patch, sound)
  local options = self.synth.options
  local samples = core.render(patch, {
    note = options.note, held = options.held, release = math.max(0, self.length - options.held), chip = options.chip,
    rate = self.rate,
  })
  local wanted, found = energy(sound), energy(samples)
  if wanted > 0 and found > 0 then
    local steps = math.floor(10 * math.log(found / wanted, 10) / STEP + 0.5)
    for _, operator in ipairs(patches.carriers(patch.algorithm)) do
      patch[operator].tl = math.min(math.max(0, patch[operator].tl + steps), 127)
    end
  end
  return patch
end

--- What the network tells of sounds: of each register the middle of its distribution.
---@param sounds ym2612ml.Tensor  f32 (sounds, samples)
---@return {values: ym2612ml.Tensor, scores: table<string, ym2612ml.Tensor>}? answer  as of
---  ym2612ml.Learner; scores are higher the nearer a class is to the value told
---@return string? message
---@return string? kind
function MatcherLearner:predict(sounds)
  local list, scores = {}, {}
  for row = 1, #sounds do
    local answer, message, kind = answer_to(self, sounds[row])
    if not answer then
      return nil, ("sound %d: %s"):format(row, message), kind
    end
    list[row] = at_level(self, middles(self, answer), sounds[row])
  end
  local values = opn2.values(patches.pack(list))
  for name, value in pairs(self.usual) do
    for row = 1, #sounds do
      values:set(row, self.synth.by_name[name].index, value)
    end
  end
  for _, name in ipairs(self.parameters) do
    local parameter = self.synth.by_name[name]
    local rows = {}
    for row = 1, #sounds do
      local class = parameters.class(parameter, values:get(row, parameter.index))
      rows[row] = {}
      for other = 1, parameter.classes do
        rows[row][other] = -math.abs(other - 1 - class)
      end
    end
    scores[name] = core.tensor.from(rows)
  end
  return { values = values, scores = scores }
end

--- The most likely patch of each sound, whose registers suit each other.
---@param sounds ym2612ml.Tensor  f32 (sounds, samples)
---@return ym2612ml.Patch[]? patches
---@return string? message
---@return string? kind
function MatcherLearner:patches(sounds)
  local list, chip = {}, self.synth.options.chip
  for row = 1, #sounds do
    local answer, message, kind = answer_to(self, sounds[row])
    if not answer then
      return nil, ("sound %d: %s"):format(row, message), kind
    end
    local algorithm, each, best = algorithm_of(self, answer), #answer.shares // ALGORITHMS, nil
    for i = algorithm * each + 1, (algorithm + 1) * each do
      best = best and answer.shares[best] >= answer.shares[i] and best or i
    end
    local modes = registers.decoder:modes(answer.logits, { level = chip ~= "clean" })
    list[row] = at_level(self, patches.unpack(modes:slice(best, best))[1], sounds[row])
  end
  return list
end

return M
