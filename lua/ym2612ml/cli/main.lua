-- Parses the command line and runs one subcommand. A subcommand is a module of this
-- folder with `define(command)`, which adds its arguments to an argparse command, and
-- `run(options, report)`, which does the work and reports failures.
local argparse = require "argparse"
local attempt = require "ym2612ml.attempt"
local console = require "ym2612ml.cli.console"
local json = require "ym2612ml.json"

local M = {}

local SUBCOMMANDS = {
  "match", "render", "report", "info", "convert", "bank", "vgm", "mine", "rom", "split", "table",
  "generate", "complete", "vary", "interpolate", "features", "experiment", "duplicates", "judge",
  "dataset", "train", "evaluate", "compare", "sample", "reconstruct", "live", "verify",
}

local INTERRUPTED = 130 -- what a shell expects of a program that SIGINT ended
local USAGE = 2

local function new_parser()
  local parser = argparse("ym2612ml",
    "Finds patches for the YM2612, the sound chip of the Mega Drive, that sound like a "
    .. "recording, and renders patches exactly as the chip plays them.")
  parser:usage_max_width(80):help_max_width(80):help_description_margin(24)
  parser:command_target("command"):require_command(true)
  parser:epilog("`ym2612ml COMMAND --help` tells the options of a command.")
  for _, name in ipairs(SUBCOMMANDS) do
    require("ym2612ml.cli." .. name).define(parser:command(name))
  end
  parser.error = function(command, message)
    error({ usage = message, command = command:get_usage():match("^Usage: (.-) %[") })
  end
  return parser
end

-- What is told of a mistake: of an option that a function refused, which is what the user
-- gave, without the place in the source.
local function told(problem)
  local option = tostring(problem):match("^[^\n]-%.lua:%d+: bad argument #%d+ to '%w+' %((.*option '.*)%)$")
  return option or tostring(problem)
end

-- Commands whose work several ranks share.
local SHARED = { match = true, dataset = true, train = true, evaluate = true, compare = true }

-- Which process this is of those that mpirun, or srun, started, counted from 0; nil when it
-- is the only one. And how many they are, where that is told.
local function started_as()
  local rank = os.getenv "OMPI_COMM_WORLD_RANK" or os.getenv "PMIX_RANK" or os.getenv "PMI_RANK"
  local count = os.getenv "OMPI_COMM_WORLD_SIZE" or os.getenv "PMI_SIZE" or os.getenv "SLURM_STEP_NUM_TASKS"
  return count ~= "1" and tonumber(rank) or nil, count
end

-- Joins the other processes; command: nil where the arguments name none. Returns nil after
-- a failure, reported before any of them ends.
local function join(command, arguments, report)
  local function fail(message)
    report:fail(message)
  end
  if command and not SHARED[command] then
    return fail(("%s: the work of this command is not shared: run it without mpirun"):format(command))
  end
  local found, mpi = attempt(require, "ym2612ml.mpi")
  report.joins = true
  if not found then
    report.quiet = false -- perhaps only on this machine
    return fail(("mpirun: this ym2612ml was built without Open MPI (%s)"):format(mpi:match("^[^\n]*")))
  end
  local ranks, message, kind = mpi.start(fail)
  if not ranks then
    return kind ~= "input" and fail(message) or nil
  elseif ranks.size == 1 and report.quiet then
    report.quiet = false -- there is no other one that would tell
    return fail "these processes were started together, but not by Open MPI's mpirun"
  end
  local alike
  alike, message = ranks:alike { { "was started with other arguments", json.encode(arguments) } }
  if not alike then
    fail(message)
    ranks:close()
    return nil
  end
  return ranks
end

-- Ends the part of a rank. A failure that not all ranks know of is told by rank 0, unless
-- it has failed likewise.
local function leave(ranks, report)
  local secret = report.first and not (ranks.failure and report.first:find(ranks.failure, 1, true))
  ranks:close(secret and report.first or nil, function(failure)
    report:fail(failure)
  end)
end

-- Parses the arguments and does what they say.
local function work(arguments, report)
  local parser = new_parser()
  local parsed, options = pcall(parser.parse, parser, arguments)
  local command = parsed and options.command or nil
  local rank, count = started_as()
  -- a first process of nobody knows how many may well be alone
  if rank and (rank > 0 or count or SHARED[command]) then
    report.ranks = join(command, arguments, report) -- also with a mistake, for the others to know
    if not report.ranks and (parsed or rank > 0) then
      return
    end
  end
  if not parsed then
    error(options, 0)
  end
  options.ranks = report.ranks
  require("ym2612ml.cli." .. options.command).run(options, report)
end

-- Tells of an error; gives the status.
local function tell_problem(problem, report)
  if type(problem) == "table" and problem.usage then
    report:fail(("%s (see `%s --help`)"):format(problem.usage, problem.command))
    return USAGE
  elseif console.is_interrupt(problem) then
    report:fail(type(problem) == "table" and problem.interrupted or "interrupted")
    return INTERRUPTED
  end
  report:fail(told(type(problem) == "table" and problem.message or problem))
  return 1
end

--- Runs the command line. Prints results on stdout, and on stderr one line for each
--- failure. Of several processes that mpirun started, only the first prints.
---@param arguments string[] as in the global arg
---@return integer status 0: all well, 1: something failed, 2: wrong usage,
---130: interrupted
function M.run(arguments)
  local report = console.new((started_as() or 0) > 0)
  local ok, problem = pcall(work, arguments, report)
  report:clear()
  local status = not ok and tell_problem(problem, report) or 0
  if report.ranks then
    leave(report.ranks, report)
  elseif report.quiet and not report.joins then
    return 0 -- mpirun ends all when one fails, and the first one is still to tell why
  end
  return status == 0 and report.failures > 0 and 1 or status
end

return M
