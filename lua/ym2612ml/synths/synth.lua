-- A synthesizer as a value: named parameters and a way to render them. What it gives and
-- takes are matrices, a sound a row and a parameter a column, in natural units.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local parameters = require "ym2612ml.synths.parameters"

local M = {}

---@class ym2612ml.Synth
---@field name string
---@field title string
---@field source? string  where it is from
---@field rate number  Hz, where nothing is said
---@field length number  seconds, where nothing is said
---@field parameters ym2612ml.SynthParameter[]
---@field by_name table<string, ym2612ml.SynthParameter>
---@field options table  plain: with the name they make it again (`synths.get`)
local Synth = {}
Synth.__index = Synth
Synth.__name = "ym2612ml.Synth"

local RATE = { type = "number", least = 1000, most = 655350 } -- Hz
local LENGTH = { type = "number", least = 0.001, most = 3600 } -- seconds

--- Rules of the options that every synthesizer has (`check.options`).
---@type table<string, table>
M.rules = {
  fixed = { type = "table" }, classes = { type = "integer", least = 0, most = 65536 },
  rate = RATE, length = LENGTH,
}

local KEYS = {
  name = "string", title = "string", source = "string", rate = "number", length = "number",
  parameters = "table", render = "function", render_batch = "function", draw = "function",
}

local function in_range(value, rule)
  return type(value) == "number" and value >= rule.least and value <= rule.most
end

local function parameters_problem(list)
  local known = {}
  for i, given in ipairs(list) do
    local problem = parameters.problem(given)
    if problem then
      return ("parameter %d: %s"):format(i, problem)
    elseif known[given.name] then
      return ("parameter %d: '%s' is the name of another one too"):format(i, given.name)
    end
    known[given.name] = true
  end
  return #list == 0 and "it has no parameters" or nil
end

--- What is wrong with the definition of a synthesizer, in words.
---@param definition any
---@return string? problem  nil when nothing is
function M.problem(definition)
  if type(definition) ~= "table" then
    return ("a %s, expected a table"):format(type(definition))
  end
  for key, value in pairs(definition) do
    if type(value) ~= KEYS[key] then
      return KEYS[key] and ("'%s' is %s, expected a %s"):format(key, tostring(value), KEYS[key])
        or ("unknown key '%s'"):format(tostring(key))
    end
  end
  if not (definition.name and definition.parameters and (definition.render or definition.render_batch)) then
    return "expected name, parameters, and render or render_batch"
  elseif not in_range(definition.rate, RATE) then
    return ("'rate' is %s, expected %d..%d Hz"):format(tostring(definition.rate), RATE.least, RATE.most)
  elseif not in_range(definition.length, LENGTH) then
    return ("'length' is %s, expected %g..%d seconds"):format(tostring(definition.length), LENGTH.least, LENGTH.most)
  end
  return parameters_problem(definition.parameters)
end

-- Parameters of a definition, with what the options fix.
local function read_parameters(definition, options, caller)
  local list, by_name = {}, {}
  for i, given in ipairs(definition.parameters) do
    list[i] = parameters.new(given, i, options.classes ~= 0 and options.classes or nil)
    by_name[given.name] = list[i]
  end
  for name, value in pairs(options.fixed or {}) do
    local parameter = by_name[name]
    if not parameter then
      check.misuse(("bad argument #2 to '%s' (option 'fixed': %s has no parameter '%s')"):format(
        caller, definition.name, tostring(name)))
    end
    local expected = parameters.expected(parameter, value)
    if expected then
      check.misuse(("bad argument #2 to '%s' (option 'fixed': %s is %s, expected %s)"):format(
        caller, name, tostring(value), expected))
    end
    parameter.fixed = value
  end
  return list, by_name
end

--- A synthesizer of a definition without a problem.
---@param definition table
---@param options table  checked ones, of `rules`
---@param caller string  the function to blame for what they say
---@return ym2612ml.Synth
function M.new(definition, options, caller)
  if options.classes == 1 then
    check.misuse(("bad argument #2 to '%s' (option 'classes' is 1, expected 0, or 2 or more)"):format(caller))
  end
  local list, by_name = read_parameters(definition, options, caller)
  return setmetatable({
    name = definition.name, title = definition.title or definition.name, source = definition.source,
    rate = options.rate or definition.rate, length = options.length or definition.length,
    parameters = list, by_name = by_name, options = options, definition = definition,
  }, Synth)
end

