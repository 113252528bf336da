-- What a network learns of a synthesizer's parameters, and how its answers become values
-- again. A parameter is learned in classes (a score each), as a value (0..1 of its range)
-- or as a switch (one logit).
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local nn = require "ym2612ml.nn"
local parameters = require "ym2612ml.synths.parameters"

local M = {}

---@class ym2612ml.Targets
---@field style string
---@field loss string
---@field parameters ym2612ml.SynthParameter[]  those that are learned
local Targets = {}
Targets.__index = Targets
Targets.__name = "ym2612ml.Targets"

--- How parameters can be learned: all in classes, all as values, or each by its kind:
--- classes of a class, a switch as a switch, others as values.
M.styles = { "classes", "values", "kinds" }

--- The losses that classes can have: a softmax for each parameter, or a probability of its
--- own for each class, as InverSynth has it.
M.losses = { "softmax", "bce" }

local UNKNOWING = 1 / 12 -- squared error of the middle of the range, for an even spread

local function way_of(parameter, style)
  if style == "kinds" then
    return parameter.kind == "class" and "class" or parameter.kind == "switch" and "switch" or "value"
  end
  return style == "classes" and "class" or "value"
end

--- Makes the targets of some parameters.
---@param synth ym2612ml.Synth
---@param names string[]  of those to be learned
---@param style "classes"|"values"|"kinds"
---@param loss? "softmax"|"bce"  of the classes, default "softmax"
---@return ym2612ml.Targets
function M.new(synth, names, style, loss)
  check.type(names, "table", 2, "new")
  local wanted, self = {}, setmetatable({
    synth = synth, style = style, loss = loss or "softmax", parameters = {}, class = {}, value = {}, switch = {},
  }, Targets)
  for _, name in ipairs(names) do
    wanted[name] = true
  end
  for _, parameter in ipairs(synth.parameters) do
    if wanted[parameter.name] then
      self.parameters[#self.parameters + 1] = parameter
      local list = self[way_of(parameter, style)]
      list[#list + 1] = parameter
    end
  end
  self.widths, self.outputs = {}, #self.value + #self.switch
  for i, parameter in ipairs(self.class) do
    self.widths[i] = parameter.classes
    self.outputs = self.outputs + parameter.classes
  end
  return self
end

-- The cross-entropy of classes, from their logits: the mean over what there is to be told,
-- of the information of an even choice.
local function softmax_loss(self, logits, target)
  local even = 0
  for _, width in ipairs(self.widths) do
    even = even + math.log(width)
  end
  return logits:head_cross_entropy(target, { widths = self.widths }) * (1 / even)
end

-- The mean binary cross-entropy over all classes.
local function bce_loss(self, g, logits, target)
  local wanted
  for i, width in ipairs(self.widths) do
    local rows = {}
    for class = 1, width do
      rows[class] = {}
      for other = 1, width do
        rows[class][other] = class == other and 1 or 0
      end
    end
    local chosen = g:const(rows):gather(target:slice(2, i, i)):reshape { width }
    wanted = wanted and wanted:concat(chosen, { axis = 2 }) or chosen
  end
  return logits:bce_logits(wanted)
end

--- Ends a network: heads on its last hidden layer, and the loss, which for classes by
--- softmax and by kind is 1 where nothing is known.
---@param g ym2612ml.Recorder
---@param y ym2612ml.Node  (batch, features)
---@return table<string, ym2612ml.Node> outputs  logits (batch, classes), values (batch,
---  values), shares of the range, switches (batch, switches), logits: those there are; and loss. The
---  inputs `classes`, `values` and `switches` take what `encode` gives
function Targets:finish(g, y)
  local outputs, losses = {}, {}
  if #self.class > 0 then
    local total = 0
    for _, width in ipairs(self.widths) do
      total = total + width
    end
    outputs.logits = nn.dense(y, total, { name = "classes" })
    local target = g:input("classes", { #self.class })
    losses[1] = { self.loss == "bce" and bce_loss(self, g, outputs.logits, target)
      or softmax_loss(self, outputs.logits, target), #self.class }
  end
  if #self.value > 0 then
    outputs.values = nn.dense(y, #self.value, { name = "values" }) -- linear: at a bound it could stick
    local error = outputs.values:mse(g:input("values", { #self.value }))
    losses[#losses + 1] = { self.style == "kinds" and error * (1 / UNKNOWING) or error, #self.value }
  end
  if #self.switch > 0 then
    outputs.switches = nn.dense(y, #self.switch, { name = "switches" })
    local error = outputs.switches:bce_logits(g:input("switches", { #self.switch }))
    losses[#losses + 1] = { error * (1 / math.log(2)), #self.switch }
  end
  for _, part in ipairs(losses) do
    local share = part[1] * (part[2] / #self.parameters)
    outputs.loss = outputs.loss and outputs.loss + share or share
  end
  return outputs
end

-- What f gives for these parameters of each row of values.
local function tell(values, list, f)
  local rows = {}
  for r, row in ipairs(values:totable()) do
    rows[r] = {}
    for i, parameter in ipairs(list) do
      rows[r][i] = f(parameter, row[parameter.index])
    end
  end
  return core.tensor.from(rows)
end

--- What a network with these targets is to answer.
---@param values ym2612ml.Tensor  f32 (rows, parameters of the synthesizer)
---@return table<string, ym2612ml.Tensor> inputs  by name
function Targets:encode(values)
  local inputs = {}
  if #self.class > 0 then
    inputs.classes = tell(values, self.class, parameters.class)
  end
  if #self.value > 0 then
    inputs.values = tell(values, self.value, parameters.share)
  end
  if #self.switch > 0 then
    inputs.switches = tell(values, self.switch, parameters.share)
  end
  return inputs
end

-- Scores of the classes of a parameter whose share of the range was told.
local function nearness(parameter, share)
  local scores = {}
  for class = 1, parameter.classes do
    scores[class] = -math.abs((class - 1) / (parameter.classes - 1) - share)
  end
  return scores
end

local function largest(list)
  local best = 1
  for i = 2, #list do
    best = list[i] > list[best] and i or best
  end
  return best
end

-- What a network answered for one row, by parameter: share of the range and scores.
local function read_row(self, outputs, row)
  local answers, first = {}, 0
  for _, parameter in ipairs(self.class) do
    local scores = outputs.logits[row]:slice(first + 1, first + parameter.classes):totable()
    first = first + parameter.classes
    answers[parameter.name] = { scores = scores, value = parameters.value(parameter, largest(scores) - 1) }
  end
  for i, parameter in ipairs(self.value) do
    local share = outputs.values:get(row, i)
    answers[parameter.name] = {
      scores = nearness(parameter, share), value = parameters.at(parameter, share),
    }
  end
  for i, parameter in ipairs(self.switch) do
    local logit = outputs.switches:get(row, i)
    answers[parameter.name] = { scores = { -logit, logit }, value = logit > 0 and 1 or 0 }
  end
  return answers
end

--- What a network's answers mean.
---@param outputs table<string, ym2612ml.Tensor>  of `finish`, of some rows
---@param rows integer
---@param values ym2612ml.Tensor  f32 (rows, parameters of the synthesizer): those that are
---  learned are written
---@return table<string, ym2612ml.Tensor> scores  by name (rows, classes): higher, likelier
function Targets:decode(outputs, rows, values)
  local scores = {}
  for _, parameter in ipairs(self.parameters) do
    scores[parameter.name] = core.tensor.new { rows, parameter.classes }
  end
  for row = 1, rows do
    for name, answer in pairs(read_row(self, outputs, row)) do
      scores[name][row]:copy(core.tensor.from(answer.scores))
      values:set(row, self.synth.by_name[name].index, answer.value)
    end
  end
  return scores
end

return M
