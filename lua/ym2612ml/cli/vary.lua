-- ym2612ml vary: patches near a patch.
local arguments = require "ym2612ml.cli.arguments"
local common = require "ym2612ml.cli.space"

local M = {}

local COMMAND = "ym2612ml vary"

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Make patches near a patch.")
  command:description("Draws some registers of a patch anew, to go with the others: few with a small --strength, "
    .. "all with 1.")
  command:argument("PATCH", "Patch to begin from."):target("patch")
  arguments.add(command, "--strength", "NUMBER", arguments.number(0, 1),
    "Share of the registers that are drawn, 0..1; 0: none.", "0.2")
  common.define_keep(command)
  common.define_lock(command)
  common.define_draw(command, "8")
  common.define_output(command, "varied")
  common.define_model(command)
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  local target = common.target(options, options.count == 1, { options.patch }, COMMAND, report)
  local space
  local patch, message = common.read_patch(options.patch, report)
  if patch then
    space, message = common.load(options)
  end
  if not space then
    return report:fail(message)
  end
  local lock = common.lock(options, patch, COMMAND)
  common.make(function(count, seed)
    return space:vary(patch, { count = count, seed = seed, strength = options.strength, lock = lock })
  end, target, "varied", options, report)
end

return M
