-- ym2612ml compare: the published networks beside the matcher.
local arguments = require "ym2612ml.cli.arguments"
local attempt = require "ym2612ml.attempt"
local card = require "ym2612ml.cli.evaluate.card"
local compare = require "ym2612ml.compare"
local console = require "ym2612ml.cli.console"
local files = require "ym2612ml.files"
local json = require "ym2612ml.json"
local paths = require "ym2612ml.cli.paths"
local synth_options = require "ym2612ml.cli.synth"
local ym = require "ym2612ml"

local M = {}

-- Registers whose figures are told one by one: attack and decay are what Antithesis found
-- could be learned, detune what could not.
local TOLD = { "ar", "dr", "sr", "tl", "mul", "dt" }

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Compare the published networks with the matcher.")
  command:description("All learn from the same random notes of the chip, for the same time; then they, the "
    .. "matcher's own network without a search, the networks of the single algorithms, and the matcher "
    .. "answer notes that none has learned from. Stop at any time: the same command goes on where it "
    .. "stopped.")
  command:option("-o --output", "Folder for the notes, the networks and the results."):argname("DIR")
    :default("comparison")
  arguments.add(command, "--models", "LIST", function(text)
    local list = {}
    for name in (text .. ","):gmatch("([^,]*),") do
      list[#list + 1] = name
    end
    return list
  end, "Which published networks. Default: " .. table.concat(ym.learner.names, ","))
  arguments.add(command, "--seconds", "SECONDS", arguments.number(1, 10 ^ 6, "a time in seconds"),
    "Time that each network learns.", "120")
  arguments.add(command, "--count", "COUNT", arguments.integer(1, 10 ^ 9 | 0), "Notes to learn from.", "20000")
  arguments.add(command, "--targets", "COUNT", arguments.integer(1, 10 ^ 6 | 0), "Notes to be answered.", "100")
  arguments.add(command, "--searched", "COUNT", arguments.integer(0, 10 ^ 6 | 0),
    "Of them, notes that are answered by what renders, too.", "20")
  arguments.add(command, "--budget", "BUDGET", function(text)
    local budget, message = ym.evaluate.budget(text)
    return budget and text, message
  end, "Of what renders: see evaluate.", "default")
  arguments.add(command, "--fix", "NAME=VALUE,...", synth_options.numbers,
    "Registers that all notes have, such as algorithm=4.")
  arguments.add(command, "--rate", "HERTZ", arguments.number(8000, 53267, "a rate in Hz"),
    "Samples a second of what all hear.", "22050")
  command:option("--patches", "Real patches to draw from, too."):argname("FILE|DIR")
  arguments.add(command, "--seed", "NUMBER", arguments.integer(0, 1 << 53), "Start of the random draws.", "1")
  command:option("--json", "Write all results as one JSON document."):argname("FILE")
end

local function label(step)
  local parts = { step.stage }
  if step.eta then
    parts[2] = console.time_left(step.eta)
  end
  return table.concat(parts, ", ")
end

local function number(value, format)
  return value and format:format(value) or "-"
end

-- The mean of a figure over the parameters whose names end in this.
local function mean_of(parameters, ending, figure)
  local sum, count = 0, 0
  for name, figures in pairs(parameters) do
    if name:match("%.(%w+)$") == ending and figures[figure] then
      sum, count = sum + figures[figure], count + 1
    end
  end
  return count > 0 and sum / count or nil
end

local function by_name(list)
  local named = {}
  for _, figures in ipairs(list) do
    named[figures.name] = figures
  end
  return named
end

local function tell_figures(list, report)
  local rows, single = {}, {}
  for i, figures in ipairs(list) do
    local result, means = figures.result or {}, figures.means
    rows[i] = {
      figures.model.name, number(result.parameters, "%d"), number(result.rows, "%d"), number(result.epochs, "%d"),
      number(means.mae_normalised, "%.3f"), number(means.r2, "%.3f"), number(means.exact, "%.3f"),
      number(means.close, "%.3f"), number(means.mpr, "%.1f"), number(figures.sounds.pcc_stft.mean, "%.3f"),
      number(figures.sounds.pcc_stft.median, "%.3f"),
    }
    single[i] = { figures.model.name }
    local named = by_name(figures.parameters)
    for _, ending in ipairs(TOLD) do
      table.insert(single[i], number(mean_of(named, ending, "mae_normalised"), "%.3f"))
      table.insert(single[i], number(mean_of(named, ending, "r2"), "%.2f"))
    end
  end
  print("Registers (MAE of 0..1 of their range, share exact, within one) and sounds told from one hearing")
  report:columns({ "network", "weights", "notes", "epochs", "MAE", "R2", "exact", "close", "MPR", "PCC", "median" },
    rows)
  local head = { "network" }
  for _, ending in ipairs(TOLD) do
    head[#head + 1] = ending
    head[#head + 1] = "R2"
  end
  print("\nMAE and R2 of single registers, mean of four operators")
  report:columns(head, single)
  print("")
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  local made, message = paths.make_folder(options.output)
  if not made then
    return report:fail(message)
  end
  for _, name in ipairs(options.models or {}) do
    if not attempt(ym.learner.architecture, name) then
      return report:fail(("--models: '%s' is none of %s"):format(name, table.concat(ym.learner.names, ", ")))
    end
  end
  local summary
  summary, message = report:follow(compare.steps {
    output = options.output, models = options.models, seconds = options.seconds, count = options.count,
    targets = options.targets, searched = options.searched, budget = options.budget, rate = options.rate,
    patches = options.patches, fixed = options.fix, seed = options.seed,
    ranks = options.ranks,
  }, label)
  if message then
    return report:fail(message)
  elseif report.quiet then
    return
  end
  if options.json then
    local written, reason = files.write(options.json, json.document(summary))
    if not written then
      report:fail(reason)
    end
  end
  tell_figures(summary.figures, report)
  card.tell(summary.card, report)
end

return M
