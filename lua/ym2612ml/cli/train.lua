-- ym2612ml train: makes the networks that match uses, or with --model one of the
-- published ones for any synthesizer (cli/train/network.lua).
local arguments = require "ym2612ml.cli.arguments"
local console = require "ym2612ml.cli.console"
local json = require "ym2612ml.json"
local network = require "ym2612ml.cli.train.network"
local paths = require "ym2612ml.cli.paths"
local synth_options = require "ym2612ml.cli.synth"
local ym = require "ym2612ml"

local M = {}

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Train the networks that match uses.")
  command:description("Renders notes of random patches on the chip and learns to tell the "
    .. "patch from the sound. Stop at any time with Ctrl-C: the same command goes on where "
    .. "it stopped. `match --models DIR` uses the result. With --model it is a published "
    .. "network that learns, from sounds that `dataset --synth` made; `evaluate --model DIR` "
    .. "and `reconstruct` use that.")
  command:option("-o --output", "Folder for the models."):argname("DIR"):default("models")
  command:option("--work", "Folder for what is needed to go on after a stop, about "
    .. "1.5 gigabytes; may be deleted at the end. Default: .work in the folder for the models.")
    :argname("DIR")
  command:option("--patches", "Real patches to learn from: a folder of patch files or a table "
    .. "as CSV. Default: draws from the statistics that are shipped."):argname("FILE|DIR")
  arguments.add(command, "--records", "COUNT", arguments.integer(64, 10 ^ 8 | 0),
    "Notes to learn from. Default: 2000000; of published networks all sounds.")
  arguments.add(command, "--epochs", "COUNT", arguments.integer(1, 10000),
    "Times the network goes through what it learns from. Default: 6; of published ones as "
    .. "published.")
  arguments.add(command, "--network-epochs", "COUNT", arguments.integer(1, 10000),
    "Times those of the single algorithms do. Default: 3.")
  arguments.add(command, "--seed", "NUMBER", arguments.integer(0, 1 << 53),
    "Start of the random draws: the same number, the same models.", "1")
  command:option("--model", "Train this published network instead: "
    .. table.concat(ym.learner.names, ", ") .. "."):argname("NAME")
  command:option("--data", "With --model: sounds to learn from, a folder of `dataset --synth`."):argname("DIR")
  synth_options.define_code(command, "With --model: ")
  command:option("--targets", "With --model: learn parameters in classes, as values, or each by its kind. "
    .. "Default: as published."):choices({ "classes", "values", "kinds" })
  command:option("--loss", "With --model: of classes. Default: as published."):choices({ "softmax", "bce" })
  arguments.add(command, "--batch", "COUNT", arguments.integer(1, 65536),
    "Notes or sounds learned from at once by the network of all algorithms, or a published one. Default: 512, or "
    .. "as published.")
  arguments.add(command, "--learning-rate", "RATE", arguments.number(0, 10, "a rate"),
    "With --model. Default: as published.")
  command:option("--schedule", "With --model: of the learning rate. Default: constant.")
    :choices({ "constant", "cosine", "one_cycle", "plateau" })
  arguments.add(command, "--patience", "EPOCHS", arguments.integer(0, 10000),
    "With --model: ends after so many epochs without a better loss on the validation set; 0: never. Default: 10.")
  arguments.add(command, "--seconds", "SECONDS", arguments.number(1, 10 ^ 7, "a time in seconds"),
    "With --model: as many sounds and epochs as can be learned from in this time.")
  command:option("--start", "With --model: the folder of a trained one of the same form, to go on from its weights.")
    :argname("DIR")
  arguments.add(command, "--memory", "GIGABYTES", arguments.number(0, 4096, "a size"),
    "With --model: memory for sounds; of more, all are read from disk again and again.", "2")
  arguments.add(command, "--sizes", "NAME=VALUE,...", synth_options.sizes,
    "With --model: sizes of the network that can be chosen, such as hidden=256, or of several layers "
    .. "filters=16:32:64.")
  arguments.add(command, "--front", "NAME=VALUE,...", synth_options.settings,
    "With --model: another picture of the sound than the published, such as kind=mel,size=512,bands=96.")
  arguments.add(command, "--trials", "COUNT", arguments.integer(1, 1000),
    "With --model: repeat with so many seeds, and tell means and deviations of what is reached.")
  command:flag("--json", "Print a summary as one JSON document.")
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  if options.model then
    return network.run(options, report)
  end
  local work = options.work or paths.join(options.output, ".work")
  for _, folder in ipairs { options.output, work } do
    local made, reason = paths.make_folder(folder)
    if not made then
      return report:fail(reason)
    end
  end
  local next_step = ym.training.steps {
    output = options.output, work = work,
    prior = paths.join(ym.models.folder(), ym.models.files.prior),
    patches = options.patches, records = options.records, epochs = options.epochs, batch = options.batch,
    network_epochs = options.network_epochs, seed = options.seed, ranks = options.ranks,
  }
  local stage
  local summary, message = report:follow(next_step, console.training_label, function(step)
    if step.stage ~= stage and not options.json and not report.quiet then
      report:clear()
      print(step.stage)
    end
    stage = step.stage
  end)
  if message then
    return report:fail(message)
  elseif report.quiet then
    return
  end
  if options.json then
    print(json.encode(summary))
  else
    print(("%s: learned from %d notes; %s may be deleted"):format(options.output, summary.records,
      work))
  end
end

return M
