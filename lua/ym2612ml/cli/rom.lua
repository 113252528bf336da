-- ym2612ml rom: a cartridge for the Mega Drive that plays patches.
local arguments = require "ym2612ml.cli.arguments"
local files = require "ym2612ml.files"
local paths = require "ym2612ml.cli.paths"
local reading = require "ym2612ml.cli.reading"
local ym = require "ym2612ml"

local M = {}

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Make a cartridge that plays patches.")
  command:description("Makes a cartridge image for the Mega Drive, which a console or an emulator plays: "
    .. "every patch in turn, each from silence and after a click that says its number. Beside it goes an "
    .. "index as JSON, with which `ym2612ml split` cuts a recording of it into notes.")
  command:argument("PATCHES", "Patch files, tables of patches as CSV, or folders of them."):args("+")
    :target("patches")
  command:option("-o --output", "Cartridge to write; the index has its name, with .json.")
    :argname("FILE"):default("patches.bin")
  arguments.add(command, "--note", "NOTES", arguments.notes, "Note that every patch plays, or several such as "
    .. "C3,C4,C5: names or MIDI numbers.", "C4")
  arguments.add_times(command, { held = "1", release = "0.5" })
  arguments.add(command, "--gap", "SECONDS", arguments.number(0.13, 10, "a time in seconds"),
    "Silence before the next click.", "0.15")
  command:flag("--pal", "For consoles of 50 Hz, whose clock is 0.9 % slower.")
  command:flag("--pad", "Fill the image up to a power of two, at least 128 KiB.")
  command:option("--title", "Title in the cartridge's header, 48 characters."):argname("TEXT")
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  if files.ending(options.output) == "json" then
    return report:fail(options.output .. ": is the name of the index; expected another ending, such as .bin")
  end
  local list, inputs = reading.named(options.patches, report)
  if #list == 0 then
    return
  end
  local base = options.output:match("^(.*[^/])%.[^./]+$") or options.output
  local index_path = base .. ".json"
  for _, target in ipairs { options.output, index_path } do
    if inputs[paths.identity(target) or false] then
      return report:fail(("%s: is one of the files to read, and not overwritten"):format(target))
    end
  end
  local bytes, index = ym.rom.build(list, {
    note = options.note, held = options.held, release = options.release, gap = options.gap,
    pal = options.pal, pad = options.pad, title = options.title,
  })
  if not bytes then
    return report:fail(index)
  end
  local made, message = paths.make_folder(options.output:match("^(.*)/") or "")
  made = made and report:attempt(options.output, files.write, options.output, bytes)
  made = made and report:attempt(index_path, files.write, index_path, ym.rom.encode_index(index))
  if made then
    local seconds = math.floor(index.finish + 0.5)
    print(("%s: %d notes, %d:%02d minutes on %s consoles; index %s"):format(options.output, #index.entries,
      seconds // 60, seconds % 60, index.region, index_path))
  elseif message then
    report:fail(message)
  end
end

return M
