-- Parses the command line and runs one subcommand. A subcommand is a module of this
-- folder with `define(command)`, which adds its arguments to an argparse command, and
-- `run(options, report)`, which does the work and reports failures.
local argparse = require "argparse"
local console = require "ym2612ml.cli.console"

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

--- Runs the command line. Prints results on stdout, and on stderr one line for each
--- failure.
---@param arguments string[] as in the global arg
---@return integer status 0: all well, 1: something failed, 2: wrong usage,
---130: interrupted
function M.run(arguments)
  local report = console.new()
  local ok, problem = pcall(function()
    local options = new_parser():parse(arguments)
    require("ym2612ml.cli." .. options.command).run(options, report)
  end)
  report:clear()
  if ok then
    return report.failures > 0 and 1 or 0
  end
  if type(problem) == "table" and problem.usage then
    report:fail(("%s (see `%s --help`)"):format(problem.usage, problem.command))
    return USAGE
  end
  if console.is_interrupt(problem) then
    report:fail(type(problem) == "table" and problem.interrupted or "interrupted")
    return INTERRUPTED
  end
  report:fail(told(problem))
  return 1
end

return M
