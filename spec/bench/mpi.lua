-- Ranks of one thread each against one process of one thread: how many times as fast they
-- are, and whether what they make is the same. Needs a quiet machine, with a core a rank:
--
--     lua5.4 spec/bench/mpi.lua [RANKS] [REPEATS]        2 and 3 unless told otherwise
--
-- The best of all repeats counts, starting included.
package.path = "./?.lua;./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local lfs = require "ym2612ml.filesystem"
local support = require "spec.support"
local ym = require "ym2612ml"

local count, repeats = math.tointeger(tonumber(arg[1] or 2)), math.tointeger(tonumber(arg[2] or 3))
local folder = support.new_folder()
local MPIRUN = ("mpirun --allow-run-as-root --oversubscribe -np %d "):format(count)

local function run(command)
  local began = ym.clock()
  local text, complaint, status = support.run(command, folder)
  assert(status == 0, complaint)
  return ym.clock() - began, text
end

-- The best times of a command alone and on ranks; it writes to the folder "%s".
local function compare(command)
  local best = { math.huge, math.huge }
  for _ = 1, repeats do
    for i, name in ipairs { "alone", "ranks" } do
      os.execute(("rm -rf '%s/%s'"):format(folder, name))
      local seconds = run((i == 2 and MPIRUN or "") .. command:gsub("%%s", name))
      best[i] = math.min(best[i], seconds)
    end
  end
  return best
end

local function tell(name, best, unit, same)
  print(("%-8s 1: %8.1f %s   %d: %8.1f %s   %.2f times   %s"):format(name, best[1], unit, count, best[2], unit,
    best[1] / best[2], same and "the same bytes" or "OTHER BYTES"))
end

-- Whether two folders hold the same, hidden files aside.
local function alike(a, b)
  local first, second = support.snapshot(a), support.snapshot(b)
  for name, bytes in pairs(first) do
    if not name:find("^/%.") and second[name] ~= bytes then
      return false
    end
  end
  return true
end

local function bench_command(name, command)
  local best = compare("lua5.4 spec/bench/one_thread.lua " .. command .. " -o @/%s")
  tell(name, best, "s", alike(folder .. "/alone", folder .. "/ranks"))
end

-- Milliseconds a step, and the SHA-256 of the weights.
local function train(before)
  local _, text = run(before .. "lua5.4 spec/bench/mpi_training.lua")
  local median, digest = text:match("^(%S+) (%x+)")
  return tonumber(median), digest
end

bench_command("dataset", "dataset --count 98304 --shard-records 2048")

local best, digests = { math.huge, math.huge }, {}
for _ = 1, repeats do
  for i, before in ipairs { "", MPIRUN } do
    local median, digest = train(before)
    best[i], digests[i] = math.min(best[i], median), digest
  end
end
tell("train", best, "ms", digests[1] == digests[2])

assert(lfs.mkdir(folder .. "/sounds"))
local number = 0
for name in lfs.dir("examples/samples") do
  for copy = 1, name:find("%.flac$") and 5 or 0 do
    number = number + 1
    assert(os.execute(("cp examples/samples/%s %s/sounds/%d_%s"):format(name, folder, copy, name)))
  end
end
bench_command(("%d sounds"):format(number), "match @/sounds --renders 1500")
support.remove_folder(folder)
