-- ym2612ml experiment: makes a learned space of patches, once or over several seeds.
local arguments = require "ym2612ml.cli.arguments"
local common = require "ym2612ml.cli.space"
local console = require "ym2612ml.cli.console"
local files = require "ym2612ml.files"
local json = require "ym2612ml.json"
local paths = require "ym2612ml.cli.paths"
local ym = require "ym2612ml"

local M = {}

local COMMAND = "ym2612ml experiment"

-- Options of numbers: whole ones with least and most, others with what they are as well.
local SETTINGS = {
  { "--epochs", "COUNT", 1, 10000, "Times the network goes through what it learns from." },
  { "--copies", "COUNT", 1, 10000, "Rows made of each patch, most of them changed in ways that keep its kind." },
  { "--batch", "COUNT", 1, 65536, "Rows learned from at once." },
  { "--learning-rate", "RATE", 0, 10, "The highest; it rises and falls.", "a rate" },
  { "--decay", "NUMBER", 0, 1000, "Of the weights.", "a number" },
  { "--free", "NATS", 0, 1000, "What the latents may tell of a patch without a cost.", "a number" },
  { "--latents", "COUNT", 1, 1024, "Numbers of a point of the space." },
  { "--flows", "COUNT", 0, 256, "Sylvester flows of the posterior; 0: a normal distribution." },
  { "--width", "COUNT", 1, 8192, "Of a token." },
  { "--heads", "COUNT", 1, 1024, "Of attention; must divide the width." },
  { "--encoder", "COUNT", 1, 256, "Layers of the encoder." },
  { "--decoder", "COUNT", 1, 256, "Layers of the decoder." },
  { "--dropout", "SHARE", 0, 0.99, "Of the activations in training.", "a share" },
}

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Learn a space of patches.")
  command:description("Learns what patches are like from those that you have: a network from which `generate`, "
    .. "`interpolate`, `complete` and `vary` draw new ones with --model. Stop at any time with Ctrl-C: the same "
    .. "command goes on where it stopped. Settings that are not given are those with which the shipped space was made.")
  command:option("--patches", "Patches to learn from: a table as CSV, a patch file or bank, or a folder of them.")
    :argname("FILE|DIR"):count(1)
  command:option("-o --output", "File to write."):argname("FILE"):default("space.safetensors")
  command:option("--work", "File for what is needed to go on after a stop. Default: beside the output, as "
    .. ".NAME.state; it is removed at the end."):argname("FILE")
  arguments.add(command, "--validation", "SHARE", arguments.number(0, 0.99, "a share"),
    "Share of the families of patches set aside to judge by, where no table tells with a column split.", "0.15")
  arguments.add(command, "--seed", "NUMBER", arguments.integer(0, 1 << 53),
    "Start of the random draws: the same number, the same space.", "1")
  for _, setting in ipairs(SETTINGS) do
    local name, argname, least, most, help, what = table.unpack(setting)
    local convert = what and arguments.number(least, most, what) or arguments.integer(least, most)
    arguments.add(command, name, argname, convert, help)
  end
  arguments.add(command, "--trials", "COUNT", arguments.integer(1, 1000), "Repeat with so many seeds, and tell means "
    .. "and deviations of the figures. The file is that of the first seed.")
  command:flag("--json", "Print one JSON document.")
end

-- A hidden file beside another.
local function beside(path, ending)
  local folder, name = path:match("^(.*/)([^/]+)$")
  return ("%s.%s.%s"):format(folder or "", (name or path):gsub("%.[^.]+$", ""), ending)
end

-- Figures with what they are called, in the order in which they are told.
local FIGURES = {
  { "negative_elbo", "negative ELBO" }, { "reconstruction", "reconstruction" }, { "divergence", "divergence" },
  { "marginals", "each register by itself" }, { "less", "less than that" }, { "accuracy", "registers given back" },
}

