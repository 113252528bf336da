-- For spec/bench/parity.py: writes what our networks make of random numbers, one
-- safetensors file each, to a folder:   lua5.4 spec/bench/parity.lua FOLDER [--small]
package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local ym = require "ym2612ml"
local networks = require "spec.networks"

local folder = assert(arg[1], "a folder is missing")

local function mlp(g)
  local y = g:input("x", { 200 })
  for _ = 1, 3 do
    y = ym.nn.dense(y, 512, { activation = "relu" })
  end
  local out = ym.nn.dense(y, 64)
  return { out = out, loss = out:mse(g:input("target", { 64 })) }
end

local rng = ym.rng.new { seed = 1 }

-- A tensor of draws.
local function draw(shape, value)
  local tensor = ym.tensor.new(shape)
  local count = 1
  for _, size in ipairs(shape) do
    count = count * size
  end
  local flat = tensor:reshape { count }
  for at = 1, count do
    flat[at] = value()
  end
  return tensor
end

local function normal() return rng:normal() end
local function chance() return rng:uniform() end
local function class(count)
  return function() return rng:integer(0, count - 1) end
end

-- name -> a function that gives network and inputs; the small ones go into specs. The
-- convolutional ones get few rows: among millions of rectified numbers there would be one
-- so near to zero that rounding makes it positive here and negative there, and gradients
-- would differ by some thousandths for a good reason.
local cases = {
  mlp = function()
    return ym.nn.graph(mlp), { x = draw({ 8, 200 }, normal), target = draw({ 8, 64 }, normal) }
  end,
  conv6xl = function()
    return ym.nn.graph(networks.inversynth("conv6_xl", { 64, 257 })),
      { x = draw({ 2, 64, 257 }, normal), target = draw({ 2, 368 }, chance) }
  end,
  conve2e = function()
    return ym.nn.graph(networks.inversynth("conv_e2e", { 16384 })),
      { x = draw({ 1, 16384 }, normal), target = draw({ 1, 368 }, chance) }
  end,
}
local small = {
  lstm = function()
    return ym.nn.graph(networks.lstm_net), { x = draw({ 3, 12, 6 }, normal), target = draw({ 3, 1 }, class(5)) }
  end,
  conv = function()
    return ym.nn.graph(networks.conv_net), { x = draw({ 3, 7, 10, 2 }, normal), target = draw({ 3, 4 }, normal) }
  end,
  vae = function()
    return ym.nn.graph(networks.vae), { x = draw({ 5, 6 }, class(7)), noise = draw({ 5, 4 }, normal) }
  end,
}
for name, case in pairs(small) do
  cases[name] = case
end

for name, case in pairs(arg[2] == "--small" and small or cases) do
  rng = ym.rng.new { seed = 1 }
  local net, inputs = case()
  local tensors = {}
  local views, leaves = net:parameters(), {}
  for leaf in pairs(views) do
    leaves[#leaves + 1] = leaf
  end
  table.sort(leaves)
  for _, leaf in ipairs(leaves) do
    local view = views[leaf]
    -- biases begin at zero, where mistakes would not show
    if leaf:find "bias" then
      view:copy(draw(view:shape(), function() return 0.1 * rng:normal() end))
    end
    view:copy(view:to "f16") -- so that a small file can hold them
    tensors["weight " .. leaf] = view:to "f16"
  end
  for input, values in pairs(inputs) do
    tensors["input " .. input] = values
  end
  for output, values in pairs(assert(net:run(inputs))) do
    tensors["output " .. output] = values
  end
  local gradients, loss = assert(net:gradients(inputs))
  for _, leaf in ipairs(leaves) do
    tensors["gradient " .. leaf] = gradients[leaf]
  end
  local metadata = { loss = ("%.9g"):format(loss), parameters = tostring(net:count()) }
  assert(ym.store.save(("%s/%s.safetensors"):format(folder, name), tensors, metadata))
end
