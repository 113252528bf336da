-- Patches, MIDI messages and measures that the specs of the live instrument share.
local M = {}

--- Samples a second of everything here.
M.RATE = require("spec.live.server").RATE

--- One sine of full level, silent at once when let go.
M.SINE = { algorithm = 7, feedback = 0 }
for o = 1, 4 do
  M.SINE[o] = { mul = 1, dt = 0, tl = o == 1 and 0 or 127, rs = 0, ar = 31, dr = 0, sr = 0, rr = 15, sl = 0 }
end

--- The sine with other settings of the operator that sounds.
---@param settings table<string, integer>
---@return ym2612ml.Patch
function M.sine(settings)
  local patch = { algorithm = 7, feedback = 0, {}, M.SINE[2], M.SINE[3], M.SINE[4] }
  for name, value in pairs(M.SINE[1]) do
    patch[1][name] = settings[name] or value
  end
  return patch
end

--- MIDI messages: a note struck and let go, a controller, the wheel at 0..16383.
function M.on(note, velocity)
  return string.char(0x90, note, velocity or 127)
end

function M.off(note)
  return string.char(0x80, note, 0)
end

function M.controller(number, value)
  return string.char(0xB0, number, value)
end

function M.wheel(value)
  return string.char(0xE0, value & 127, value >> 7)
end

--- Of a MIDI note, in Hz.
function M.frequency_of(note)
  return 440 * 2 ^ ((note - 69) / 12)
end

--- The part of a window of samples that turns at a frequency.
---@return number size  1: a full sine
---@return number phase  in turns
function M.turning(samples, first, count, frequency)
  local real, imaginary, weights = 0, 0, 0
  for i = 0, count - 1 do
    local weight = 1 - math.cos(2 * math.pi * (i + 0.5) / count)
    local angle = 2 * math.pi * frequency / M.RATE * (first + i)
    real = real + weight * samples[first + i] * math.cos(angle)
    imaginary = imaginary - weight * samples[first + i] * math.sin(angle)
    weights = weights + weight
  end
  return 2 * math.sqrt(real ^ 2 + imaginary ^ 2) / weights, math.atan(imaginary, real) / (2 * math.pi)
end

--- How many cents a sine is away from a frequency, by how far its phase drifts.
function M.cents_from(samples, first, count, frequency)
  local half = count // 2
  local _, before = M.turning(samples, first, half, frequency)
  local _, after = M.turning(samples, first + half, half, frequency)
  local drift = after - before
  drift = drift - math.floor(drift + 0.5)
  return 1200 * math.log(1 + drift * M.RATE / half / frequency, 2)
end

--- Root of the mean square.
function M.loudness(samples, first, last)
  local sum = 0
  for i = first, last do
    sum = sum + samples[i] ^ 2
  end
  return math.sqrt(sum / (last - first + 1))
end

--- The largest difference between two samples in a row.
function M.largest_jump(samples, first, last)
  local largest = 0
  for i = first + 1, last do
    largest = math.max(largest, math.abs(samples[i] - samples[i - 1]))
  end
  return largest
end

return M
