-- How well parameters were told from sounds, and how alike what they sound like is. The
-- measures are those of InverSynth (Barkan, Tsiris, Katz and Koenigstein, 2019, section 5),
-- with the exact and close ratios of its implementation by Dong, and R2.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"

local M = {}

local TOP = 5 -- top-1 to top-5 accuracy

-- A frame of the paper and its hop: 512 and 256 samples at 16,384 Hz.
local FRAME, HOP = 512 / 16384, 256 / 16384
local LARGEST_FRAME = 65536 -- samples

--- Names of the figures of a parameter, in the order of tables; top1 to top5 stand in a
--- list, `top`.
---@type string[]
M.figures = { "exact", "close", "top1", "top2", "top3", "top4", "top5", "mae", "mae_normalised", "r2", "mpr" }

--- Names of the measures of a sound.
---@type string[]
M.sound_figures = { "pcc_stft", "pcc_ft", "lsd" }

--- A figure by its name.
---@param figures table  of a parameter, or means
---@param name string  one of `figures`
---@return number?
function M.figure(figures, name)
  local k = name:match("^top(%d)$")
  if k then
    return figures.top[tonumber(k)]
  end
  return figures[name]
end

-- A column of a matrix as a list.
local function column(matrix, index)
  return matrix:permute({ 2, 1 })[index]:totable()
end

-- How likely a class is among the first k when `above` come before it and it shares its
-- score with `level`, itself included: these are in no order.
local function share_within(k, above, level)
  return math.min(math.max(0, (k - above) / level), 1)
end

