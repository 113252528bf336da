-- How well a learned space tells patches that it has not learned from.
local core = require "ym2612ml.core"
local examples = require "ym2612ml.space.examples"
local tokens = require "ym2612ml.space.tokens"

local M = {}

local SAMPLES = 16 -- of the posterior of a patch

local function mean(values)
  local sum = 0
  for i = 1, #values do
    sum = sum + values[i]
  end
  return sum / #values
end

--- Fills a tensor with normal numbers of a seed.
---@param tensor ym2612ml.Tensor  (rows, columns)
---@param rng ym2612ml.Rng
function M.fill_noise(tensor, rng)
  local shape = tensor:shape()
  for row = 1, shape[1] do
    for column = 1, shape[2] do
      tensor:set(row, column, rng:normal())
    end
  end
end

---@class ym2612ml.Elbo
---@field negative_elbo number  nats of a patch: the mean over 16 draws from its posterior
---@field reconstruction number  the part of it that the decoder pays
---@field divergence number  the part that the latent pays

--- The negative evidence lower bound of patches.
---@param net ym2612ml.Network  of networks/patch_vae.lua
---@param latents integer
---@param list ym2612ml.Patch[]
---@param seed integer
---@return ym2612ml.Elbo
function M.elbo(net, latents, list, seed)
  local data, rng = examples.whole(list, latents), core.rng.new { seed = seed }
  local reconstruction, divergence = 0, 0
  for _ = 1, SAMPLES do
    M.fill_noise(data.noise, rng)
    local outputs = assert(net:run(data))
    reconstruction = reconstruction + mean(outputs.reconstruction) / SAMPLES
    divergence = divergence + mean(outputs.divergence) / SAMPLES
  end
  return { negative_elbo = reconstruction + divergence, reconstruction = reconstruction, divergence = divergence }
end

--- The share of registers that two lists of patches have in common, place by place.
---@param list ym2612ml.Patch[]
---@param others ym2612ml.Patch[]
---@return number share  0..1
function M.agreement(list, others)
  local a, b = tokens.classes(list), tokens.classes(others)
  local equal = 0
  for row = 1, #list do
    local left, right = a[row]:totable(), b[row]:totable()
    for place = 1, tokens.count do
      equal = equal + (left[place] == right[place] and 1 or 0)
    end
  end
  return equal / (#list * tokens.count)
end

return M
