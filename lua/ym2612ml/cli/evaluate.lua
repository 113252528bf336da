-- ym2612ml evaluate: the benchmark card of the matcher (cli/evaluate/card.lua), or with
-- --model how well a published network tells parameters (cli/evaluate/learner.lua).
local arguments = require "ym2612ml.cli.arguments"
local card = require "ym2612ml.cli.evaluate.card"
local learner = require "ym2612ml.cli.evaluate.learner"
local synth = require "ym2612ml.cli.synth"
local ym = require "ym2612ml"

local M = {}

-- Makes a converter of names with commas between to a list; check answers nil, message
-- for what is none.
local function list_of(check)
  return function(text)
    local list, met = {}, {}
    for name in (text .. ","):gmatch("([^,]*),") do
      local fine, message = check(name)
      if not fine or met[name] then
        return nil, message or ("'%s' is named twice"):format(name)
      end
      list[#list + 1], met[name] = name, true
    end
    return list
  end
end

local function one_of(known)
  return function(name)
    for _, expected in ipairs(known) do
      if name == expected then
        return true
      end
    end
    return nil, ("'%s' is none of %s"):format(name, table.concat(known, ", "))
  end
end

-- Options that only one of the two jobs gives a meaning.
local CARD = {
  "sets", "budget", "chip", "patches", "seed", "baselines", "pitch_unknown", "disturb", "models", "soundfont", "work",
}
local LEARNER = { "data", "split", "csv", "sounds", "wav", "examples" }

-- What the options of the card are where they are not given.
local DEFAULTS = { count = 20, sets = ym.evaluate.sets, budget = { "default" }, chip = "ym2612", seed = 1 }

local function define_card(command)
  local sets = table.concat(ym.evaluate.sets, ",")
  arguments.add(command, "--sets", "LIST", list_of(one_of(ym.evaluate.sets)), "Which sets: " .. sets
    .. ". real and, where there are some, chip need --patches; gm and drums are played by fluidsynth. Default: all.")
  arguments.add(command, "--budget", "LIST", list_of(ym.evaluate.budget), "Budgets: fast (50 ms), default "
    .. "(5 s), best (60 s), seconds such as 0.2s, or a number of renders such as 640. Default: default.")
  arguments.add_chip(command)
  command:option("--patches", "Real patches that the networks have not learned from: a folder of patch "
    .. "files, or a table as CSV, of which the rows whose `split` is `train` are left out.")
    :argname("FILE|DIR")
  arguments.add(command, "--seed", "NUMBER", arguments.integer(0, 1 << 53),
    "Start of the random draws: the same number, the same targets. Default: 1.")
  arguments.add(command, "--baselines", "LIST", list_of(one_of(ym.evaluate.baselines)),
    "Also what simpler methods find with the same budgets: " .. table.concat(ym.evaluate.baselines, ",") .. ".")
  command:flag("--pitch-unknown", "Also without being told the note.")
  arguments.add(command, "--disturb", "LIST", list_of(one_of(ym.evaluate.disturbances)),
    "Also from disturbed sounds: " .. table.concat(ym.evaluate.disturbances, ",") .. ".")
  command:option("--models", "Folder of the networks. Default: those that are shipped."):argname("DIR")
  command:option("--soundfont", "Soundfont for gm and drums. Default: the installed one."):argname("FILE")
  command:option("--work", "Folder for the results so far, to go on from after a stop."):argname("DIR")
end

local function define_learner(command)
  command:option("--model", "Judge this model instead: a folder of `train --model`."):argname("DIR")
  command:option("--data", "With --model: sounds to judge it by, a folder of `dataset --synth`."):argname("DIR")
  synth.define_code(command, "With --model: ")
  command:option("--split", "With --model: which of them. Default: test."):choices({ "train", "valid", "test" })
  command:option("--csv", "With --model: file for the figures of every parameter, as CSV."):argname("FILE")
  command:option("--sounds", "With --model: file for what was told of every sound, as CSV."):argname("FILE")
  command:option("--wav", "With --model: folder for the first sounds as WAV files: the original, a copy from its "
    .. "true parameters, and the reconstruction from those told."):argname("DIR")
  arguments.add(command, "--examples", "COUNT", arguments.integer(0, 10 ^ 6 | 0),
    "With --wav: how many sounds. Default: 10.")
end

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Measure how good the matches are.")
  command:description("Makes sets of sounds from a seed, matches them and judges the answers: D, published "
    .. "measures, the algorithm and registers where they are known, with 95 % confidence intervals. With "
    .. "--work it can be stopped at any time: the same command goes on where it stopped, and may ask for more. "
    .. "With --model it judges a published network that `train --model` taught: how well it tells the parameters "
    .. "of sounds, and how alike the sounds are that these make.")
  define_card(command)
  arguments.add(command, "--count", "COUNT", arguments.integer(1, 100000),
    "Targets in each set, default: 20; with --model only the first so many sounds.")
  define_learner(command)
  command:option("--json", "File for the card and every result, or the figures of the model, as one JSON document.")
    :argname("FILE")
end

-- Ends the command where one of these options was given.
local function refuse(options, names, because)
  for _, name in ipairs(names) do
    if options[name] ~= nil then
      arguments.misuse("ym2612ml evaluate", ("option '--%s' %s"):format((name:gsub("_", "-")), because))
    end
  end
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  if options.model then
    refuse(options, CARD, "does not go with --model")
    if not options.data then
      arguments.misuse("ym2612ml evaluate", "--model needs --data, a folder of `dataset --synth`")
    end
    return learner.run(options, report)
  end
  refuse(options, LEARNER, "goes with --model")
  for name, value in pairs(DEFAULTS) do
    options[name] = options[name] == nil and value or options[name]
  end
  card.run(options, report)
end

return M
