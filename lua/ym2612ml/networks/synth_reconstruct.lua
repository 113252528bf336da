-- The networks of synth-reconstruct (github.com/JayOrten/synth-reconstruct): a
-- convolutional one, and an autoencoder whose latent vector a small network reads. What
-- differs, and why:
--   the pictures were images of 400 by 400 coloured pixels, brightest where each sound was
--     loudest; here they are mel spectrograms in decibels, 128 frames over the whole sound
--     by 128 bands, and their level stays, for it is among what is to be learned
--   the convolutional one was run on powers, minibatches standardised by themselves; here
--     the mean and deviation of the training data are taken
--   what the outputs tell ends at 0 and 1
--   the autoencoder ended in tanh, as pixels did; here it ends in numbers of any size
--   the reader of the latent vector was trained on a single parameter; here on all
-- The network on samples is ours: the same six blocks along time, with strides that leave
-- one place of 4,096 samples.
local fronts = require "ym2612ml.networks.fronts"
local nn = require "ym2612ml.nn"

local M = {}

local SOURCE = "github.com/JayOrten/synth-reconstruct, "
local FRAMES, BANDS = 128, 128
local BLOCKS = { { 16, 5, 2 }, { 32, 3, 2 }, { 64, 3, 2 }, { 128, 3, 2 }, { 256, 3, 2 }, { 512, 3, 2 } }
local RAW_BLOCKS = { { 16, 64, 8 }, { 32, 16, 4 }, { 64, 16, 4 }, { 128, 8, 4 }, { 256, 8, 4 }, { 512, 8, 2 } }
-- Convolutions of the encoder: multiples of the channels chosen, and strides. The decoder
-- goes back over those with a stride.
local ENCODER = { { 1, 2 }, { 1, 1 }, { 2, 2 }, { 2, 1 }, { 2, 2 } }

local function mel(rate, length)
  return fronts.even_mel(rate, length, FRAMES, BANDS)
end

-- Blocks of channels, size of the window and stride, then the mean over all places.
local function blocks(y, list)
  for _, block in ipairs(list) do
    y = nn.batch_norm(nn.conv(y, block[1], { size = block[2], stride = block[3], activation = "relu" }))
  end
  local sizes = y:shape()
  local places = sizes[3] and sizes[1] * sizes[2] or sizes[1]
  return y:reshape({ places, sizes[#sizes] }):mean(2)
end

local function encode(_, x, _, options)
  local y = fronts.as_image(x)
  for i, layer in ipairs(ENCODER) do
    local settings = { stride = layer[2], activation = "gelu", name = "encoder." .. i }
    y = nn.conv(y, layer[1] * options.channels, settings)
  end
  local sizes = y:shape()
  return nn.dense(y:reshape { sizes[1] * sizes[2] * sizes[3] }, options.latent, { name = "latent" })
end

-- Sides of the pictures before each halving, the largest first, and after the last one.
local function halvings(shape)
  local sides = { { shape[1], shape[2] } }
  for i = 1, 3 do
    sides[i + 1] = { (sides[i][1] + 1) // 2, (sides[i][2] + 1) // 2 }
  end
  return sides
end

-- Twice as large; a line or column too many, where the side was odd, is left out.
local function enlarge(y, channels, sides, name)
  y = nn.conv(y, channels, { stride = 2, transpose = true, name = name })
  return y:slice(2, 1, sides[1]):slice(3, 1, sides[2])
end

local function decode(_, latent, shape, options)
  local sides, channels = halvings(shape), options.channels
  local height, width = sides[4][1], sides[4][2]
  local y = nn.dense(latent, height * width * 2 * channels, { activation = "gelu", name = "decoder.start" })
  y = y:reshape { height, width, 2 * channels }
  y = enlarge(y, 2 * channels, sides[3], "decoder.1"):gelu()
  y = nn.conv(y, 2 * channels, { activation = "gelu", name = "decoder.2" })
  y = enlarge(y, channels, sides[2], "decoder.3"):gelu()
  y = nn.conv(y, channels, { activation = "gelu", name = "decoder.4" })
  return enlarge(y, 1, sides[1], "decoder.5"):reshape(shape)
end

-- What both stages of the autoencoder were trained with, and, the source being silent on
-- minibatches there, the convolutional one's.
local function training(epochs)
  return { optimizer = "adam", rate = 1e-3, batch = 32, epochs = epochs }
end

--- The architectures. The input is a mel spectrogram, (batch, frames, bands), or the
--- sound, (batch, samples). How long the convolutional one was trained is not told.
---@type ym2612ml.Architecture[]
M.architectures = {
  {
    name = "sr_cnn",
    title = "synth-reconstruct CNN",
    source = SOURCE .. "demo/cnn/model_demo.ipynb",
    front = mel,
    targets = "values",
    training = training(100),
    options = {},
    body = function(_, x)
      return blocks(fronts.as_image(x), BLOCKS)
    end,
  },
  {
    name = "sr_raw",
    title = "synth-reconstruct on samples",
    source = "ours, after " .. SOURCE .. "demo/cnn/model_demo.ipynb",
    front = function()
      return { kind = "raw" }
    end,
    targets = "values",
    training = training(100),
    options = {},
    body = function(_, x)
      return blocks(fronts.as_sequence(x), RAW_BLOCKS)
    end,
  },
  {
    name = "sr_autoencoder",
    title = "synth-reconstruct autoencoder",
    source = SOURCE .. "src/autoencoder/models.py",
    front = mel,
    targets = "values",
    training = training(200),
    options = {
      latent = { type = "integer", least = 1, most = 4096, default = 128 },
      channels = { type = "integer", least = 1, most = 1024, default = 32 },
    },
    stage = "autoencoder",
    encode = encode,
    decode = decode,
    body = function(_, x)
      for _, size in ipairs { 128, 128, 88 } do
        x = nn.dense(x, size, { activation = "relu" })
      end
      return x
    end,
  },
}

return M
