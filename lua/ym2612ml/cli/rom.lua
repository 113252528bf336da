-- ym2612ml rom: a cartridge for the Mega Drive that plays patches.
local arguments = require "ym2612ml.cli.arguments"
local files = require "ym2612ml.files"
local paths = require "ym2612ml.cli.paths"
local reading = require "ym2612ml.cli.reading"
local ym = require "ym2612ml"

local M = {}

-- Notes with commas between them.
local function notes(text)
  local list = {}
  for part in text:gmatch("[^,]+") do
    local note, message = arguments.note(part)
    if not note then
      return nil, message
    end
    list[#list + 1] = note
  end
  if #list == 0 then
    return nil, "expected a note such as C4, or several with commas"
  end
  return list
end

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
  arguments.add(command, "--note", "NOTES", notes, "Note that every patch plays, or several such as C3,C4,C5: "
    .. "names or MIDI numbers.", "C4")
  arguments.add_times(command, { held = "1", release = "0.5" })
  arguments.add(command, "--gap", "SECONDS", arguments.number(0.13, 10, "a time in seconds"),
    "Silence before the next click.", "0.15")
  command:flag("--pal", "For consoles of 50 Hz, whose clock is 0.9 % slower.")
  command:flag("--pad", "Fill the image up to a power of two, at least 128 KiB.")
  command:option("--title", "Title in the cartridge's header, 48 characters."):argname("TEXT")
end

-- All patches, those without a name of their own named after their file.
local function read_all(options, report)
  local endings, list = ym.patch.endings(), {}
  endings.csv = true
  for _, path in ipairs(paths.expand(options.patches, endings, "patches", report)) do
    local rows = report:attempt(path, ym.dataset.read_patches, path) or {}
    for i, row in ipairs(rows) do
      row.patch.name = reading.name(row.patch, path, i, #rows)
      list[#list + 1] = row.patch
    end
  end
  return list
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  if files.ending(options.output) == "json" then
    return report:fail(options.output .. ": is the name of the index; expected another ending, such as .bin")
  end
  local list = read_all(options, report)
  if #list == 0 then
    return
  end
  local bytes, index = ym.rom.build(list, {
    note = options.note, held = options.held, release = options.release, gap = options.gap,
    pal = options.pal, pad = options.pad, title = options.title,
  })
  if not bytes then
    return report:fail(index)
  end
  local base = options.output:match("^(.*[^/])%.[^./]+$") or options.output
  local index_path = base .. ".json"
  local made, message = paths.make_folder(options.output:match("^(.*)/") or "")
  made = made and report:attempt(options.output, files.write, options.output, bytes)
  made = made and report:attempt(index_path, files.write, index_path, ym.rom.encode_index(index))
  if made then
    print(("%s: %d notes, %d:%02.0f minutes on %s consoles; index %s"):format(options.output, #index.entries,
      index.finish // 60, index.finish % 60, index.region, index_path))
  elseif message then
    report:fail(message)
  end
end

return M