-- Top-k accuracies and the mean percentile rank.
local function rank_figures(figures, scores, truth, classes)
  local top, rank = {}, 0
  for k = 1, TOP do
    top[k] = 0
  end
  local ranks = core.metrics.ranks(scores, core.tensor.from(truth)):totable()
  for _, row in ipairs(ranks) do
    local above, level = row[1], row[2]
    rank = rank + above + (level - 1) / 2
    for k = 1, TOP do
      top[k] = top[k] + share_within(k, above, level)
    end
  end
  for k = 1, TOP do
    top[k] = top[k] / #ranks
  end
  figures.top = top
  figures.mpr = 100 * (1 - rank / #ranks / (classes - 1))
end

-- How far the classes told are from the true ones.
local function class_figures(figures, truth, told)
  local exact, close, apart = 0, 0, 0
  for row, class in ipairs(truth) do
    local distance = math.abs(class - told[row])
    exact, close = exact + (distance == 0 and 1 or 0), close + (distance <= 1 and 1 or 0)
    apart = apart + distance
  end
  figures.exact, figures.close, figures.mae = exact / #truth, close / #truth, apart / #truth
end

local function mean(list)
  local sum = 0
  for _, value in ipairs(list) do
    sum = sum + value
  end
  return sum / #list
end

local function mean_difference(a, b)
  local sum = 0
  for row, value in ipairs(a) do
    sum = sum + math.abs(value - b[row])
  end
  return sum / #a
end

-- The share of the true values' variance that the told ones explain; nil without variance.
local function r_squared(truth, told)
  local middle, residual, total = mean(truth), 0, 0
  for row, value in ipairs(truth) do
    residual, total = residual + (value - told[row]) ^ 2, total + (value - middle) ^ 2
  end
  return total > 0 and 1 - residual / total or nil
end

-- Raises unless both are matrices of values of the synthesizer, of as many rows.
local function check_values(synth, truth, told)
  check.tensor(truth, 3, "parameters")
  check.type(told, "table", 4, "parameters")
  check.tensor(told.values, 4, "parameters", "values")
  check.type(told.scores, "table", 4, "parameters")
  local shape, other = truth:shape(), told.values:shape()
  check.no_problem((#shape ~= 2 or shape[2] ~= #synth.parameters or shape[1] < 1)
    and ("shape is (%s), expected (1 or more, %d)"):format(table.concat(shape, ", "), #synth.parameters) or nil,
    3, "parameters")
  check.no_problem((#other ~= 2 or other[1] ~= shape[1] or other[2] ~= shape[2])
    and ("values: shape is (%s), expected that of the true ones"):format(table.concat(other, ", ")) or nil,
    4, "parameters")
end

-- Names of parameters as parameters, each with scores.
local function read_kept(synth, kept, told, rows)
  check.type(kept, "table", 2, "parameters")
  local list = {}
  for i, name in ipairs(kept) do
    local parameter = synth.by_name[name]
    check.no_problem(not parameter and ("%s has no parameter '%s'"):format(synth.name, tostring(name)) or nil,
      2, "parameters")
    local scores = told.scores[name]
    check.tensor(scores, 4, "parameters", "scores of " .. name)
    local shape = table.concat(scores:shape(), ", ")
    check.no_problem(shape ~= ("%d, %d"):format(rows, parameter.classes)
      and ("scores of %s: shape is (%s), expected (%d, %d)"):format(name, shape, rows, parameter.classes) or nil,
      4, "parameters")
    list[i] = parameter
  end
  return list
end

-- The mean of each figure over those parameters that have it.
local function means_of(list)
  local means = { top = {} }
  for _, name in ipairs(M.figures) do
    local values = {}
    for _, figures in ipairs(list) do
      values[#values + 1] = M.figure(figures, name)
    end
    local k = tonumber(name:match("^top(%d)$"))
    local into, key = k and means.top or means, k or name
    into[key] = #values > 0 and mean(values) or nil
  end
  return means
end

--- Judges parameters that were told from sounds. A value counts as of the class nearest to
--- it.
---@param synth ym2612ml.Synth
---@param kept string[]  names of the parameters to judge
---@param truth ym2612ml.Tensor  f32 (sounds, parameters of the synthesizer), one sound or more
---@param told {values: ym2612ml.Tensor, scores: table<string, ym2612ml.Tensor>}  as a
---  learner's `predict` gives them: values likewise; scores by name, f32 (sounds, classes)
---@return {parameters: table[], means: table<string, number>}? figures  of each parameter
---  name and kind and classes; exact: the share of sounds whose class was told, close: at
---  most one class beside; top: of 1 to 5, whose class is among so many with the highest
---  scores; mae: mean distance in classes; mae_normalised: of the values, in shares of the
---  range; r2: 1 - residual / total sum of squares of the values, nil where all true ones
---  are equal; mpr: 100 (1 - mean rank of the true class by score, from 0, / (classes -
---  1)), 50 by chance. Equal scores share their ranks. means: over the parameters
---@return string? message
---@return string? kind  "diverged": a value that was told is not a number
function M.parameters(synth, kept, truth, told)
  check.type(synth, "table", 1, "parameters")
  check_values(synth, truth, told)
  local rows = truth:shape()[1]
  local kept_list = read_kept(synth, kept, told, rows)
  local classes, told_classes = synth:classes(truth), synth:classes(told.values)
  local shares, told_shares = synth:shares(truth), synth:shares(told.values)
  local list = {}
  for i, parameter in ipairs(kept_list) do
    local index, values = parameter.index, column(told.values, parameter.index)
    for row, value in ipairs(values) do
      if value ~= value or math.abs(value) == math.huge then
        return nil, ("sound %d: %s was told as %s, which is no number"):format(row, parameter.name, value), "diverged"
      end
    end
    local figures = { name = parameter.name, kind = parameter.kind, classes = parameter.classes }
    local true_classes = column(classes, index)
    class_figures(figures, true_classes, column(told_classes, index))
    rank_figures(figures, told.scores[parameter.name], true_classes, parameter.classes)
    figures.mae_normalised = mean_difference(column(shares, index), column(told_shares, index))
    figures.r2 = r_squared(column(truth, index), values)
    list[i] = figures
  end
  return { parameters = list, means = means_of(list) }
end

-- The value below which a share of sorted values lies, between two of them in proportion.
local function quantile(sorted, share)
  local place = 1 + share * (#sorted - 1)
  local below = math.floor(place)
  local above = math.min(below + 1, #sorted)
  return sorted[below] + (place - below) * (sorted[above] - sorted[below])
end

--- What a list of numbers amounts to.
---@param values number[]  one or more
---@return {mean: number, median: number, quartiles: number[]}
function M.summary(values)
  check.type(values, "table", 1, "summary")
  check.no_problem(#values == 0 and "holds nothing" or nil, 1, "summary")
  local sorted = { table.unpack(values) }
  table.sort(sorted)
  return {
    mean = mean(sorted), median = quantile(sorted, 0.5), quartiles = { quantile(sorted, 0.25), quantile(sorted, 0.75) },
  }
end

-- Sounds as a matrix of f32.
local function to_sounds(value, argument)
  check.tensor(value, argument, "sounds")
  local rank = #value:shape()
  check.no_problem(rank ~= 2 and ("rank is %d, expected 2"):format(rank) or nil, argument, "sounds")
  return value
end

--- Measures how alike originals and reconstructions are, level included. Spectrograms are
--- those of Hann frames of 31.25 ms, every 15.625 ms (the paper's 512 and 256 samples at
--- 16,384 Hz), in 10 log10 of power, to which is added a floor: the power of the original's
--- loudest bin less `range`. The paper does not state its own; with 60 dB the distances that
--- it tells beside its correlations come out a little lower, with 70 dB a little higher. One
--- call is one bounded piece of work: give it some hundred sounds.
---@param originals ym2612ml.Tensor  f32 (sounds, samples)
---@param reconstructions ym2612ml.Tensor  of the same shape
---@param rate number  Hz
---@param options? {range: number}  dB, default 60
---@return {pcc_stft: number, pcc_ft: number, lsd: number}[]? measures  of each sound.
---  pcc_stft: Pearson's correlation of the spectrograms, all values in one row; pcc_ft: that
---  of the magnitudes of the whole sounds' Fourier transforms (of the first 2^20 samples);
---  lsd: Frobenius norm of the difference of the spectrograms, dB. A correlation is 0 where
---  a sound does not vary
---@return string? message  tells which sound
---@return string? kind  "input": a sample is not a number
function M.sounds(originals, reconstructions, rate, options)
  originals, reconstructions = to_sounds(originals, 1), to_sounds(reconstructions, 2)
  check.type(rate, "number", 3, "sounds")
  local range = check.options(options, {
    range = { type = "number", least = 1, most = 200, default = 60 },
  }, 4, "sounds").range
  local shape, other = originals:shape(), reconstructions:shape()
  check.no_problem((shape[1] ~= other[1] or shape[2] ~= other[2]) and ("shape is (%d, %d), expected (%d, %d)"):format(
    other[1], other[2], shape[1], shape[2]) or nil, 2, "sounds")
  local size = 2 * math.floor(rate * FRAME / 2 + 0.5)
  check.no_problem(not (size >= 16 and size <= LARGEST_FRAME) and ("rate is %g Hz, expected %g..%g"):format(
    rate, 16 / FRAME, LARGEST_FRAME / FRAME) or nil, 3, "sounds")
  local measures, message, kind = core.metrics.likeness(originals, reconstructions, size,
    math.floor(rate * HOP + 0.5), range)
  if not measures then
    return nil, message, kind
  end
  local list = {}
  for i, row in ipairs(measures:totable()) do
    list[i] = { pcc_stft = row[1], pcc_ft = row[2], lsd = row[3] }
  end
  return list
end

return M
