-- How good an answer is: the sound of its patch beside the target's, and its registers
-- beside the true ones.
local core = require "ym2612ml.core"
local metrics = require "ym2612ml.metrics"
local patches = require "ym2612ml.patch"
local statistics = require "ym2612ml.evaluate.statistics"
local steps = require "ym2612ml.steps"

local M = {}

local must = steps.must

local CHAOTIC = 0.3 -- dB: median change of D by one step of a register
local EQUAL = 0.5 -- dB within which a patch is as good as the true one

-- The fields that are searched: without LFO, AM and SSG-EG.
local FIELDS = {}
for _, field in ipairs(patches.fields()) do
  if field.operator and field.name ~= "am" and field.name ~= "ssg"
    or field.name == "algorithm" or field.name == "feedback" then
    FIELDS[#FIELDS + 1] = field
  end
end

local function copy_of(patch)
  local copy = {}
  for key, value in pairs(patch) do
    copy[key] = type(value) == "table" and copy_of(value) or value
  end
  return copy
end

-- All patches that are one step of one register away.
local function neighbours(patch)
  local list = {}
  for _, field in ipairs(FIELDS) do
    for step = -1, 1, 2 do
      local copy = copy_of(patch)
      local part = field.operator and copy[field.operator] or copy
      local value = part[field.name] + step
      if value >= field.minimum and value <= field.maximum then
        part[field.name] = value
        list[#list + 1] = copy
      end
    end
  end
  return list
end

--- Whether single steps of registers change the sound so much that no search can follow
--- them: half of all steps by more than 0.3 dB. nil of a target that no patch made.
---@param target ym2612ml.EvaluationTarget
---@return boolean?
function M.is_chaotic(target)
  if not target.patch then
    return nil
  end
  local play = { note = target.note, held = target.held, release = target.release, chip = target.chip }
  local clean = core.render(target.patch, play)
  local judge = must(core.target.new(clean))
  local packed = patches.pack(neighbours(target.patch))
  return statistics.median(core.batch.distances(packed, judge, play):totable()) > CHAOTIC
end

-- All orders of the operators in a list, the others in their place.
local function orders(list)
  local found = {}
  local function place(order, left)
    if #left == 0 then
      found[#found + 1] = order
    end
    for i, operator in ipairs(left) do
      local next_order, rest = { table.unpack(order) }, { table.unpack(left) }
      next_order[list[#list - #left + 1]] = operator
      table.remove(rest, i)
      place(next_order, rest)
    end
  end
  place({ 1, 2, 3, 4 }, list)
  return found
end

-- Orders of operators that sound alike, or nearly, by algorithm; and with feedback 0.
local ORDERS = { [5] = orders { 2, 3, 4 }, [6] = orders { 3, 4 }, [7] = orders { 2, 3, 4 } }
local ORDERS_WITHOUT_FEEDBACK = {
  [1] = orders { 1, 2 }, [4] = { { 1, 2, 3, 4 }, { 3, 4, 1, 2 } }, [7] = orders { 1, 2, 3, 4 },
}
local ONE_ORDER = { { 1, 2, 3, 4 } }

local function value_of(patch, field, order, level)
  local operator = field.operator and order[field.operator]
  local value = operator and patch[operator][field.name] or patch[field.name]
  return field.name == "tl" and patches.is_carrier(patch.algorithm, operator) and value - level or value
end

--- The share of registers that are right, when equal parts are told apart by nothing: the
--- patches in canonical form, operators that sound alike in the order that suits best, and
--- on the clean stage, where it cannot be heard, without the common level of the carriers.
---@param found ym2612ml.Patch
---@param true_patch ym2612ml.Patch
---@param chip string
---@return number?  0..1; nil where the algorithms differ
function M.register_share(found, true_patch, chip)
  if found.algorithm ~= true_patch.algorithm then
    return nil
  end
  local a, b = patches.canonical(found), patches.canonical(true_patch)
  local free = a.feedback == 0 and b.feedback == 0
  local level_a = chip == "clean" and patches.carrier_level(a) or 0
  local level_b = chip == "clean" and patches.carrier_level(b) or 0
  local best = 0
  for _, order in ipairs(free and ORDERS_WITHOUT_FEEDBACK[a.algorithm] or ORDERS[a.algorithm] or ONE_ORDER) do
    best = math.max(best, statistics.share(FIELDS, function(field)
      return value_of(a, field, order, level_a) == value_of(b, field, ONE_ORDER[1], level_b)
    end))
  end
  return best
end

--- Measures an answer by what its patch, written as a file and read again, sounds like
--- when it is played as the target was.
---@param target ym2612ml.EvaluationTarget
---@param answer {patch: ym2612ml.Patch, note: number, algorithms: integer[]}  algorithms:
---  best first
---@return table<string, number|boolean>  distance: D; the measures of ym2612ml.metrics;
---  of targets with a patch top1, top3 and equivalent: whether the algorithm is right, is
---  among the first three, or D is within 0.5 dB; registers: see register_share
function M.measure(target, answer)
  local patch = must(patches.decode(patches.encode(answer.patch, "y12"), "y12"))
  local samples = target.heard((core.render(patch, {
    note = answer.note, held = target.held, release = target.release, chip = target.chip,
  })))
  local result = must(metrics.all(target.clean, samples))
  result.distance = must(core.distance(target.clean, samples))
  if target.patch then
    local right = target.patch.algorithm
    result.top1, result.top3 = patch.algorithm == right, false
    for i = 1, 3 do
      result.top3 = result.top3 or answer.algorithms[i] == right
    end
    result.equivalent = result.top1 or result.distance <= EQUAL
    result.registers = M.register_share(patch, target.patch, target.chip)
  end
  return result
end

return M
