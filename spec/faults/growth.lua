-- Estimates a sound and forgets the result, again and again: the memory of the process after
-- 10,000 rounds must be that after 100, within a hundredth.
--   .build/faults/allocations spec/faults/growth.lua [rounds]
-- The C library keeps freed memory in holes that come and go, some 10 % of all: it is told to
-- give them back before the memory is read.
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local support = require "spec.support"
local ym = require "ym2612ml"

local faults = assert(rawget(_G, "faults"), "to be run by spec/faults/allocations.c")
local FIRST, MOST = 100, 0.01
local rounds = tonumber(arg[1] or 10000)

-- KiB of the process in memory.
local function read_status()
  for line in io.lines "/proc/self/status" do
    local size = line:match "^VmRSS:%s+(%d+)"
    if size then
      return tonumber(size)
    end
  end
end

-- The same when the collector is done: with the holes given back, and before.
local function resident()
  collectgarbage()
  collectgarbage()
  local plain = read_status()
  faults.trim()
  return read_status(), plain
end

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
    local plain
    last, plain = resident()
    before = before or last
    print(("after %5d rounds: %d KiB, %d before they were trimmed"):format(round, last, plain))
  end
end
local growth = last / before - 1
print(("%+.2f %% since round %d"):format(100 * growth, FIRST))
if math.abs(growth) > MOST then
  error("that is more than 1 %", 0)
end
