-- Makes the models of the matcher: a data set of rendered notes, the principal
-- components of what the networks hear, a bank of neighbours, the matcher's network, and
-- for each algorithm one of its own with one that tells the algorithms apart. All of it
-- in steps that can be stopped at any time and taken up again from the work folder, to
-- the same bits.
local bank = require "ym2612ml.bank"
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local files = require "ym2612ml.files"
local json = require "ym2612ml.json"
local lfs = require "ym2612ml.filesystem"
local matcher = require "ym2612ml.networks.matcher"
local models = require "ym2612ml.models"
local neighbours = require "ym2612ml.neighbours"
local notes = require "ym2612ml.training.notes"
local numbers = require "ym2612ml.numbers"
local patches = require "ym2612ml.patch"
local pca = require "ym2612ml.pca"
local priors = require "ym2612ml.prior"
local ranks = require "ym2612ml.ranks"
local registers = require "ym2612ml.networks.registers"
local steps = require "ym2612ml.steps"
local store = require "ym2612ml.store"
local train = require "ym2612ml.train"
local work = require "ym2612ml.ranks.work"

local M = {}

local fail, must = steps.fail, steps.must

local function join(folder, name)
  return folder .. "/" .. name
end

local function exists(path)
  return lfs.attributes(path, "mode") == "file"
end

