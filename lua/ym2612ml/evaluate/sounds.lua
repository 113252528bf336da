-- What happens to sounds on the way to a listener: changes of rate, level and pitch,
-- noise, files, and the filter at the output of a console.
local core = require "ym2612ml.core"
local steps = require "ym2612ml.steps"

local M = {}

local must = steps.must

--- Rate in Hz at which sounds are judged: the chip's own.
M.RATE = 53267

--- The samples at another rate.
---@param samples ym2612ml.Tensor
---@param from number  Hz
---@param to number  Hz
---@return ym2612ml.Tensor
function M.resampled(samples, from, to)
  return from == to and samples or must(core.audio.resample(samples, from, to))
end

local function mapped(samples, change)
  local values = samples:totable()
  for i = 1, #values do
    values[i] = change(values[i])
  end
  return core.tensor.from(values)
end

--- The samples times a factor.
---@param samples ym2612ml.Tensor
---@param decibels number
---@return ym2612ml.Tensor
function M.amplified(samples, decibels)
  local factor = 10 ^ (decibels / 20)
  return mapped(samples, function(value) return factor * value end)
end

--- The samples with white noise.
---@param samples ym2612ml.Tensor
---@param decibels number  its mean square, relative to the sound's
---@param rng ym2612ml.Rng
---@return ym2612ml.Tensor
function M.noisy(samples, decibels, rng)
  local energy = 0
  for _, value in ipairs(samples:totable()) do
    energy = energy + value * value
  end
  local deviation = math.sqrt(energy / #samples) * 10 ^ (decibels / 20)
  return mapped(samples, function(value) return value + deviation * rng:normal() end)
end

-- Hz: from about here on the output of the first consoles falls by 6 dB an octave; it
-- differs between boards.
local CONSOLE_CUTOFF = 3390

--- The sound behind the output of a console of the first kind: a low-pass of first order
--- (resistor and capacitor, by the bilinear transform).
---@param samples ym2612ml.Tensor  at 53,267 Hz
---@return ym2612ml.Tensor
function M.through_console(samples)
  local k = math.tan(math.pi * CONSOLE_CUTOFF / M.RATE)
  local gain, pole = k / (1 + k), (1 - k) / (1 + k)
  local last, out = samples[1], samples[1]
  return mapped(samples, function(value)
    out, last = gain * (value + last) + pole * out, value
    return out
  end)
end

-- What a sound file of 16 bits makes of the samples, in one channel or two, of which the
-- second is 3 dB softer.
local function through_file(samples, rate, channels)
  local values = samples:totable()
  local peak = 1
  for _, value in ipairs(values) do
    peak = math.max(peak, math.abs(value))
  end
  local rows = {}
  for i, value in ipairs(values) do
    value = value / peak
    rows[i] = channels == 2 and { value, 0.708 * value } or { value }
  end
  local path = os.tmpname()
  local written, message, kind = core.audio.write(path, core.tensor.from(rows), rate)
  local sound
  if written then
    sound, message, kind = core.audio.read(path)
  end
  os.remove(path)
  return must(sound, message, kind).samples
end

-- Makes a change of the rate of the file.
local function at_rate(to)
  return function(samples, rate)
    return M.resampled(samples, rate, to), to
  end
end

-- Makes a change of pitch, and of length with it.
local function detuned(cents)
  local ratio = 2 ^ (cents / 1200)
  return function(samples, rate)
    return M.resampled(samples, rate * ratio, rate), rate
  end
end

local LATE = 0.005 -- seconds

local CHANGES = {
  ["44100"] = at_rate(44100), ["48000"] = at_rate(48000), ["32000"] = at_rate(32000),
  ["22050"] = at_rate(22050), ["+10c"] = detuned(10), ["-10c"] = detuned(-10),
  stereo = function(samples, rate) return through_file(samples, rate, 2), rate end,
  ["16bit"] = function(samples, rate) return through_file(samples, rate, 1), rate end,
  ["-30dB"] = function(samples, rate) return M.amplified(samples, -30), rate end,
  late = function(samples, rate)
    local silence = math.floor(LATE * rate + 0.5)
    local longer = core.tensor.new { silence + #samples }
    longer:slice(silence + 1, #longer):copy(samples)
    return longer, rate
  end,
  noise = function(samples, rate, rng) return M.noisy(samples, -40, rng), rate end,
}

--- What a sound can be disturbed by: `disturbed` has one of them done to it. Rates in Hz;
--- 10 cents; a file of two channels, or one, of 16 bits; 30 dB softer; 5 ms of silence
--- before; white noise 40 dB below.
---@type string[]
M.disturbances = { "44100", "48000", "32000", "22050", "stereo", "16bit", "-30dB", "+10c", "-10c", "late", "noise" }

--- A sound with something done to it.
---@param sound {samples: ym2612ml.Tensor, rate: number}
---@param kind string  one of `disturbances`
---@param rng ym2612ml.Rng
---@return {samples: ym2612ml.Tensor, rate: number}
function M.disturbed(sound, kind, rng)
  local samples, rate = CHANGES[kind](sound.samples, sound.rate, rng)
  return { samples = samples, rate = rate }
end

return M
