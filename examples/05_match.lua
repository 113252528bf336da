-- Patches for a recorded flute, found step by step: a program that plays audio calls a
-- step when it has time, and may stop whenever what it has is good enough.
local ym = require "ym2612ml"

local folder = arg[0]:match("^(.*)/") or "."
local sound = assert(ym.audio.read(folder .. "/samples/flute_C5.flac"))
print(("%.2f s at %d Hz"):format(sound.seconds, sound.rate))

local matches
for step in assert(ym.estimate_steps(sound, { note = 72, seed = 1 })) do
  matches = step.matches
  print(("%3d of %d patches tried, best distance %.2f"):format(step.done, step.total,
    matches[1].distance))
end

for rank, match in ipairs(matches) do
  print(("%d. algorithm %d, distance %.2f"):format(rank, match.algorithm, match.distance))
end

-- The note that was matched, as it would be played; ym.audio.write makes a file of it.
local best = matches[1]
local samples, rate = ym.render(best.patch,
  { note = best.note, held = best.held, release = best.release, chip = best.chip })
print(("the best, played: %d samples at %d Hz"):format(#samples, rate))
