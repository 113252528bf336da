-- The networks of Antithesis (github.com/michael-jan/antithesis): a convolutional one on
-- mel spectrograms, which is told of but was not published, and the one that was,
-- models/spec_conv2d.json. What differs, and why:
--   the published one has the two channels of a stereo sound for steps and all its samples
--     for features, so that its recurrent layer sees a single step; here the steps are
--     frames of a mel spectrogram, which the text speaks of
--   every sound was standardised by itself, which takes its level away; here the level
--     stays
--   each parameter had a network of its own; here one network learns them all
--   the gates of the recurrent layer are sigmoids, not pieces of lines
-- What the source leaves open is ours: 128 frames over the whole sound, 64 bands, and the
-- sizes of the convolutions.
local check = require "ym2612ml.check"
local fronts = require "ym2612ml.networks.fronts"
local nn = require "ym2612ml.nn"

local M = {}

local SOURCE = "github.com/michael-jan/antithesis, "
local FRAMES, BANDS = 128, 64

local function mel(rate, length)
  return fronts.even_mel(rate, length, FRAMES, BANDS)
end

local function size_rule(default)
  return { type = "integer", least = 1, most = 4096, default = default }
end

-- Convolutions, after each the larger of every two by two, then a dense layer.
local function convolutions(_, x, _, options)
  local y = fronts.as_image(x)
  for i, filters in ipairs(options.filters) do
    if not (math.type(filters) == "integer" and filters > 0) then
      check.misuse(("option 'filters' has %s at %d, expected whole numbers 1 or more"):format(tostring(filters), i))
    end
    y = nn.conv(y, filters, { size = options.kernel, activation = "relu" })
    y = y:max_pool { size = 2, padding = "same" }
  end
  local sizes = y:shape()
  return nn.dense(y:reshape { sizes[1] * sizes[2] * sizes[3] }, options.dense, { activation = "relu" })
end

local function recurrent(_, x, _, options)
  local y = nn.conv(x, options.filters, { size = 2, padding = "valid", activation = "relu" })
  return nn.dense(nn.lstm(y, options.units, { last = true }), options.dense, { activation = "relu" })
end

local function architecture(fields)
  fields.front = mel
  fields.targets = "kinds"
  fields.training = { optimizer = "adam", rate = 1e-3, batch = 32, epochs = 500 }
  return fields
end

--- The architectures. Input of both: a mel spectrogram, (batch, frames, bands).
---@type ym2612ml.Architecture[]
M.architectures = {
  architecture {
    name = "antithesis_mel",
    title = "Antithesis mel CNN",
    source = SOURCE .. "README.md",
    options = {
      filters = { type = "table", default = { 16, 32, 64 } },
      kernel = size_rule(3),
      dense = size_rule(64),
    },
    body = convolutions,
  },
  architecture {
    name = "antithesis_lstm",
    title = "Antithesis LSTM",
    source = SOURCE .. "models/spec_conv2d.json",
    options = { filters = size_rule(2), units = size_rule(32), dense = size_rule(64) },
    body = recurrent,
  },
}

return M
