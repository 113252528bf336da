-- How much a set of patches sounds like another: the Frechet distance between the normal
-- distributions of what is heard of them (Dowson and Landau 1982), as Heusel et al. 2017
-- judge pictures.
local draws = require "ym2612ml.space.draws"
local hearing = require "ym2612ml.space.hearing"
local marginals = require "ym2612ml.space.marginals"
local pca = require "ym2612ml.pca"
local sources = require "ym2612ml.space.sources"
local steps = require "ym2612ml.steps"

local M = {}

local COMPONENTS = 64
local SWEEPS = 60 -- of rotations, of which some ten are enough

---@class ym2612ml.Moments
---@field mean number[]
---@field covariance number[][]  with divisor rows - 1

--- The moments of rows.
---@param x ym2612ml.Tensor  f32 (rows, columns), of 2 rows or more
---@return ym2612ml.Moments
function M.moments(x)
  local rows, mean, covariance = x:totable(), {}, {}
  local columns = #rows[1]
  for i = 1, columns do
    mean[i], covariance[i] = 0, {}
    for _, row in ipairs(rows) do
      mean[i] = mean[i] + row[i] / #rows
    end
  end
  for i = 1, columns do
    for j = 1, i do
      local sum = 0
      for _, row in ipairs(rows) do
        sum = sum + (row[i] - mean[i]) * (row[j] - mean[j])
      end
      covariance[i][j] = sum / (#rows - 1)
      covariance[j][i] = covariance[i][j]
    end
  end
  return { mean = mean, covariance = covariance }
end

local function product(a, b)
  local c = {}
  for i = 1, #a do
    c[i] = {}
    for j = 1, #b[1] do
      local sum = 0
      for k = 1, #b do
        sum = sum + a[i][k] * b[k][j]
      end
      c[i][j] = sum
    end
  end
  return c
end

local function transposed(a)
  local b = {}
  for i = 1, #a[1] do
    b[i] = {}
    for j = 1, #a do
      b[i][j] = a[j][i]
    end
  end
  return b
end

-- The lower triangle whose product with its transpose is a matrix that has no negative
-- eigenvalue (Cholesky); where a pivot is nothing but rounding, a column of zeros.
local function root(matrix)
  local lower, largest = {}, 0
  for i = 1, #matrix do
    lower[i] = {}
    largest = math.max(largest, matrix[i][i])
  end
  for j = 1, #matrix do
    for i = 1, #matrix do
      local sum = matrix[i][j]
      for k = 1, j - 1 do
        sum = sum - lower[i][k] * lower[j][k]
      end
      if i < j then
        lower[i][j] = 0
      elseif i == j then
        lower[j][j] = sum > 1e-14 * largest and math.sqrt(sum) or 0
      else
        lower[i][j] = lower[j][j] > 0 and sum / lower[j][j] or 0
      end
    end
  end
  return lower
end

-- Turns two axes of a symmetric matrix so that its elements (p, q) become 0.
local function rotate(a, p, q)
  local theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
  local t = (theta >= 0 and 1 or -1) / (math.abs(theta) + math.sqrt(theta * theta + 1))
  local c = 1 / math.sqrt(t * t + 1)
  local s = t * c
  for k = 1, #a do
    local x, y = a[k][p], a[k][q]
    a[k][p], a[k][q] = c * x - s * y, s * x + c * y
  end
  local row_p, row_q = a[p], a[q]
  for k = 1, #a do
    local x, y = row_p[k], row_q[k]
    row_p[k], row_q[k] = c * x - s * y, s * x + c * y
  end
end

-- The eigenvalues of a symmetric matrix, which is destroyed, by rotations (Jacobi 1846).
local function eigenvalues(a)
  local values = {}
  for _ = 1, SWEEPS do
    local off, diagonal = 0, 0
    for p = 1, #a do
      diagonal = diagonal + a[p][p] ^ 2
      for q = p + 1, #a do
        off = off + a[p][q] ^ 2
      end
    end
    if off <= 1e-28 * diagonal then
      break
    end
    for p = 1, #a - 1 do
      for q = p + 1, #a do
        if a[p][q] ~= 0 then
          rotate(a, p, q)
        end
      end
    end
  end
  for i = 1, #a do
    values[i] = a[i][i]
  end
  return values
end

--- The squared Frechet distance between two normal distributions: the squared distance of
--- their means plus the trace of A + B - 2 (A B)^(1/2).
---@param a ym2612ml.Moments
---@param b ym2612ml.Moments  of as many columns
---@return number
function M.distance(a, b)
  local distance = 0
  for i = 1, #a.mean do
    distance = distance + (a.mean[i] - b.mean[i]) ^ 2 + a.covariance[i][i] + b.covariance[i][i]
  end
  -- A B has the eigenvalues of L' B L, which is symmetric, where L L' is A
  local lower = root(a.covariance)
  for _, value in ipairs(eigenvalues(product(transposed(lower), product(b.covariance, lower)))) do
    distance = distance - 2 * math.sqrt(math.max(0, value))
  end
  return math.max(0, distance)
end

local RULES = {
  patches = { type = { "string", "table" }, needed = true },
  count = { type = "integer", least = 2, most = 50000, default = 2000 },
  validation = { type = "number", least = 0, below = 1 },
  temperature = { type = "number", least = 0, most = 100, default = 1 },
  seed = { type = "integer", default = 1 },
}

-- Draws in one list.
local function all_of(draw, options)
  local all = {}
  for list in draws.blocks(draw, options.count, options.seed) do
    table.move(list, 1, #list, #all + 1, all)
  end
  return all
end

-- The sets that are judged: for each a name, and what gives its patches.
local function sets_of(space, training, options)
  local plainest = marginals.fit(training)
  return {
    { name = "space", draw = function()
      return all_of(draws.generator(space, options), options)
    end },
    { name = "marginals", draw = function()
      return all_of(function(rows, seed)
        return plainest:draw(rows, seed)
      end, options)
    end },
    { name = "training", draw = function()
      return training
    end },
  }
end

-- What is heard of patches, 2 or more; ends the work where that is not.
local function hear(list, what)
  local features = hearing.features(list)
  if #features < 2 then
    steps.fail(("%s: of %d patches %d can be heard, expected 2 or more"):format(what, #list, #features), "input")
  end
  return features
end

---@class ym2612ml.FrechetFigures
---@field aside integer  patches set aside that are heard, to which all is compared
---@field components integer  of what is heard of them
---@field space number  squared Frechet distance of draws from the space
---@field marginals number  of draws from the plainest model, each register by itself
---@field training number  of the patches learned from: what could be hoped for

--- Tells how much the draws from a learned space sound like patches that were set aside:
--- the Frechet distance in the features of the matcher's network at A4, held for a second,
--- in the 64 principal components (or one fewer than patches) of those set aside.
---@param space ym2612ml.Space
---@param options table  patches: what the space was trained from: a table, a file, a folder
---  or a list of patches; validation: share of their families to set aside where no
---  table tells, default that of the space's training; count: of draws, 2..50000, default 2000; temperature:
---  default 1; seed: default 1
---@return fun(): table|false|nil, string?, string? next  steps {stage, done, total}, the first
---  with skipped, messages about files that cannot be read, the last with a summary,
---  ym2612ml.FrechetFigures; nil at the end; or false, message, kind
function M.steps(space, options)
  options = draws.check(space, options, RULES, "frechet")
  return steps.new(function(report)
    local source = type(options.patches) == "string" and options.patches or "option 'patches'"
    local training, aside, skipped = sources.parts_of(options.patches, space, options.validation)
    report { stage = "patches", done = 0, total = 1, skipped = skipped }
    local reference = hear(aside, source .. ": set aside")
    local axes = steps.must(pca.fit(reference, { components = math.min(COMPONENTS, #reference - 1) }))
    local expected = M.moments(axes:transform(reference))
    local sets, found = sets_of(space, training, options), { aside = #reference, components = axes.components }
    for i, set in ipairs(sets) do
      local features = hear(set.draw(), source .. ": " .. set.name)
      found[set.name] = M.distance(M.moments(axes:transform(features)), expected)
      report { stage = set.name, done = i, total = #sets, summary = i == #sets and found or nil }
    end
  end)
end

return M
