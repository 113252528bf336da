-- ym2612ml evaluate --model: how well a published network tells the parameters of sounds,
-- and how alike the sounds are that these make.
local evaluation = require "ym2612ml.learner.evaluation"
local files = require "ym2612ml.files"
local json = require "ym2612ml.json"
local measure = require "ym2612ml.learner.measure"
local models = require "ym2612ml.learner.model"
local paths = require "ym2612ml.cli.paths"
local ym = require "ym2612ml"

local M = {}

-- How figures are shown: title, unit in which, format.
local FIGURES = {
  exact = { "exact %", 100, "%.1f" }, close = { "within 1 %", 100, "%.1f" }, mae = { "MAE", 1, "%.2f" },
  mae_normalised = { "of range", 1, "%.3f" }, r2 = { "R2", 1, "%.3f" }, mpr = { "MPR", 1, "%.2f" },
}
for k = 1, 5 do
  FIGURES["top" .. k] = { ("top %d %%"):format(k), 100, "%.1f" }
end

local SOUNDS = {
  pcc_stft = { "PCC of the spectrograms, x 100", 100, "%.2f" },
  pcc_ft = { "PCC of the whole spectra, x 100", 100, "%.2f" },
  lsd = { "log-spectral distance, dB", 1, "%.1f" },
}

local function shown(figures, name)
  local value, format = measure.figure(figures, name), FIGURES[name]
  return value and format[3]:format(format[2] * value) or "-"
end

local function tell_parameters(result, report)
  local head, rows = { "parameter", "classes" }, {}
  for i, name in ipairs(measure.figures) do
    head[i + 2] = FIGURES[name][1]
  end
  local function add(row, figures)
    for _, name in ipairs(measure.figures) do
      row[#row + 1] = shown(figures, name)
    end
    rows[#rows + 1] = row
  end
  for _, figures in ipairs(result.parameters) do
    add({ figures.name, ("%d"):format(figures.classes) }, figures)
  end
  add({ "mean", "" }, result.means)
  report:columns(head, rows)
end

local function tell_sounds(result, report)
  local rows = {}
  for i, name in ipairs(measure.sound_figures) do
    local title, scale, format = table.unpack(SOUNDS[name])
    local found = result.sounds[name]
    rows[i] = { title }
    for k, value in ipairs { found.mean, found.median, found.quartiles[1], found.quartiles[2] } do
      rows[i][k + 1] = format:format(scale * value)
    end
  end
  report:columns({ "original and reconstruction", "mean", "median", "quartiles", "" }, rows)
end

local function tell(result, learner, options, report)
  print(("%s: %s, of %s, on %d sounds (%s)"):format(options.model, learner.architecture.title, learner.synth.title,
    result.count, result.split))
  tell_parameters(result, report)
  local dropped = {}
  for name, reason in pairs(learner.dropped) do
    dropped[#dropped + 1] = ("%s (%s)"):format(name, reason)
  end
  table.sort(dropped)
  if #dropped > 0 then
    print("left out: " .. table.concat(dropped, ", "))
  end
  print()
  tell_sounds(result, report)
end

-- Writes the files that were asked for.
local function write(result, learner, options, report)
  local function put(path, text)
    if path then
      local written, message = files.write(path, text())
      if not written then
        report:fail(message)
      end
    end
  end
  put(options.csv, function() return evaluation.figures_csv(result) end)
  put(options.sounds, function() return evaluation.sounds_csv(result, learner) end)
  put(options.json, function() return json.document(evaluation.document(result, learner)) end)
end

-- The model and its data; or nil, message.
local function open(options)
  local learner, message = models.load(options.model, { synth = options.synth })
  if not learner then
    return nil, message
  end
  local set
  set, message = ym.synths.open(options.data, { synth = options.synth })
  if not set then
    return nil, message
  end
  if options.wav then
    local made, reason = paths.make_folder(options.wav)
    if not made then
      return nil, reason
    end
  end
  return learner, set
end

--- Runs the command.
---@param options table  as cli/evaluate.lua defines them
---@param report table
function M.run(options, report)
  local learner, set = open(options)
  if not learner then
    return report:fail(set)
  end
  local result, message = report:follow(evaluation.steps(learner, set, {
    split = options.split, count = options.count, wav = options.wav, examples = options.examples,
    ranks = options.ranks,
  }), function(step)
    return ("%d sounds"):format(step.done)
  end)
  if message then
    return report:fail(("%s: %s"):format(options.model, message))
  end
  if report.quiet then
    return
  end
  write(result, learner, options, report)
  tell(result, learner, options, report)
end

return M
