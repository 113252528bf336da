-- Patches for a recorded flute, found step by step: a program that plays audio calls a
-- step when it has time, and may stop whenever what it has is good enough.
local ym = require "ym2612ml"

local folder = arg[0]:match("^(.*)/") or "."
local sound = assert(ym.audio.read(folder .. "/samples/flute_C5.flac"))
print(("%.2f s at %d Hz"):format(sound.seconds, sound.rate))

-- Ranking takes some milliseconds, so a step does it only when asked for its matches.
local matches
local shown = 0
for step in assert(ym.estimate_steps(sound, { note = 72, seed = 1, budget = 2 })) do
  if step.share >= shown then
    matches = step.matches
    print(("%3.0f %% of the time, %.0f patches tried, best distance %.2f"):format(100 * step.share, step.done,
      matches[1].distance))
    shown = shown + 0.25
  end
end

for rank, match in ipairs(matches) do
  print(("%d. algorithm %d, distance %.2f"):format(rank, match.algorithm, match.distance))
end

-- The note that was matched, as it would be played; ym.audio.write makes a file of it.
local best = matches[1]
local samples, rate = ym.render(best.patch,
  { note = best.note, held = best.held, release = best.release, chip = best.chip })
print(("the best, played: %d samples at %d Hz"):format(#samples, rate))

-- The same patch, changed by the search only where a musician allows it: here the
-- envelopes, from what was just found.
local keep = { algorithm = best.algorithm, feedback = best.patch.feedback }
for operator = 1, 4 do
  local of = best.patch[operator]
  keep[operator] = { mul = of.mul, dt = of.dt, tl = of.tl, rs = of.rs }
end
local again = assert(ym.estimate(sound, { note = 72, renders = 1000, start = best.patch, lock = keep }))
print(("with all but the envelopes locked: %.2f"):format(again[1].distance))
