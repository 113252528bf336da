-- A sound as a page holds it: compressed, with a small picture of its spectrum.
local base64 = require "ym2612ml.report.base64"
local core = require "ym2612ml.core"

local audio = core.audio

local M = {}

--- Hz of all sounds in a page.
M.RATE = 44100

local LONGEST = 10 -- seconds, as much as is matched
local SIZE = 2048 -- samples of a frame
local BANDS, FRAMES = 64, 128 -- of a picture, at most
local CLOSEST = 0.005 -- seconds between frames, at least
local LOW, HIGH = 50, 16000 -- Hz
local RANGE = 72 -- dB below the loudest that are told apart

--- How the pictures are to be read.
M.PICTURE = { bands = BANDS, low = LOW, high = HIGH, range = RANGE }

-- The power in mel bands over time, a byte for each band of each frame: 255 is the loudest
-- of all, 0 is RANGE dB below it or less.
local function picture(samples)
  local seconds = #samples / M.RATE
  local step = math.max(CLOSEST, seconds / FRAMES)
  local times = {}
  for i = 1, math.max(1, math.floor(seconds / step + 0.5)) do
    times[i] = (i - 0.5) * step
  end
  local powers, message, kind = core.mel(samples, {
    rate = M.RATE, size = SIZE, times = times, bands = BANDS, low = LOW, high = HIGH, scale = "db",
  })
  if not powers then
    return nil, message, kind
  end
  local frames, loudest = powers:totable(), -math.huge
  for _, frame in ipairs(frames) do
    loudest = math.max(loudest, table.unpack(frame))
  end
  local bytes = {}
  for i, frame in ipairs(frames) do
    for band, power in ipairs(frame) do
      frame[band] = math.floor(255 * math.max(0, 1 + (power - loudest) / RANGE) + 0.5)
    end
    bytes[i] = string.char(table.unpack(frame))
  end
  return table.concat(bytes), step
end

---@class ym2612ml.Clip
---@field seconds number
---@field level number  RMS of the loudest 100 ms; full scale is 1
---@field step number  seconds between the frames of the picture
---@field picture string  base64: a byte for each band of each frame, see M.PICTURE
---@field audio string  base64: FLAC, 16 bits

--- Makes a clip of ten seconds of a sound.
---@param sound {samples: ym2612ml.Tensor, rate: number}  mono
---@param onset number  seconds to leave out before
---@return ym2612ml.Clip? clip
---@return string? message
---@return string? kind  "input"
function M.new(sound, onset)
  local first = math.min(#sound.samples, math.floor(onset * sound.rate + 0.5)) + 1
  local last = math.min(#sound.samples, first - 1 + math.ceil(LONGEST * sound.rate))
  if first > last then
    return nil, ("nothing is left %.2f s after its beginning"):format(onset), "input"
  end
  local samples = sound.samples:slice(first, last)
  local message, kind
  samples, message, kind = audio.resample(samples, sound.rate, M.RATE, { quick = true })
  if not samples then
    return nil, message, kind
  end
  local survey, bytes, step
  survey, message, kind = core.survey(samples, M.RATE)
  if not survey then
    return nil, message, kind
  end
  bytes, step, kind = picture(samples)
  if not bytes then
    return nil, step, kind
  end
  local encoded
  encoded, message, kind = audio.encode(samples, M.RATE, { format = "flac" })
  if not encoded then
    return nil, message, kind
  end
  return {
    seconds = #samples / M.RATE, level = survey.level, step = step, picture = base64.encode(bytes),
    audio = base64.encode(encoded),
  }
end

return M
