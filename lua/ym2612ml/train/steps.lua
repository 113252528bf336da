-- Training as an iterator: one minibatch a turn, so that a caller can stop, draw a bar
-- or save in between, and go on later to the same bits.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local nn = require "ym2612ml.nn"
local ranks = require "ym2612ml.ranks"
local schedules = require "ym2612ml.train.schedules"
local state = require "ym2612ml.train.state"
local store = require "ym2612ml.store"

local M = {}

--- The options of `steps`.
M.rules = {
  epochs = { type = "integer", least = 1, default = 10 },
  batch = { type = "integer", least = 1, default = 64 },
  optimizer = { choices = { "sgd", "adam", "adamw" }, default = "adamw" },
  rate = { type = "number", least = 0, default = 1e-3 },
  schedule = { type = { "string", "table", "function" }, default = "constant" },
  momentum = { type = "number", least = 0, most = 1, default = 0 },
  weight_decay = { type = "number", least = 0, default = 0 },
  clip = { type = "number", least = 0, default = 0 },
  seed = { type = "integer", default = 1 },
  validation = { type = { "table", "function" } },
  patience = { type = "integer", least = 0, default = 0 },
  improvement = { type = "number", least = 0, default = 0 },
  keep_best = { type = "boolean", default = false },
  resume = { type = "string" },
  subject = { type = "string", default = "" },
  ranks = ranks.rule,
}

---@class ym2612ml.Source  data that is read as it is needed
---@field rows integer
---@field take fun(self: ym2612ml.Source, rows: ym2612ml.Tensor): table<string, ym2612ml.Tensor>?, string?, string?
---  the inputs of some rows, i32 numbers from 1; or nil, message, kind

-- The number of rows of a source.
local function rows_of_source(source, argument, name)
  local rows = source.rows
  local whole = type(rows) == "number" and math.tointeger(rows)
  check.no_problem(not (whole and whole > 0) and ("field 'rows' is %s, expected a whole number 1 or more"):format(
    tostring(rows)) or nil, argument, name)
  return whole
end

-- The number of rows of a data set: one for all its tensors. Part says which of an
-- argument's it is, for messages. All is checked before anything is learned.
local function rows_in(data, net, argument, name, part)
  check.type(data, "table", argument, name)
  local function fail(message, ...)
    check.no_problem((part or "") .. message:format(...), argument, name)
  end
  local rows
  for input, values in pairs(data) do
    local row = net.inputs[input]
    if not row then
      fail("the network has no input '%s'", tostring(input))
    end
    check.tensor(values, argument, name, (part or "") .. ("input '%s'"):format(input))
    local shape = values:shape()
    rows = rows or shape[1]
    if rows ~= shape[1] then
      fail("tensors of %d and %d rows", rows, shape[1])
    elseif table.concat(shape, ", ", 2) ~= table.concat(row, ", ") then
      fail("input '%s' has rows of shape (%s), expected (%s)", input, table.concat(shape, ", ", 2),
        table.concat(row, ", "))
    end
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
---@field row ym2612ml.Epoch?  what became of the epoch, after its last step
---@field validation number?  the loss of the validation data, after the last step of each
---  epoch
---@field last string?  why this is the last step: "epochs" or "patience"
---@field eta number?  seconds left, once a second has gone by
local Step = {}
Step.__index = Step
Step.__name = "ym2612ml.Step"

local Training = {}
Training.__index = Training
Training.__name = "ym2612ml.Training"

--- The state after this step, for option `resume`. Only until the next step is taken. Of
--- ranks that share the training all have to call it.
---@return string? state
---@return string? message
---@return string? kind  "io": ranks cannot reach each other
function Step:dump()
  if self.training.step ~= self.step then
    check.misuse(("step %d is over: only the last step can be dumped"):format(self.step))
  end
  local complete, message, kind = self.training.optimizer:complete()
  return complete and state.dump(self.training), message, kind
end

--- What became of each epoch until this step.
---@return ym2612ml.Epoch[]
function Step:history()
  return table.move(self.training.progress.history, 1, self.epoch, 1, {})
end

-- Rows in the order of an epoch: of the seed and the epoch alone.
function Training:order_of(epoch)
  if self.ordered ~= epoch then
    self.order = core.rng.new({ seed = self.options.seed, stream = epoch }):order(self.rows)
    self.ordered = epoch
  end
  return self.order
end

