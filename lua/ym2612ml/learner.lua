-- Trains a published network to tell the parameters of a synthesizer from its sounds, and
-- loads what was trained.
local attempt = require "ym2612ml.attempt"
local check = require "ym2612ml.check"
local choice = require "ym2612ml.learner.choice"
local core = require "ym2612ml.core"
local evaluation = require "ym2612ml.learner.evaluation"
local files = require "ym2612ml.files"
local inputs = require "ym2612ml.learner.input"
local json = require "ym2612ml.json"
local lfs = require "ym2612ml.filesystem"
local models = require "ym2612ml.learner.model"
local nn = require "ym2612ml.nn"
local published = require "ym2612ml.networks.published"
local ranks = require "ym2612ml.ranks"
local reconstruction = require "ym2612ml.learner.reconstruction"
local soundsets = require "ym2612ml.synths.dataset"
local steps = require "ym2612ml.steps"
local targets = require "ym2612ml.networks.targets"
local train = require "ym2612ml.train"
local work = require "ym2612ml.ranks.work"

local M = {
  names = published.names, architecture = published.get, load = models.load, evaluate = evaluation.steps,
  reconstruct = reconstruction.one,
}

local must = steps.must

local RULES = {
  model = { choices = published.names, needed = true },
  data = { type = { "string", "table" }, needed = true },
  output = { type = "string", needed = true },
  options = { type = "table", default = {} },
  front = { type = "table", default = {} },
  style = { choices = targets.styles },
  loss = { choices = targets.losses },
  rows = { type = "integer", least = 1 },
  epochs = { type = "integer", least = 1 },
  batch = { type = "integer", least = 1 },
  rate = { type = "number", least = 0 },
  optimizer = { choices = { "sgd", "adam", "adamw" } },
  schedule = { type = { "string", "table" }, default = "constant" },
  patience = { type = "integer", least = 0, default = 10 },
  seconds = { type = "number", least = 1 },
  memory = { type = "number", least = 0, default = 1 << 31 },
  start = { type = "string" },
  seed = { type = "integer", default = 1 },
  ranks = ranks.rule,
}

local VALIDATED = 2048 -- rows that an epoch is judged by, at most
local STATE_SECONDS = 60 -- between two states on disk
local SPEED_SECONDS = 1.5 -- for which the speed of a network is measured, at most
local BEGUN, HISTORY = "begun.json", "history.csv"

-- Everything that the model depends on, as model.json tells it.
local function describe(options, set)
  local architecture = published.get(options.model)
  local published_training, front = architecture.training, architecture.front(set.rate, set.length)
  if options.front.kind and options.front.kind ~= front.kind then
    front = {}
  end
  for name, value in pairs(options.front) do
    front[name] = value
  end
  local names, dropped, usual = choice.of(set)
  local training = {
    rows = math.min(options.rows or set.splits.train.rows, set.splits.train.rows),
    epochs = options.epochs or published_training.epochs, batch = options.batch or published_training.batch,
    rate = options.rate or published_training.rate, optimizer = options.optimizer or published_training.optimizer,
    schedule = options.schedule, patience = options.patience, seed = options.seed, seconds = options.seconds,
    start = options.start,
  }
  return {
    model = options.model, options = check.options(options.options, architecture.options or {}, 1, "steps"),
    front = front, synth = set.index.synth, rate = set.rate, length = set.length, parameters = names,
    dropped = dropped, usual = usual, style = options.style or architecture.targets,
    loss = options.loss or architecture.loss or "softmax", two_stages = architecture.stage == "autoencoder" or nil,
    training = training, data = set.index,
  }
end

-- Rows of a split as a network is fed them, a minibatch at a time.
local Source = {}
Source.__index = Source

function Source:take(rows)
  local list = rows:totable()
  local x, message, kind
  if self.cache then
    x = self.cache:rows(list)
  else
    x, message, kind = self.input:rows(self.split, list)
  end
  if not x then
    return nil, message, kind
  end
  local taken = self.targets and self.targets:encode(self.split.values:rows(list)) or {}
  taken.x = x
  return taken
end

-- The first rows of a split: heard once where there is room for all, else from sounds that
-- are in memory where `memory` bytes are room for them. tell: what the network is to
-- answer, none for an autoencoder.
local function new_source(input, split, rows, tell, memory)
  local source = setmetatable({ input = input, split = split, rows = rows, targets = tell }, Source)
  if input:fits(rows) then
    source.cache = must(input:rows(split, soundsets.numbers(1, rows)))
  elseif memory then
    must(split:keep(memory))
  end
  return source
end

-- A function that gives the loss on a split, or nil where it is empty.
local function validation(input, split, tell)
  if split.rows == 0 then
    return nil
  end
  local source = new_source(input, split, math.min(split.rows, VALIDATED), tell)
  return function(net)
    local sum = 0
    for first = 1, source.rows, 64 do
      local count = math.min(64, source.rows - first + 1)
      local rows = soundsets.numbers(first, first + count - 1)
      local taken, message, kind = source:take(core.tensor.from(rows, "i32"))
      local loss
      if taken then
        loss, message, kind = net:evaluate(taken)
      end
      if not loss then
        return nil, message, kind
      end
      sum = sum + loss * count
    end
    return sum / source.rows
  end
