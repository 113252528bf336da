-- Principal component analysis of tensors: fitted once, applied to any rows, saved.
local check = require "ym2612ml.check"
local core = require("ym2612ml.core").pca
local numbers = require "ym2612ml.numbers"
local saved = require "ym2612ml.saved"
local store = require "ym2612ml.store"
local tensor = require("ym2612ml.core").tensor

local M = {}

-- What metadata "kind" of a file says.
local KIND = "ym2612ml pca 1"

-- Components with less than this share of the whole variance count as constant: they
-- are not divided by their deviation.
local SMALLEST_SHARE = 1e-9

---@class ym2612ml.Pca
---@field components integer
---@field columns integer
---@field total number  variance of all columns together
---@field variance ym2612ml.Tensor  (components) along each axis, largest first
---@field scale boolean  whether transformed components have unit variance
local Pca = {}
Pca.__index = Pca
Pca.__name = "ym2612ml.Pca"

local function make(mean, axes, variance, total, scale)
  local components, columns = table.unpack(axes:shape())
  local self = {
    axes_tensor = axes,
    mean_tensor = mean,
    variance = variance,
    total = total,
    components = components,
    columns = columns,
    scale = scale,
  }
  if scale then
    self.shrink, self.grow = tensor.new { components }, tensor.new { components }
    for i = 1, components do
      local deviation = math.sqrt(variance[i])
      local constant = variance[i] <= SMALLEST_SHARE * total
      self.shrink[i] = constant and 0 or 1 / deviation
      self.grow[i] = constant and 0 or deviation
    end
  end
  return setmetatable(self, Pca)
end

local function check_matrix(x, name)
  check.tensor(x, 1, name)
  local shape = x:shape()
  if #shape ~= 2 then
    check.misuse(("bad argument #1 to '%s' (rank is %d, expected 2)"):format(name, #shape))
  end
  return shape
end

--- Fits to the rows of x.
---@param x ym2612ml.Tensor  (rows, columns), of any type; at least 2 rows
---@param options {components: integer, scale: boolean?, method: string?, seed: integer?}
---  components: 1..min(rows, columns); scale: give every component unit variance, default
---  false; method: "exact"; "random", which misses about 1e-4 of the variance the exact
---  axes explain; or "auto" (default), which is random only where both sizes are at least
---  1,024 and exact would be four times slower or more, as for 200 components of 5,000 x
---  5,000; seed: of the random method, default 1
---@return ym2612ml.Pca? pca
---@return string? message
---@return string? kind  "input": x holds a value that is not finite
function M.fit(x, options)
  check_matrix(x, "fit")
  options = check.options(options, {
    components = { type = "integer", least = 1, needed = true },
    scale = { type = "boolean", default = false },
    method = { choices = { "auto", "exact", "random" }, default = "auto" },
    seed = { type = "integer", default = 1 },
  }, 2, "fit")
  local mean, axes, variance, total = core.fit(x, options.components, options.method, options.seed)
  if not mean then
    if variance == "argument" then
      check.misuse(("bad argument #1 to 'fit' (%s)"):format(axes))
    end
    return nil, axes, variance
  end
  return make(mean, axes, variance, total, options.scale)
end

local function turn(self, from, name, apply, factor, expected)
  local found = check_matrix(from, name)[2]
  if found ~= expected then
    check.misuse(("bad argument #1 to '%s' (%d columns, expected %d)"):format(name, found, expected))
  end
  return apply(from, self.mean_tensor, self.axes_tensor, factor)
end

--- The components of rows.
---@param x ym2612ml.Tensor  (rows, columns), of any type
---@return ym2612ml.Tensor y  (rows, components)
function Pca:transform(x)
  return turn(self, x, "transform", core.transform, self.shrink, self.columns)
end

--- Rows from their components: what `transform` took, but for what was left out.
---@param y ym2612ml.Tensor  (rows, components)
---@return ym2612ml.Tensor x  (rows, columns)
function Pca:restore(y)
  return turn(self, y, "restore", core.restore, self.grow, self.components)
end

--- The share of the whole variance along each axis, largest first.
---@return number[]
function Pca:ratios()
  local ratios = {}
  for i = 1, self.components do
    ratios[i] = self.total > 0 and self.variance[i] / self.total or 0
  end
  return ratios
end

--- The mean of the rows it was fitted to.
---@return ym2612ml.Tensor mean  (columns)
function Pca:mean()
  return self.mean_tensor
end

--- The axes: orthonormal rows, the largest element of each positive.
---@return ym2612ml.Tensor axes  (components, columns)
function Pca:axes()
  return self.axes_tensor
end

--- Writes it as a safetensors file.
---@param path string
---@param options? {type: "f32"|"f16"}  of mean and axes, default "f32"
---@return true? done
---@return string? message  names the path
---@return string? kind  "io"
function Pca:save(path, options)
  check.type(path, "string", 1, "save")
  options = check.options(options, { type = { choices = { "f32", "f16" }, default = "f32" } }, 2, "save")
  local tensors = {
    mean = self.mean_tensor:to(options.type),
    axes = self.axes_tensor:to(options.type),
    variance = self.variance,
  }
  local metadata = { kind = KIND, total = numbers.format("%.17g", self.total), scale = tostring(self.scale) }
  return store.save(path, tensors, metadata)
end

function Pca:__tostring()
  return ("pca (%d of %d columns)"):format(self.components, self.columns)
end

local function suits(value, rank)
  return value and #value:shape() == rank
end

-- A pca from what store gave; nil and why not.
local function rebuild(tensors, metadata)
  local mean, axes, variance = tensors.mean, tensors.axes, tensors.variance
  local total = tonumber(metadata.total)
  local fits = metadata.kind == KIND and total and suits(mean, 1) and suits(axes, 2) and suits(variance, 1)
  if not fits or #variance ~= #axes or #mean ~= axes:shape()[2] or #axes == 0 then
    return nil, "is not a principal component analysis"
  end
  return make(mean:to "f32", axes:to "f32", variance:to "f32", total, metadata.scale == "true")
end

--- Reads what `save` wrote.
---@param path string
---@return ym2612ml.Pca? pca
---@return string? message  names the path
---@return string? kind  "io" or "format"
function M.load(path)
  check.type(path, "string", 1, "load")
  return saved.load(path, rebuild)
end

return M
