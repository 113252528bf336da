-- Parameters of synthesizers: the values they have, and the classes that stand for them.
-- A value is always a number; classes count from 0.
local M = {}

---@class ym2612ml.SynthParameter
---@field name string
---@field kind "class"|"integer"|"continuous"|"switch"
---@field index integer  its column
---@field classes integer  how many
---@field values? number[]  of a class, in the order of classes
---@field least? number  of integers and continuous ones
---@field most? number
---@field scale? "linear"|"log"  of continuous ones: on which the classes are evenly spaced,
---  both ends among them
---@field unit? string
---@field fixed? number  its value, where it has only one

local CLASSES = 16 -- of a continuous parameter where nothing is said
local MOST_CLASSES = 65536
local TOLERANCE = 1e-6 -- of values: they are kept in single precision

local KEYS = {
  name = "string", kind = "string", classes = "number", values = "table", least = "number",
  most = "number", scale = "string", unit = "string", fixed = "number",
}

local function is_finite(value)
  return type(value) == "number" and value > -math.huge and value < math.huge
end

local function is_count(value, least)
  local whole = math.tointeger(value)
  return whole ~= nil and whole >= least and whole <= MOST_CLASSES
end

-- What is wrong with a description of each kind.
local PROBLEM = {
  class = function(given)
    if given.values == nil then
      return not is_count(given.classes or 0, 2) and "needs classes, 2 or more, or values"
    elseif #given.values < 2 then
      return "needs 2 values or more"
    end
    for _, value in ipairs(given.values) do
      if not is_finite(value) then
        return ("has the value %s, expected a number"):format(tostring(value))
      end
    end
    return given.classes and given.classes ~= #given.values and "has other than as many values as classes"
  end,
  integer = function(given)
    local least, most = math.tointeger(given.least), math.tointeger(given.most)
    return not (least and most and least < most and is_count(most - least + 1, 2))
      and "needs whole numbers least and most, the larger last"
  end,
  continuous = function(given)
    if not (is_finite(given.least) and is_finite(given.most) and given.least < given.most) then
      return "needs least and most, the larger last"
    elseif given.scale and given.scale ~= "linear" and given.scale ~= "log" then
      return ("has scale %s, expected linear or log"):format(given.scale)
    elseif given.scale == "log" and given.least <= 0 then
      return "has scale log, and least is not above 0"
    end
    return given.classes and not is_count(given.classes, 2) and "expected 2 classes or more"
  end,
  switch = function()
    return nil
  end,
}

--- What is wrong with the description of a parameter, in words.
---@param given any
---@return string? problem  nil when nothing is
function M.problem(given)
  if type(given) ~= "table" or type(given.name) ~= "string" or given.name == "" then
    return "is no table with a name"
  end
  for key, value in pairs(given) do
    if type(value) ~= KEYS[key] then
      return KEYS[key] and ("'%s': '%s' is %s, expected a %s"):format(given.name, key, tostring(value), KEYS[key])
        or ("'%s': unknown key '%s'"):format(given.name, tostring(key))
    end
  end
  local problem_of = PROBLEM[given.kind]
  if not problem_of then
    return ("'%s': kind is %s, expected class, integer, continuous or switch"):format(given.name, tostring(given.kind))
  end
  local problem = problem_of(given)
  if not problem and given.fixed then
    local expected = M.expected(M.new(given, 1), given.fixed)
    problem = expected and ("is fixed at %s, expected %s"):format(given.fixed, expected)
  end
  return problem and ("'%s' %s"):format(given.name, problem) or nil
end

