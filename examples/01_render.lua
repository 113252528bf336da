-- A patch is a plain table. Render it at three notes, and write a file if one is named:
--   01_render.lua [OUT.wav]
local ym = require "ym2612ml"

-- Operators in the order of the diagram. Those without `ssg`, `am` leave them off.
local electric_piano = {
  algorithm = 4, -- (1 > 2) + (3 > 4)
  feedback = 5,
  [1] = { mul = 2, dt = 1, tl = 38, rs = 1, ar = 31, dr = 12, sr = 4, rr = 7, sl = 4 },
  [2] = { mul = 1, dt = 0, tl = 10, rs = 1, ar = 31, dr = 9, sr = 5, rr = 8, sl = 3 },
  [3] = { mul = 14, dt = 0, tl = 46, rs = 2, ar = 31, dr = 16, sr = 8, rr = 9, sl = 9 },
  [4] = { mul = 1, dt = -1, tl = 12, rs = 1, ar = 31, dr = 9, sr = 5, rr = 8, sl = 3 },
}

for note = 48, 72, 12 do
  local samples, rate = ym.render(electric_piano, { note = note, held = 1, release = 0.5 })
  local loudest = 0
  for i = 1, #samples do
    loudest = math.max(loudest, math.abs(samples[i]))
  end
  print(("note %d: %d samples at %d Hz, peak %.3f"):format(note, #samples, rate, loudest))
end

if arg[1] then
  local samples, rate = ym.render(electric_piano, { note = 60, rate = 44100 })
  assert(ym.audio.write(arg[1], samples, rate))
end
