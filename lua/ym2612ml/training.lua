-- Makes the models of the main job: a data set of rendered notes, the principal
-- components of what the networks hear, one network for each algorithm and one that
-- tells the algorithms apart. All of it in steps that can be stopped at any time and
-- taken up again from the work folder, to the same bits.
local bank = require "ym2612ml.bank"
local cjson = require "cjson"
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local dataset = require "ym2612ml.dataset"
local files = require "ym2612ml.files"
local lfs = require "ym2612ml.filesystem"
local models = require "ym2612ml.models"
local patches = require "ym2612ml.patch"
local pca = require "ym2612ml.pca"
local priors = require "ym2612ml.prior"
local registers = require "ym2612ml.networks.registers"
local steps = require "ym2612ml.steps"
local store = require "ym2612ml.store"
local train = require "ym2612ml.train"

local M = {}

local fail, must = steps.fail, steps.must

local CHUNK = 4096 -- patches rendered at once, and kept in one file
local RENDERED = 256 -- of them in one call of the core

local function join(folder, name)
  return folder .. "/" .. name
end

local function exists(path)
  return lfs.attributes(path, "mode") == "file"
end

-- Every chunk has a seed of its own, so that it does not matter which were made
-- before an interruption. Chunks below 1 serve the principal components.
local function chunk_seed(settings, index)
  return settings.seed * 1000003 + index
end

