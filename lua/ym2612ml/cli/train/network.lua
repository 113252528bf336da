-- ym2612ml train --model: a published network learns to tell the parameters of a
-- synthesizer from its sounds, once or over several seeds.
local console = require "ym2612ml.cli.console"
local evaluation = require "ym2612ml.learner.evaluation"
local json = require "ym2612ml.json"
local paths = require "ym2612ml.cli.paths"
local ym = require "ym2612ml"

local M = {}

-- Trains a network in a folder. Returns the learner; or nil after a failure, reported.
local function train(options, set, folder, seed, report)
  local learner
  local _, message = report:follow(ym.learner.steps {
    model = options.model, data = set, output = folder, style = options.targets, loss = options.loss,
    epochs = options.epochs, batch = options.batch, rate = options.learning_rate, schedule = options.schedule,
    patience = options.patience, rows = options.records, seconds = options.seconds, seed = seed,
    front = options.front, options = options.sizes, memory = options.memory * 2 ^ 30,
    start = options.start,
  }, console.training_label, function(step)
    learner = step.learner
    if step.validation and not options.json then
      report:clear()
      print(("%s, epoch %d: loss %.5f, of the validation set %.5f"):format(step.stage, step.epoch, step.loss,
        step.validation))
    end
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

-- Repeats training and evaluation over seeds and prints means and deviations.
local function run_trials(options, set, report)
  local results = {}
  for trial = 1, options.trials do
    local folder = ("%s/trial_%03d"):format(options.output, trial)
    local learner = train(options, set, folder, options.seed + trial - 1, report)
    if not learner then
      return
    end
    local figures, message = evaluation.means(learner, set)
    if not figures then
      return report:fail(message)
    end
    results[trial] = figures
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
  local set, message = ym.synths.open(options.data)
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
  if learner and options.json then
    print(json.encode(learner.settings.result))
  elseif learner then
    tell(options.output, learner)
  end
end

return M
