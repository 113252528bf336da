-- What published comparisons of synthesizer matching measure between two sounds, beside D
-- (ym.distance). Sounds are mono, at one rate; what is below 20 Hz is removed, and the
-- shorter one is continued with silence. All but D take the sounds at a root mean square
-- of 1.
--
-- MSS, wMFCC, SOT and RMS cosine follow Hayes, Saitis and Fazekas, "Audio synthesizer
-- inversion in symmetric parameter spaces with approximately equivariant flow matching",
-- 2025; PCC and LSD follow Barkan, Tsiris, Koenigstein and Katz, "InverSynth", 2019.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"

local M = {}

--- The names of what `all` measures.
---@type string[]
M.names = { "mss", "wmfcc", "sot", "rms_cosine", "pcc", "lsd" }

local RULES = { rate = { type = "number", least = 8000, most = 192000, default = 53267 } }

local INVERSYNTH_RATE = 16384 -- Hz at which PCC and LSD are taken

-- Samples in so many milliseconds, even where a frame has to be.
local function samples_of(rate, milliseconds)
  return math.floor(rate * milliseconds / 1000)
end

local function frame_of(rate, milliseconds)
  return samples_of(rate, milliseconds) // 2 * 2
end

-- Both sounds ready to be measured. whole: levels are those over the longer one's length,
-- not each over its own. Or nil, message, kind.
local function ready(a, b, rate, whole)
  local length = math.max(#a, #b)
  local first, message, kind = core.metrics.unit(a, rate, length, whole and length or #a)
  if not first then
    return nil, message, kind
  end
  local second
  second, message, kind = core.metrics.unit(b, rate, length, whole and length or #b)
  if not second then
    return nil, message, kind
  end
  return first, second
end

local SCALES = { { 10, 5, 32 }, { 25, 10, 64 }, { 100, 50, 128 } } -- ms, ms, mel bands

local function mss_of(a, b, rate)
  local sum = 0
  for _, scale in ipairs(SCALES) do
    local options = {
      rate = rate, size = frame_of(rate, scale[1]), hop = samples_of(rate, scale[2]), bands = scale[3],
      low = 0, high = rate / 2,
    }
    sum = sum + core.metrics.level_difference(core.mel(a, options), core.mel(b, options), 80)
  end
  return sum / #SCALES
end

-- 20 coefficients with a floor 80 dB below the loudest band.
local function mfcc_of(samples, rate)
  local options = {
    rate = rate, size = frame_of(rate, 50), hop = samples_of(rate, 10), bands = 128, low = 0,
    high = rate / 2,
  }
  local peak = 0
  for _, row in ipairs(core.mel(samples, options):totable()) do
    peak = math.max(peak, table.unpack(row))
  end
  options.floor, options.coefficients = math.max(1e-30, math.min(1, 1e-8 * peak)), 20
  return core.mfcc(samples, options)
end

local function wmfcc_of(a, b, rate)
  return core.metrics.warp(mfcc_of(a, rate), mfcc_of(b, rate))
end

local function sot_of(a, b, rate)
  local options = { rate = rate, size = frame_of(rate, 50), hop = samples_of(rate, 20) }
  return core.metrics.transport(core.spectrogram(a, options), core.spectrogram(b, options))
end

local function rms_cosine_of(a, b, rate)
  return core.metrics.envelope(a, b, samples_of(rate, 50), samples_of(rate, 25))
end

-- Pictures for PCC and LSD of sounds that are ready.
local function log_spectra(a, b, rate)
  local options = { rate = INVERSYNTH_RATE, size = 512, hop = 256, scale = "db", floor = 1e-6 }
  return core.spectrogram(core.audio.resample(a, rate, INVERSYNTH_RATE), options),
    core.spectrogram(core.audio.resample(b, rate, INVERSYNTH_RATE), options)
end

local function to_samples(value, argument, caller)
  local samples = check.to_tensor(value, argument, caller)
  local rank = #samples:shape()
  check.no_problem(rank ~= 1 and ("rank is %d, expected 1"):format(rank) or nil, argument, caller)
  return samples
end

-- Checked arguments of a measure, ready; or nil, message, kind. The rate comes last.
local function arguments(target, candidate, options, caller, whole)
  local rate = check.options(options, RULES, 3, caller).rate
  target, candidate = to_samples(target, 1, caller), to_samples(candidate, 2, caller)
  if #target == 0 then
    return nil, "holds no samples", "input"
  end
  local a, b, kind = ready(target, candidate, rate, whole)
  return a, b, kind or rate
end

local function pcc_of(target, candidate, rate)
  return core.metrics.correlation(log_spectra(target, candidate, rate))
end

local function lsd_of(target, candidate, rate)
  return core.metrics.spread(log_spectra(target, candidate, rate))
end

-- What a measure gives of checked arguments; or nil, message, kind.
local function measure(of, target, candidate, options, caller, whole)
  local a, b, rate = arguments(target, candidate, options, caller, whole)
  if not a then
    return nil, b, rate
  end
  return of(a, b, rate)
end

--- Multi-scale spectral distance: the mean absolute difference of mel power in dB, each
--- sound relative to its loudest band and not below -80 dB; mean of frames of 10, 25 and
--- 100 ms, every 5, 10 and 50 ms, in 32, 64 and 128 HTK mel bands from 0 Hz to half the
--- rate.
---@param target ym2612ml.Tensor|number[]  samples
---@param candidate ym2612ml.Tensor|number[]  samples
---@param options? {rate: number}  Hz of both, default 53267
---@return number? decibels
---@return string? message
---@return string? kind  "input": no samples, or not numbers
function M.mss(target, candidate, options)
  return measure(mss_of, target, candidate, options, "mss")
end

--- Warped cepstral distance: frames of 20 MFCC (50 ms every 10 ms, 128 mel bands in dB,
--- the floor 80 dB below the loudest) aligned by dynamic time warping; the path's cost,
--- in the symmetric form of Sakoe and Chiba (1978), divided by the frames of both, where
--- two frames cost their mean absolute difference.
---@param target ym2612ml.Tensor|number[]  samples
---@param candidate ym2612ml.Tensor|number[]  samples
---@param options? {rate: number}  Hz of both, default 53267
---@return number? cost
---@return string? message
---@return string? kind  "input"
function M.wmfcc(target, candidate, options)
  return measure(wmfcc_of, target, candidate, options, "wmfcc")
end

--- Spectral optimal transport: how far, as a share of the band, the magnitudes of a frame
--- (50 ms every 20 ms, their sum 1) have to be moved along the frequency axis to become
--- the other sound's: Wasserstein's distance of first order, mean over frames.
---@param target ym2612ml.Tensor|number[]  samples
---@param candidate ym2612ml.Tensor|number[]  samples
---@param options? {rate: number}  Hz of both, default 53267
---@return number? share  0..1
---@return string? message
---@return string? kind  "input"
function M.sot(target, candidate, options)
  return measure(sot_of, target, candidate, options, "sot")
end

--- Cosine of the angle between the loudness curves: root mean squares of 50 ms every
--- 25 ms.
---@param target ym2612ml.Tensor|number[]  samples
---@param candidate ym2612ml.Tensor|number[]  samples
---@param options? {rate: number}  Hz of both, default 53267
---@return number? cosine  0..1; 1: the same shape
---@return string? message
---@return string? kind  "input"
function M.rms_cosine(target, candidate, options)
  return measure(rms_cosine_of, target, candidate, options, "rms_cosine")
end

--- Pearson's correlation of the log spectrograms (10 log10 of power + 1e-6; frames of 512
--- samples every 256, at 16,384 Hz), all values in one row.
---@param target ym2612ml.Tensor|number[]  samples
---@param candidate ym2612ml.Tensor|number[]  samples
---@param options? {rate: number}  Hz of both, default 53267
---@return number? correlation  -1..1; 0 where a sound does not vary
---@return string? message
---@return string? kind  "input"
function M.pcc(target, candidate, options)
  return measure(pcc_of, target, candidate, options, "pcc", true)
end

--- Log-spectral distance: the root mean square difference of a frame of the spectrograms
--- of `pcc`, mean over frames.
---@param target ym2612ml.Tensor|number[]  samples
---@param candidate ym2612ml.Tensor|number[]  samples
---@param options? {rate: number}  Hz of both, default 53267
---@return number? decibels
---@return string? message
---@return string? kind  "input"
function M.lsd(target, candidate, options)
  return measure(lsd_of, target, candidate, options, "lsd", true)
end

--- All of them at once.
---@param target ym2612ml.Tensor|number[]  samples
---@param candidate ym2612ml.Tensor|number[]  samples
---@param options? {rate: number}  Hz of both, default 53267
---@return table<string, number>? measures  by name
---@return string? message
---@return string? kind  "input"
function M.all(target, candidate, options)
  local a, b, rate = arguments(target, candidate, options, "all")
  if not a then
    return nil, b, rate
  end
  local first, second = arguments(target, candidate, options, "all", true)
  local spectrum, other = log_spectra(first, second, rate)
  return {
    mss = mss_of(a, b, rate), wmfcc = wmfcc_of(a, b, rate), sot = sot_of(a, b, rate),
    rms_cosine = rms_cosine_of(a, b, rate), pcc = core.metrics.correlation(spectrum, other),
    lsd = core.metrics.spread(spectrum, other),
  }
end

return M