-- The rows of the data that one network learns.
local function rows_of(data, algorithm)
  local rows = {}
  for row = 1, #data.algorithm do
    if data.algorithm:get(row, 1) == algorithm then
      rows[#rows + 1] = row
    end
  end
  return { x = data.x:rows(rows), target = data.target:rows(rows) }
end

-- Trains one network from where its last state in the work folder left off, and writes
-- it, as F16, to the folder of models.
local function fit_network(settings, name, net, data, aside, report)
  local loss
  local whole = name == models.files.matcher
  local result = must(train.fit(net, data, {
    epochs = whole and settings.epochs or settings.network_epochs,
    batch = whole and settings.batch or settings.network_batch, optimizer = "adamw", rate = settings.rate,
    schedule = "one_cycle", weight_decay = settings.decay, clip = 1, seed = settings.seed,
    validation = #aside.x > 0 and aside or nil,
    state = join(settings.work, name .. ".dump"), state_steps = settings.dump_steps, ranks = settings.ranks,
    each = function(step)
      loss = step.validation or loss
      report {
        stage = name, done = step.done, total = step.total, loss = step.loss, validation = loss,
        eta = step.eta,
      }
    end,
    finish = function()
      work.once(settings.ranks, function()
        must(net:save(join(settings.output, name), { type = "f16" }))
      end)
    end,
  }))
  return result.history[#result.history].validation
end

local RULES = {
  output = { type = "string", needed = true },
  work = { type = "string", needed = true },
  patches = { type = "string" },
  prior = { type = "string", needed = true },
  records = { type = "integer", least = 1, default = 2000000 },
  pca_records = { type = "integer", least = 400 },
  validation_records = { type = "integer", least = 8 },
  neighbours = { type = "integer", least = 16 },
  neighbour_components = { type = "table", default = { 64, 32 } },
  epochs = { type = "integer", least = 1, default = 6 },
  batch = { type = "integer", least = 1, default = 512 },
  network_epochs = { type = "integer", least = 1, default = 3 },
  network_batch = { type = "integer", least = 1, default = 256 },
  rate = { type = "number", least = 0, default = 2e-3 },
  decay = { type = "number", least = 0, default = 1e-2 },
  hidden = { type = "table", default = { 768, 768 } },
  hidden_network = { type = "table", default = { 320, 256 } },
  hidden_algorithm = { type = "table", default = { 256, 128 } },
  dump_steps = { type = "integer", least = 1, default = 500 },
  dropout = { type = "number", least = 0, most = 1, default = 0.05 },
  seed = { type = "integer", default = 1 },
  ranks = ranks.rule,
}

-- Settings that the models do not depend on, or only through what is in a file.
local NOT_RESULT = {
  output = true, work = true, patches = true, prior = true, dump_steps = true, ranks = true,
}

local ASIDE = 0.1 -- share of the families kept to validate with where no `split` is named

local function read_sources(settings)
  local sources = { training = {}, validation = {} }
  if settings.patches then
    local rows = must(bank.read_patches(settings.patches))
    sources.training, sources.validation = bank.parts(rows, ASIDE, settings.seed)
    if #sources.training == 0 then
      fail(settings.patches .. ": holds no patch to learn from", "input")
    end
    sources.prior = priors.fit(sources.training)
  else
    sources.prior = must(priors.read(settings.prior))
  end
  local parts = { priors.encode(sources.prior) }
  for _, list in ipairs { sources.training, sources.validation } do
    parts[#parts + 1] = patches.pack(list):bytes()
  end
  sources.sha256 = store.sha256(table.concat(parts))
  return sources
end

-- All that the models depend on, in words.
local function describe(settings, sources)
  local names, lines = {}, { "patches and prior = " .. sources.sha256 }
  for name in pairs(RULES) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = settings[name]
    if not NOT_RESULT[name] then
      local text = type(value) == "table" and table.concat(value, " ") or numbers.format("%s", value)
      lines[#lines + 1] = ("%s = %s"):format(name, text)
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

-- What a work folder was begun with must be what it is taken up with.
local function begin(settings, sources, now)
  must(files.make_folder(settings.output))
  must(files.make_folder(settings.work))
  local path = join(settings.work, "settings.txt")
  local before = files.read(path)
  if before and before ~= now then
    fail(path .. ": this work was begun with other settings; choose another work folder", "input")
  end
  must(files.write(path, now))
  must(priors.write(join(settings.output, models.files.prior), sources.prior))
end

local function run(settings, report)
  local group = settings.ranks
  local sources = work.together(group, read_sources, settings)
  local described = describe(settings, sources)
  work.alike(group, "has other settings or sources", described)
  work.once(group, begin, settings, sources, described)
  local features = core.features.new(registers.recipe)
  -- Makes a file of the models unless it is there and was finished. Ranks make it together.
  local function once(name, make)
    local done = join(settings.work, name .. ".done")
    if not work.shared(group, exists(done) and exists(join(settings.output, name))) then
      local text = make(join(settings.output, name))
      work.once(group, function()
        must(files.write(done, text))
      end)
    end
    return work.together(group, function()
      return must(files.read(done))
    end)
  end
  once(models.files.pca, function(path)
    local values = notes.components(settings, sources, features, report)
    work.once(group, function()
      must(notes.fit_pca(values):save(path, { type = "f16" }))
    end)
    return "done\n"
  end)
  once(models.files.neighbours, function(path)
    report { stage = models.files.neighbours, done = 0, total = settings.neighbours }
    work.once(group, function()
      local packed, values = notes.bank(settings, sources, features)
      must(must(neighbours.fit(packed, values, settings.neighbour_components)):save(path))
    end)
    return "done\n"
  end)
  local axes = work.together(group, function()
    return must(pca.load(join(settings.output, models.files.pca)))
  end)
  local data, hash = notes.load(settings, notes.make(settings, sources, features, axes, report))
  work.alike(group, "has other notes", hash)
  local aside = notes.validation(settings, sources, features, axes)
  local summary = { records = #data.x, sha256 = hash, networks = {} }
  local function fit(name, net, part, part_aside)
    summary.networks[name] = json.decode(once(name, function()
      if #part.x == 0 then
        fail(("too few records: none for %s"):format(name), "input")
      end
      local loss = fit_network(settings, name, net, part, part_aside, report)
      return json.encode { records = #part.x, validation = loss } .. "\n"
    end))
  end
  fit(models.files.matcher, matcher.build {
    hidden = settings.hidden, dropout = settings.dropout, seed = settings.seed,
  }, { x = data.x, told = data.algorithm, target = data.target },
    { x = aside.x, told = aside.algorithm, target = aside.target })
  fit(models.files.algorithm, registers.build_algorithm {
    hidden = settings.hidden_algorithm, dropout = settings.dropout, seed = settings.seed,
  }, { x = data.x, target = data.algorithm }, { x = aside.x, target = aside.algorithm })
  for algorithm = 0, 7 do
    fit(models.files.registers:format(algorithm), registers.build {
      hidden = settings.hidden_network, dropout = settings.dropout, seed = settings.seed + algorithm,
    }, rows_of(data, algorithm), rows_of(aside, algorithm))
  end
  report { stage = "done", done = 1, total = 1, summary = summary }
end

--- Trains, a step a call: stop by not calling. Called again with the same work folder
--- and settings it goes on where it stopped, and ends with the same bits.
---@param options table  output: folder for the models; work: folder for what is needed to
---  go on; prior: file of the prior to draw from, unless patches (a table or folder of
---  real ones, parted as in dataset.steps) gives one; records: notes in the data set,
---  default 2,000,000; pca_records: further ones for the components, as many but at most
---  40,000; validation_records: as many but at most 4,000; neighbours: patches in the
---  bank, as many but at most 22,000; neighbour_components: of their spectra and envelopes,
---  {64, 32}; of the matcher's network epochs: 6; batch: 512; hidden: sizes of hidden
---  layers, {768, 768}; of the networks of the algorithms network_epochs: 3;
---  network_batch: 256; hidden_network, hidden_algorithm: {320, 256} and {256, 128}; of
---  all rate: 2e-3; decay: 0.01; dropout: 0.05; dump_steps: between two states of a network
---  on disk, 500; seed: 1; ranks (ym2612ml.Ranks): who share the work, each calls this alike;
---  the folders must be those of all
---@return fun(): table|false|nil, string?, string? next  steps {stage, done, total, loss?,
---  validation?, eta?, summary?}; nil at the end; or false, message, kind
function M.steps(options)
  local settings = check.options(options, RULES, 1, "steps")
  settings.pca_records = settings.pca_records or math.max(400, math.min(40000, settings.records))
  settings.neighbours = settings.neighbours or math.max(128, math.min(22000, settings.records))
  settings.validation_records = settings.validation_records or math.max(8, math.min(4000, settings.records))
  return steps.new(function(report)
    run(settings, report)
  end)
end

return M
