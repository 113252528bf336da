-- ym2612ml dataset --synth: random sounds of a synthesizer, and the parameters that they
-- were made with.
local exports = require "ym2612ml.synths.export"
local json = require "ym2612ml.json"
local paths = require "ym2612ml.cli.paths"
local synth_options = require "ym2612ml.cli.synth"
local ym = require "ym2612ml"

local M = {}

local MOST_BYTES = 1 << 30 -- of the sounds of a shard
-- Options of notes for the matcher that have no meaning here.
local FOREIGN = { "mutated", "crossed", "real" }

-- One number of a pair of equal ones.
local function single(pair)
  return pair[1] == pair[2] and pair[1] or nil
end

local function label(step)
  local parts = { step.stage == "check" and "checked " .. step.shard or step.shard or step.stage }
  if step.rate then
    parts[#parts + 1] = ("%.0f a second"):format(step.rate)
    parts[#parts + 1] = ("%.0f s left"):format(step.eta)
  end
  return table.concat(parts, ", ")
end

-- The synthesizer; or nil and what is wrong.
local function read_synth(options)
  for _, name in ipairs(FOREIGN) do
    if options[name] then
      return nil, ("--%s does not go with --synth"):format(name)
    end
  end
  local opn2 = options.synth == "opn2"
  local note, held = options.note, single(options.held)
  if opn2 and not held then
    return nil, "--held: a synthesizer holds all notes equally long, expected one value"
  elseif options.patches and not opn2 then
    return nil, "--patches goes with --synth opn2"
  end
  return synth_options.read {
    synth = options.synth, fix = options.fix, classes = options.classes, note = note, held = held,
    chip = options.chip, patches = options.patches, prior = options.prior,
  }
end

--- Runs the command.
---@param options table  as cli/dataset.lua defines them
---@param report table
function M.run(options, report)
  local synth, problem = read_synth(options)
  if not synth then
    return report:fail(problem)
  end
  local bytes = 2 * math.floor((options.rate or synth.rate) * (options.length or synth.length))
  if (options.shard_records or 1) * bytes > MOST_BYTES then
    return report:fail(("--shard-records %d: sounds of %d bytes, more than %d MiB together"):format(
      options.shard_records, bytes, MOST_BYTES >> 20))
  end
  for _, folder in ipairs { options.output, options.wav } do
    local made, reason = paths.make_folder(folder)
    if not made then
      return report:fail(reason)
    end
  end
  local summary, message = report:follow(ym.synths.steps {
    synth = synth, output = options.output, count = options.count, validation = options.validation,
    test = options.test, rate = options.rate, length = options.length, seed = options.seed,
    shard_records = options.shard_records, shard = options.shard, split = options.split,
    ranks = options.ranks,
  }, label)
  if summary and options.wav and not report.quiet then
    local set
    set, message = ym.synths.open(options.output, { synth = synth.options.path })
    if set then
      summary.wav, message = report:follow(exports.steps(set, options.wav), label)
    end
  end
  if message then
    return report:fail(message)
  elseif report.quiet then
    return
  elseif options.json then
    return print(json.encode(summary))
  end
  print(("%s: %d sounds in %d shards; left out: %d that nobody hears"):format(options.output, summary.records,
    summary.shards, summary.dropped.silent))
  if summary.missing > 0 then
    print(("%d shards of the data set are not made yet"):format(summary.missing))
  end
  if summary.wav then
    print(("%s: %d WAV files and meta.csv"):format(options.wav, summary.wav.files))
  end
end

return M