-- A matrix with a column for each parameter.
local function check_rows(self, value, argument, caller)
  local rows = check.to_tensor(value, argument, caller)
  local shape = rows:shape()
  if #shape ~= 2 or shape[2] ~= #self.parameters then
    check.misuse(("bad argument #%d to '%s' (shape is %s, expected rows of %d)"):format(
      argument, caller, table.concat(shape, " x "), #self.parameters))
  end
  return rows
end

-- A tensor of what f makes of each parameter and value of a matrix.
local function each_value(self, rows, type, f)
  local made, list = {}, self.parameters
  for r, row in ipairs(rows:totable()) do
    for p, value in ipairs(row) do
      row[p] = f(list[p], value, r)
    end
    made[r] = row
  end
  return #made > 0 and core.tensor.from(made, type) or core.tensor.new({ 0, #list }, type)
end

-- Rendering takes values as they are: one that the parameter cannot have is a mistake.
local function check_values(self, rows, caller)
  local list = self.parameters
  for r, row in ipairs(rows:totable()) do
    for p, value in ipairs(row) do
      local expected = parameters.expected(list[p], value)
      if expected then
        check.misuse(("bad argument #1 to '%s' (row %d: %s is %.7g, expected %s)"):format(
          caller, r, list[p].name, value, expected))
      end
    end
  end
end

-- What a function of the definition gave, a tensor or lists, as a tensor of this shape.
local function expect_shape(self, name, given, shape)
  local tensor = type(given) == "table" and core.tensor.from(given) or given
  local expected = table.concat(shape, " x ")
  local found = check.is_tensor(tensor) and table.concat(tensor:shape(), " x ") or type(given)
  if found ~= expected then
    check.misuse(("%s of synthesizer '%s' gave %s, expected %s numbers"):format(name, self.name, found, expected))
  end
  return tensor
end

-- Sounds of a definition that renders one at a time.
local function render_each(self, rows, rate, length, samples)
  local sounds = core.tensor.new { #rows, samples }
  for r = 1, #rows do
    local sound, message, kind = self.definition.render(self:table(rows[r]), rate, length)
    if not sound then
      return nil, ("%s: %s"):format(self.name, message), kind
    end
    sounds[r]:copy(expect_shape(self, "render", sound, { samples }))
  end
  return sounds
end

local GROUP = 8 -- sounds rendered at once where the first may be enough
local ROUNDING = 1e-4 -- what a sound is changed by at least when that is heard

-- Whether another value of a parameter changes any of the sounds; or nil, message, kind.
local function is_heard(self, parameter, values, sounds, play, rng)
  for first = 1, #values, GROUP do
    local last = math.min(first + GROUP - 1, #values)
    local others = values:slice(first, last):to "f32"
    for row = 1, #others do
      local class = parameters.class(parameter, others:get(row, parameter.index))
      local other = (class + rng:integer(1, parameter.classes - 1)) % parameter.classes
      others:set(row, parameter.index, parameters.value(parameter, other))
    end
    local changed, message, kind = self:render(others, play)
    if not changed then
      return nil, message, kind
    end
    for _, difference in ipairs(core.synths.differences(sounds:slice(first, last), changed)) do
      if difference > ROUNDING then
        return true
      end
    end
  end
  return false
end

--- Renders sounds, on all threads where the synthesizer is one of the module's.
---@param values ym2612ml.Tensor|number[][]  (count, parameters), each a value that its
---  parameter can have (`nearest` makes it so)
---@param options? {rate: number, length: number}  Hz, seconds; default: the synthesizer's
---@return ym2612ml.Tensor? sounds  f32 (count, floor(rate * length))
---@return string? message
---@return string? kind
function Synth:render(values, options)
  options = check.options(options, { rate = RATE, length = LENGTH }, 2, "render")
  local rows = check_rows(self, values, 1, "render"):to("f32")
  check_values(self, rows, "render")
  local rate, length = options.rate or self.rate, options.length or self.length
  local samples = math.floor(rate * length)
  if self.definition.render_batch then
    local sounds, message, kind = self.definition.render_batch(rows, rate, length)
    if not sounds then
      return nil, ("%s: %s"):format(self.name, message), kind
    end
    return expect_shape(self, "render_batch", sounds, { #rows, samples })
  end
  return render_each(self, rows, rate, length, samples)
end

-- Values that the definition draws, with what is fixed.
local function draw_defined(self, rng, count)
  local drawn, message, kind = self.definition.draw(rng, count, self.parameters)
  if not drawn then
    return nil, ("%s: %s"):format(self.name, message), kind
  end
  local values = expect_shape(self, "draw", drawn, { count, #self.parameters }):to "f32"
  for p, parameter in ipairs(self.parameters) do
    if parameter.fixed then
      values:permute({ 2, 1 })[p]:fill(parameter.fixed)
    end
  end
  return values
end

--- Draws random values: of each parameter any class as likely as the others (continuous
--- ones anywhere in their range where the synthesizer was made with classes = 0), unless
--- the synthesizer knows better which sounds there are.
---@param count integer  0 or more
---@param options? {seed: integer, stream: integer}  default 1 and 0; streams of one seed are
---  independent
---@return ym2612ml.Tensor? values  f32 (count, parameters)
---@return string? message
---@return string? kind  "input": there is no such sound
function Synth:draw(count, options)
  count = check.integer(count, 1, "draw", 0)
  options = check.options(options, {
    seed = { type = "integer", default = 1 }, stream = { type = "integer", default = 0 },
  }, 2, "draw")
  local rng = core.rng.new(options)
  if self.definition.draw then
    return draw_defined(self, rng, count)
  end
  local anywhere = self.options.classes == 0
  return each_value(self, core.tensor.new { count, #self.parameters }, "f32", function(parameter)
    if parameter.fixed then
      return parameter.fixed
    elseif anywhere and parameter.kind == "continuous" then
      return parameters.at(parameter, rng:uniform())
    end
    return parameters.value(parameter, rng:integer(0, parameter.classes - 1))
  end)
end

--- The nearest class of each value, from 0.
---@param values ym2612ml.Tensor|number[][]  (count, parameters)
---@return ym2612ml.Tensor classes  i32 (count, parameters)
function Synth:classes(values)
  return each_value(self, check_rows(self, values, 1, "classes"), "i32", parameters.class)
end

--- The values of classes.
---@param classes ym2612ml.Tensor|integer[][]  (count, parameters), from 0
---@return ym2612ml.Tensor values  f32 (count, parameters)
function Synth:values(classes)
  return each_value(self, check_rows(self, classes, 1, "values"), "f32", function(parameter, class, row)
    class = math.tointeger(class) or -1
    if class < 0 or class >= parameter.classes then
      check.misuse(("bad argument #1 to 'values' (row %d: %s has no class %s, expected 0..%d)"):format(
        row, parameter.name, tostring(class), parameter.classes - 1))
    end
    return parameters.value(parameter, class)
  end)
end

--- The value of a class of one of its parameters.
---@param parameter ym2612ml.SynthParameter
---@param class integer  0..parameter.classes - 1
---@return number
function Synth:class_value(parameter, class)
  return parameters.value(self.parameters[parameter.index], class)
end

--- Where values lie in the ranges, on the parameters' scales.
---@param values ym2612ml.Tensor|number[][]  (count, parameters)
---@return ym2612ml.Tensor shares  f32 (count, parameters), 0..1
function Synth:shares(values)
  return each_value(self, check_rows(self, values, 1, "shares"), "f32", parameters.share)
end

--- The nearest values that can be rendered: within the ranges, and of classes, integers
--- and switches one there is.
---@param values ym2612ml.Tensor|number[][]  (count, parameters)
---@return ym2612ml.Tensor values  f32 (count, parameters)
function Synth:nearest(values)
  return each_value(self, check_rows(self, values, 1, "nearest"), "f32", parameters.nearest)
end

--- The row of a sound whose values are told by name.
---@param named table<string, number>  all parameters but fixed ones, which may be left out
---@return ym2612ml.Tensor row  f32 (1, parameters)
function Synth:row(named)
  check.type(named, "table", 1, "row")
  for name in pairs(named) do
    check.no_problem(not self.by_name[name] and ("%s has no parameter '%s'"):format(self.name, tostring(name)) or nil,
      1, "row")
  end
  local row = {}
  for p, parameter in ipairs(self.parameters) do
    local value = named[parameter.name]
    if value == nil then
      value = parameter.fixed
    end
    local expected = parameters.expected(parameter, value)
    check.no_problem(expected and ("%s is %s, expected %s"):format(parameter.name, tostring(value), expected) or nil,
      1, "row")
    row[p] = value
  end
  return core.tensor.from { row }
end

--- The values of a row by name.
---@param row ym2612ml.Tensor  (parameters) or (1, parameters)
---@return table<string, number>
function Synth:table(row)
  check.tensor(row, 1, "table")
  local shape = row:shape()
  local size = #shape == 2 and shape[1] == 1 and shape[2] or #shape == 1 and shape[1]
  check.no_problem(size ~= #self.parameters and ("shape is %s, expected %d"):format(
    table.concat(shape, " x "), #self.parameters) or nil, 1, "table")
  local named, values = {}, row:reshape { size }
  for p, parameter in ipairs(self.parameters) do
    named[parameter.name] = values[p]
  end
  return named
end

--- Which parameters can be heard: whether another value of one alone changes the sound by
--- more than rounding does, -80 dB of the louder one, in any of some random sounds.
---@param options? {rate: number, length: number, seed: integer, count: integer}  rate and
---  length as of `render`; count: of sounds, default 32; seed: of these, default 1
---@return table<string, boolean>? observable  by name; false of fixed ones
---@return string? message
---@return string? kind
function Synth:observable(options)
  options = check.options(options, {
    rate = RATE, length = LENGTH, seed = { type = "integer", default = 1 },
    count = { type = "integer", least = 1, most = 4096, default = 32 },
  }, 1, "observable")
  local play = { rate = options.rate, length = options.length }
  local values, message, kind = self:draw(options.count, { seed = options.seed })
  if not values then
    return nil, message, kind
  end
  local sounds
  sounds, message, kind = self:render(values, play)
  if not sounds then
    return nil, message, kind
  end
  local observable, rng = {}, core.rng.new { seed = options.seed, stream = 1 }
  for _, parameter in ipairs(self.parameters) do
    local heard = false
    if not parameter.fixed then
      heard, message, kind = is_heard(self, parameter, values, sounds, play, rng)
    end
    if heard == nil then
      return nil, message, kind
    end
    observable[parameter.name] = heard
  end
  return observable
end

function Synth:__tostring()
  return ("synthesizer %s: %d parameters, %g s at %g Hz"):format(self.name, #self.parameters, self.length, self.rate)
end

return M
