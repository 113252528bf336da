-- What is in a sound: pitch, bands, and how far one register step is heard.
local ym = require "ym2612ml"

local function patch(level)
  local operators = { algorithm = 0, feedback = 4 }
  for i = 1, 4 do
    operators[i] = {
      mul = i < 3 and 2 or 1, dt = 0, tl = i < 4 and level or 8, rs = 0,
      ar = 31, dr = 8, sr = 3, rr = 8, sl = 2,
    }
  end
  return operators
end

local note, held = 57, 0.5
local sound, rate = ym.render(patch(34), { note = note, held = held, release = 0.2 })

local f0 = assert(ym.pitch(sound, { rate = rate }))
print(("rendered %.1f Hz, heard %.1f Hz"):format(440 * 2 ^ ((note - 69) / 12), f0))

local mel = assert(ym.mel(sound,
  { rate = rate, size = 2048, bands = 24, times = { 0.05, 0.25, 0.45 }, scale = "db" }))
print("mel bands:", tostring(mel))

-- Bands around the halves of the fundamental: the same picture for every note.
local harmonics = assert(ym.harmonics(sound,
  { rate = rate, size = 4096, bands = 16, f0 = f0, times = { 0.1 }, scale = "db" }))
for k = 2, 16, 2 do
  print(("harmonic %d: %6.1f dB"):format(k // 2, harmonics:get(1, k)))
end

-- The distance the matcher ranks by, for modulators a few steps softer.
for _, steps in ipairs { 0, 1, 2, 4, 8, 16 } do
  local candidate = ym.render(patch(34 + steps), { note = note, held = held, release = 0.2 })
  print(("%2d level steps: distance %.2f"):format(steps, assert(ym.distance(sound, candidate))))
end