--- A parameter of a description without a problem.
---@param given table
---@param index integer
---@param classes? integer  of continuous ones, instead of what the description says
---@return ym2612ml.SynthParameter
function M.new(given, index, classes)
  local parameter = {
    name = given.name, kind = given.kind, index = index, unit = given.unit, fixed = given.fixed,
    least = given.least, most = given.most,
  }
  if given.kind == "class" then
    parameter.values = {}
    for class = 1, given.values and #given.values or given.classes do
      parameter.values[class] = given.values and given.values[class] or class - 1
    end
    parameter.classes = #parameter.values
  elseif given.kind == "integer" then
    parameter.classes = math.tointeger(given.most - given.least) + 1
  elseif given.kind == "switch" then
    parameter.classes = 2
  else
    parameter.scale = given.scale or "linear"
    parameter.classes = classes or given.classes or CLASSES
  end
  return parameter
end

--- The value of a class.
---@param parameter ym2612ml.SynthParameter
---@param class integer  0..classes - 1
---@return number
function M.value(parameter, class)
  if parameter.values then
    return parameter.values[class + 1]
  elseif parameter.kind == "integer" then
    return parameter.least + class
  elseif parameter.kind == "switch" then
    return class
  end
  return M.at(parameter, class / (parameter.classes - 1))
end

--- The value at a share of the range, on the parameter's scale; of other than continuous
--- ones the nearest there is.
---@param parameter ym2612ml.SynthParameter
---@param share number  beyond 0..1: as its end
---@return number
function M.at(parameter, share)
  local least, most = parameter.least, parameter.most
  share = math.min(math.max(0, share), 1)
  if parameter.kind ~= "continuous" then
    return M.value(parameter, math.floor(share * (parameter.classes - 1) + 0.5))
  elseif parameter.scale == "log" then
    return math.min(least * (most / least) ^ share, most)
  end
  return least + (most - least) * share
end

-- The class of a value that is listed, or of the one nearest to it.
local function listed_class(values, value)
  local best = 1
  for class = 2, #values do
    if math.abs(values[class] - value) < math.abs(values[best] - value) then
      best = class
    end
  end
  return best - 1
end

--- Where a value lies in the range, on the parameter's scale.
---@param parameter ym2612ml.SynthParameter
---@param value number
---@return number share  0..1: of what is beyond the range, its end; 0 of what is no number
function M.share(parameter, value)
  local least, most, share = parameter.least, parameter.most, value
  if parameter.values then
    share = listed_class(parameter.values, value) / (parameter.classes - 1)
  elseif parameter.scale == "log" then
    share = math.log(math.max(least, value) / least) / math.log(most / least)
  elseif least then
    share = (value - least) / (most - least)
  end
  return math.min(math.max(0, share), 1)
end

--- The class whose value is nearest, on the parameter's scale.
---@param parameter ym2612ml.SynthParameter
---@param value number
---@return integer class  0..classes - 1
function M.class(parameter, value)
  return math.floor(M.share(parameter, value) * (parameter.classes - 1) + 0.5)
end

--- The nearest value that the parameter can have.
---@param parameter ym2612ml.SynthParameter
---@param value number
---@return number
function M.nearest(parameter, value)
  if parameter.kind == "continuous" then
    return math.min(math.max(parameter.least, value), parameter.most)
  end
  return M.value(parameter, M.class(parameter, value))
end

--- What a value should have been, in words.
---@param parameter ym2612ml.SynthParameter
---@param value any
---@return string? expected  nil where it is one that the parameter can have
function M.expected(parameter, value)
  local size = parameter.kind == "continuous" and parameter.most - parameter.least or 1
  if is_finite(value)
    and math.abs(M.nearest(parameter, value) - value) <= TOLERANCE * math.max(size, math.abs(value)) then
    return nil
  elseif parameter.kind == "switch" then
    return "0 or 1"
  elseif parameter.kind == "class" then
    local texts = {}
    for class, known in ipairs(parameter.values) do
      texts[class] = ("%.7g"):format(known)
    end
    return "one of " .. table.concat(texts, ", ")
  end
  return ("%s%.7g..%.7g"):format(parameter.kind == "integer" and "a whole number " or "", parameter.least,
    parameter.most)
end

return M
