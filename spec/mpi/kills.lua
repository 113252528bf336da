-- Kills a random rank at random times, in `dataset` and in `train`, starts each command
-- again, and compares what is there at the end with what an undisturbed run of one process
-- made. Run it in the root of a checkout that was built with Open MPI:
--
--     lua5.4 spec/mpi/kills.lua [TIMES] [SEED]
--
-- TIMES: kills in each command, 20 unless told otherwise.
package.path = "./?.lua;./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local lfs = require "ym2612ml.filesystem"
local support = require "spec.support"
local ym = require "ym2612ml"

local times = math.tointeger(tonumber(arg[1] or 20))
local seed = math.tointeger(tonumber(arg[2] or os.time()))
local rng = ym.rng.new { seed = seed }
local folder = support.new_folder()

local CLI = "lua5.4 lua/ym2612ml/cli.lua "
local COMMANDS = {
  { name = "dataset", "dataset --count 12000 --validation 500 --shard-records 512 --held 0.3 --release 0.1 -o @/%s" },
  { name = "train", "train --records 600 --epochs 8 --network-epochs 6 -o @/%s --work @/%s.work" },
}

local function run(command)
  local _, complaint, status = support.run(command, folder)
  return status, complaint
end

-- A command on so many ranks, of which each leaves its process number in a file.
local function on_ranks(ranks, command)
  return support.mpirun(ranks) .. ('sh -c "echo \\$\\$ >@/pid_\\$OMPI_COMM_WORLD_RANK; exec %s"'):format(command)
end

-- The process number of a rank, when it is there.
local function process_of(rank)
  local path = ("%s/pid_%d"):format(folder, rank)
  return lfs.attributes(path, "mode") and math.tointeger(tonumber(support.read_file(path)))
end

-- Runs a command, killing a random rank after so many seconds; returns whether it was
-- killed before its end, and what was said.
local function disturb(ranks, command, seconds)
  for rank = 0, ranks - 1 do
    os.remove(("%s/pid_%d"):format(folder, rank))
  end
  local victim = rng:integer(0, ranks - 1)
  -- only what is still the rank: its number may be that of another process by then
  local killer = ("sleep %.2f; process=$(cat @/pid_%d) && grep -qaF @/killed /proc/$process/cmdline "
    .. "&& kill -KILL $process"):format(seconds, victim)
  local status, complaint = run(("(%s) & %s; status=$?; wait; exit $status"):format(killer, on_ranks(ranks, command)))
  return process_of(victim) ~= nil and status ~= 0, complaint
end

print("seed", seed)
for _, entry in ipairs(COMMANDS) do
  local command = CLI .. entry[1]
  local began = ym.clock()
  assert(run((command:gsub("%%s", "straight"))) == 0)
  local longest, killed, told = ym.clock() - began, 0, 0
  local expected = support.snapshot(folder .. "/straight")
  while killed < times do
    local ranks = rng:integer(2, 4)
    local again = command:gsub("%%s", "killed")
    local met, complaint = disturb(ranks, again, 0.3 + longest * rng:uniform())
    if met then
      killed = killed + 1
      told = told + (complaint:find("on signal 9", 1, true) and 1 or 0)
    end
    local status, reason = run(on_ranks(rng:integer(1, 4), again))
    assert(status == 0, reason)
    support.assert_same_files(expected, folder .. "/killed")
    support.remove_folder(folder .. "/killed")
    support.remove_folder(folder .. "/killed.work")
  end
  support.remove_folder(folder .. "/straight")
  support.remove_folder(folder .. "/straight.work")
  print(("%s: %d kills, %d told by mpirun, all ended with the bytes of an undisturbed run"):format(entry.name, killed,
    told))
end
support.remove_folder(folder)
