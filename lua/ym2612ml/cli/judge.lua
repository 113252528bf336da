-- ym2612ml judge: how much what is drawn from a learned space sounds like real patches.
local arguments = require "ym2612ml.cli.arguments"
local common = require "ym2612ml.cli.space"
local ym = require "ym2612ml"

local M = {}

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Tell how much draws from a learned space sound like real patches.")
  command:description("Draws patches and tells the Frechet distance of what is heard of them at A4, in the features "
    .. "of the matcher's network, to patches that the space has not learned from: those of the table whose split is "
    .. "valid, or the families set aside. Beside it that of patches whose registers are each drawn by "
    .. "themselves, and that of the patches learned from.")
  command:argument("PATCHES", "What the space was trained from: a table as CSV or patch files."):target("patches")
  arguments.add(command, "--count", "COUNT", arguments.integer(2, 50000), "Patches to draw.", "2000")
  arguments.add(command, "--validation", "SHARE", arguments.number(0, 0.99), "Share of the families to set aside "
    .. "where no table tells. Default: as in the training of the space.")
  common.define_seed(command)
  common.define_temperature(command, "1")
  common.define_model(command)
  command:flag("--json", "Print one JSON document.")
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  local found = common.follow(options, function(space)
    return ym.space.frechet(space, {
      patches = options.patches, count = options.count, validation = options.validation, seed = options.seed,
      temperature = options.temperature,
    })
  end, function(step)
    return step.stage
  end, report)
  if not found then
    return
  end
  print(("Frechet distance to %d patches set aside, in %d components"):format(found.aside, found.components))
  report:columns({ "", "distance" }, {
    { "draws from the space", ("%.3f"):format(found.space) },
    { "each register by itself", ("%.3f"):format(found.marginals) },
    { "patches learned from", ("%.3f"):format(found.training) },
  })
end

return M
