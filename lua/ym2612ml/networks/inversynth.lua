-- The networks of InverSynth (Barkan, Tsiris, Katz and Koenigstein, "InverSynth: Deep
-- Estimation of Synthesizer Parameter Configurations from Audio Signals", 2019, table 2),
-- with the padding that makes their published sizes: "same".
local check = require "ym2612ml.check"
local nn = require "ym2612ml.nn"

local M = {}

-- Layers of a stack: filters, then height, width, stride down and stride across of each.
local CONV6 = {
  { 32, 3, 3, 2, 2 }, { 71, 3, 3, 2, 2 }, { 128, 3, 4, 2, 3 },
  { 128, 3, 3, 2, 2 }, { 128, 3, 3, 2, 2 }, { 128, 3, 3, 1, 2 },
}
local CONV6_XL = {
  { 64, 3, 3, 2, 2 }, { 128, 3, 3, 2, 2 }, { 128, 3, 4, 2, 3 },
  { 128, 3, 3, 2, 2 }, { 256, 3, 3, 2, 2 }, { 256, 3, 3, 1, 2 },
}
local RAW = { { 96, 1, 64, 1, 4 }, { 96, 1, 32, 1, 4 }, { 128, 1, 16, 1, 4 }, { 257, 1, 8, 1, 4 } }

-- Convolutions of an image, (height, width, channels), each with bias and relu.
local function stack(y, layers)
  for _, layer in ipairs(layers) do
    local filters, height, width, down, across = table.unpack(layer)
    y = nn.conv(y, filters, { size = { height, width }, stride = { down, across }, activation = "relu" })
  end
  return y
end

-- Two dense layers on top, and the loss: each output is a probability of its own.
local function finish(g, y, options)
  local shape = y:shape()
  y = y:reshape { shape[1] * shape[2] * shape[3] }
  y = nn.dense(nn.dense(y, 512, { activation = "relu" }), options.outputs)
  local target = g:input("target", { options.outputs })
  return { out = y:sigmoid(), logits = y, loss = y:bce_logits(target) }
end

local function read(options, name)
  return check.options(options, {
    outputs = { type = "integer", default = 368, least = 1 },
    seed = { type = "integer", default = 1 },
  }, 1, name)
end

-- A network on log spectrograms of 64 frames by 257 bins.
local function on_spectrograms(layers, options)
  return nn.graph(function(g)
    local y = g:input("x", { 64, 257 }):reshape { 64, 257, 1 }
    return finish(g, stack(y, layers), options)
  end, { seed = options.seed })
end

--- Records Conv6: 1,155,287 parameters with 368 outputs.
---@param options? {outputs: integer, seed: integer}  outputs: default 368 (23 parameters
---  of 16 classes); seed: of the weights, default 1
---@return ym2612ml.Network net  inputs x (batch, 64, 257), a log spectrogram, and target
---  (batch, outputs), 0..1; outputs out (probabilities), logits and loss
function M.conv6(options)
  return on_spectrograms(CONV6, read(options, "conv6"))
end

--- Records Conv6XL: 2,279,792 parameters with 368 outputs. Otherwise as conv6.
---@param options? {outputs: integer, seed: integer}
---@return ym2612ml.Network
function M.conv6_xl(options)
  return on_spectrograms(CONV6_XL, read(options, "conv6_xl"))
end

--- Records ConvE2E: 1,916,696 parameters with 368 outputs. Four layers make a map of 64
--- by 257 from the sound, and Conv6 goes on from there.
---@param options? {outputs: integer, seed: integer}
---@return ym2612ml.Network net  inputs x (batch, 16384), samples, and target; otherwise
---  as conv6
function M.conv_e2e(options)
  options = read(options, "conv_e2e")
  return nn.graph(function(g)
    local y = stack(g:input("x", { 16384 }):reshape { 1, 16384, 1 }, RAW)
    return finish(g, stack(y:reshape { 64, 257, 1 }, CONV6), options)
  end, { seed = options.seed })
end

return M
