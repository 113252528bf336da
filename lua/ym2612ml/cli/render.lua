-- ym2612ml render: patches and VGM files played on the chip, as sound files.
local arguments = require "ym2612ml.cli.arguments"
local files = require "ym2612ml.files"
local paths = require "ym2612ml.cli.paths"
local reading = require "ym2612ml.cli.reading"
local ym = require "ym2612ml"

local M = {}

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Play patches and VGM files into sound files.")
  command:description("Plays one note of each patch on the chip and writes it as WAV or "
    .. "FLAC; or the music of VGM files, in stereo, without the sounds of other chips. Unless "
    .. "told otherwise, patches sound as on a ym2612, and music on the chip that its file names.")
  command:argument("PATCH", "Patch files and banks, .vgm and .vgz files, or folders of them."):args("+")
    :target("patches")
  command:option("-o --output", "Sound file to write, .wav or .flac; or for several patches "
    .. "a folder, in which each becomes a .wav of its name."):argname("WAV|DIR"):default(".")
  arguments.add_playing(command, { note = "C4", held = "1", release = "0.5" })
  arguments.add(command, "--rate", "HERTZ", arguments.integer(1000, 768000),
    "Samples per second; the chip's own is 53267.", "44100")
end

local FORMATS = { wav = true, flac = true }
local MUSIC = { vgm = true, vgz = true }

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

-- Plays one patch into a sound file.
local function render_patch(patch, target, options)
  local samples, rate = ym.render(patch, {
    note = options.note, held = options.held, release = options.release,
    chip = options.chip, rate = options.rate,
  })
  return ym.audio.write(target, samples, rate)
end

-- Plays a VGM file, the part that it repeats once, into a sound file.
local function render_music(path, target, options, report)
  local samples, rate, notes = ym.vgm.render(path, { chip = options.chip, rate = options.rate })
  if not samples then
    return nil, rate
  end
  for _, note in ipairs(notes) do
    report:note(("%s: %s"):format(path, note))
  end
  return ym.audio.write(target, samples, rate)
end

-- Plays the patches of a file, those of a bank into files with their numbers; without
-- unique_stem, a single one into --output itself.
local function render_file(path, unique_stem, options, report)
  if MUSIC[files.ending(path)] then
    local target = unique_stem and paths.join(options.output, unique_stem(path) .. ".wav") or options.output
    return render_music(path, target, options, report)
  end
  local list, message = reading.all(path, report)
  if not list then
    return nil, message
  elseif #list == 0 or #list > 1 and not unique_stem then
    return nil, ("%s: holds %d patches, expected one, or --output as a folder"):format(path, #list)
  end
  for i, patch in ipairs(list) do
    local target = options.output
    if unique_stem then
      local name = #list > 1 and ("%s_%03d.wav"):format(paths.stem(path), i) or path
      target = paths.join(options.output, unique_stem(name) .. ".wav")
    end
    local done
    done, message = render_patch(patch, target, options)
    if not done then
      return nil, message
    end
  end
  return true
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  local endings = ym.patch.endings()
  for ending in pairs(MUSIC) do
    endings[ending] = true
  end
  local found = paths.expand(options.patches, endings, "patches", report)
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
    report:attempt(path, render_file, path, folder and unique_stem or nil, options, report)
  end
end

return M
