-- The benchmark card: what all results of an evaluation amount to.
local metrics = require "ym2612ml.metrics"
local numbers = require "ym2612ml.numbers"
local statistics = require "ym2612ml.evaluate.statistics"

local M = {}

local BELOW = { 0.5, 1, 2 } -- dB: shares of targets below are told
local NO_WORSE = 0.2 -- dB: with the pitch unknown, against the pitch given

local MEASURES = { "seconds", "renders" }
table.move(metrics.names, 1, #metrics.names, #MEASURES + 1, MEASURES)

-- The values of a field of those results that have it.
local function values_of(results, name)
  local values = {}
  for _, result in ipairs(results) do
    if result[name] ~= nil then
      values[#values + 1] = result[name]
    end
  end
  return values
end

local function is_true(value)
  return value
end

local function distances(results, seed)
  local values = values_of(results, "distance")
  if #values == 0 then
    return nil
  end
  local summary = statistics.summary(values, seed)
  summary.below = {}
  for _, bound in ipairs(BELOW) do
    summary.below[numbers.format("%g", bound)] = statistics.share(values, function(value) return value < bound end)
  end
  return summary
end

-- How often the algorithm was found, and how many of the registers where it was.
local function algorithms(results)
  local top1 = values_of(results, "top1")
  if #top1 == 0 then
    return nil
  end
  return {
    top1 = statistics.share(top1, is_true), top3 = statistics.share(values_of(results, "top3"), is_true),
    equivalent = statistics.share(values_of(results, "equivalent"), is_true),
  }
end

local function of_class(results, chaotic)
  local list = {}
  for _, result in ipairs(results) do
    if result.chaotic == chaotic then
      list[#list + 1] = result
    end
  end
  return list
end

-- The changes of D from one method's results to another's, of targets that both have.
local function changes(from, to)
  local before, list = {}, {}
  for _, result in ipairs(from) do
    before[result.number] = result.distance
  end
  for _, result in ipairs(to) do
    if result.distance and before[result.number] then
      list[#list + 1] = result.distance - before[result.number]
    end
  end
  return list
end

local function summary_of(results, seed)
  local failed = values_of(results, "failed")
  local summary = {
    count = #results - #failed, failed = #failed, distance = distances(results, seed),
    algorithm = algorithms(results), registers = statistics.summary(values_of(results, "registers"), seed),
  }
  for _, name in ipairs(MEASURES) do
    summary[name] = statistics.summary(values_of(results, name), seed)
  end
  for name, class in pairs { chaotic = true, steady = false } do
    summary[name] = distances(of_class(results, class), seed)
  end
  return summary
end

-- What a method's results say beside those of the matcher with the same budget.
local function compare(summary, method, results, searched, seed)
  local gained = changes(searched, results)
  if #gained == 0 then
    return
  elseif method.kind ~= "search" then
    summary.search_wins = statistics.share(gained, function(value) return value > 0 end)
  elseif method.disturbance or not method.known then
    summary.growth = statistics.summary(gained, seed)
    summary.no_worse = statistics.share(gained, function(value) return value <= NO_WORSE end)
  end
end

--- Makes the card.
---@param results table[]  of evaluate.steps: set, number, method, name, distance, ... or
---  failed: why there is none
---@param methods ym2612ml.EvaluationMethod[]
---@param settings table  what the card says of how it was made; seed of the resamplings
---@return table card  settings; sets: by name {targets, chaotic: count, methods: by name
---  {count, failed, distance: statistics with below: shares by bound, chaotic and steady:
---  likewise of the targets of a class, the measures, seconds and renders: statistics,
---  algorithm: {top1, top3, equivalent}, registers, search_wins: of a baseline, the share
---  of targets on which the matcher with its budget had a lower D, growth: of a variant of
---  the matcher, how much higher D is than the plain one's, no_worse: the share where it
---  is not by more than 0.2}}; results: the list
function M.make(results, methods, settings)
  local by_set, sets = {}, {}
  for _, result in ipairs(results) do
    local by_method = by_set[result.set] or {}
    by_set[result.set] = by_method
    by_method[result.method] = by_method[result.method] or {}
    table.insert(by_method[result.method], result)
  end
  for set, by_method in pairs(by_set) do
    local targets, summaries = by_method[methods[1].name] or {}, {}
    for _, method in ipairs(methods) do
      local list = by_method[method.name] or {}
      local summary = summary_of(list, settings.seed)
      compare(summary, method, list, by_method["search " .. method.budget.name] or {}, settings.seed)
      summaries[method.name] = summary
    end
    sets[set] = { targets = #targets, chaotic = #of_class(targets, true), methods = summaries }
  end
  return { settings = settings, sets = sets, results = results }
end

return M
