-- ym2612ml duplicates: whether what is drawn from a learned space is new.
local arguments = require "ym2612ml.cli.arguments"
local common = require "ym2612ml.cli.space"
local ym = require "ym2612ml"

local M = {}

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Count the draws from a learned space that are the same.")
  command:description("Draws patches and counts those that are the same among each other and as the patches that the "
    .. "space learned from, that the chip has, and that can be heard at A4.")
  arguments.add(command, "--count", "COUNT", arguments.integer(1, 10 ^ 6 | 0), "Patches to draw.", "65536")
  command:option("--patches", "The patches that it learned from: a table as CSV, of which rows whose split is valid "
    .. "are left out, or patch files."):argname("FILE|DIR")
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
    return ym.space.duplicates(space, {
      count = options.count, patches = options.patches, seed = options.seed, temperature = options.temperature,
    })
  end, function(step)
    return ("%d of %d draws"):format(step.done, step.total)
  end, report)
  if not found then
    return
  end
  local rows = {}
  local function add(what, count)
    rows[#rows + 1] = { what, count, ("%.3f %%"):format(100 * count / found.count) }
  end
  add("draws", found.count)
  add("valid patches", found.valid)
  add("audible at A4", found.audible)
  add("distinct", found.distinct)
  if options.patches then
    add(("among the %d patches learned from"):format(found.patches), found.copied)
  end
  report:columns({ "", "count", "share" }, rows)
end

return M
