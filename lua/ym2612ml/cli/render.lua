-- ym2612ml render: patches played on the chip, as sound files.
local arguments = require "ym2612ml.cli.arguments"
local files = require "ym2612ml.files"
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
  command:option("-o --output", "Sound file to write, .wav or .flac; or for several patches "
    .. "a folder, in which each becomes a .wav of its name."):argname("WAV|DIR"):default(".")
  arguments.add_playing(command,
    { note = "C4", held = "1", release = "0.5", chip = "ym2612" })
  arguments.add(command, "--rate", "HERTZ", arguments.integer(1000, 768000),
    "Samples per second; the chip's own is 53267.", "44100")
end

local FORMATS = { wav = true, flac = true }

--- Whether --output is a folder for the sounds: one that exists, or a name that is not a
--- file's. A single patch may also go into a file.
---@return boolean? folder nil when it is neither
---@return string? message
local function into_folder(options, found)
  local output, ending = options.output, files.ending(options.output)
  local single = #found == 1 and not paths.is_folder(options.patches[1])
  if paths.is_folder(output) or ending == "" then
    return true
  elseif single and FORMATS[ending] then
    return false
  end
  return nil, ("%s: expected %s"):format(output,
    single and ".wav, .flac or a folder" or "a folder, for several patches")
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  local found = paths.expand(options.patches, ym.patch.endings(), "patches", report)
  if #found == 0 then
    return
  end
  local folder, message = into_folder(options, found)
  local made
  if folder ~= nil then
    made, message = paths.make_folder(folder and options.output
      or options.output:match("^(.*)/") or "")
  end
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
        { format = files.ending(target) })
    end)
  end
end

return M
