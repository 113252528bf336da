-- A learned space as small as one can be, which the specs share.
local support = require "spec.support"
local ym = require "ym2612ml"

local M = {}

--- Sizes with which a training takes a second.
M.sizes = {
  width = 16, heads = 2, encoder = 1, decoder = 1, latents = 4, flows = 2, copies = 1, epochs = 1, batch = 32,
}

--- Random patches, one in four of them over the whole range of every field.
---@param count integer
---@param seed integer
---@return ym2612ml.Patch[]
function M.patches(count, seed)
  local prior = assert(ym.prior.read(ym.models.folder() .. "/" .. ym.models.files.prior))
  local sampler, rng, list = ym.dataset.sampler { prior = prior, seed = seed }, ym.rng.new { seed = seed }, {}
  for i = 1, count do
    list[i] = i % 4 == 0 and support.random_patch(rng) or sampler:next()
  end
  return list
end

--- Options of a training.
---@param path string  of the file to write
---@param more? table<string, any>
---@return table
function M.options(path, more)
  local options = { output = path, patches = M.patches(96, 1) }
  for _, some in ipairs { M.sizes, more or {} } do
    for name, value in pairs(some) do
      options[name] = value
    end
  end
  return options
end

--- Trains a space.
---@param path string
---@param more? table<string, any>  options
---@return ym2612ml.Space
---@return ym2612ml.SpaceFigures
function M.train(path, more)
  local figures = support.finish(ym.space.steps(M.options(path, more)))
  return assert(ym.space.load(path)), figures
end

--- The registers of patches as bytes, in the form that stands for all that sound the same.
---@param list ym2612ml.Patch[]
---@return string
function M.bytes(list)
  return require("ym2612ml.space.tokens").classes(list):bytes()
end

return M
