-- ym2612ml match: patches that sound like recordings, with an audition of each.
local arguments = require "ym2612ml.cli.arguments"
local cjson = require "cjson"
local paths = require "ym2612ml.cli.paths"
local ym = require "ym2612ml"

local M = {}

local AUDITION_RATE = 44100

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Find patches that sound like recordings.")
  command:description("Listens to single notes and writes, for each, the patches that come "
    .. "closest on the chip, best first: NAME_RANK_algK.y12, and beside it how it sounds as "
    .. ".wav. A distance below 1 is hard to tell from the recording, above 4 another sound.")
  command:argument("FILE", "Sound files of any format and rate, or folders of them.")
    :args("+"):target("sounds")
  command:option("-o --output", "Folder for the patches."):argname("DIR"):default("matches")
  arguments.add_playing(command, { chip = "ym2612" }, "Without it, taken from the sound.")
  command:option("--seed", "Another number, other guesses."):argname("NUMBER")
    :convert(arguments.integer(0, 2 ^ 53 | 0)):default("1")
  command:flag("--json", "Print one JSON document instead of tables.")
end

--- Writes one match as patch and audition.
---@return table? entry what was written, for the table and the document
---@return string? message
local function write_match(folder, stem, rank, match, options)
  local name = ("%s_%d_alg%d"):format(stem, rank, match.algorithm)
  local entry = {
    rank = rank, algorithm = match.algorithm, distance = match.distance,
    patch = paths.join(folder, name .. ".y12"),
    audition = paths.join(folder, name .. ".wav"),
  }
  match.patch.name = match.patch.name or stem
  local done, message = ym.patch.write(entry.patch, match.patch)
  if not done then
    return nil, message
  end
  local samples, rate = ym.render(match.patch, {
    note = match.note, held = match.held, release = match.release, chip = options.chip,
    rate = AUDITION_RATE,
  })
  done, message = ym.audio.write(entry.audition, samples, rate)
  if not done then
    return nil, message
  end
  return entry
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

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  local found = paths.expand(options.sounds, paths.SOUNDS, "sounds", report)
  local made, message = paths.make_folder(options.output)
  if not made then
    return report:fail(message)
  end
  local unique_stem, documents = paths.unique_stems(), {}
  report:progress(0, #found, found[1] or "")
  for path, matches, reason in ym.estimate_each(found, {
    note = options.note, held = options.held, release = options.release,
    chip = options.chip, seed = options.seed,
  }) do
    local document = { file = path, error = reason }
    documents[#documents + 1] = document
    local stem = unique_stem(path)
    if not matches then
      report:fail(reason)
    end
    local entries = {}
    for rank, match in ipairs(matches or {}) do
      entries[rank] = report:attempt(path, write_match, options.output, stem, rank, match,
        options)
      if not entries[rank] then
        break
      end
    end
    if #entries > 0 then
      document.note, document.held = matches[1].note, matches[1].held
      document.matches = entries
      if not options.json then
        print_matches(path, matches[1], entries, report)
      end
    end
    report:progress(#documents, #found, found[#documents + 1] or "")
  end
  if options.json then
    report:clear()
    for index, document in ipairs(documents) do
      documents[index] = cjson.encode(document)
    end
    print('{"files":[' .. table.concat(documents, ",") .. "]}")
  end
end

return M