end

local function is_count(value)
  return type(value) == "number" and math.tointeger(value) ~= nil and value >= 1
end

-- Rows a second that a network learns from, measured on one that is thrown away, by all
-- ranks together.
local function speed_of(build, source, training, group)
  local net = build()
  local optimizer = nn.optimizer(net, { method = training.optimizer, rate = 0 })
  local count, done, started = math.min(training.batch, source.rows), 0, nil
  local long_enough = math.min(SPEED_SECONDS, training.seconds / 4)
  repeat
    local rows = core.rng.new({ seed = done + 1 }):order(source.rows):slice(1, count)
    if group then
      must(net:share_step(optimizer, group, count, function(first, own)
        return source:take(rows:slice(first, first + own - 1))
      end))
    else
      must(net:step(must(source:take(rows)), optimizer))
    end
    started = started or core.clock() -- the first one is not counted: it takes memory
    done = done + 1
  until work.shared(group, done > 1 and core.clock() - started > long_enough)
  return work.shared(group, (done - 1) * count / (core.clock() - started))
end

-- The plan that an earlier run wrote down, of at most so many rows.
local function read_plan(path, rows)
  local fine, plan = attempt(json.decode, must(files.read(path)))
  if not (fine and type(plan) == "table" and is_count(plan.rows) and plan.rows <= rows and is_count(plan.epochs)) then
    steps.fail(path .. ": is damaged; remove it to have the speed measured again", "format")
  end
  return plan
end

-- How many rows and epochs a training has: what its settings say, or where these give it
-- so many seconds, what it can learn in them. That is written down: a training that is
-- taken up again keeps to it.
local function plan_of(build, source, settings, path, group)
  local training = settings.training
  if not training.seconds then
    return { rows = source.rows, epochs = training.epochs }
  elseif work.shared(group, lfs.attributes(path, "mode") ~= nil) then
    return work.together(group, read_plan, path, source.rows)
  end
  local learned = speed_of(build, source, training, group) * training.seconds * (settings.two_stages and 0.5 or 1)
  local rows = math.max(1, math.min(source.rows, math.floor(learned)))
  local plan = { rows = rows, epochs = math.max(1, math.min(training.epochs, math.floor(learned / rows))) }
  work.once(group, function()
    must(files.write(path, json.document(plan)))
  end)
  return plan
end

-- Trains a network, which keeps its state in the folder until finish, called with it and what
-- became of it, has saved what was learned.
local function fit(build, source, judge, settings, folder, stage, group, finish, report)
  local training, path, saved = settings.training, ("%s/%s.state"):format(folder, stage), core.clock()
  local plan = plan_of(build, source, settings, ("%s/%s.plan.json"):format(folder, stage), group)
  source.rows = math.tointeger(plan.rows)
  local net = build()
  must(train.fit(net, source, {
    epochs = math.tointeger(plan.epochs), batch = math.min(training.batch, source.rows), rate = training.rate,
    optimizer = training.optimizer,
    schedule = training.schedule, patience = training.patience, seed = training.seed, validation = judge,
    keep_best = true, history = stage == "network" and folder .. "/" .. HISTORY or nil, state = path, ranks = group,
    each = function(step)
      if not step.last and work.shared(group, core.clock() - saved > STATE_SECONDS) then
        local bytes = must(step:dump())
        work.once(group, function()
          must(files.write(path, bytes))
        end)
        saved = core.clock()
      end
      report {
        stage = stage, done = step.done, total = step.total, loss = step.loss, validation = step.validation,
        epoch = step.epoch, eta = step.eta,
      }
    end,
    finish = function(result)
      finish(net, {
        rows = source.rows, epochs = #result.history, loss = result.loss, best = result.best, last = result.last,
      })
    end,
  }))
end

-- Fits the stage before the network and puts it into the model's input.
local function fit_stage(self, set, settings, folder, memory, group, report)
  local input, training, train_split = self.input, settings.training, set.splits.train
  local path = folder .. "/" .. models.files[self.architecture.stage]
  if self.architecture.stage == "pca" then
    report { stage = "components", done = 0, total = 1 }
    work.together(group, function()
      return must(input:fit_pca(train_split, training.rows, settings.options.components, training.seed))
    end)
    work.once(group, function()
      must(input.pca:save(path))
    end)
    return
  end
  local made
  if work.shared(group, lfs.attributes(path, "mode") ~= nil) then
    made = work.together(group, function()
      return must(nn.load(path))
    end)
  else
    local moments = work.together(group, function()
      return must(input:moments(train_split, training.rows, "all", training.seed))
    end)
    local architecture, shape = self.architecture, input.shape
    local function build()
      return nn.graph(function(g)
        local x = inputs.standardised(g, g:input("x", shape), moments)
        local latent = architecture.encode(g, x, shape, settings.options)
        local again = architecture.decode(g, latent, shape, settings.options)
        return { latent = latent, loss = again:mse(x) }
      end, { seed = training.seed })
    end
    local source = work.together(group, new_source, input, train_split, training.rows, nil, memory)
    local judge = work.together(group, validation, input, set.splits.valid)
    fit(build, source, judge, settings, folder, "autoencoder", group, function(net)
      made = net
      work.once(group, function()
        must(net:save(path))
      end)
    end, report)
  end
  input:set_encoder(made)