-- The validation loss, or nil without validation; or nil, message, kind, of all ranks.
function Training:validate()
  local validation, group = self.options.validation, self.options.ranks
  if not validation then
    return nil
  end
  local whole = type(validation) == "table"
  local loss, message, kind = (whole and self.net.evaluate or validation)(self.net, whole and validation or nil)
  if type(loss) ~= "number" and not message then
    check.misuse(("option 'validation' returned %s, expected a number"):format(tostring(loss)))
  end
  local well, problem, sort = true, nil, nil
  if group then
    well, problem, sort = group:agree(not loss and ("validation: %s"):format(message) or nil, kind)
  end
  if not well then
    return nil, problem, sort
  elseif not loss then
    return nil, ("validation: %s"):format(message), kind or "input"
  elseif loss ~= loss or math.abs(loss) == math.huge then
    return nil, ("step %d: the validation loss is not finite"):format(self.step), "diverged"
  end
  return loss
end

-- Remembers the network where it is the best so far.
function Training:judge(watched, epoch)
  local progress, options = self.progress, self.options
  if progress.best and watched >= progress.best - options.improvement then
    progress.waited = progress.waited + 1
    return false
  end
  progress.best, progress.best_epoch, progress.waited = watched, epoch, 0
  if options.keep_best then
    self.best = self.best or {}
    for name, view in pairs(state.learned(self.net)) do
      self.best[name] = view:to "f32"
    end
  end
  return true
end

-- What is to do after the last step of an epoch: the row of the history; or nil, message,
-- kind.
function Training:close_epoch(epoch, rate)
  local progress, options = self.progress, self.options
  local validation, message, kind = self:validate()
  if message then
    return nil, message, kind
  end
  local row = {
    epoch = epoch, step = self.step, rate = rate, validation = validation,
    loss = progress.loss / self.rows, norm = progress.norm / self.per_epoch,
    seconds = core.clock() - self.epoch_began,
  }
  row.best = self:judge(validation or row.loss, epoch)
  progress.loss, progress.norm = 0, 0
  progress.history[epoch] = row
  self.schedule:observe(validation or row.loss)
  self.epoch_began = core.clock()
  if options.patience > 0 and progress.waited >= options.patience then
    progress.last = "patience"
  elseif epoch == options.epochs then
    progress.last = "epochs"
  end
  if progress.last and self.best then
    for name, view in pairs(state.learned(self.net)) do
      view:copy(self.best[name])
    end
  end
  return row
end

