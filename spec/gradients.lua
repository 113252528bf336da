-- What the specs of networks share: random tensors, and gradients compared with central
-- differences.
local ym = require "ym2612ml"
local nn, tensor = ym.nn, ym.tensor

local M = {}

--- A tensor of normal random numbers.
---@param shape integer[]
---@param seed? integer  default 1
function M.random(shape, seed)
  local rng, count = ym.rng.new { seed = seed or 1 }, 1
  for _, size in ipairs(shape) do
    count = count * size
  end
  local values = {}
  for i = 1, count do
    values[i] = rng:normal()
  end
  return tensor.from(values):reshape(shape)
end

--- A loss: a fixed random mixture of all elements of y, so that every element's
--- gradient is another.
function M.mix(g, y)
  local shape = y:shape()
  return #shape == 0 and y or (y * g:const(M.random(shape, 9))):sum()
end

--- Compares every gradient of a network, by its parameters and by those inputs that have
--- one, with central differences. Losses come from `gradients`, so that dropout draws
--- the same each time.
---@param net table
---@param inputs table<string, table>  tensors
---@param every? integer  checks one element of so many, default all
function M.check(net, inputs, every)
  local step, worst, count = 1 / 128, 0, 0
  local gradients = assert(net:gradients(inputs))
  local function check(name, values)
    local flat = values:reshape { select(2, values:bytes():gsub("....", "")) }
    local gradient = gradients[name]:reshape { #flat }
    for i = 1, #flat, every or 1 do
      local value = flat[i]
      flat[i] = value + step
      local _, above = net:gradients(inputs)
      flat[i] = value - step
      local _, below = net:gradients(inputs)
      flat[i] = value
      local expected = (above - below) / (2 * step)
      worst = math.max(worst, math.abs(gradient[i] - expected) / (0.1 + math.abs(expected)))
      count = count + 1
    end
  end
  for name, values in pairs(net:parameters()) do
    check(name, values)
  end
  for name, values in pairs(inputs) do
    if gradients[name] then
      check(name, values)
    end
  end
  assert(count > 0, "nothing to check")
  assert(worst < 0.01, ("a gradient is %g off"):format(worst))
end

--- Checks the gradients of what write makes of an input x by the input and by the
--- parameters that write adds.
---@param write fun(g: table, x: table): table
---@param shape? integer[]  of one row of x, default {3, 4}
---@param rows? integer  default 5
function M.check_written(write, shape, rows)
  shape = shape or { 3, 4 }
  local net = nn.graph(function(g)
    return { loss = M.mix(g, write(g, g:input("x", shape, { gradient = true }))) }
  end, { seed = 2 })
  M.check(net, { x = M.random({ rows or 5, table.unpack(shape) }, 3) })
end

return M
