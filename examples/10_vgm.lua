-- Patches as chip music: an audition that any VGM player plays, the patches that a VGM
-- plays, and how it sounds on the chip.
local ym = require "ym2612ml"

local function operator(mul, level)
  return { mul = mul, dt = 0, tl = level, rs = 0, ar = 31, dr = 12, sr = 4, rr = 8, sl = 3 }
end
local bell = { name = "bell", algorithm = 4, feedback = 3,
  operator(3, 30), operator(1, 10), operator(7, 40), operator(2, 14) }
local bass = { name = "bass", algorithm = 0, feedback = 6,
  operator(1, 35), operator(2, 45), operator(1, 30), operator(1, 4) }

local path = os.tmpname()
local index = assert(ym.vgm.write(path, { bell, bass }, {
  note = { 36, 60 }, held = 0.5, release = 0.3, tags = { track = "Bell and bass" },
}))
for _, mark in ipairs(index) do
  print(("%.2f s: patch %d, note %d"):format(mark.time, mark.patch, mark.note))
end

-- Every write to the chip: when, in 44100ths of a second, where, and what.
local writes, header, tags = assert(ym.vgm.read(path))
print(("%q: %d writes in %.1f s"):format(tags.track, #writes, header.ticks / 44100))

-- What was written is found again.
for i, found in ipairs(assert(ym.vgm.mine(path))) do
  local first = found.heard[1]
  print(("patch %d: algorithm %d, heard %d times, first at %.2f s on channel %d"):format(
    i, found.patch.algorithm, #found.heard, first.time, first.channel))
end

local samples, rate = assert(ym.vgm.render(path))
print(("%d samples of two sides at %d Hz"):format(#samples, rate))
os.remove(path)
