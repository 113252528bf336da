-- ym2612ml train --model: a published network learns to tell the parameters of a
-- synthesizer from its sounds, once or over several seeds.
local console = require "ym2612ml.cli.console"
local evaluation = require "ym2612ml.learner.evaluation"
local json = require "ym2612ml.json"
local paths = require "ym2612ml.cli.paths"
local steps = require "ym2612ml.steps"
local work = require "ym2612ml.ranks.work"
local ym = require "ym2612ml"

local M = {}

-- The steps of a training in a folder.
local function steps_of(options, set, folder, seed, ranks)
  return ym.learner.steps {
    model = options.model, data = set, output = folder, style = options.targets, loss = options.loss,
    epochs = options.epochs, batch = options.batch, rate = options.learning_rate, schedule = options.schedule,
    patience = options.patience, rows = options.records, seconds = options.seconds, seed = seed,
    front = options.front, options = options.sizes, memory = options.memory * 2 ^ 30,
    start = options.start, ranks = ranks,
  }
end

-- Prints what became of an epoch, after its last step.
local function tell_epoch(step, options, report)
  if step.validation and not options.json and not report.quiet then
    report:clear()
    print(("%s, epoch %d: loss %.5f, of the validation set %.5f"):format(step.stage, step.epoch, step.loss,
      step.validation))
  end
end

-- Trains a network in a folder. Returns the learner; or nil after a failure, reported.
local function train(options, set, folder, seed, report)
  local learner
  local next_step = steps_of(options, set, folder, seed, options.ranks)
  local _, message = report:follow(next_step, console.training_label, function(step)
    learner = step.learner
    tell_epoch(step, options, report)
  end)
  if message then
    return report:fail(message)
  end
  return learner
end

local function tell(folder, learner)
  local dropped = {}
  for name, reason in pairs(learner.dropped) do
    dropped[#dropped + 1] = ("%s (%s)"):format(name, reason)
  end
  table.sort(dropped)
  local result = learner.settings.result
  print(("%s: %s, %d parameters, learned from %d sounds in %d epochs"):format(folder, learner.architecture.title,
    result.parameters, result.rows, result.epochs))
  print(("told: %s"):format(table.concat(learner.parameters, ", ")))
  if #dropped > 0 then
    print(("left out: %s"):format(table.concat(dropped, ", ")))
  end
end

-- Figures as a string, to the bit, and back.
local function pack(figures)
  local parts = {}
  for name, value in pairs(figures) do
    parts[#parts + 1] = string.pack("<s1d", name, value)
  end
  return table.concat(parts)
end

local function unpack(text)
  local figures, at = {}, 1
  while at <= #text do
    local name, value, after = string.unpack("<s1d", text, at)
    figures[name], at = value, after
  end
  return figures
end

-- Trains and judges trial number `trial`, on this rank alone; gives its figures. Epochs are
-- told only where no other trial goes on at the same time.
local function try(options, set, trial, report, tick)
  local folder, learner = ("%s/trial_%03d"):format(options.output, trial), nil
  for step, message, kind in steps_of(options, set, folder, options.seed + trial - 1) do
    steps.must(step or nil, message, kind)
    learner = step.learner
    if not options.ranks then
      tell_epoch(step, options, report)
    end
    tick(math.min(step.done / step.total, 1))
  end
  local figures, message, kind = evaluation.means(learner, set)
  return pack(steps.must(figures, message, kind))
end

-- Repeats training and evaluation over seeds, each on whichever rank is free. Returns the
-- figures of every trial; or nil after a failure, reported.
local function try_all(options, set, report)
  local results = {}
  local next_step = steps.new(function(report_step)
    work.each(options.ranks, options.trials, {
      perform = function(trial, tick)
        return try(options, set, trial, report, tick)
      end,
      taken = function(trial, result)
        results[trial] = unpack(result)
      end,
      tell = function(done)
        report_step { done = done, total = options.trials }
      end,
    })
  end)
  local _, message = report:follow(next_step, function(step)
    return ("trial %d of %d"):format(math.min(math.floor(step.done) + 1, options.trials), options.trials)
  end)
  if message then
    return report:fail(message)
  end
  return results
end

-- Prints means and deviations of trials.
local function run_trials(options, set, report)
  local results = try_all(options, set, report)
  if not results or report.quiet then
    return
  end
  local summary, names = ym.train.summary(results), {}
  for name in pairs(summary) do
    names[#names + 1] = name
  end
  table.sort(names)
  if options.json then
    return print(json.encode { trials = options.trials, summary = summary })
  end
  local rows = {}
  for i, name in ipairs(names) do
    local figure = summary[name]
    rows[i] = { name, ("%.4f"):format(figure.mean), ("%.4f"):format(figure.deviation), ("%.4f"):format(figure.least),
      ("%.4f"):format(figure.most) }
  end
  print(("%d trials of %s"):format(options.trials, options.model))
  report:columns({ "figure", "mean", "deviation", "least", "most" }, rows)
end

--- Runs the command.
---@param options table  as cli/train.lua defines them
---@param report table
function M.run(options, report)
  if not options.data then
    return report:fail("--model needs --data, a folder that `dataset --synth` made")
  end
  local set, message = ym.synths.open(options.data, { synth = options.synth })
  local made = set
  if set then
    made, message = paths.make_folder(options.output)
  end
  if not made then
    return report:fail(message)
  elseif options.trials and set.splits.test.rows == 0 then
    return report:fail(("--trials: %s has no sounds to judge by; make it with `dataset --test`"):format(options.data))
  elseif options.trials then
    return run_trials(options, set, report)
  end
  local learner = train(options, set, options.output, options.seed, report)
  if report.quiet then
    return
  elseif learner and options.json then
    print(json.encode(learner.settings.result))
  elseif learner then
    tell(options.output, learner)
  end
end

return M
