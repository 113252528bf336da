-- ym2612ml split: a recording of a cartridge, cut into notes.
local json = require "ym2612ml.json"
local paths = require "ym2612ml.cli.paths"
local splits = require "ym2612ml.rom.split"
local ym = require "ym2612ml"

local M = {}

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Cut a recording of a cartridge into notes.")
  command:description("Finds the clicks of a cartridge that `ym2612ml rom` made in a recording of it, from a "
    .. "console or an emulator, and writes a WAV for each note and samples.csv: which patch it is, its note, "
    .. "held and release times, and its registers, for networks to learn from. The recording may begin late, "
    .. "end early or lack parts, at any rate and level; what is missing is told.")
  command:argument("RECORDING", "Sound file, any format."):target("recording")
  command:argument("INDEX", "Index of the cartridge, .json."):target("index")
  command:option("-o --output", "Folder for the notes."):argname("DIR"):default("samples")
  command:flag("--json", "Print a summary as one JSON document.")
end

-- A line for each stretch of missing notes that share a reason.
local function tell_missing(missing, report)
  local first = 1
  for i, note in ipairs(missing) do
    local after = missing[i + 1]
    if not after or after.number ~= note.number + 1 or after.reason ~= note.reason then
      local from = missing[first]
      local which = from == note and ("note %d (%s) is"):format(note.number, note.name)
        or ("notes %d (%s) to %d (%s) are"):format(from.number, from.name, note.number, note.name)
      report:fail(("%s missing: %s"):format(which, note.reason))
      first = i + 1
    end
  end
end

--- Runs the command.
---@param options {recording: string, index: string, output: string, json: boolean?}
---@param report table
function M.run(options, report)
  local index = report:attempt(options.index, ym.rom.read_index, options.index)
  local sound = index and report:attempt(options.recording, ym.audio.read, options.recording)
  if not sound then
    return
  elseif sound.rate < splits.SLOWEST or sound.rate > splits.FASTEST then
    return report:fail(("%s: has a rate of %g Hz, expected %d..%d"):format(options.recording, sound.rate,
      splits.SLOWEST, splits.FASTEST))
  end
  local split, message = ym.rom.split(sound, index)
  if not split then
    return report:fail(("%s: %s"):format(options.recording, message))
  end
  local made
  made, message = paths.make_folder(options.output)
  if not made then
    return report:fail(message)
  end
  if not report:attempt(options.output, ym.rom.write_set, options.output, split) then
    return
  end
  tell_missing(split.missing, report)
  if options.json then
    print(json.encode {
      folder = options.output, notes = #split.notes, missing = split.missing, region = split.region,
      drift = split.drift, clicks = split.clicks,
    })
  else
    print(("%s: %d of %d notes, from %s console; the recorder's clock is %.0f ppm %s"):format(options.output,
      #split.notes, #index.entries, split.region == "PAL" and "a PAL" or "an NTSC", math.abs(split.drift) * 1e6,
      split.drift < 0 and "slow" or "fast"))
  end
end

return M