-- The inputs of rows of the order, out of a source; or nil, message, kind.
function Training:take(order, first, count)
  local inputs, message, kind = self.source:take(order:slice(first, first + count - 1))
  if not inputs and message then
    return nil, message, kind or "input"
  elseif type(inputs) ~= "table" then
    check.misuse(("field 'take' of the data gave %s, expected a table of inputs"):format(tostring(inputs)))
  end
  for name, values in pairs(inputs) do
    if #values ~= count then
      check.misuse(("field 'take' of the data gave %d rows of input '%s', expected %d"):format(#values, name, count))
    end
  end
  return inputs
end

-- Learns from `count` rows of the order: their loss and the norm of its gradient; or nil,
-- message, kind.
function Training:learn(order, first, count)
  local group = self.options.ranks
  if not self.source then
    return self.net:step(self.data, self.optimizer, { order = order, first = first, count = count, ranks = group })
  elseif group then
    return self.net:share_step(self.optimizer, group, count, function(from, rows)
      return self:take(order, first + from - 1, rows)
    end)
  end
  local inputs, message, kind = self:take(order, first, count)
  if not inputs then
    return nil, message, kind
  end
  return self.net:step(inputs, self.optimizer)
end

-- Takes one step: the step, or nil at the end; or nil, message, kind.
function Training:advance()
  local options, progress = self.options, self.progress
  if progress.last then
    return nil
  end
  local at = self.step % self.per_epoch
  local epoch = self.step // self.per_epoch + 1
  local first = at * options.batch + 1
  local count = math.min(options.batch, self.rows - first + 1)
  local rate = options.rate * self.schedule:factor {
    progress = self.step / (options.epochs * self.per_epoch), step = self.step + 1, epoch = epoch,
  }
  self.optimizer:rate(rate)
  local loss, norm, kind = self:learn(self:order_of(epoch), first, count)
  if not loss then
    return nil, ("step %d: %s"):format(self.step + 1, norm), kind
  end
  self.step = self.step + 1
  progress.loss, progress.norm = progress.loss + loss * count, progress.norm + norm
  local step = setmetatable({
    training = self,
    step = self.step,
    epoch = epoch,
    done = (epoch - 1) * self.rows + first + count - 1,
    total = options.epochs * self.rows,
    loss = loss,
    norm = norm,
    rate = rate,
  }, Step)
  if at == self.per_epoch - 1 then
    local message
    step.row, message, kind = self:close_epoch(epoch, rate)
    if not step.row then
      return nil, message, kind
    end
    step.validation, step.last = step.row.validation, progress.last
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
---@param data table<string, ym2612ml.Tensor>|ym2612ml.Source  for each input a tensor of as
---  many rows, of any type; or an object with `rows`, their number, and `take(self, rows)`,
---  which gives the inputs of some of them
---@param options? table  epochs 10; batch 64; optimizer "adamw" ("sgd", "adam"); rate
---  1e-3; schedule of the rate: "constant", "step", "cosine", "one_cycle", "plateau", a
---  table such as {kind = "step", epochs = 10, factor = 0.1} (cosine: final 0; one_cycle:
---  rise 0.3, start 1/25, final 0; plateau: factor 0.1, patience 10 epochs, threshold
---  1e-4, least 0; all: warmup, 0 steps) or a function of progress 0..1 and step number
---  that gives a factor of the rate; momentum 0; weight_decay 0; clip 0 (the largest norm
---  of a gradient; 0: no limit); seed 1; validation (data, or a function of the network
---  that gives a loss or nil, message, kind; after each epoch); patience 0 (ends after so
---  many epochs in a row in which the loss that is watched, that of validation or else of
---  training, did not get better by more than improvement, 0; 0: never); keep_best false
---  (true: the last step gives the network back as it was after its best epoch); resume
---  (what `step:dump()` gave, with the same options); subject "" (tells what the data are, such
---  as a digest: a state of another subject is refused); ranks (ym2612ml.Ranks: processes that
---  share every minibatch; each calls this with the same arguments, takes the same steps and
---  has the same network at the end, the bits of one process alone)
---@return (fun(): ym2612ml.Step|false|nil, string?, string?)? next  nil at the end; false,
---  message, kind ("diverged", "input") when a step failed, and nothing was changed, or
---  when the validation data cannot be used
---@return string? message
---@return string? kind  "format": resume is damaged or of another network; "input": ranks
---  have other settings or weights
function M.steps(net, data, options)
  local next_step, message, kind = M.start(net, data, check.options(options, M.rules, 3, "steps"), "steps")
  if not next_step then
    return nil, message, kind
  end
  return next_step
end

--- The same with options that were checked, for the function of that name; the second
--- result is the training itself.
---@param net ym2612ml.Network
---@param data table<string, ym2612ml.Tensor>|ym2612ml.Source
---@param options table
---@param name string
---@param path? string  the file that option resume came from
function M.start(net, data, options, name, path)
  if not nn.is_network(net) or not net.loss then
    check.misuse(("bad argument #1 to '%s' (expected a network with an output 'loss')"):format(name))
  end
  local source = type(data) == "table" and type(data.take) == "function" and data or nil
  local rows = source and rows_of_source(source, 2, name) or rows_in(data, net, 2, name)
  if type(options.validation) == "table" then
    rows_in(options.validation, net, 3, name, "option 'validation': ")
    for input in pairs(source and {} or data) do
      if not options.validation[input] then
        check.misuse(("bad argument #3 to '%s' (option 'validation': input '%s' is missing)"):format(name, input))
      end
    end
  end
  local schedule = schedules.new(options.schedule, 3, name)
  local training = setmetatable({
    net = net,
    data = not source and data or nil,
    source = source,
    options = options,
    rows = rows,
    per_epoch = (rows + options.batch - 1) // options.batch,
    schedule = schedule,
    signature = state.signature(options, schedule, rows),
    step = 0,
    progress = { loss = 0, norm = 0, waited = 0, history = {} },
    optimizer = nn.optimizer(net, {
      method = options.optimizer,
      rate = options.rate,
      momentum = options.momentum,
      decay = options.weight_decay,
      clip = options.clip,
    }),
  }, Training)
  if options.resume then
    local done, message, kind = state.restore(training, options.resume, path)
    if not done then
      return nil, message, kind
    end
  end
  if options.ranks then
    local alike, message, kind = options.ranks:alike {
      { "trains with other settings", training.signature },
      { "begins with other weights", store.sha256(net.core:weights():bytes()) },
    }
    if not alike then
      return nil, message, kind
    end
  end
  training.began = core.clock()
  training.epoch_began = training.began
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
  end, training
end

return M
