-- Draws patches register by register out of the decoder of the learned space, each with a
-- number 0..1 of its own and in the light of those before it: the registers of a patch go
-- together.
local core = require "ym2612ml.core"
local examples = require "ym2612ml.space.examples"
local network = require "ym2612ml.networks.patch_vae"
local tokens = require "ym2612ml.space.tokens"

local M = {}

local COUNT, SLOTS = tokens.count, tokens.count + 1
local BLOCK = 128 -- rows at once: keys and values of so many fit the cache

---@class ym2612ml.SpaceDrawer
local SpaceDrawer = {}
SpaceDrawer.__index = SpaceDrawer
SpaceDrawer.__name = "ym2612ml.SpaceDrawer"

--- Makes a drawer with the weights of a whole network.
---@param net ym2612ml.Network  of networks/patch_vae.lua
---@param sizes ym2612ml.SpaceSizes  its own
---@return ym2612ml.SpaceDrawer
function M.new(net, sizes)
  local step, tables, weights = network.build_step(sizes), network.build_tables(sizes), net:parameters()
  for name, view in pairs(tables:parameters()) do
    view:copy(weights[name])
  end
  local folded = assert(tables:run {})
  for name, view in pairs(step:parameters()) do
    view:copy(folded[name] or weights[name])
  end
  return setmetatable({ step = step, sizes = sizes }, SpaceDrawer)
end

-- What a block of rows is before its first register.
local function start(self, z)
  local rows = #z
  local known, hidden = core.tensor.new({ rows, SLOTS }, "f32"), core.tensor.new({ rows, SLOTS }, "f32")
  known:fill(network.UNSEEN)
  hidden:fill(network.NEVER)
  local inputs = { z = z, known = known, hidden = hidden }
  local heads = self.sizes.heads
  for layer = 1, self.sizes.decoder do
    inputs["keys_" .. layer] = core.tensor.new { rows, heads, SLOTS, self.sizes.width // heads }
    inputs["values_" .. layer] = core.tensor.new { rows, heads, SLOTS, self.sizes.width // heads }
  end
  for _, name in ipairs { "before", "before_place", "place", "role" } do
    inputs[name] = core.tensor.new { rows, 1 }
  end
  inputs.before:fill(network.START)
  inputs.before_place:fill(COUNT)
  inputs.role:fill(network.NO_ROLE)
  return inputs
end

-- The roles of a register, whose algorithm is that of each row.
local function set_roles(role, algorithms, place)
  for row = 1, #role do
    role:set(row, 1, examples.role(algorithms[row], place))
  end
end

-- Walks through the registers of a block of rows in their order: choose(place, logits) gives
-- the classes (rows).
local function walk(self, z, order, choose)
  local inputs, last_place = start(self, z), SLOTS
  local known, hidden = inputs.known:permute { 2, 1 }, inputs.hidden:permute { 2, 1 }
  local before, algorithms = inputs.before:reshape { #z }, nil
  for step, place in ipairs(order) do
    known[last_place]:copy(before)
    hidden[last_place]:fill(0)
    inputs.before_place:fill(last_place - 1)
    inputs.place:fill(place - 1)
    if step > 1 then
      set_roles(inputs.role, algorithms, place)
    end
    local outputs = assert(self.step:run(inputs))
    for layer = 1, self.sizes.decoder do
      for _, kind in ipairs { "keys_", "values_" } do
        inputs[kind .. layer] = outputs[kind .. layer]
      end
    end
    local classes = choose(place, outputs.logits)
    before:copy(classes)
    algorithms = algorithms or classes:totable()
    last_place = place
  end
end

-- Blocks of rows one after the other: work(first, last).
local function each_block(rows, work)
  for first = 1, rows, BLOCK do
    work(first, math.min(first + BLOCK - 1, rows))
  end
end

--- Draws patches.
---@param z ym2612ml.Tensor  f32 (rows, latents)
---@param numbers ym2612ml.Tensor  f32 (rows, registers), 0 <= x < 1
---@param temperature number  0: the most likely classes, whatever the numbers
---@param given table<integer, integer>  by place, the classes that are not drawn
---@return ym2612ml.Tensor classes  u8 (rows, registers)
---@return ym2612ml.Tensor costs  f32 (rows): nats of what was drawn
function SpaceDrawer:draw(z, numbers, temperature, given)
  local classes, costs = core.tensor.new({ #z, COUNT }, "u8"), core.tensor.new { #z }
  local order = examples.order(given)
  each_block(#z, function(first, last)
    local rows = last - first + 1
    local to, from = classes:slice(first, last):permute { 2, 1 }, numbers:slice(first, last):permute { 2, 1 }
    local sums = {}
    for row = 1, rows do
      sums[row] = 0
    end
    walk(self, z:slice(first, last):to "f32", order, function(place, logits)
      local drawn, cost
      if given[place] then
        drawn = core.tensor.new({ rows }, "i32")
        drawn:fill(given[place])
      else
        drawn, cost = core.nn.choose(logits, from[place]:to "f32", temperature)
        for row = 1, rows do
          sums[row] = sums[row] + cost[row]
        end
      end
      to[place]:copy(drawn)
      return drawn
    end)
    costs:slice(first, last):copy(core.tensor.from(sums))
  end)
  return classes, costs
end

return M