end

-- Begins a folder, or checks that it was begun with these settings. True where the model
-- is there.
local function begin(folder, settings)
  must(files.make_folder(folder))
  local path, text = folder .. "/" .. BEGUN, json.document(settings)
  if lfs.attributes(path, "mode") then
    if must(files.read(path)) ~= text then
      steps.fail(("%s: this model was begun with other settings; choose another folder"):format(folder), "input")
    end
    return lfs.attributes(folder .. "/" .. models.files.model, "mode") ~= nil
  end
  must(files.write(path, text))
  return false
end

-- The data set, opened, and what is to be learned from it.
local function prepare(options)
  local set = options.data
  if type(set) == "string" then
    set = must(soundsets.open(set))
  end
  local settings = describe(options, set)
  if #settings.parameters == 0 then
    steps.fail("the data set has no parameter that could be learned", "input")
  end
  return set, settings
end

local function run(options, report)
  local group = options.ranks
  local set, settings = work.together(group, prepare, options)
  work.alike(group, "has other settings or sounds", json.document(settings))
  if work.shared(group, work.once(group, begin, options.output, settings) or false) then
    local made = work.together(group, function()
      return must(models.load(options.output, { synth = set.synth.options.path }))
    end)
    report { stage = "done", done = 1, total = 1, summary = made.settings.result, learner = made }
    return
  end
  local started = core.clock()
  local self = models.new(settings, set.synth)
  if self.architecture.stage then
    fit_stage(self, set, settings, options.output, options.memory, group, report)
  end
  local input, training = self.input, settings.training
  local moments
  if self.architecture.standardise ~= false then
    local how = self.architecture.standardise or "all"
    moments = work.together(group, function()
      return must(input:moments(set.splits.train, training.rows, how, training.seed))
    end)
  end
  local function build()
    local net = nn.graph(function(g)
      local x = inputs.standardised(g, g:input("x", input.shape), moments)
      return self.targets:finish(g, self.architecture.body(g, x, input.shape, settings.options))
    end, { seed = training.seed })
    if training.start then
      work.together(group, function()
        return must(net:load_weights(training.start .. "/" .. models.files.network))
      end)
    end
    return net
  end
  local source = work.together(group, new_source, input, set.splits.train, training.rows, self.targets, options.memory)
  local judge = work.together(group, validation, input, set.splits.valid, self.targets)
  fit(build, source, judge, settings, options.output, "network", group, function(net, result)
    self.network, settings.result = net, result
    result.parameters, result.seconds = net:count(), core.clock() - started
    work.once(group, function()
      must(self:save(options.output))
    end)
  end, report)
  report { stage = "done", done = 1, total = 1, summary = settings.result, learner = self }
end

--- Trains a network, a step a call: stop by not calling. Called again with the same
--- settings it goes on where it stopped, at most a minute back. Parameters that are fixed,
--- constant in the data or not heard are not learned.
---@param options table  model: one of `names`; data: a folder of `ym.synths.steps` or what
---  `ym.synths.open` gave; output: folder for the model; options: sizes of the network (see
---  its file); front: settings of the front end in place of the published (networks/fronts.lua);
---  style: "classes", "values" or "kinds", and loss: "softmax" or "bce" (networks/targets.lua),
---  default the published; rows: learn from the first so many, default all; epochs, batch,
---  rate, optimizer: default the published; schedule: see ym.train.steps, default "constant";
---  patience: epochs without a better loss on the validation set after which it ends, default
---  10, 0: none; seconds: a time budget, by which a speed measured first decides on rows and
---  epochs; memory: bytes that the sounds may take as they are learned from, default 2 GiB:
---  more are read from disk again and again; start: the folder of a
---  model of the same form, from whose weights it goes on; seed: default 1; ranks
---  (ym2612ml.Ranks): who share every minibatch, each calls this alike
---@return fun(): table|false|nil, string?, string? next  steps {stage, done, total, epoch?,
---  loss?, validation?, eta?, and with the last one summary = {rows, epochs, best, loss,
---  parameters, seconds} and learner}; nil at the end; or false, message, kind
function M.steps(options)
  options = check.options(options, RULES, 1, "steps")
  return steps.new(function(report)
    run(options, report)
  end)
end

return M
