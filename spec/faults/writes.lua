-- Lets every write of the commands fail once, and tells what came of it; see writes.c.
--
--     lua5.4 spec/faults/writes.lua [COMMAND [EVERY]]
--
-- COMMAND: only that of this name, or `all`; EVERY: only every so many of its points.
package.path = "./?.lua;./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local commands = require "spec.faults.write_commands"
local sweeps = require "spec.faults.write_sweep"

io.stdout:setvbuf "line"
if not sweeps.possible() then
  print("this machine does not let a program be watched: seccomp's user notification is needed")
  os.exit(1)
end

local wanted, every = arg[1] or "all", math.tointeger(tonumber(arg[2] or 1))
local runs, problems = 0, 0
print(("%-20s %-6s %-7s %6s %8s %6s %6s %9s"):format("command", "start", "failure", "points", "refused", "whole",
  "spared", "problems"))
for _, case in ipairs(commands) do
  for _, start in ipairs(wanted == "all" and { "empty", "old" } or wanted == case.name and { "empty", "old" } or {}) do
    case.start = start
    sweeps.sweep(case, every, function(result)
      print(("%-20s %-6s %-7s %6d %8d %6d %6d %9d"):format(result.name, result.start, result.kind, result.points,
        result.refused, result.whole, result.spared, #result.problems))
      for _, problem in ipairs(result.problems) do
        print("  " .. problem)
      end
      runs, problems = runs + result.points - result.spared, problems + #result.problems
    end)
  end
end
print(("%d failures, %d problems"):format(runs, problems))
os.exit(problems == 0 and 0 or 1)
