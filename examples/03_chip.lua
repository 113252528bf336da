-- The chip itself: register writes in, samples out, and its whole state as a string.
local ym = require "ym2612ml"

local chip = ym.chip.new { chip = "ym3438" }

-- Operator 4 of channel 1 alone: a sine at full level. The other operators stay silent.
for _, write in ipairs {
  { 0xB0, 0x07 }, -- algorithm 7: all operators are heard
  { 0xB4, 0xC0 }, -- both sides
  { 0x3C, 0x01 }, { 0x4C, 0x00 }, { 0x5C, 0x1F }, -- multiple 1, level 0, attack 31
  { 0x6C, 0x00 }, { 0x7C, 0x00 }, { 0x8C, 0x0F },
  { 0xA4, 0x22 }, { 0xA0, 0x69 }, -- block 4, fnum 617
  { 0x28, 0x80 }, -- key on
} do
  chip:write(0, write[1], write[2]) -- queued: one is taken in each frame
end
local left = chip:run(200)
local highest, lowest = 0, 0
for i = 1, #left do
  highest, lowest = math.max(highest, left[i]), math.min(lowest, left[i])
end
print(("%s puts out %d..%d"):format(tostring(chip), lowest, highest))

-- A saved state goes on exactly where it was.
local state = chip:save()
local straight = chip:run(1000):bytes()
local other = assert(ym.chip.new():restore(state))
assert(other:run(1000):bytes() == straight)
print(("restored from %d bytes: the next 1000 samples are the same"):format(#state))
print(chip:restore("something else"))
