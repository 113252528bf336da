-- ym2612ml complete: patches of which a part is given.
local arguments = require "ym2612ml.cli.arguments"
local common = require "ym2612ml.cli.space"

local M = {}

local COMMAND = "ym2612ml complete"

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Make patches around registers or operators that are given.")
  command:description("Draws what is missing of a patch, so that it goes with what is there: with the registers "
    .. "that --lock gives, and those of PATCH that --keep names.")
  command:argument("PATCH", "Patch of which a part stays."):args("?"):target("patch")
  common.define_keep(command)
  common.define_lock(command)
  common.define_draw(command, "8")
  common.define_temperature(command, "1")
  common.define_output(command, "completed")
  common.define_model(command)
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  if not options.lock and not options.keep then
    arguments.misuse(COMMAND, "--lock or --keep is missing: what the patches have in common")
  elseif options.keep and not options.patch then
    arguments.misuse(COMMAND, "--keep goes with a patch")
  end
  local patch, space, message
  if options.patch then
    patch, message = common.read_patch(options.patch, report)
    if not patch then
      return report:fail(message)
    end
  end
  local lock = common.lock(options, patch, COMMAND)
  local target = common.target(options, options.count == 1, { options.patch }, COMMAND, report)
  space, message = common.load(options)
  if not space then
    return report:fail(message)
  end
  common.make(function(count, seed)
    return space:complete(lock, { count = count, seed = seed, temperature = options.temperature })
  end, target, "completed", options, report)
end

return M
