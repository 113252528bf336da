-- Judges a learner by a split of a data set: how well it tells the parameters, and how
-- alike what they sound like is.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local measure = require "ym2612ml.learner.measure"
local numbers = require "ym2612ml.numbers"
local ranks = require "ym2612ml.ranks"
local soundsets = require "ym2612ml.synths.dataset"
local steps = require "ym2612ml.steps"
local store = require "ym2612ml.store"
local work = require "ym2612ml.ranks.work"

local M = {}

local fail, must = steps.fail, steps.must

local RULES = {
  split = { choices = { "train", "valid", "test" }, default = "test" },
  count = { type = "integer", least = 1 },
  wav = { type = "string" },
  examples = { type = "integer", least = 0, default = 10 },
  ranks = ranks.rule,
}

local BLOCK_SAMPLES = 1 << 21 -- judged in one step
local BLOCK_SOUNDS = 256

local WAV = { bits = 32 } -- floats: a synthesizer may go beyond full scale

-- Ends the work unless the learner can hear and tell what the data set holds.
local function match(learner, set)
  if learner.rate ~= set.rate or math.floor(learner.rate * learner.length) ~= math.floor(set.rate * set.length) then
    fail(("the model hears %g s at %g Hz, and the data set has %g s at %g Hz"):format(learner.length, learner.rate,
      set.length, set.rate), "input")
  end
  local own, other = learner.synth, set.synth
  local same = own.name == other.name and #own.parameters == #other.parameters
  for i, parameter in ipairs(same and own.parameters or {}) do
    local with = other.parameters[i]
    same = same and parameter.name == with.name and parameter.kind == with.kind and parameter.classes == with.classes
  end
  if not same then
    fail(("the model is of %s, and the data set of %s with other parameters"):format(own.name, other.name), "input")
  end
end

local function write_wav(folder, row, part, sound, rate)
  must(core.audio.write(("%s/example_%03d_%s.wav"):format(folder, row, part), sound, math.floor(rate + 0.5), WAV))
end

