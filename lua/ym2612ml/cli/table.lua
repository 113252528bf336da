-- ym2612ml table: patches or sounds as rows of numbers, for other programs to learn
-- from: registers, spectrograms, mel bands or samples, as CSV or NumPy's .npy.
local arguments = require "ym2612ml.cli.arguments"
local files = require "ym2612ml.files"
local numbers = require "ym2612ml.cli.numbers"
local paths = require "ym2612ml.cli.paths"
local reading = require "ym2612ml.cli.reading"
local sounds = require "ym2612ml.sounds"
local ym = require "ym2612ml"

local M = {}

local FLOOR = 1e-6 -- power that --db shows as -60 dB

local function even(text)
  local number, message = arguments.integer(16, 65536)(text)
  if number and number % 2 ~= 0 then
    return nil, ("'%s' is not an even number"):format(text)
  end
  return number, message
end

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Write patches or sounds as a table of numbers.")
  command:description("One row for each patch of patch files and banks: its fields; or for each "
    .. "sound: the spectrogram, its mel bands or the samples, frame after frame. All rows are "
    .. "equally long: sounds are mixed to mono, resampled, and cut or continued with silence.")
  command:argument("FILE", "Patch files or sounds, or folders of them; not both kinds.")
    :args("+"):target("files")
  numbers.define(command, "the file's name")
  command:option("--kind", "What a row holds. Default: registers of patches, spectrogram "
    .. "of sounds."):choices({ "registers", "spectrogram", "mel", "samples" })
  arguments.add(command, "--rate", "HERTZ", arguments.integer(4000, 192000),
    "Samples per second that sounds are converted to.", "44100")
  arguments.add(command, "--seconds", "SECONDS", arguments.number(0.001, 600, "a time in seconds"),
    "Length that sounds are cut or filled to.", "3.2")
  arguments.add(command, "--size", "SAMPLES", even, "Samples in a frame of the spectrogram, "
    .. "an even number.", "1024")
  arguments.add(command, "--hop", "SAMPLES", arguments.integer(1, 65536),
    "Samples from one frame to the next.", "512")
  arguments.add(command, "--bands", "COUNT", arguments.integer(1, 512), "Mel bands.", "64")
  command:flag("--db", "Decibels instead of power; silence is -60.")
end

--- The rows of a file's patches: their fields by column; absent ones at their minimum,
--- which for the LFO is -1, off.
local function register_rows(path, _, report)
  local list, message = reading.all(path, report)
  if not list then
    return nil, message
  end
  local rows = {}
  for i, patch in ipairs(list) do
    rows[i] = {}
    for column, field in ipairs(ym.patch.fields()) do
      local owner = field.operator and patch[field.operator] or patch
      rows[i][column] = owner[field.name] or field.minimum
    end
  end
  return rows
end

local function register_columns()
  local columns = {}
  for column, field in ipairs(ym.patch.fields()) do
    columns[column] = field.operator and ("op%d_%s"):format(field.operator, field.name)
      or field.name
  end
  return columns
end

--- The one row of a sound: flat numbers, frame after frame.
local function sound_rows(path, options)
  local sound, message = ym.audio.read(path, { rate = options.rate })
  if not sound then
    return nil, message
  end
  local wanted = math.floor(options.seconds * options.rate + 0.5)
  local samples = ym.tensor.new({ wanted })
  local kept = math.min(wanted, #sound.samples)
  samples:slice(1, kept):copy(sound.samples:slice(1, kept))
  if options.kind == "samples" then
    return { samples:totable() }
  end
  local features, reason
  local settings = {
    rate = options.rate, size = options.size, hop = options.hop,
    scale = options.db and "db" or "power", floor = options.db and FLOOR or nil,
  }
  if options.kind == "mel" then
    settings.bands = options.bands
    features, reason = ym.mel(samples, settings)
  else
    features, reason = ym.spectrogram(samples, settings)
  end
  if not features then
    return nil, ("%s: %s"):format(path, reason)
  end
  local shape = features:shape()
  return { features:reshape({ shape[1] * shape[2] }):totable() }
end

--- The files that the arguments mean; sets options.kind when it was not given, by the
--- first of them.
local function find_files(options, report)
  local patches = ym.patch.endings()
  local wanted, what = sounds.endings, "sounds"
  if options.kind == "registers" then
    wanted, what = patches, "patches"
  elseif not options.kind then
    wanted, what = setmetatable({}, { __index = function(_, ending)
      return patches[ending] or sounds.endings[ending]
    end }), "patches or sounds"
  end
  local found = paths.expand(options.files, wanted, what, report)
  if not options.kind and found[1] then
    options.kind = patches[files.ending(found[1])] and "registers" or "spectrogram"
  end
  return found
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  local problem = numbers.problem(options.output)
  if problem then
    return report:fail(problem)
  end
  local found = find_files(options, report)
  local registers = options.kind == "registers"
  local names, rows = {}, {}
  for index, path in ipairs(found) do
    report:progress(index - 1, #found, path)
    local inner = report:attempt(path, registers and register_rows or sound_rows, path, options, report) or {}
    for i, row in ipairs(inner) do
      names[#names + 1], rows[#rows + 1] = #inner > 1 and ("%s:%d"):format(path, i) or path, row
    end
  end
  report:clear()
  if #rows == 0 then
    return
  end
  local columns = registers and register_columns() or {}
  for column = #columns + 1, #rows[1] do
    columns[column] = "v" .. column
  end
  local written, message = numbers.write(options.output, names, rows, { "file", table.unpack(columns) })
  if not written then
    report:fail(message)
  end
end

return M
