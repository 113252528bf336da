-- The networks of InverSynth (Barkan, Tsiris, Katz and Koenigstein, "InverSynth: Deep
-- Estimation of Synthesizer Parameter Configurations from Audio Signals", 2019, table 2).
-- What differs from other programs of them, and why:
--   padding is "same", which makes the sizes that the paper gives; without, the last layers
--     have nothing left to look at, and windows of one pixel stand in for them elsewhere
--   every layer is rectified, as the paper says; in the best known program none is
--   the dense layer before the outputs is rectified too: the paper does not say
--   any sound will do: of one of 16,384 samples ConvE2E makes a map of 64 by 257, of
--     another one of as many lines as 256 samples have begun
local fronts = require "ym2612ml.networks.fronts"
local nn = require "ym2612ml.nn"

local M = {}

local SOURCE = "Barkan et al. 2019, InverSynth, arXiv 1812.06349, table 2"

-- Layers of a stack: filters, then height, width, stride down and stride across of each.
local CONV6 = {
  { 32, 3, 3, 2, 2 }, { 71, 3, 3, 2, 2 }, { 128, 3, 4, 2, 3 },
  { 128, 3, 3, 2, 2 }, { 128, 3, 3, 2, 2 }, { 128, 3, 3, 1, 2 },
}
local STACKS = {
  { name = "conv1", title = "InverSynth Conv1", { 38, 13, 26, 13, 26 } },
  { name = "conv2", title = "InverSynth Conv2", { 35, 6, 7, 5, 6 }, { 87, 6, 9, 5, 8 } },
  {
    name = "conv3", title = "InverSynth Conv3",
    { 32, 4, 5, 3, 4 }, { 98, 4, 6, 3, 5 }, { 128, 4, 6, 3, 5 },
  },
  {
    name = "conv4", title = "InverSynth Conv4",
    { 32, 3, 4, 2, 3 }, { 65, 3, 4, 2, 3 }, { 105, 3, 4, 2, 3 }, { 128, 4, 5, 3, 4 },
  },
  {
    name = "conv5", title = "InverSynth Conv5",
    { 32, 3, 3, 2, 2 }, { 98, 3, 3, 2, 2 }, { 128, 3, 4, 2, 3 }, { 128, 3, 5, 2, 4 }, { 128, 3, 3, 2, 2 },
  },
  { name = "conv6", title = "InverSynth Conv6", table.unpack(CONV6) },
  {
    name = "conv6_xl", title = "InverSynth Conv6XL",
    { 64, 3, 3, 2, 2 }, { 128, 3, 3, 2, 2 }, { 128, 3, 4, 2, 3 },
    { 128, 3, 3, 2, 2 }, { 256, 3, 3, 2, 2 }, { 256, 3, 3, 1, 2 },
  },
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

-- All of a map in one dense layer.
local function gather(y, options)
  local shape = y:shape()
  return nn.dense(y:reshape { shape[1] * shape[2] * shape[3] }, options.hidden, { activation = "relu" })
end

-- The logarithm of a short-time Fourier transform, 64 by 257 for a second at 16,384 Hz.
local function stft()
  return { kind = "stft", size = 512, hop = 256, scale = "db" }
end

-- What all of them have in common.
local function architecture(name, title, front, body)
  return {
    name = name,
    title = title,
    source = SOURCE,
    front = front,
    targets = "classes",
    loss = "bce",
    training = { optimizer = "adam", rate = 1e-3, batch = 16, epochs = 100 },
    options = { hidden = { type = "integer", least = 1, most = 65536, default = 512 } },
    body = body,
  }
end

--- The architectures, in the paper's order. The input is a log spectrogram, (batch,
--- frames, bins), of ConvE2E the sound, (batch, samples).
---@type ym2612ml.Architecture[]
M.architectures = {}
for i, layers in ipairs(STACKS) do
  M.architectures[i] = architecture(layers.name, layers.title, stft, function(_, x, _, options)
    return gather(stack(fronts.as_image(x), layers), options)
  end)
end

M.architectures[#STACKS + 1] = architecture("conv_e2e", "InverSynth ConvE2E", function()
  return { kind = "raw" }
end, function(_, x, shape, options)
  local y = stack(fronts.as_sequence(x):reshape { 1, shape[1], 1 }, RAW)
  local sizes = y:shape()
  return gather(stack(y:reshape { sizes[2], sizes[3], 1 }, CONV6), options)
end)

-- The paper's baselines read a bag of words made of principal components of the frames;
-- these read principal components of the whole picture, and the sizes are ours.
for layers = 0, 3 do
  local name, title = "fc" .. layers, "InverSynth FC" .. layers
  if layers == 0 then
    name, title = "fc_linear", "InverSynth FC Linear"
  end
  local made = architecture(name, title, stft, function(_, x, _, options)
    for _ = 1, layers do
      x = nn.dense(x, options.hidden, { activation = "relu" })
    end
    return x
  end)
  made.stage = "pca"
  made.options.components = { type = "integer", least = 1, most = 4096, default = 200 }
  M.architectures[#M.architectures + 1] = made
end

return M
