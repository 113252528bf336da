-- ym2612ml report: a page to listen to sounds and the patches that match them.
local arguments = require "ym2612ml.cli.arguments"
local bank = require "ym2612ml.bank"
local heard = require "ym2612ml.cli.match.heard"
local paths = require "ym2612ml.cli.paths"
local reading = require "ym2612ml.cli.reading"
local ym = require "ym2612ml"

local M = {}

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Make a page to listen to matches.")
  command:description("Writes one HTML file to be opened in a browser: every sound beside the patches that "
    .. "match it, to be played one after the other, with their spectra, distances and registers, and each file to "
    .. "be downloaded. It works without a network, and can be sent to others as it is. Of patches that match "
    .. "nothing, it is what they sound like.")
  command:argument("DIR", "Folders that `ym2612ml match` wrote; or patch files, or folders of them."):args("+")
    :target("folders")
  command:option("-o --output", "File to write."):argname("FILE"):default("report.html")
  command:option("--title", "Title of the page.")
  arguments.add(command, "--best", "COUNT", arguments.integer(1, 8), "How many matches of each sound are shown; all "
    .. "of them without it. Fewer make a smaller file.")
  arguments.add_playing(command, { note = "C4", held = "1", release = "0.5", chip = "ym2612" })
end

-- Patches that match nothing, each as a target of its own.
local function add_patches(targets, folder, options, report)
  for _, path in ipairs(paths.expand({ folder }, ym.patch.endings(), "matches and no patches", report)) do
    local rows = report:attempt(path, bank.read_patches, path) or {}
    for i, row in ipairs(rows) do
      if not row.patch then
        report:fail(row.message)
      else
        targets[#targets + 1] = {
          name = reading.name(row.patch, path, i, #rows), about = paths.name(path),
          note = options.note, held = options.held,
          matches = {
            {
              patch = row.patch, paths = #rows == 1 and { path } or nil, note = options.note, held = options.held,
              release = options.release, chip = options.chip,
            },
          },
        }
      end
    end
  end
end

--- Runs the command.
---@param options table  as defined above
---@param report table
function M.run(options, report)
  local targets = {}
  for _, path in ipairs(options.folders) do
    local found = paths.is_folder(path) and heard.targets(path, report) or {}
    table.move(found, 1, #found, #targets + 1, targets)
    if #found == 0 then
      add_patches(targets, path, options, report)
    end
  end
  if #targets > 0 then
    heard.write(options.output, targets, options, report)
  elseif report.failures == 0 then
    report:fail(("%s: holds no patches"):format(table.concat(options.folders, ", ")))
  end
end

return M
