-- Training as an iterator: one minibatch a turn, so that a caller can stop, draw a bar
-- or save in between, and go on later to the same bits.
local cjson = require "cjson"
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local nn = require "ym2612ml.nn"
local store = require "ym2612ml.store"

local M = {}

-- Schedules: progress 0..1 -> factor of the rate.
local schedules = {
  constant = function()
    return 1
  end,
  cosine = function(progress)
    return 0.5 * (1 + math.cos(math.pi * progress))
  end,
  -- Up from 1/25 in the first 30 %, then down to nothing, along cosines (Smith and
  -- Topin, Super-Convergence, 2018).
  one_cycle = function(progress)
    if progress < 0.3 then
      return 1 / 25 + (1 - 1 / 25) * 0.5 * (1 - math.cos(math.pi * progress / 0.3))
    end
    return 0.5 * (1 + math.cos(math.pi * (progress - 0.3) / 0.7))
  end,
}

local rules = {
  epochs = { type = "integer", least = 1, default = 10 },
  batch = { type = "integer", least = 1, default = 64 },
  optimizer = { choices = { "sgd", "adam", "adamw" }, default = "adamw" },
  rate = { type = "number", least = 0, default = 1e-3 },
  schedule = { choices = { "constant", "cosine", "one_cycle" }, also = "function", default = "constant" },
  momentum = { type = "number", least = 0, most = 1, default = 0 },
  weight_decay = { type = "number", least = 0, default = 0 },
  clip = { type = "number", least = 0, default = 0 },
  seed = { type = "integer", default = 1 },
  validation = { type = "table" },
  resume = { type = "string" },
}

