-- ym2612ml vgm: patches to listen to in any player of VGM files.
local arguments = require "ym2612ml.cli.arguments"
local cartridges = require "ym2612ml.rom.index"
local console = require "ym2612ml.cli.console"
local files = require "ym2612ml.files"
local paths = require "ym2612ml.cli.paths"
local reading = require "ym2612ml.cli.reading"
local ym = require "ym2612ml"

local M = {}

local COMMAND = "ym2612ml vgm"
local MOST_NAMED = 500 -- patches in the tags

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Write a VGM file in which patches are heard.")
  command:description("Writes a VGM file, the register log that players of chip music and consoles play: every "
    .. "patch in turn, each note from silence. Prints when each is heard.")
  command:argument("PATCHES", "Patch files, tables of patches as CSV, or folders of them."):args("+")
    :target("patches")
  command:option("-o --output", "File to write: .vgm, or packed .vgz."):argname("FILE"):count(1)
  arguments.add(command, "--note", "NOTES", arguments.notes, "Note that every patch plays, or several such as "
    .. "C3,C4,C5: names or MIDI numbers.", "C4")
  arguments.add_times(command, { held = "1", release = "0.5" })
  arguments.add(command, "--gap", "SECONDS", arguments.number(0.02, 60, "a time in seconds"),
    "Silence before the next note, at least.", "0.1")
  command:flag("--pal", "For consoles of 50 Hz, whose clock is 0.9 % slower.")
  command:option("--title", "Title in the tags."):argname("TEXT")
  command:option("--author", "Author in the tags."):argname("TEXT")
end

-- A time as players show it.
local function clock(seconds)
  local tenths = math.floor(10 * seconds + 0.5)
  return ("%d:%02d.%d"):format(tenths // 600, tenths // 10 % 60, tenths % 10)
end

-- The tags: a title, and how many patches there are, by name as far as there is room.
local function tags_of(list, options)
  local names = {}
  for i = 1, math.min(#list, MOST_NAMED) do
    names[i] = ("%d. %s"):format(i, console.printable(list[i].name))
  end
  if #list > MOST_NAMED then
    names[#names + 1] = ("and %d more"):format(#list - MOST_NAMED)
  end
  return {
    track = console.printable(options.title or paths.stem(options.output)),
    author = options.author and console.printable(options.author), notes = table.concat(names, "\n"),
  }
end

local function print_index(index, list, report)
  local rows = {}
  for i, mark in ipairs(index) do
    rows[i] = {
      clock(mark.time), mark.patch, arguments.note_name(mark.note), console.printable(list[mark.patch].name),
    }
  end
  report:columns({ "time", "patch", "note", "name" }, rows)
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  local ending = files.ending(options.output)
  if ending ~= "vgm" and ending ~= "vgz" then
    arguments.misuse(COMMAND, ("option '--output': %s, expected .vgm or .vgz"):format(options.output))
  end
  local list, inputs = reading.named(options.patches, report)
  if #list == 0 then
    return
  elseif inputs[paths.identity(options.output) or false] then
    return report:fail(options.output .. ": is one of the files to read, and not overwritten")
  end
  local made, message = paths.make_folder(options.output:match("^(.*)/") or "")
  if not made then
    return report:fail(message)
  end
  local index
  index, message = ym.vgm.write(options.output, list, {
    note = options.note, held = options.held, release = options.release, gap = options.gap,
    clock = options.pal and cartridges.CLOCKS.PAL or nil, tags = tags_of(list, options),
  })
  if not index then
    return report:fail(message)
  end
  print_index(index, list, report)
end

return M
