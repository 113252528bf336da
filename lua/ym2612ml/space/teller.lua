-- Tells the patch at a point of the learned space, each register by what the point alone
-- says of it: where the point moves a little, few registers move, and by little. Two runs of
-- the decoder tell a patch: one its algorithm, one all the rest.
local core = require "ym2612ml.core"
local examples = require "ym2612ml.space.examples"
local network = require "ym2612ml.networks.patch_vae"
local tokens = require "ym2612ml.space.tokens"

local M = {}

local COUNT, ALGORITHM = tokens.count, tokens.place.algorithm
local BLOCK = 256 -- rows at once

---@class ym2612ml.SpaceTeller
local SpaceTeller = {}
SpaceTeller.__index = SpaceTeller
SpaceTeller.__name = "ym2612ml.SpaceTeller"

--- Makes a teller with the weights of a whole network.
---@param net ym2612ml.Network  of networks/patch_vae.lua
---@param sizes ym2612ml.SpaceSizes  its own
---@return ym2612ml.SpaceTeller
function M.new(net, sizes)
  local decoder, weights = network.build_decoder(sizes), net:parameters()
  for name, view in pairs(decoder:parameters()) do
    view:copy(weights[name])
  end
  return setmetatable({ decoder = decoder, latents = sizes.latents }, SpaceTeller)
end

-- The logits (rows, classes) of each step, of rows that are shown these classes, each its own.
local function logits_of(self, z, order, shown)
  local data = examples.new(#z, self.latents)
  for row = 1, #z do
    examples.ask(data, row, shown[row], order, shown[row])
  end
  local logits = assert(self.decoder:run {
    z = z, before = data.before, before_place = data.before_place, place = data.place, role = data.role,
  }).logits
  return logits:permute { 2, 1, 3 }
end

-- Walks through the registers of a block of rows that are not given, the algorithm first:
-- choose(place, logits) gives the classes (rows).
local function tell(self, z, given, choose)
  local order, shown = examples.order(given), {}
  for row = 1, #z do
    shown[row] = {}
    for place, class in pairs(given) do
      shown[row][place] = class
    end
  end
  if not given[ALGORITHM] then
    local algorithms = choose(ALGORITHM, logits_of(self, z, order, shown)[1]:to "f32")
    for row = 1, #z do
      shown[row][ALGORITHM] = math.tointeger(algorithms[row])
    end
  end
  local logits = logits_of(self, z, order, shown)
  for step, place in ipairs(order) do
    if place ~= ALGORITHM and not given[place] then
      choose(place, logits[step]:to "f32")
    end
  end
end

--- The patches at points.
---@param z ym2612ml.Tensor  f32 (rows, latents)
---@param numbers ym2612ml.Tensor  f32 (rows, registers), 0 <= x < 1
---@param temperature number  0: the most likely classes, whatever the numbers
---@param given table<integer, integer>  by place, the classes that are not told
---@return ym2612ml.Tensor classes  u8 (rows, registers)
function SpaceTeller:tell(z, numbers, temperature, given)
  local classes = core.tensor.new({ #z, COUNT }, "u8")
  for first = 1, #z, BLOCK do
    local last = math.min(first + BLOCK - 1, #z)
    local to, from = classes:slice(first, last):permute { 2, 1 }, numbers:slice(first, last):permute { 2, 1 }
    for place, class in pairs(given) do
      to[place]:fill(class)
    end
    tell(self, z:slice(first, last):to "f32", given, function(place, logits)
      local told = core.nn.choose(logits, from[place]:to "f32", temperature)
      to[place]:copy(told)
      return told
    end)
  end
  return classes
end

--- The numbers with which `tell` at temperature 1 gives these classes again, but for one that
--- is as good as impossible.
---@param z ym2612ml.Tensor  f32 (rows, latents)
---@param classes ym2612ml.Tensor  u8 (rows, registers)
---@return ym2612ml.Tensor numbers  f32 (rows, registers)
function SpaceTeller:numbers(z, classes)
  local numbers = core.tensor.new { #z, COUNT }
  for first = 1, #z, BLOCK do
    local last = math.min(first + BLOCK - 1, #z)
    local to, from = numbers:slice(first, last):permute { 2, 1 }, classes:slice(first, last):permute { 2, 1 }
    tell(self, z:slice(first, last):to "f32", {}, function(place, logits)
      local wanted = from[place]:to "f32"
      to[place]:copy(core.nn.numbers(logits, wanted, 1))
      return wanted
    end)
  end
  return numbers
end

return M