-- What a state must agree on with the training it is to resume.
local function signature(options, rows)
  local parts = {}
  for _, key in ipairs { "epochs", "batch", "optimizer", "rate", "momentum", "weight_decay", "clip", "seed" } do
    parts[#parts + 1] = ("%s=%s"):format(key, options[key])
  end
  parts[#parts + 1] = ("schedule=%s"):format(type(options.schedule) == "string" and options.schedule or "function")
  parts[#parts + 1] = ("rows=%d"):format(rows)
  return table.concat(parts, " ")
end

-- The number of rows of a data set: one for all its tensors.
local function rows_in(data, net, argument, name)
  check.type(data, "table", argument, name)
  local function fail(message)
    check.misuse(("bad argument #%d to '%s' (%s)"):format(argument, name, message))
  end
  local rows
  for input, values in pairs(data) do
    if not net.inputs[input] or type(values) ~= "userdata" then
      fail(("'%s' is not a tensor for an input"):format(tostring(input)))
    elseif rows and rows ~= #values then
      fail(("tensors of %d and %d rows"):format(rows, #values))
    end
    rows = #values
  end
  if not rows or rows == 0 then
    fail "no rows"
  end
  return rows
end

---@class ym2612ml.Step
---@field step integer  steps taken, counted from 1
---@field epoch integer
---@field done integer  rows learned from, of total
---@field total integer
---@field loss number  of the minibatch, before the step
---@field norm number  of the gradient, before clipping
---@field rate number
---@field validation number?  mean loss of the validation data, after each epoch
---@field eta number?  seconds left, once a second has gone by
local Step = {}
Step.__index = Step
Step.__name = "ym2612ml.Step"

local Training = {}
Training.__index = Training
Training.__name = "ym2612ml.Training"

--- The state after this step, for option `resume`. Only until the next step is taken.
---@return string
function Step:dump()
  if self.training.step ~= self.step then
    check.misuse(("step %d is over: only the last step can be dumped"):format(self.step))
  end
  return self.training:dump()
end

function Training:dump()
  local metadata = {
    signature = self.signature,
    graph = self.net.recipe,
    metadata = cjson.encode(self.net.metadata),
    step = tostring(self.step),
    steps = tostring(self.net.steps),
    seed = tostring(self.net.seed),
    optimizer = tostring(self.optimizer:steps()),
  }
  return store.encode({ weights = self.net.core:weights(), moments = self.optimizer.core:moments() }, metadata)
end

-- Puts a dumped state back; nil, message, kind when it is not one of this training.
function Training:restore(bytes)
  local tensors, metadata, kind = store.decode(bytes, { checked = true })
  if not tensors then
    return nil, "resume: the state " .. metadata, kind
  end
  local weights, moments = self.net.core:weights(), self.optimizer.core:moments()
  local function suits(tensor, own)
    return tensor and #tensor:shape() == 1 and #tensor == #own
  end
  local step, steps = math.tointeger(tonumber(metadata.step)), math.tointeger(tonumber(metadata.steps))
  local taken, seed = math.tointeger(tonumber(metadata.optimizer)), math.tointeger(tonumber(metadata.seed))
  if metadata.graph ~= self.net.recipe or not suits(tensors.weights, weights) then
    return nil, "resume: the state is of another network", "format"
  end
  local counts = step and steps and taken and seed and step >= 0 and taken >= 0
  if not counts or not suits(tensors.moments, moments) then
    return nil, "resume: the state is not one of a training", "format"
  elseif metadata.signature ~= self.signature then
    check.misuse(("option 'resume' is of a training with %s, not %s"):format(metadata.signature, self.signature))
  end
  weights:copy(tensors.weights)
  moments:copy(tensors.moments)
  self.net.steps, self.net.seed, self.step = steps, seed, step
  self.optimizer.core:steps(taken)
  return true
end

-- Rows in the order of an epoch: of the seed and the epoch alone.
function Training:order_of(epoch)
  if self.ordered ~= epoch then
    self.order = core.rng.new({ seed = self.options.seed, stream = epoch }):order(self.rows)
    self.ordered = epoch
  end
  return self.order
end

-- Takes one step: the step, or nil at the end; or nil, message, kind.
function Training:advance()
  local options = self.options
  if self.step >= options.epochs * self.per_epoch then
    return nil
  end
  local at = self.step % self.per_epoch
  local epoch = self.step // self.per_epoch + 1
  local first = at * options.batch + 1
  local rate = options.rate * self.schedule(self.step / (options.epochs * self.per_epoch), self.step + 1)
  local rows = { order = self:order_of(epoch), first = first, count = math.min(options.batch, self.rows - first + 1) }
  self.optimizer:rate(rate)
  local loss, norm, kind = self.net:step(self.data, self.optimizer, rows)
  if not loss then
    return nil, ("step %d: %s"):format(self.step + 1, norm), kind
  end
  self.step = self.step + 1
  local step = setmetatable({
    training = self,
    step = self.step,
    epoch = epoch,
    done = (epoch - 1) * self.rows + first + rows.count - 1,
    total = options.epochs * self.rows,
    loss = loss,
    norm = norm,
    rate = rate,
  }, Step)
  if options.validation and at == self.per_epoch - 1 then
    local message
    step.validation, message, kind = self.net:evaluate(options.validation)
    if not step.validation then
      return nil, ("validation: %s"):format(message), kind
    end
  end
  local gone = core.clock() - self.began
  if gone >= 1 then
    step.eta = gone * (step.total - step.done) / (step.done - self.done_before)
  end
  return step
end

--- Trains a network, one minibatch a turn, over all rows of data in a new random order
--- each epoch. To stop, stop calling; the network then is as after the last step.
---
---     for step, message in ym.train.steps(net, data, {epochs = 8, batch = 256}) do
---       if not step then error(message) end
---     end
---
---@param net ym2612ml.Network  with an output `loss`
---@param data table<string, ym2612ml.Tensor>  for each input a tensor of as many rows,
---  of any type
---@param options? table  epochs 10; batch 64; optimizer "adamw" ("sgd", "adam"); rate
---  1e-3; schedule "constant" ("cosine", "one_cycle", or a function of progress 0..1
---  and step number that gives a factor of the rate); momentum 0; weight_decay 0; clip
---  0 (the largest norm of a gradient; 0: no limit); seed 1; validation (data, for the
---  loss after each epoch); resume (what `step:dump()` gave, with the same options)
---@return (fun(): ym2612ml.Step|false|nil, string?, string?)? next  nil at the end; false,
---  message, kind ("diverged", "input") when a step failed, and nothing was changed, or
---  when the validation data cannot be used
---@return string? message
---@return string? kind  "format": resume is damaged or of another network
function M.steps(net, data, options)
  if not nn.is_network(net) or not net.loss then
    check.misuse("bad argument #1 to 'steps' (expected a network with an output 'loss')")
  end
  local rows = rows_in(data, net, 2, "steps")
  options = check.options(options, rules, 3, "steps")
  if options.validation then
    rows_in(options.validation, net, 3, "steps")
  end
  local training = setmetatable({
    net = net,
    data = data,
    options = options,
    rows = rows,
    per_epoch = (rows + options.batch - 1) // options.batch,
    schedule = schedules[options.schedule] or options.schedule,
    signature = signature(options, rows),
    step = 0,
    optimizer = nn.optimizer(net, {
      method = options.optimizer,
      rate = options.rate,
      momentum = options.momentum,
      decay = options.weight_decay,
      clip = options.clip,
    }),
  }, Training)
  if options.resume then
    local done, message, kind = training:restore(options.resume)
    if not done then
      return nil, message, kind
    end
  end
  training.began = core.clock()
  training.done_before = training.step // training.per_epoch * rows
    + training.step % training.per_epoch * options.batch
  local failed = false
  return function()
    if failed then
      return nil
    end
    local step, message, kind = training:advance()
    if message then
      failed = true
      return false, message, kind
    end
    return step
  end
end

return M
