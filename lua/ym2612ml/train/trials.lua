-- Trainings repeated: over folds of the data, and with several seeds.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"

local M = {}

-- Rows of a data set as new tensors.
local function take(data, rows)
  local part = {}
  for name, tensor in pairs(data) do
    part[name] = tensor:rows(rows)
  end
  return part
end

-- Rows that belong together, as lists in the order of their first row; without groups
-- every row is alone.
local function units_of(rows, groups)
  local units, known = {}, {}
  for row = 1, rows do
    local group = groups and groups[row]
    local unit = group ~= nil and known[group] or nil
    if not unit then
      unit = {}
      units[#units + 1] = unit
      if group ~= nil then
        known[group] = unit
      end
    end
    unit[#unit + 1] = row
  end
  return units
end

local function count_rows(data)
  check.type(data, "table", 1, "folds")
  local rows
  for name, tensor in pairs(data) do
    check.tensor(tensor, 1, "folds", ("'%s'"):format(name))
    if rows and rows ~= #tensor then
      check.misuse(("bad argument #1 to 'folds' (tensors of %d and %d rows)"):format(rows, #tensor))
    end
    rows = #tensor
  end
  return rows or 0
end

--- Splits data for cross-validation: every row is set aside in exactly one fold. The
--- tensors of a fold are copies.
---
---     for fold, training, aside in ym.train.folds(data, 5, { seed = 1 }) do ... end
---
---@param data table<string, ym2612ml.Tensor>  as many rows each
---@param count integer  folds, 2 to as many as there are rows (or groups)
---@param options? {seed: integer, groups: any[]}  seed: of the random split, default 1;
---  groups: for each row what it belongs to, such as a family of patches: rows of one
---  group are never in both parts
---@return fun(): integer?, table?, table? next  fold, training data, data set aside
function M.folds(data, count, options)
  local rows = count_rows(data)
  count = check.integer(count, 2, "folds", 2)
  options = check.options(options, {
    seed = { type = "integer", default = 1 },
    groups = { type = "table" },
  }, 3, "folds")
  if options.groups and #options.groups ~= rows then
    check.misuse(("bad argument #3 to 'folds' (%d groups for %d rows)"):format(#options.groups, rows))
  end
  local units = units_of(rows, options.groups)
  if count > #units then
    check.misuse(("bad argument #2 to 'folds' (%d, expected 2..%d)"):format(count, #units))
  end
  core.rng.new({ seed = options.seed }):shuffle(units)
  local fold = 0
  return function()
    fold = fold + 1
    if fold > count then
      return nil
    end
    local inside, aside = {}, {}
    for i, unit in ipairs(units) do
      local part = (i - 1) % count + 1 == fold and aside or inside
      table.move(unit, 1, #unit, #part + 1, part)
    end
    table.sort(inside)
    table.sort(aside)
    return fold, take(data, inside), take(data, aside)
  end
end

---@class ym2612ml.Summary
---@field mean number
---@field deviation number  of a sample: with divisor count - 1; 0 for one value
---@field least number
---@field most number
---@field values number[]

-- Raises unless what a trial gave are numbers by name.
local function check_figures(figures, trial, name)
  if type(figures) ~= "table" then
    check.misuse(("%s: trial %d gave %s, expected a table of numbers"):format(name, trial, tostring(figures)))
  end
  for figure, value in pairs(figures) do
    if type(value) ~= "number" then
      check.misuse(("%s: figure '%s' of trial %d is %s, expected a number"):format(
        name, tostring(figure), trial, tostring(value)))
    end
  end
end

--- Mean and deviation of each figure of several trials.
---@param results table<string, number>[]  one table of figures a trial
---@return table<string, ym2612ml.Summary>
function M.summary(results)
  check.type(results, "table", 1, "summary")
  local summary = {}
  for trial, result in ipairs(results) do
    check_figures(result, trial, "summary")
    for name, value in pairs(result) do
      summary[name] = summary[name] or { values = {} }
      table.insert(summary[name].values, value)
    end
  end
  for _, figure in pairs(summary) do
    local values, sum, squares = figure.values, 0, 0
    for _, value in ipairs(values) do
      sum = sum + value
    end
    figure.mean = sum / #values
    for _, value in ipairs(values) do
      squares = squares + (value - figure.mean) ^ 2
    end
    figure.deviation = #values > 1 and math.sqrt(squares / (#values - 1)) or 0
    figure.least, figure.most = math.min(table.unpack(values)), math.max(table.unpack(values))
  end
  return summary
end

--- Runs something several times with seeds that follow each other, such as a training
--- whose network and rows are drawn by the seed.
---
---     local summary, results = assert(ym.train.trials(30, function(seed)
---       local result, message, kind = ym.train.fit(make(seed), data, { seed = seed, validation = aside })
---       if not result then return nil, message, kind end
---       return { loss = result.loss }
---     end))
---
---@param count integer  1 or more
---@param run fun(seed: integer, trial: integer): table<string, number>?, string?, string?
---  gives the figures of a trial; or nil, message, kind, which ends all
---@param options? {seed: integer}  of the first trial, default 1
---@return table<string, ym2612ml.Summary>? summary
---@return table<string, number>[]|string results  or a message
---@return string? kind
function M.trials(count, run, options)
  count = check.integer(count, 1, "trials", 1)
  check.type(run, "function", 2, "trials")
  options = check.options(options, { seed = { type = "integer", default = 1 } }, 3, "trials")
  local results = {}
  for trial = 1, count do
    local figures, message, kind = run(options.seed + trial - 1, trial)
    if not figures and message then
      return nil, ("trial %d: %s"):format(trial, message), kind
    end
    check_figures(figures, trial, "trials")
    results[trial] = figures
  end
  return M.summary(results), results
end

return M
