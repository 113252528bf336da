-- The networks of Sample2Genesis (github.com/mashburnj/Sample2Genesis, train/ and lib/),
-- the first program that made patches of this chip from sounds: one network for each
-- algorithm. What differs, and why:
--   the outputs were rectified, so that some died and none had an upper end; here they are
--     linear, and what they tell ends at 0 and 1
--   the pictures had a fixed mean and deviation, measured once on sounds of one algorithm;
--     here those of the training data are taken
--   SciPy takes each frame's mean off and gives densities; here they are powers, which are
--     the same but for the lowest bin and a factor that the deviation takes away
--   before principal components each number was standardised, in new sounds by the
--     statistics of these; here decibels let soft parts count, without any statistics, and
--     the components are those of the small picture, 16,641 numbers, not of 81,141
--   sounds of any length and rate will do, not only of 3.2 s at 44,100 Hz
local fronts = require "ym2612ml.networks.fronts"
local nn = require "ym2612ml.nn"

local M = {}

local SIDE = 129 -- of the picture that the networks see, whatever the sound's length

-- SciPy's default spectrogram, made as long as it is high.
local function spectrogram(scale)
  return function()
    return {
      kind = "spectrogram", size = 256, overlap = 32, window = "tukey", scale = scale, height = SIDE, width = SIDE,
    }
  end
end

local function hidden_layers(y, sizes)
  for _, size in ipairs(sizes) do
    y = nn.dense(y, size, { activation = "relu" })
  end
  return y
end

local function convolutions(_, x, _, options)
  local settings = { size = 3, padding = "valid", activation = "relu" }
  local y = nn.conv(fronts.as_image(x), options.filters, settings)
  y = nn.conv(y:max_pool { size = 2 }, options.filters, settings)
  local sizes = y:shape()
  return hidden_layers(y:reshape { sizes[1] * sizes[2] * sizes[3] }, { 200, 120 })
end

--- The architectures. Training went on for 500 epochs and in minibatches of 4 for the
--- first algorithm only.
---@type ym2612ml.Architecture[]
M.architectures = {
  {
    name = "s2g_cnn",
    title = "Sample2Genesis CNN",
    source = "github.com/mashburnj/Sample2Genesis, train/model7_train.py",
    front = spectrogram "power",
    targets = "values",
    training = { optimizer = "adam", rate = 1e-3, batch = 3, epochs = 400 },
    options = { filters = { type = "integer", least = 1, most = 1024, default = 4 } },
    body = convolutions,
  },
  {
    name = "s2g_pca",
    title = "Sample2Genesis PCA",
    source = "github.com/mashburnj/Sample2Genesis, lib/model1_train.py",
    front = spectrogram "db",
    targets = "values",
    training = { optimizer = "adam", rate = 1e-3, batch = 3, epochs = 750 },
    options = { components = { type = "integer", least = 1, most = 4096, default = 200 } },
    stage = "pca",
    body = function(_, x)
      return hidden_layers(x, { 240, 220, 200, 180, 160, 140, 120, 100, 80 })
    end,
  },
}

return M
