-- ym2612ml dataset: notes of random patches and what is heard of them, for networks to
-- learn from; or with --synth sounds of any synthesizer (cli/dataset/sounds.lua).
local arguments = require "ym2612ml.cli.arguments"
local json = require "ym2612ml.json"
local paths = require "ym2612ml.cli.paths"
local sounds = require "ym2612ml.cli.dataset.sounds"
local shards = require "ym2612ml.shards"
local synth_options = require "ym2612ml.cli.synth"
local ym = require "ym2612ml"

local M = {}

local MOST = 1 << 40 -- records
local SHARD_RECORDS = 8192 -- notes in a shard where nothing is said

-- Makes a converter of LOW-HIGH, or of one value that is both, to a pair.
local function range(convert)
  return function(text)
    local low, high = text:match("^(.-%d)%-(.+)$")
    local first, message = convert(low or text)
    local second, other = convert(high or text)
    if not first or not second then
      return nil, message or other
    elseif first > second then
      return nil, ("'%s': expected the lower first"):format(text)
    end
    return { first, second }
  end
end

local function whole_note(text)
  local note, message = arguments.note(text)
  if note and not math.tointeger(note) then
    return nil, ("'%s' is no whole note"):format(text)
  end
  return note and math.tointeger(note), message
end

-- I/N as a pair.
local function part(text)
  local i, n = text:match("^(%d+)/(%d+)$")
  i, n = math.tointeger(tonumber(i)), math.tointeger(tonumber(n))
  if not i or not n or i < 1 or i > n or n > shards.most then
    return nil, ("'%s' is no part such as 1/4"):format(text)
  end
  return { i, n }
end

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  local share = arguments.number(0, 1, "a share")
  command:summary("Render notes of random patches to learn from.")
  command:description("Renders notes of random patches exactly as the chip plays them and writes, in "
    .. "shards of NumPy's .npy, the registers, the note and what is heard of it. Stop at any time: the "
    .. "same command goes on where it stopped, and ends with the same bytes. Notes that do not sound "
    .. "are left out, and repetitions in a shard. With --synth it is the sounds themselves, of any "
    .. "synthesizer, that are written, and the parameters they were made with.")
  command:option("-o --output --out", "Folder for the data set."):argname("DIR"):default("dataset")
  arguments.add(command, "--count", "COUNT", arguments.integer(1, MOST), "Notes to learn from.", "100000")
  arguments.add(command, "--validation", "COUNT", arguments.integer(0, MOST),
    "Further notes, to validate with; of real patches of other families.", "0")
  arguments.add(command, "--test", "COUNT", arguments.integer(0, MOST),
    "With --synth: further sounds, to judge by.", "0")
  arguments.add(command, "--seed", "NUMBER", arguments.integer(0, 1 << 53),
    "Start of the random draws: the same number, the same data set.", "1")
  command:option("--patches", "Real patches to start from: a patch file, a folder of them or a table as "
    .. "CSV, with columns `split` (train or valid) or `family` where near-duplicates are to stay together. "
    .. "Default: draws from a prior alone."):argname("FILE|DIR")
  command:option("--prior", "Statistics to draw from, as `train` writes them. Default: those of the "
    .. "real patches, or else those that are shipped."):argname("FILE")
  local mix = ym.dataset.mix
  for _, kind in ipairs { "mutated", "crossed", "real" } do
    local what = kind == "real" and "real ones as they are" or kind .. " real ones"
    arguments.add(command, "--" .. kind, "SHARE", share, ("Share of patches that are %s; the rest is drawn "
      .. "from the prior. Default: %g with --patches."):format(what, mix[kind]))
  end
  arguments.add(command, "--aside", "SHARE", share,
    "Share of the families kept for validation where the table has no column `split`.", "0.1")
  arguments.add(command, "--notes", "LOW-HIGH", range(whole_note),
    "Notes, all equally likely: names or MIDI numbers.", "A0-C8")
  arguments.add(command, "--held", "LOW-HIGH", range(arguments.number(0.001, 60, "a time in seconds")),
    "Seconds the key is held down, or one value for all.", "1")
  arguments.add(command, "--release", "SECONDS", arguments.number(0, 60, "a time in seconds"),
    "Seconds that sound on after the key is let go.", "0.5")
  arguments.add_chip(command, "ym2612")
  arguments.add(command, "--shard-records", "COUNT", arguments.integer(1, 1 << 17),
    "Notes in a shard. Default: 8192; of sounds fewer where they are long.")
  arguments.add(command, "--shard", "I/N", part,
    "Make every N-th shard from the I-th on: N machines share the work, and their folders put "
    .. "together are the data set.", "1/1")
  command:option("--split", "Which shards to make."):choices({ "train", "valid", "test", "all" }):default("all")
  synth_options.define(command, "Make sounds of this synthesizer")
  arguments.add(command, "--note", "NOTE", arguments.note, "With --synth opn2: the note of all sounds. Default: C4.")
  command:option("--wav", "With --synth: folder for a WAV of each sound and a table of the parameters, too.")
    :argname("DIR")
  command:flag("--json", "Print a summary as one JSON document.")
