-- ym2612ml evaluate without a model: the benchmark card of the matcher.
local arguments = require "ym2612ml.cli.arguments"
local console = require "ym2612ml.cli.console"
local files = require "ym2612ml.files"
local json = require "ym2612ml.json"
local paths = require "ym2612ml.cli.paths"
local ym = require "ym2612ml"

local M = {}

local WORST = 3 -- targets of a set that are named

local function label(step)
  local left = console.time_left(step.eta)
  return step.set and ("%s, %s: %s"):format(left, step.set, step.method) or left
end

local function number(value, format)
  return value and format:format(value) or "-"
end

local function mean(statistics, format)
  return statistics and number(statistics.mean, format) or "-"
end

local function percent(share)
  return share and ("%.0f %%"):format(100 * share) or "-"
end

local function interval(ends)
  return ("%.2f..%.2f"):format(ends[1], ends[2])
end

-- Calls a function with every set, method and summary, in the order they were asked for.
local function each_summary(card, visit)
  for _, set in ipairs(card.settings.sets) do
    for _, method in ipairs(card.sets[set] and card.settings.methods or {}) do
      local summary = card.sets[set].methods[method]
      if summary.count + summary.failed > 0 then
        visit(set, method, summary)
      end
    end
  end
end

local function tell_distances(card, report)
  local rows = {}
  local function add(set, method, count, distance, seconds)
    rows[#rows + 1] = {
      set, method, count, ("%.2f"):format(distance.mean), interval(distance.mean_interval),
      ("%.2f"):format(distance.median), interval(distance.median_interval), percent(distance.below["0.5"]),
      percent(distance.below["1"]), percent(distance.below["2"]), seconds,
    }
  end
  each_summary(card, function(set, method, summary)
    if summary.distance then
      add(set, method, summary.count, summary.distance, mean(summary.seconds, "%.2f"))
    end
    if summary.chaotic then
      add(set, method .. " (chaotic)", summary.chaotic.count, summary.chaotic, "")
    end
  end)
  print(("D in dB on the %s stage (chip: ym2612), with 95 %% confidence intervals"):format(card.settings.chip))
  report:columns({ "set", "method", "n", "mean", "", "median", "", "<0.5", "<1", "<2", "seconds" }, rows)
end

local function tell_measures(card, report)
  local rows = {}
  each_summary(card, function(set, method, summary)
    local algorithm = summary.algorithm or {}
    rows[#rows + 1] = {
      set, method, mean(summary.mss, "%.2f"), mean(summary.wmfcc, "%.2f"), mean(summary.sot, "%.4f"),
      mean(summary.rms_cosine, "%.3f"), mean(summary.pcc, "%.3f"), mean(summary.lsd, "%.2f"),
      percent(algorithm.top1), percent(algorithm.top3), percent(algorithm.equivalent),
      percent(summary.registers and summary.registers.mean),
    }
  end)
  print("\nOther measures (means), algorithm right at first, among three, or as good; registers right")
  report:columns({ "set", "method", "MSS", "wMFCC", "SOT", "RMS", "PCC", "LSD", "alg 1", "alg 3", "equal",
    "registers" }, rows)
end

local function tell_comparisons(card)
  local lines = {}
  each_summary(card, function(set, method, summary)
    if summary.search_wins then
      lines[#lines + 1] = ("%s: the search is better than %s on %s of the targets"):format(set, method,
        percent(summary.search_wins))
    elseif summary.growth then
      lines[#lines + 1] = ("%s: %s: D grows by %.2f (%s), by at most 0.2 on %s"):format(set, method,
        summary.growth.mean, interval(summary.growth.mean_interval), percent(summary.no_worse))
    end
  end)
  if #lines > 0 then
    print("\n" .. table.concat(lines, "\n"))
  end
end

-- The targets on which the matcher's last budget did worst.
local function tell_worst(card)
  local method = "search " .. card.settings.budgets[#card.settings.budgets]
  for _, set in ipairs(card.settings.sets) do
    local list = {}
    for _, result in ipairs(card.results) do
      if result.set == set and result.method == method and result.distance then
        list[#list + 1] = result
      end
    end
    table.sort(list, function(a, b)
      return a.distance > b.distance or a.distance == b.distance and a.number < b.number
    end)
    for i = 1, math.min(WORST, #list) do
      local note = list[i].note and " at " .. arguments.note_name(list[i].note) or ""
      list[i] = ("%s%s %.2f%s"):format(list[i].name, note, list[i].distance, list[i].chaotic and " (chaotic)" or "")
    end
    if #list > 0 then
      print(("worst of %s: %s"):format(set, table.concat(list, "; ", 1, math.min(WORST, #list))))
    end
  end
end

--- Prints a card.
---@param card table  see ym2612ml.evaluate.card
---@param report table
function M.tell(card, report)
  tell_distances(card, report)
  tell_measures(card, report)
  tell_comparisons(card)
  print("")
  tell_worst(card)
end

--- Runs the command.
---@param options table  as cli/evaluate.lua defines them
---@param report table
function M.run(options, report)
  if options.work then
    local made, reason = paths.make_folder(options.work)
    if not made then
      return report:fail(reason)
    end
  end
  local models, message
  if options.models then
    models, message = ym.models.load(options.models)
    if not models then
      return report:fail(message)
    end
  end
  local next_step = ym.evaluate.steps {
    sets = options.sets, count = options.count, budgets = options.budget, chip = options.chip,
    patches = options.patches, soundfont = options.soundfont, baselines = options.baselines,
    pitch_unknown = options.pitch_unknown or false, disturb = options.disturb, seed = options.seed,
    work = options.work, models = models, ranks = options.ranks,
  }
  local card
  card, message = report:follow(next_step, label, function(step)
    if step.result and step.result.failed then
      report:note(("%s %d (%s), %s: %s"):format(step.set, step.result.number, step.result.name, step.method,
        step.result.failed))
    end
  end)
  if message then
    return report:fail(message)
  elseif report.quiet then
    return
  end
  for _, skipped in ipairs(card.settings.skipped) do
    report:note("skipped " .. skipped)
  end
  if options.json then
    local written, reason = files.write(options.json, json.document(card))
    if not written then
      report:fail(reason)
    end
  end
  if #card.results == 0 then
    return report:fail("no set to be evaluated")
  end
  M.tell(card, report)
end

return M
