-- What a network is fed: the front end's picture of a sound, or what a fitted stage, the
-- principal components or an autoencoder, makes of that picture.
local core = require "ym2612ml.core"
local fronts = require "ym2612ml.networks.fronts"
local nn = require "ym2612ml.nn"
local pca = require "ym2612ml.pca"

local M = {}

local SAMPLE = 1024 -- rows that means and deviations are measured on
local PCA_ROWS = 4096 -- and components
local CHUNK = 128 -- rows heard at a time
local CACHED = 1 << 28 -- numbers of all rows up to which they are kept in memory
local STREAM = 1 << 20 -- of the random choice of rows to measure

---@class ym2612ml.LearnerInput
---@field shape integer[]  of a row of what the network is fed
local LearnerInput = {}
LearnerInput.__index = LearnerInput
LearnerInput.__name = "ym2612ml.LearnerInput"

--- Makes an input without its stage.
---@param architecture table  see networks/published.lua
---@param settings table  front: settings of the front end; options: the architecture's
---@param rate number  Hz
---@param samples integer  of a sound
---@return ym2612ml.LearnerInput
function M.new(architecture, settings, rate, samples)
  local front = fronts.new(settings.front, rate, samples)
  return setmetatable({
    architecture = architecture, options = settings.options, front = front, shape = front.shape,
  }, LearnerInput)
end

local function product(shape)
  local count = 1
  for _, size in ipairs(shape) do
    count = count * size
  end
  return count
end

-- Pictures with the stage over them.
local function staged(self, x)
  if self.pca then
    return self.pca:transform(x:reshape { #x, product(self.front.shape) })
  elseif self.encoder then
    return self.encoder:run({ x = x }).latent
  end
  return x
end

--- What the network is fed of sounds.
---@param sounds ym2612ml.Tensor  f32 (sounds, samples)
---@return ym2612ml.Tensor? x  f32 (sounds, shape...)
---@return string? message
---@return string? kind  "input": a sample is not a number
function LearnerInput:apply(sounds)
  local x, message, kind = self.front:apply(sounds)
  if not x then
    return nil, message, kind
  end
  return staged(self, x)
end

--- The same of some rows of a split.
---@param split ym2612ml.SoundSplit
---@param rows integer[]
---@return ym2612ml.Tensor? x
---@return string? message
---@return string? kind
function LearnerInput:rows(split, rows)
  local x
  for first = 1, #rows, CHUNK do
    local last = math.min(first + CHUNK - 1, #rows)
    local sounds, message, kind = split:sounds(table.move(rows, first, last, 1, {}))
    local part
    if sounds then
      part, message, kind = self:apply(sounds)
    end
    if not part then
      return nil, message, kind
    elseif #rows <= CHUNK then
      return part
    end
    x = x or core.tensor.new { #rows, table.unpack(self.shape) }
    x:slice(first, last):copy(part)
  end
  return x
end

--- Whether so many rows can be kept in memory.
---@param rows integer
---@return boolean
function LearnerInput:fits(rows)
  return rows * product(self.shape) <= CACHED
end

-- Rows drawn from the first `limit` of a split.
local function drawn_rows(limit, count, seed)
  local rows = core.rng.new({ seed = seed, stream = STREAM }):order(limit):totable()
  return table.move(rows, 1, math.min(count, limit), 1, {})
end

--- Means and deviations of what the network is fed.
---@param split ym2612ml.SoundSplit  to learn from
---@param limit integer  of its rows
---@param how "all"|"each"|false  one of both for all inputs, or one for each of them
---@param seed integer
---@return table? moments  {mean, scale}: numbers or nested lists; nil without how
---@return string? message
---@return string? kind
function LearnerInput:moments(split, limit, how, seed)
  if not how then
    return nil
  end
  local x, message, kind = self:rows(split, drawn_rows(limit, SAMPLE, seed))
  if not x then
    return nil, message, kind
  end
  local width = how == "each" and product(self.shape) or 1
  x = x:reshape { 1, #x * product(self.shape) // width, width }
  local net = nn.graph(function(g)
    local all = g:input("x", { x:shape()[2], width })
    return { mean = all:mean(2), square = all:square():mean(2) }
  end)
  local outputs = net:run { x = x }
  local mean, square = outputs.mean:reshape({ width }):totable(), outputs.square:reshape({ width }):totable()
  local scale = {}
  for i = 1, #mean do
    scale[i] = 1 / math.sqrt(math.max(square[i] - mean[i] ^ 2, 1e-12 + 1e-6 * mean[i] ^ 2))
  end
  if how == "all" then
    return { mean = mean[1], scale = scale[1] }
  end
  return { mean = core.tensor.from(mean):reshape(self.shape), scale = core.tensor.from(scale):reshape(self.shape) }
end

--- A node with these means taken off and its deviations made 1.
---@param g ym2612ml.Recorder
---@param x ym2612ml.Node
---@param moments table?  of `moments`
---@return ym2612ml.Node
function M.standardised(g, x, moments)
  if not moments then
    return x
  end
  return (x - g:const(moments.mean)) * g:const(moments.scale)
end

--- Fits principal components to a split, and feeds them from then on.
---@param split ym2612ml.SoundSplit
---@param limit integer  of its rows
---@param components integer  at most: fewer where there are fewer rows or numbers
---@param seed integer
---@return true? done
---@return string? message
---@return string? kind
function LearnerInput:fit_pca(split, limit, components, seed)
  local x, message, kind = self:rows(split, drawn_rows(limit, PCA_ROWS, seed))
  if not x then
    return nil, message, kind
  end
  local width = product(self.shape)
  local fitted
  fitted, message, kind = pca.fit(x:reshape { #x, width }, {
    components = math.min(components, #x, width), scale = true, seed = seed,
  })
  if not fitted then
    return nil, message, kind
  end
  self:set_pca(fitted)
  return true
end

--- Feeds the components from now on.
---@param fitted ym2612ml.Pca
function LearnerInput:set_pca(fitted)
  self.pca, self.shape = fitted, { fitted.components }
end

--- Feeds what an encoder makes of the picture from now on.
---@param encoder ym2612ml.Network  input x, output latent
function LearnerInput:set_encoder(encoder)
  self.encoder, self.shape = encoder, encoder.outputs.latent
end

return M
