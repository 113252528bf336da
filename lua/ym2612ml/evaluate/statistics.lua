-- What can be said of a set of values: mean and median, and how sure they are.
local core = require "ym2612ml.core"

local M = {}

local RESAMPLINGS = 2000
local LOW, HIGH = 0.025, 0.975 -- ends of the confidence intervals

-- The value below which a share of a sorted list lies.
local function quantile(sorted, share)
  return sorted[math.max(1, math.min(#sorted, math.floor(share * #sorted + 0.5)))]
end

-- Mean and median of a resampling of sorted values.
local function resample(sorted, rng, counts)
  local n, sum = #sorted, 0
  for i = 1, n do
    counts[i] = 0
  end
  for _ = 1, n do
    local i = rng:integer(1, n)
    counts[i] = counts[i] + 1
    sum = sum + sorted[i]
  end
  local first, second, met, i = nil, nil, 0, 0
  while not second do
    i = i + 1
    met = met + counts[i]
    first = first or met >= (n + 1) // 2 and sorted[i]
    second = met >= n // 2 + 1 and sorted[i]
  end
  return sum / n, (first + second) / 2
end

--- The median of a list of numbers.
---@param values number[]  one or more
---@return number
function M.median(values)
  local sorted = { table.unpack(values) }
  table.sort(sorted)
  return (sorted[(#sorted + 1) // 2] + sorted[#sorted // 2 + 1]) / 2
end

--- The share of values for which a test holds.
---@param values any[]  one or more
---@param test fun(value: any): any
---@return number share  0..1
function M.share(values, test)
  local count = 0
  for _, value in ipairs(values) do
    count = count + (test(value) and 1 or 0)
  end
  return count / #values
end

---@class ym2612ml.Statistics
---@field count integer
---@field mean number
---@field mean_interval number[]  its 95 % confidence interval, {low, high}
---@field median number
---@field median_interval number[]

--- Mean and median with their 95 % confidence intervals by the bootstrap: percentiles of
--- 2,000 resamplings.
---@param values number[]
---@param seed integer  of the resamplings
---@return ym2612ml.Statistics?  nil of no values
function M.summary(values, seed)
  if #values == 0 then
    return nil
  end
  local sorted, sum = { table.unpack(values) }, 0
  table.sort(sorted)
  for _, value in ipairs(sorted) do
    sum = sum + value
  end
  local rng, counts, means, medians = core.rng.new { seed = seed }, {}, {}, {}
  for i = 1, RESAMPLINGS do
    means[i], medians[i] = resample(sorted, rng, counts)
  end
  table.sort(means)
  table.sort(medians)
  return {
    count = #values, mean = sum / #values, median = M.median(sorted),
    mean_interval = { quantile(means, LOW), quantile(means, HIGH) },
    median_interval = { quantile(medians, LOW), quantile(medians, HIGH) },
  }
end

return M