-- Renders a list of patches: features (patches, values) as f16, and what was audible.
local function hear(list, notes, helds, features)
  local values = core.tensor.new({ #list, features:count() }, "f16")
  local heard = {}
  local packed = patches.pack(list)
  local note, held = core.tensor.from(notes), core.tensor.from(helds)
  for first = 1, #list, RENDERED do
    local last = math.min(first + RENDERED - 1, #list)
    local part, audible = core.batch.features(packed:slice(first, last), features, {
      note = note:slice(first, last), held = held:slice(first, last), chip = "clean",
    })
    must(part, audible)
    values:slice(first, last):copy(part)
    for i = 1, #audible do
      if audible[i] == 1 then
        heard[#heard + 1] = first + i - 1
      end
    end
  end
  return values, heard
end

-- One chunk of random patches and notes.
local function draw_chunk(settings, sources, index, count)
  local seed = chunk_seed(settings, index)
  local sampler = dataset.sampler { prior = sources.prior, patches = sources.training, seed = seed }
  local rng = core.rng.new { seed = -seed }
  local list, notes, helds = {}, {}, {}
  for i = 1, count do
    list[i] = sampler:next()
    notes[i], helds[i] = dataset.random_note(rng)
  end
  return list, notes, helds
end

local function fit_pca(settings, sources, features, report)
  local count = settings.pca_records
  local values = core.tensor.new({ count, features:count() }, "f16")
  local rows = 0
  for index = 0, math.huge do
    local list, notes, helds = draw_chunk(settings, sources, -index, math.min(CHUNK, count))
    local part, heard = hear(list, notes, helds, features)
    local taken = math.min(#heard, count - rows)
    values:slice(rows + 1, rows + taken):copy(part:rows(heard):slice(1, taken))
    rows = rows + taken
    report { stage = "features", done = rows, total = count }
    if rows == count then
      break
    elseif rows == 0 then
      fail("none of the patches drawn can be heard", "input")
    end
  end
  return must(pca.fit(values, { components = registers.components, scale = true }))
end

-- Inputs and targets of the networks for patches that were heard.
local function examples(list, notes, helds, features, axes)
  local values, heard = hear(list, notes, helds, features)
  local count = #heard
  local x = core.tensor.new({ count, registers.inputs }, "f16")
  local target = core.tensor.new({ count, #registers.heads }, "i16")
  local algorithm = core.tensor.new({ count, 1 }, "i16")
  if count > 0 then
    local components = axes:transform(values:rows(heard))
    for row, i in ipairs(heard) do
      local note, held = registers.note_inputs(notes[i], helds[i])
      x[row]:slice(1, registers.components):copy(components[row])
      x:set(row, registers.components + 1, note)
      x:set(row, registers.components + 2, held)
      for head, class in ipairs(registers.classes(list[i])) do
        target:set(row, head, class)
      end
      algorithm:set(row, 1, list[i].algorithm)
    end
  end
  return { x = x, target = target, algorithm = algorithm }
end

local function make_chunks(settings, sources, features, axes, report)
  local total = math.ceil(settings.records / CHUNK)
  for index = 1, total do
    local path = join(settings.work, ("chunk_%05d.safetensors"):format(index))
    if not exists(path) then
      local count = math.min(CHUNK, settings.records - (index - 1) * CHUNK)
      local list, notes, helds = draw_chunk(settings, sources, index, count)
      must(store.save(path, examples(list, notes, helds, features, axes)))
    end
    report { stage = "data", done = math.min(index * CHUNK, settings.records), total = settings.records }
  end
  return total
end

-- All chunks in one block a tensor, and the SHA-256 of what they hold.
local function load_chunks(settings, total)
  local parts, rows, hashes = {}, 0, {}
  for index = 1, total do
    local path = join(settings.work, ("chunk_%05d.safetensors"):format(index))
    parts[index] = must(store.load(path))
    rows = rows + #parts[index].x
    hashes[index] = store.sha256(parts[index].x:bytes() .. parts[index].target:bytes())
  end
  local data = {}
  for name, part in pairs(parts[1]) do
    local all, at = core.tensor.new({ rows, part:shape()[2] }, part:type()), 1
    for index = 1, total do
      local tensor = parts[index][name]
      all:slice(at, at + #tensor - 1):copy(tensor)
      at = at + #tensor
      parts[index][name] = false
    end
    data[name] = all
  end
  return data, store.sha256(table.concat(hashes))
end

-- Validation: the patches set aside, or draws from the prior, at random notes.
local function validation(settings, sources, features, axes)
  local seed = chunk_seed(settings, -1000000)
  local rng = core.rng.new { seed = seed }
  local sampler = dataset.sampler { prior = sources.prior, seed = seed }
  local list, notes, helds = {}, {}, {}
  for i = 1, settings.validation_records do
    local aside = sources.validation
    list[i] = #aside > 0 and dataset.plain(aside[(i - 1) % #aside + 1]) or sampler:next()
    notes[i], helds[i] = dataset.random_note(rng)
  end
  return examples(list, notes, helds, features, axes)
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
  local result = must(train.fit(net, data, {
    epochs = settings.epochs, batch = settings.batch, optimizer = "adamw", rate = settings.rate,
    schedule = "one_cycle", weight_decay = settings.decay, clip = 1, seed = settings.seed,
    validation = #aside.x > 0 and aside or nil,
    state = join(settings.work, name .. ".dump"), state_steps = settings.dump_steps,
    each = function(step)
      loss = step.validation or loss
      report {
        stage = name, done = step.done, total = step.total, loss = step.loss, validation = loss,
        eta = step.eta,
      }
    end,
  }))
  must(net:save(join(settings.output, name), { type = "f16" }))
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
  epochs = { type = "integer", least = 1, default = 10 },
  batch = { type = "integer", least = 1, default = 256 },
  rate = { type = "number", least = 0, default = 2e-3 },
  decay = { type = "number", least = 0, default = 1e-2 },
  hidden = { type = "table", default = { 384, 320 } },
  hidden_algorithm = { type = "table", default = { 256, 128 } },
  dump_steps = { type = "integer", least = 1, default = 500 },
  dropout = { type = "number", least = 0, most = 1, default = 0.1 },
  seed = { type = "integer", default = 1 },
}

-- Settings that the models do not depend on, or only through what is in a file.
local NOT_RESULT = { output = true, work = true, patches = true, prior = true, dump_steps = true }

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

-- The settings and patches a work folder was begun with must be those it is taken up
-- with.
local function check_work(settings, sources)
  local path = join(settings.work, "settings.txt")
  local names, lines = {}, { "patches and prior = " .. sources.sha256 }
  for name in pairs(RULES) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = settings[name]
    if not NOT_RESULT[name] then
      local text = type(value) == "table" and table.concat(value, " ") or tostring(value)
      lines[#lines + 1] = ("%s = %s"):format(name, text)
    end
  end
  local now = table.concat(lines, "\n") .. "\n"
  local before = files.read(path)
  if before and before ~= now then
    fail(path .. ": this work was begun with other settings; choose another work folder", "input")
  end
  must(files.write(path, now))
end

local function run(settings, report)
  must(files.make_folder(settings.output))
  must(files.make_folder(settings.work))
  local sources = read_sources(settings)
  check_work(settings, sources)
  must(priors.write(join(settings.output, models.files.prior), sources.prior))
  local features = core.features.new(registers.recipe)
  local pca_path = join(settings.output, models.files.pca)
  if not (exists(join(settings.work, "pca.done")) and exists(pca_path)) then
    must(fit_pca(settings, sources, features, report):save(pca_path, { type = "f16" }))
    must(files.write(join(settings.work, "pca.done"), "done\n"))
  end
  local axes = must(pca.load(pca_path))
  local total = make_chunks(settings, sources, features, axes, report)
  local data, hash = load_chunks(settings, total)
  local aside = validation(settings, sources, features, axes)
  local summary = { records = #data.x, sha256 = hash, networks = {} }
  local function fit(name, net, part, part_aside)
    local done = join(settings.work, name .. ".done")
    if not (exists(done) and exists(join(settings.output, name))) then
      if #part.x == 0 then
        fail(("too few records: none for %s"):format(name), "input")
      end
      local loss = fit_network(settings, name, net, part, part_aside, report)
      must(files.write(done, cjson.encode { records = #part.x, validation = loss } .. "\n"))
    end
    summary.networks[name] = cjson.decode(must(files.read(done)))
  end
  fit(models.files.algorithm, registers.build_algorithm {
    hidden = settings.hidden_algorithm, dropout = settings.dropout, seed = settings.seed,
  }, { x = data.x, target = data.algorithm }, { x = aside.x, target = aside.algorithm })
  for algorithm = 0, 7 do
    fit(models.files.registers:format(algorithm), registers.build {
      hidden = settings.hidden, dropout = settings.dropout, seed = settings.seed + algorithm,
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
---  40,000; validation_records: as many but at most 4,000; epochs: 10; batch: 256; rate:
---  2e-3; decay: 0.01; hidden, hidden_algorithm: sizes of hidden layers, {384, 320}
---  and {256, 128}; dropout: 0.1; dump_steps: between two states of a network on
---  disk, 500; seed: 1
---@return fun(): table|false|nil, string?, string? next  steps {stage, done, total, loss?,
---  validation?, eta?, summary?}; nil at the end; or false, message, kind
function M.steps(options)
  local settings = check.options(options, RULES, 1, "steps")
  settings.pca_records = settings.pca_records or math.max(400, math.min(40000, settings.records))
  settings.validation_records = settings.validation_records or math.max(8, math.min(4000, settings.records))
  return steps.new(function(report)
    run(settings, report)
  end)
end

return M