-- Writes those sounds of a block that are examples: original, copy, reconstruction.
local function write_examples(learner, options, first, truth, sounds, reconstructions)
  local count = math.min(options.examples - first + 1, #sounds)
  if not options.wav or count < 1 then
    return
  end
  local copies = must(learner.synth:render(truth:slice(1, count), { rate = learner.rate, length = learner.length }))
  for i = 1, count do
    write_wav(options.wav, first + i - 1, "original", sounds[i], learner.rate)
    write_wav(options.wav, first + i - 1, "copy", copies[i], learner.rate)
    write_wav(options.wav, first + i - 1, "reconstruction", reconstructions[i], learner.rate)
  end
end

-- Room for what a learner tells of so many sounds.
local function new_told(learner, count)
  local told = { values = core.tensor.new { count, #learner.synth.parameters }, scores = {} }
  for _, name in ipairs(learner.parameters) do
    told.scores[name] = core.tensor.new { count, learner.synth.by_name[name].classes }
  end
  return told
end

-- Tells the parameters of the rows first to last and renders them. Gives what was told and
-- measured as a string. tick: as of ym2612ml.Job.
local function judge_block(learner, split, options, first, last, tick)
  local sounds = must(split:sounds(soundsets.numbers(first, last)))
  tick(0.25)
  local answer = must(learner:predict(sounds))
  tick(0.5)
  local reconstructions = must(learner.synth:render(learner.synth:nearest(answer.values), {
    rate = learner.rate, length = learner.length,
  }))
  tick(0.75)
  local tensors = { [""] = answer.values }
  for _, name in ipairs(learner.parameters) do
    tensors[name] = answer.scores[name]
  end
  local measures = must(measure.sounds(sounds, reconstructions, learner.rate))
  write_examples(learner, options, first, split.values:slice(first, last), sounds, reconstructions)
  local figures = {}
  for i, found in ipairs(measures) do
    for k, name in ipairs(measure.sound_figures) do
      figures[(i - 1) * #measure.sound_figures + k] = string.pack("<d", found[name])
    end
  end
  return string.pack("<s4s4", store.encode(tensors), table.concat(figures))
end

-- Puts what a block gave into told, and to the end of measures.
local function take_block(result, first, last, told, measures)
  local encoded, figures = string.unpack("<s4s4", result)
  local tensors, at = must(store.decode(encoded)), 1
  told.values:slice(first, last):copy(tensors[""])
  for name, scores in pairs(told.scores) do
    scores:slice(first, last):copy(tensors[name])
  end
  while at <= #figures do
    local found = {}
    for _, name in ipairs(measure.sound_figures) do
      found[name], at = string.unpack("<d", figures, at)
    end
    measures[#measures + 1] = found
  end
end

-- What the measures of sounds amount to, by name.
local function summaries(measures)
  local by_name = {}
  for _, name in ipairs(measure.sound_figures) do
    local values = {}
    for i, found in ipairs(measures) do
      values[i] = found[name]
    end
    by_name[name] = measure.summary(values)
  end
  return by_name
end

local function run(learner, set, options, report)
  match(learner, set)
  local split = set.splits[options.split]
  local count = math.min(options.count or split.rows, split.rows)
  if count == 0 then
    fail(("the data set has no sounds in its split '%s'"):format(options.split), "input")
  end
  local samples = math.max(1, math.floor(set.rate * set.length))
  local block = math.max(1, math.min(BLOCK_SOUNDS, BLOCK_SAMPLES // samples))
  local told, measures = new_told(learner, count), {}
  local function rows_of(item)
    return (item - 1) * block + 1, math.min(item * block, count)
  end
  work.each(options.ranks, math.ceil(count / block), {
    perform = function(item, tick)
      local first, last = rows_of(item)
      return judge_block(learner, split, options, first, last, tick)
    end,
    taken = function(item, result)
      local first, last = rows_of(item)
      take_block(result, first, last, told, measures)
    end,
    tell = function(items)
      report { done = math.min(math.floor(items) * block, count), total = count + 1 }
    end,
  })
  if options.ranks and options.ranks.rank > 0 then
    report { done = count + 1, total = count + 1 }
    return
  end
  local truth = split.values:slice(1, count)
  local figures = must(measure.parameters(learner.synth, learner.parameters, truth, told))
  report {
    done = count + 1, total = count + 1,
    summary = {
      split = options.split, count = count, parameters = figures.parameters, means = figures.means,
      sounds = summaries(measures), truth = truth, told = told.values, measures = measures,
    },
  }
end

--- Judges a learner, a block of sounds a step.
---@param learner ym2612ml.Learner
---@param set ym2612ml.SoundSet  of the learner's synthesizer, rate and length
---@param options? table  split: "train", "valid" or "test", the default; count: only its
---  first so many sounds; wav: a folder, which exists, for the first sounds as WAV files of
---  floats, each as example_001_original (of the data set), _copy (rendered from the true
---  parameters) and _reconstruction (from those told); examples: how many, default 10; ranks
---  (ym2612ml.Ranks): who share the blocks, each calls this alike, and rank 0 alone has the
---  summary
---@return fun(): table|false|nil, string?, string? next  steps {done, total, and with the
---  last one summary}: split; count: of sounds; parameters and means, of those that the
---  learner tells, and measures, a table a sound, as of learner/measure.lua; sounds: of
---  pcc_stft, pcc_ft and lsd the mean, median and quartiles; truth and told: values, f32
---  (count, parameters). nil at the end; or false, message, kind
function M.steps(learner, set, options)
  check.type(learner, "table", 1, "steps")
  check.type(set, "table", 2, "steps")
  options = check.options(options, RULES, 3, "steps")
  return steps.new(function(report)
    run(learner, set, options, report)
  end)
end

--- The means of all figures: those of the parameters, and of the sounds.
---@param result table  the summary of `steps`
---@return table<string, number>  by the names in measure.figures and measure.sound_figures
function M.flat(result)
  local flat = {}
  for _, name in ipairs(measure.figures) do
    flat[name] = measure.figure(result.means, name)
  end
  for _, name in ipairs(measure.sound_figures) do
    flat[name] = result.sounds[name].mean
  end
  return flat
end

--- Judges a learner at once, as `steps` does.
---@param learner ym2612ml.Learner
---@param set ym2612ml.SoundSet
---@param split? "train"|"valid"|"test"  default "test"
---@return table<string, number>? figures  as of `flat`
---@return string? message
---@return string? kind
function M.means(learner, set, split)
  local result
  for step, message, kind in M.steps(learner, set, { split = split }) do
    if not step then
      return nil, message, kind
    end
    result = step.summary
  end
  return M.flat(result)
end

--- What is kept of a result in a file: all but what is of single sounds.
---@param result table  the summary of `steps`
---@param learner ym2612ml.Learner
---@return table document  plain
function M.document(result, learner)
  return {
    model = { name = learner.architecture.name, title = learner.architecture.title, dropped = learner.dropped },
    synth = { name = learner.synth.name, options = learner.synth.options }, rate = learner.rate,
    length = learner.length, split = result.split, count = result.count, parameters = result.parameters,
    means = result.means, sounds = result.sounds,
  }
end

local function number(value)
  return value and numbers.format("%.9g", value) or ""
end

-- A name as a cell of CSV.
local function quoted(name)
  return name:find('[",\n]') and '"' .. name:gsub('"', '""') .. '"' or name
end

--- The figures of the parameters as a table for other programs, the means in its last line.
---@param result table  the summary of `steps`
---@return string csv
function M.figures_csv(result)
  local lines = { "parameter,kind,classes," .. table.concat(measure.figures, ",") }
  local function add(head, figures)
    for _, name in ipairs(measure.figures) do
      head[#head + 1] = number(measure.figure(figures, name))
    end
    lines[#lines + 1] = table.concat(head, ",")
  end
  for _, figures in ipairs(result.parameters) do
    add({ quoted(figures.name), figures.kind, ("%d"):format(figures.classes) }, figures)
  end
  add({ "mean", "", "" }, result.means)
  return table.concat(lines, "\n") .. "\n"
end

--- What was told of each sound as a table for other programs: of each parameter the true
--- value, the one told and how many classes lie between; the shares of parameters that are
--- exact and close; and the measures of the sound.
---@param result table  the summary of `steps`
---@param learner ym2612ml.Learner
---@return string csv
function M.sounds_csv(result, learner)
  local head = { "sound" }
  for _, name in ipairs(learner.parameters) do
    table.move({ quoted(name), quoted(name .. "_told"), quoted(name .. "_apart") }, 1, 3, #head + 1, head)
  end
  table.move({ "exact", "close" }, 1, 2, #head + 1, head)
  table.move(measure.sound_figures, 1, #measure.sound_figures, #head + 1, head)
  local truth, told = result.truth:totable(), result.told:totable()
  local classes, told_classes = learner.synth:classes(result.truth), learner.synth:classes(result.told)
  local lines = { table.concat(head, ",") }
  for row, values in ipairs(truth) do
    local cells, exact, close = { ("%d"):format(row) }, 0, 0
    for _, name in ipairs(learner.parameters) do
      local index = learner.synth.by_name[name].index
      local apart = told_classes:get(row, index) - classes:get(row, index)
      exact, close = exact + (apart == 0 and 1 or 0), close + (math.abs(apart) <= 1 and 1 or 0)
      table.move({ number(values[index]), number(told[row][index]), number(apart) }, 1, 3, #cells + 1, cells)
    end
    cells[#cells + 1], cells[#cells + 2] = number(exact / #learner.parameters), number(close / #learner.parameters)
    for _, name in ipairs(measure.sound_figures) do
      cells[#cells + 1] = number(result.measures[row][name])
    end
    lines[#lines + 1] = table.concat(cells, ",")
  end
  return table.concat(lines, "\n") .. "\n"
end

return M
