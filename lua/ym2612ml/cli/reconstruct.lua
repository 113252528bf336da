-- ym2612ml reconstruct: the parameters that a published network tells of sounds, and how
-- these sound.
local files = require "ym2612ml.files"
local json = require "ym2612ml.json"
local models = require "ym2612ml.learner.model"
local opn2 = require "ym2612ml.synths.opn2"
local paths = require "ym2612ml.cli.paths"
local reconstruction = require "ym2612ml.learner.reconstruction"
local sounds = require "ym2612ml.sounds"
local synth = require "ym2612ml.cli.synth"
local values_of = require "ym2612ml.cli.values"
local ym = require "ym2612ml"

local M = {}

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Tell the parameters of sounds by a published network, and render them again.")
  command:description("Tells the synthesizer's parameters of sounds, by a model of `train --model`, and writes for "
    .. "each what the model heard, as NAME_heard.wav, what it makes of that, as NAME_reconstruction.wav, and the "
    .. "parameters as NAME.json; with synthesizer opn2 the patch, too, as NAME.y12. Sounds are mixed to mono, brought "
    .. "to the model's rate, and cut or continued with silence to its length. A model knows the sounds it was "
    .. "taught: of opn2, of one note.")
  command:argument("FILE", "Sound files, or folders of them: WAV, FLAC, AIFF, Ogg, MP3 and others, at any rate.")
    :args("+"):target("sounds")
  command:option("--model", "The model: a folder of `train --model`."):argname("DIR"):count(1)
  synth.define_code(command)
  command:option("-o --output", "Folder for the files."):argname("DIR"):default("reconstructions")
  command:flag("--trim", "Leave out what is before the note's onset.")
  command:flag("--json", "Print one JSON document instead of tables.")
end

-- Fails where a file to be written is one of the sounds.
local function spare(paths_written, inputs)
  for _, path in ipairs(paths_written) do
    if inputs[paths.identity(path) or false] then
      return nil, path .. ": is a sound to be told, and not overwritten"
    end
  end
  return true
end

-- Writes the files of a sound; returns its document, or nil, message.
local function write(made, path, base, learner, inputs)
  local document = {
    file = path, heard = base .. "_heard.wav", reconstruction = base .. "_reconstruction.wav",
    synth = { name = learner.synth.name, options = learner.synth.options }, rate = learner.rate,
    length = learner.length, parameters = values_of.by_name(made.parameters), pcc_stft = made.pcc_stft,
    pcc_ft = made.pcc_ft, lsd = made.lsd, distance = made.distance,
  }
  local rate = math.floor(learner.rate + 0.5)
  local done, message = spare({ document.heard, document.reconstruction }, inputs)
  if done then
    done, message = ym.audio.write(document.heard, made.heard, rate, { bits = 32 })
  end
  if done then
    done, message = ym.audio.write(document.reconstruction, made.sound, rate, { bits = 32 })
  end
  if done and learner.synth.name == "opn2" then
    document.patch = base .. ".y12"
    done, message = ym.patch.write(document.patch, opn2.patch(made.values[1]:totable(), paths.stem(path)))
  end
  if done then
    done, message = files.write(base .. ".json", json.document(document))
  end
  return done and document, message
end

-- What became of a sound file: its document and what was told, or nil, message.
local function reconstruct(path, base, learner, options, inputs)
  local sound, message = ym.audio.read(path)
  if not sound then
    return nil, message
  end
  local made
  made, message = reconstruction.one(learner, sound.samples, sound.rate, { trim = options.trim or false })
  if not made then
    return nil, ("%s: %s"):format(path, message)
  end
  local document
  document, message = write(made, path, base, learner, inputs)
  return document, document and made or message
end

local function tell(document, made, report)
  report:clear()
  print(("%s: %s"):format(document.file, document.reconstruction))
  local rows = {}
  for i, parameter in ipairs(made.parameters) do
    rows[i] = {
      parameter.name, values_of.text(parameter.value), parameter.unit or "", "#" .. parameter.class,
      parameter.share and ("%.0f %%"):format(100 * parameter.share) or parameter.dropped or "",
    }
  end
  report:columns({ "parameter", "value", "", "class", "likely" }, rows)
  print(("PCC of the spectrograms %.3f, of the whole spectra %.3f; log-spectral distance %.0f dB%s\n"):format(
    made.pcc_stft, made.pcc_ft, made.lsd, made.distance and ("; D %.2f dB"):format(made.distance) or ""))
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  local learner, message = models.load(options.model, { synth = options.synth })
  local made_folder = learner
  if learner then
    made_folder, message = paths.make_folder(options.output)
  end
  if not made_folder then
    return report:fail(message)
  end
  local found = paths.expand(options.sounds, sounds.endings, "sounds", report)
  local unique_stem, documents, inputs = paths.unique_stems(), {}, {}
  for _, path in ipairs(found) do
    inputs[paths.identity(path) or path] = true
  end
  for index, path in ipairs(found) do
    report:progress(index - 1, #found, path)
    local base = paths.join(options.output, unique_stem(path))
    local document, made = report:attempt(path, reconstruct, path, base, learner, options, inputs)
    if document then
      documents[#documents + 1] = document
      if not options.json then
        tell(document, made, report)
      end
    end
  end
  report:clear()
  if options.json then
    print(json.encode { files = documents })
  end
end

return M
