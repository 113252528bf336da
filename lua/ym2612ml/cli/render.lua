-- ym2612ml render: patches played on the chip, as sound files.
local arguments = require "ym2612ml.cli.arguments"
local paths = require "ym2612ml.cli.paths"
local ym = require "ym2612ml"

local M = {}

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Play patches into sound files.")
  command:description("Plays one note of each patch on the chip and writes it as WAV or "
    .. "FLAC.")
  command:argument("PATCH", "Patch files, or folders of them."):args("+"):target("patches")
  command:option("-o --output", "Sound file to write, or folder for several. The ending "
    .. "chooses the format: .wav or .flac."):argname("WAV|DIR"):default(".")
  arguments.add_playing(command,
    { note = "C4", held = "1", release = "0.5", chip = "ym2612" })
  arguments.add(command, "--rate", "HERTZ", arguments.integer(1000, 768000),
    "Samples per second; the chip's own is 53267.", "44100")
end

--- Whether the sounds go into a folder, rather than one patch into one file.
local function into_folder(options, found)
  local ending = paths.ending(options.output)
  return #found ~= 1 or paths.is_folder(options.patches[1]) or paths.is_folder(options.output)
    or not (ending == "wav" or ending == "flac")
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  local found = paths.expand(options.patches, ym.patch.endings(), "patches", report)
  local folder = into_folder(options, found)
  local made, message = paths.make_folder(folder and options.output
    or options.output:match("^(.*)/") or "")
  if not made then
    return report:fail(message)
  end
  local unique_stem = paths.unique_stems()
  for index, path in ipairs(found) do
    report:progress(index - 1, #found, path)
    local target = folder and paths.join(options.output, unique_stem(path) .. ".wav")
      or options.output
    report:attempt(path, function()
      local patch, reason = ym.patch.read(path)
      if not patch then
        return nil, reason
      end
      local samples, rate = ym.render(patch, {
        note = options.note, held = options.held, release = options.release,
        chip = options.chip, rate = options.rate,
      })
      return ym.audio.write(target, samples, rate,
        { format = paths.ending(target) == "flac" and "flac" or "wav" })
    end)
  end
end

return M
