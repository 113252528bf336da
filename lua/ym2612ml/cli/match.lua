-- ym2612ml match: patches that sound like recordings, with an audition of each.
local arguments = require "ym2612ml.cli.arguments"
local json = require "ym2612ml.json"
local lfs = require "ym2612ml.filesystem"
local paths = require "ym2612ml.cli.paths"
local sounds = require "ym2612ml.sounds"
local ym = require "ym2612ml"

local M = {}

local AUDITION_RATE = 44100

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Find patches that sound like recordings.")
  command:description("Listens to recordings of single notes and writes for each the patches "
    .. "that come closest on the chip: NAME_RANK_algK.y12 for its algorithm K, rank 1 the "
    .. "closest, and beside it how it sounds, as .wav. They take the place of those that an "
    .. "earlier run wrote for a sound of that name. A distance is in decibels, the mean over "
    .. "time and spectrum; 0 is the same sound.")
  command:argument("FILE", "Sound files, or folders of them: WAV, FLAC, AIFF, Ogg, MP3 and "
    .. "others, at any rate.")
    :args("+"):target("sounds")
  command:option("-o --output", "Folder for the patches."):argname("DIR"):default("matches")
  arguments.add_playing(command, { chip = "ym2612" }, "Without it, taken from the sound.")
  arguments.add(command, "--renders", "COUNT", arguments.integer(8, 10 ^ 8 | 0),
    "Patches to try for each sound: more come closer, and take longer. Default: 640.")
  arguments.add(command, "--seed", "NUMBER", arguments.integer(0, 2 ^ 53 | 0),
    "Start of the random guesses: the same number, the same patches.", "1")
  command:option("--models", "Folder of trained networks. Without it, those that came along.")
    :argname("DIR")
  command:flag("--json", "Print one JSON document instead of tables.")
end

-- Removes the files an earlier run wrote for a sound of this name, which may have had
-- other ranks and algorithms; but no audition that is itself to be matched, nor its patch.
local function remove_earlier(folder, stem, inputs)
  local names = {}
  for name in lfs.dir(folder) do
    local rest = name:sub(1, #stem) == stem and name:sub(#stem + 1) or ""
    local base, ending = rest:match("^(_[1-8]_alg[0-7])%.(%w+)$")
    if ending == "y12" or ending == "wav" then
      local audition = paths.identity(paths.join(folder, stem .. base .. ".wav"))
      local mode = lfs.symlinkattributes(paths.join(folder, name), "mode")
      if mode == "file" and not inputs[audition or false] then
        names[#names + 1] = name
      end
    end
  end
  for _, name in ipairs(names) do
    local removed, message = os.remove(paths.join(folder, name))
    if not removed then
      return nil, message
    end
  end
  return true
end

--- Writes one match, the patch last, so that none stands without its audition. A sound
--- to be matched is not written over.
---@return table? entry what was written, for the table and the document
---@return string? message
local function write_match(folder, stem, rank, match, inputs)
  local name = ("%s_%d_alg%d"):format(stem, rank, match.algorithm)
  local entry = {
    rank = rank, algorithm = match.algorithm, distance = match.distance,
    patch = paths.join(folder, name .. ".y12"),
    audition = paths.join(folder, name .. ".wav"),
  }
  if inputs[paths.identity(entry.audition) or false] then
    return nil, ("%s: is a sound to be matched, and not overwritten"):format(entry.audition)
  end
  match.patch.name = match.patch.name or stem
  local samples, rate = ym.render(match.patch, {
    note = match.note, held = match.held, release = match.release, chip = match.chip,
    rate = AUDITION_RATE,
  })
  local done, message = ym.audio.write(entry.audition, samples, rate)
  if done then
    done, message = ym.patch.write(entry.patch, match.patch)
  end
  if not done then
    return nil, message
  end
  return entry
end

--- Writes all matches of a sound, to the first that cannot be written.
---@return table[] entries what was written
---@return string? message
local function write_matches(folder, stem, matches, inputs, report)
  local entries = {}
  local cleared, message = report:attempt(folder, remove_earlier, folder, stem, inputs)
  for rank, match in ipairs(cleared and matches or {}) do
    entries[rank], message = report:attempt(folder, write_match, folder, stem, rank, match, inputs)
    if not entries[rank] then
      break
    end
  end
  return entries, message
end

local function print_matches(path, first, entries, report)
  report:clear()
  print(("%s: note %s, held %.2f s"):format(path, arguments.note_name(first.note), first.held))
  local rows = {}
  for index, entry in ipairs(entries) do
    rows[index] = { entry.rank, entry.algorithm, ("%.2f"):format(entry.distance), entry.patch }
  end
  report:columns({ "rank", "alg", "distance", "patch" }, rows)
  print()
end

--- Matches one sound, with progress as a part of all files.
---@return table? matches
---@return string? message
local function match_sound(path, settings, report, progress)
  local sound, message = ym.audio.read(path)
  if not sound then
    return nil, message
  end
  if sound.clipped > 0 then
    report:note(("%s: %d samples are clipped"):format(path, sound.clipped))
  end
  local steps
  steps, message = ym.estimate_steps(sound, settings)
  if not steps then
    return nil, ("%s: %s"):format(path, message)
  end
  local matches
  for step in steps do
    matches = step.matches
    progress(step.done / step.total)
  end
  if not matches[1].pitched then
    report:note(("%s: no pitch found, taken as %s; --note tells it"):format(path,
      arguments.note_name(matches[1].note)))
  end
  return matches
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  local settings = {
    note = options.note, held = options.held, release = options.release,
    chip = options.chip, seed = options.seed, renders = options.renders,
  }
  local models, message = ym.models.load(options.models)
  if not models then
    return report:fail(message)
  end
  settings.models = models
  local found = paths.expand(options.sounds, sounds.endings, "sounds", report)
  local made
  made, message = paths.make_folder(options.output)
  if not made then
    return report:fail(message)
  end
  local unique_stem, documents, inputs = paths.unique_stems(), {}, {}
  for _, path in ipairs(found) do
    inputs[paths.identity(path) or path] = true
  end
  for index, path in ipairs(found) do
    local stem, entries = unique_stem(path), {}
    local matches, reason = report:attempt(path, match_sound, path, settings, report,
      function(share)
        report:progress(index - 1 + share, #found, path)
      end)
    if matches then
      entries, reason = write_matches(options.output, stem, matches, inputs, report)
    end
    if options.json then
      documents[index] = json.encode {
        file = path, note = matches and matches[1].note, held = matches and matches[1].held,
        matches = #entries > 0 and entries or nil, error = reason,
      }
    elseif #entries > 0 then
      print_matches(path, matches[1], entries, report)
    end
  end
  if options.json then
    report:clear()
    print('{"files":[' .. table.concat(documents, ",") .. "]}")
  end
end

return M