-- A figure in words: nats of a patch, or a share.
local function in_words(name, value)
  if name == "less" or name == "accuracy" then
    return ("%.2f %%"):format(100 * value)
  end
  return ("%.3f nats"):format(value)
end

-- Trains a space with a seed. Returns its figures; or nil after a failure, reported.
local function train(options, output, work, seed, report)
  local found, message = report:follow(ym.space.steps {
    output = output, work = work, patches = options.patches, validation = options.validation, seed = seed,
    epochs = options.epochs, copies = options.copies, batch = options.batch, rate = options.learning_rate,
    decay = options.decay, free = options.free, latents = options.latents, flows = options.flows,
    width = options.width, heads = options.heads, encoder = options.encoder, decoder = options.decoder,
    dropout = options.dropout,
  }, console.training_label, common.tell_skipped(report))
  if message then
    local stale = message:sub(1, #work) == work
    return report:fail(message .. (stale and "; without this file it begins anew" or ""))
  end
  found.less = found.negative_elbo and 1 - found.negative_elbo / found.marginals
  return found
end

local function tell_counts(options, found)
  print(("%s: learned from %d patches, judged by %d set aside"):format(options.output, found.patches, found.aside))
end

local function run_once(options, work, report)
  local found = train(options, options.output, work, options.seed, report)
  if found and options.json then
    print(json.encode(found))
  elseif found then
    tell_counts(options, found)
    local rows = {}
    for _, figure in ipairs(found.negative_elbo and FIGURES or {}) do
      rows[#rows + 1] = { figure[2], in_words(figure[1], found[figure[1]]) }
    end
    report:columns({ "figure", "of a patch" }, rows)
  end
end

-- Repeats the training over seeds. What is finished of a stopped run lies beside the output,
-- called after all that it depends on but the patches themselves.
local function run_trials(options, work, report)
  local settings = {}
  for name, value in pairs(options) do
    settings[name] = name ~= "trials" and name ~= "json" and tostring(value) or nil
  end
  local digest = ym.store.sha256(json.encode(settings)):sub(1, 12)
  local results, kept = {}, {}
  for trial = 1, options.trials do
    local path, seed = beside(options.output, ("%s.%d"):format(digest, trial)), options.seed + trial - 1
    local space = paths.identity(path) and ym.space.load(path)
    local found = space and space.figures
    if not found then
      found = train(options, path, ("%s.%d"):format(work, trial), seed, report)
    end
    if not found then
      return
    end
    found.less = found.negative_elbo and 1 - found.negative_elbo / found.marginals
    results[trial], kept[trial] = found, path
    report:clear()
    if not options.json and found.negative_elbo then
      print(("seed %d: %s"):format(seed, in_words("negative_elbo", found.negative_elbo)))
    end
  end
  local moved, message = files.rename(kept[1], options.output)
  if not moved then
    return report:fail(message)
  end
  for trial = 2, options.trials do
    os.remove(kept[trial])
  end
  local summary = ym.train.summary(results)
  if options.json then
    return print(json.encode { trials = options.trials, summary = summary })
  end
  tell_counts(options, results[1])
  local rows = {}
  for _, figure in ipairs(FIGURES) do
    local name, found = figure[1], summary[figure[1]]
    rows[#rows + 1] = found and {
      figure[2], in_words(name, found.mean), in_words(name, found.deviation), in_words(name, found.least),
      in_words(name, found.most),
    }
  end
  report:columns({ "figure", "mean", "deviation", "least", "most" }, rows)
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  if options.width and options.heads and options.width % options.heads ~= 0 then
    arguments.misuse(COMMAND, ("--heads %d does not divide a --width of %d"):format(options.heads, options.width))
  end
  local made, message = paths.make_folder(options.output:match("^(.*)/") or "")
  if not made then
    return report:fail(message)
  end
  local work = options.work or beside(options.output, "state")
  local run = options.trials and run_trials or run_once
  run(options, work, report)
end

return M