end

-- Options that only --synth gives a meaning.
local FOREIGN = { "fix", "classes", "rate", "length", "note", "wav" }

-- The mix that the shares given amount to, nil when none is; nil and what is wrong.
local function mix_of(options)
  if not (options.mutated or options.crossed or options.real) then
    return nil
  elseif not options.patches then
    return nil, "--mutated, --crossed and --real need --patches"
  end
  local mix, sum = {}, 0
  for _, kind in ipairs { "mutated", "crossed", "real" } do
    mix[kind] = options[kind] or ym.dataset.mix[kind]
    sum = sum + mix[kind]
  end
  if sum > 1 + 1e-9 then
    return nil, ("--mutated %g, --crossed %g and --real %g are more than 1 together"):format(
      mix.mutated, mix.crossed, mix.real)
  end
  mix.prior = math.max(1 - sum, 0)
  return mix
end

local function label(step)
  local parts = { step.stage == "check" and "checked " .. step.shard or step.shard }
  if step.rate then
    parts[#parts + 1] = ("%.0f a second"):format(step.rate)
    parts[#parts + 1] = ("%.0f s left"):format(step.eta)
  end
  return table.concat(parts, ", ")
end

local function tell(options, summary)
  print(("%s: %d records in %d shards; left out: %d notes without sound, %d repeated"):format(options.output,
    summary.records, summary.shards, summary.dropped.silent, summary.dropped.duplicate))
  if summary.missing > 0 then
    print(("%d shards of the data set are not made yet"):format(summary.missing))
  end
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  if options.synth then
    return sounds.run(options, report)
  end
  local mix, problem = mix_of(options)
  options.shard_records = options.shard_records or SHARD_RECORDS
  for _, name in ipairs(FOREIGN) do
    problem = problem or options[name] ~= nil and ("--%s goes with --synth"):format(name) or nil
  end
  local most = shards.most * options.shard_records
  if not problem and math.max(options.count, options.validation) > most then
    problem = ("--shard-records %d: %d shards of them hold %d notes at most"):format(
      options.shard_records, shards.most, most)
  end
  if problem then
    return report:fail(problem)
  end
  local made, reason = paths.make_folder(options.output)
  if not made then
    return report:fail(reason)
  end
  local next_step = ym.dataset.steps {
    output = options.output, count = options.count, validation = options.validation,
    patches = options.patches, prior = options.prior, mix = mix, aside = options.aside,
    notes = options.notes, held = options.held, release = options.release, chip = options.chip,
    seed = options.seed, shard_records = options.shard_records, shard = options.shard,
    split = options.split, ranks = options.ranks,
  }
  local summary, message = report:follow(next_step, label)
  if message then
    return report:fail(message)
  elseif report.quiet then
    return
  end
  for _, skipped in ipairs(summary.skipped) do
    report:note(skipped)
  end
  if options.json then
    print(json.encode(summary))
  else
    tell(options, summary)
  end
end

return M
