-- ym2612ml features: where patches are in the learned space.
local common = require "ym2612ml.cli.space"
local numbers = require "ym2612ml.cli.numbers"
local reading = require "ym2612ml.cli.reading"

local M = {}

local BLOCK = 64 -- patches placed at once

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Tell where patches are in the learned space.")
  command:description("One row for each patch: the mean of its posterior along each latent, then the deviation.")
  command:argument("PATCH", "Patch files, banks and tables, or folders of them."):args("+"):target("files")
  numbers.define(command, "the patch's name")
  common.define_model(command)
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  local message = numbers.problem(options.output)
  local space
  if not message then
    space, message = common.load(options)
  end
  if not space then
    return report:fail(message)
  end
  local list = reading.named(options.files, report)
  local names, rows, head = {}, {}, { "name" }
  for i, kind in ipairs { "mean", "deviation" } do
    for latent = 1, space.size do
      head[1 + (i - 1) * space.size + latent] = ("%s_%d"):format(kind, latent)
    end
  end
  for first = 1, #list, BLOCK do
    report:progress(first - 1, #list, list[first].name)
    local mean, deviation = space:encode(table.move(list, first, math.min(first + BLOCK - 1, #list), 1, {}))
    for i = 1, #mean do
      local row = mean[i]:totable()
      names[first + i - 1] = list[first + i - 1].name
      rows[first + i - 1] = table.move(deviation[i]:totable(), 1, space.size, space.size + 1, row)
    end
  end
  report:clear()
  if #rows == 0 then
    return
  end
  local written, reason = numbers.write(options.output, names, rows, head)
  if not written then
    report:fail(reason)
  end
end

return M
