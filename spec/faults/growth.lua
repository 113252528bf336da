-- Estimates a sound and forgets the result, again and again: the memory of the process after
-- 10,000 rounds must be at most a hundredth more than after 100.
--   lua5.4 spec/faults/growth.lua [rounds]
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local support = require "spec.support"
local ym = require "ym2612ml"

local FIRST, MOST = 100, 0.01
local rounds = tonumber(arg[1] or 10000)

local notes = {}
for i, note in ipairs { 45, 57, 69 } do
  notes[i] = { note = note, samples = ym.render(support.PATCH, { note = note, held = 0.06, release = 0.02 }) }
end

local before, last
io.stdout:setvbuf "line"
for round = 1, rounds do
  local one = notes[round % #notes + 1]
  assert(ym.estimate({ samples = one.samples, rate = support.RATE },
    { note = one.note, held = 0.06, renders = 16, seed = round }))
  if round == FIRST or round % (rounds // 10) == 0 then
    collectgarbage()
    last = support.memory()
    before = before or last
    print(("after %5d rounds: %d KiB"):format(round, last))
  end
end
local growth = last / before - 1
print(("%+.2f %% since round %d"):format(100 * growth, FIRST))
if growth > MOST then
  error("that is more than 1 %", 0)
end
