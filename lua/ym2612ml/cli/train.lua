-- ym2612ml train: makes the networks that match uses.
local arguments = require "ym2612ml.cli.arguments"
local json = require "ym2612ml.json"
local paths = require "ym2612ml.cli.paths"
local ym = require "ym2612ml"

local M = {}

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Train the networks that match uses.")
  command:description("Renders notes of random patches on the chip and learns to tell the "
    .. "patch from the sound. Stop at any time with Ctrl-C: the same command goes on where "
    .. "it stopped. `match --models DIR` uses the result.")
  command:option("-o --output", "Folder for the models."):argname("DIR"):default("models")
  command:option("--work", "Folder for what is needed to go on after a stop, about "
    .. "1.5 gigabytes; may be deleted at the end. Default: .work in the folder for the models.")
    :argname("DIR")
  command:option("--patches", "Real patches to learn from: a folder of patch files or a table "
    .. "as CSV. Default: draws from the statistics that are shipped."):argname("FILE|DIR")
  arguments.add(command, "--records", "COUNT", arguments.integer(64, 10 ^ 8 | 0),
    "Notes to learn from. Default: 2000000.")
  arguments.add(command, "--epochs", "COUNT", arguments.integer(1, 10000),
    "Times the matcher's network goes through the notes. Default: 6.")
  arguments.add(command, "--network-epochs", "COUNT", arguments.integer(1, 10000),
    "Times those of the single algorithms do. Default: 3.")
  arguments.add(command, "--seed", "NUMBER", arguments.integer(0, 2 ^ 53 | 0),
    "Start of the random draws: the same number, the same models.", "1")
  command:flag("--json", "Print a summary as one JSON document.")
end

local function label(step)
  local parts = { step.stage }
  if step.loss then
    parts[#parts + 1] = ("loss %.3f"):format(step.loss)
  end
  if step.eta then
    parts[#parts + 1] = ("%.0f s left"):format(step.eta)
  end
  return table.concat(parts, ", ")
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
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
    patches = options.patches, records = options.records, epochs = options.epochs,
    network_epochs = options.network_epochs, seed = options.seed,
  }
  local stage
  local summary, message = report:follow(next_step, label, function(step)
    if step.stage ~= stage and not options.json then
      report:clear()
      print(step.stage)
    end
    stage = step.stage
  end)
  if message then
    return report:fail(message)
  end
  if options.json then
    print(json.encode(summary))
  else
    print(("%s: learned from %d notes; %s may be deleted"):format(options.output, summary.records,
      work))
  end
end

return M
