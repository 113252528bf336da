-- ym2612ml generate: new patches out of the learned space.
local common = require "ym2612ml.cli.space"
local draws = require "ym2612ml.space.draws"

local M = {}

local COMMAND = "ym2612ml generate"

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Make new patches.")
  command:description("Draws patches from a learned space: as real ones are, but new. `complete` does so around "
    .. "given operators, `vary` near a patch.")
  common.define_draw(command, "32")
  common.define_temperature(command, "1")
  common.define_lock(command)
  common.define_output(command, "generated")
  common.define_model(command)
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  local lock = common.lock(options, nil, COMMAND)
  local target = common.target(options, options.count == 1, {}, COMMAND, report)
  local space, message = common.load(options)
  if not space then
    return report:fail(message)
  end
  local draw = draws.generator(space, { temperature = options.temperature, lock = lock })
  common.make(draw, target, "generated", options, report)
end

return M
