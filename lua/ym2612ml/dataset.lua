-- Data sets of rendered notes, as large as the disk: random patches and notes, what is
-- heard of them, in shards of which each has a random sequence of its own. So it does not
-- matter where, in what order and with how many interruptions they are made. The arrays of
-- a shard (shards.lua tells the rest):
--
--   patches.npy   u1 (records, 49): each field's value less its minimum, in the order of
--                 `fields` in the index
--   notes.npy     u1 (records): MIDI
--   held.npy      f4 (records): seconds from key-on to key-off
--   features.npy  f2 (records, values): see `features` in the index
local attempt = require "ym2612ml.attempt"
local bank = require "ym2612ml.bank"
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local json = require "ym2612ml.json"
local models = require "ym2612ml.models"
local patches = require "ym2612ml.patch"
local priors = require "ym2612ml.prior"
local samplers = require "ym2612ml.sampler"
local runs = require "ym2612ml.shards.run"
local shards = require "ym2612ml.shards"
local steps = require "ym2612ml.steps"
local store = require "ym2612ml.store"

local M = {
  plain = samplers.plain,
  sampler = samplers.sampler,
  random_note = samplers.random_note,
  mix = samplers.default_mix,
  read_patches = bank.read_patches,
  read = shards.read,
}

local fail, must = steps.fail, steps.must

--- What a record holds unless told otherwise: 1,024 values, mel bands at two resolutions,
--- the finer one in time around the onset and the key-off.
M.recipe = {
  {
    kind = "mel", size = 2048, bands = 48,
    on = { 0.01, 0.03, 0.055, 0.085, 0.13, 0.2, 0.3, 0.42, 0.56, 0.75, 0.96 },
    off = { 0.03, 0.08, 0.15, 0.25, 0.4 },
  },
  { kind = "mel", size = 512, bands = 32, on = { 0, 0.004, 0.008, 0.013, 0.02, 0.03 }, off = { 0.005, 0.015 } },
}

local CHIP_RATE = 53267 -- Hz: the chip's own rate, that of what is heard
local ROUND = 768 -- seconds of sound rendered in one step: 512 notes of 1.5 s
local SMALLEST = 16 -- notes of a step, however long they are
local MOST_BYTES = 1 << 28 -- of the features of a shard, which are in memory as it is made

local RULES = {
  patches = { type = "string" },
  prior = { type = "string" },
  mix = { type = "table" },
  aside = { type = "number", least = 0, most = 1, default = 0.1 },
  notes = { type = "table", default = { 21, 108 } },
  held = { type = "table", default = { 1, 1 } },
  release = { type = "number", least = 0, most = 60, default = 0.5 },
  chip = { choices = { "ym2612", "ym3438", "clean" }, default = "ym2612" },
  recipe = { type = "table", default = M.recipe },
}
for name, rule in pairs(runs.rules) do
  RULES[name] = rule
end

-- The plan of the features; or nil and what is wrong with the recipe.
local function plan_features(recipe)
  local fine, features = attempt(core.features.new, recipe)
  if not fine then
    return nil, ("option 'recipe': %s"):format(features:match("%((.*)%)$") or features)
  end
  if math.abs((recipe.rate or CHIP_RATE) / CHIP_RATE - 1) > 1e-3 then
    return nil, ("option 'recipe': its rate is %s Hz, expected %d: notes are heard as the chip plays them"):format(
      recipe.rate, CHIP_RATE)
  end
  return features
end

local function check_settings(options)
  local settings = check.options(options, RULES, 1, "steps")
  local features, problem = plan_features(settings.recipe)
  if settings.mix and not problem then
    local shares
    shares, problem = samplers.shares(settings.mix)
    if shares and not settings.patches and shares[1] < shares[1] + shares[2] + shares[3] + shares[4] then
      problem = "option 'mix': only draws from the prior are possible without option 'patches'"
    end
  end
  problem = problem or runs.pair_problem("notes", settings.notes, "lowest, highest", 0, 116, true)
    or runs.pair_problem("held", settings.held, "shortest, longest", 0.001, 60)
    or runs.problem(settings, 2 * features:count(), MOST_BYTES)
  check.no_problem(problem, 1, "steps")
  settings.mix = settings.patches and (settings.mix or samplers.default_mix) or nil
  return settings, features
end

local function one()
  return nil
end

---@type ym2612ml.Layout
local LAYOUT = {
  format = "data set of ym2612ml", version = 1,
  arrays = {
    { name = "patches", type = "u8", width = function(index) return #index.fields end },
    { name = "notes", type = "u8", width = one },
    { name = "held", type = "f32", width = one },
    { name = "features", type = "f16", width = function(index) return math.tointeger(index.features.values) end },
  },
  problem = function(index)
    local features = index.features
    if type(features) ~= "table" or type(features.values) ~= "number" or not math.tointeger(features.values)
      or features.values < 0 or type(features.blocks) ~= "table" or type(index.fields) ~= "table" then
      return "is damaged (it does not say what a record holds)"
    end
  end,
}

-- The prior and the real patches of each split; `skipped` are messages about files that
-- hold no patch.
local function read_sources(settings)
  local sources = { train = {}, valid = {}, skipped = {} }
  if settings.patches then
    local rows = must(bank.read_patches(settings.patches))
    local aside = settings.validation > 0 and settings.aside or 0
    sources.train, sources.valid = bank.parts(rows, aside, settings.seed)
    for _, row in ipairs(rows) do
      sources.skipped[#sources.skipped + 1] = row.message
    end
    for _, split in ipairs { "train", settings.validation > 0 and "valid" or "train" } do
      if #sources[split] == 0 then
        fail(("%s: holds no patch for the %s set"):format(settings.patches,
          split == "train" and "training" or "validation"), "input")
      end
    end
  end
  if settings.patches and not settings.prior then
    sources.prior = priors.fit(sources.train)
  else
    sources.prior = must(priors.read(settings.prior or models.folder() .. "/" .. models.files.prior))
  end
  return sources
end

-- All that the records depend on.
local function new_index(settings, sources, features)
  local index = {
    features = { values = features:count(), rate = settings.recipe.rate, floor = settings.recipe.floor, blocks = {} },
    fields = {}, prior_sha256 = store.sha256(json.encode(sources.prior)),
  }
  if settings.patches then
    index.patches_sha256 = {
      train = store.sha256(patches.pack(sources.train):bytes()),
      valid = store.sha256(patches.pack(sources.valid):bytes()),
    }
  end
  for i, block in ipairs(settings.recipe) do
    index.features.blocks[i] = {}
    for name, value in pairs(block) do
      index.features.blocks[i][name] = type(value) == "userdata" and value:totable() or value
    end
  end
  for i, field in ipairs(patches.fields()) do
    index.fields[i] = {
      name = field.name, operator = field.operator, minimum = field.minimum, maximum = field.maximum,
    }
  end
  for _, name in ipairs { "count", "validation", "mix", "notes", "held", "release", "chip", "seed", "shard_records" } do
    index[name] = settings[name]
  end
  return index
end

-- Where the random patches and notes of a shard come from; seen: those it has had.
local function new_source(settings, sources, shard)
  local stream = 4 * shard.number + (shard.split == "train" and 0 or 2)
  return {
    sampler = samplers.sampler {
      prior = sources.prior, patches = sources[shard.split], mix = settings.mix, seed = settings.seed,
      stream = stream,
    },
    rng = core.rng.new { seed = settings.seed, stream = stream + 1 },
    seen = {},
  }
end

-- Draws patches and notes. Returns those that are new to the shard as a table of tensors,
-- and how many they are.
local function draw(settings, source, count)
  local notes, helds, fresh = {}, {}, {}
  local rng, seen, low, high = source.rng, source.seen, settings.held[1], settings.held[2]
  for i = 1, count do
    notes[i] = rng:integer(settings.notes[1], settings.notes[2])
    helds[i] = low < high and low * (high / low) ^ rng:uniform() or low
  end
  local packed = source.sampler:draw(count)
  local bytes = patches.canonical(packed):bytes()
  local size = #bytes // count
  for i = 1, count do
    local key = bytes:sub((i - 1) * size + 1, i * size) .. string.pack("Bf", notes[i], helds[i])
    if not seen[key] then
      seen[key] = true
      fresh[#fresh + 1] = i
    end
  end
  return {
    patches = packed:rows(fresh), notes = core.tensor.from(notes, "u8"):rows(fresh),
    held = core.tensor.from(helds):rows(fresh),
  }, #fresh
end

-- Draws and renders, and puts what is new and sounds into the arrays after `filled`
-- records. Returns how many there are then.
local function add_round(settings, features, source, arrays, dropped, filled, count)
  local drawn, fresh = draw(settings, source, count)
  dropped.duplicate = dropped.duplicate + count - fresh
  if fresh == 0 then
    return filled
  end
  local heard, audible = core.batch.features(drawn.patches, features, {
    note = drawn.notes, held = drawn.held, release = settings.release, chip = settings.chip,
  })
  drawn.features = must(heard, audible)
  local rows = {}
  for i = 1, fresh do
    if audible[i] == 1 then
      rows[#rows + 1] = i
    end
  end
  dropped.silent = dropped.silent + fresh - #rows
  for name, array in pairs(arrays) do
    array:slice(filled + 1, filled + #rows):copy(drawn[name]:rows(rows))
  end
  return filled + #rows
end

-- Makes a shard; reports how many of its records there are.
local function make_shard(settings, sources, features, shard, report)
  local source, dropped = new_source(settings, sources, shard), { silent = 0, duplicate = 0 }
  local arrays = runs.new_arrays(shard)
  local most = math.max(SMALLEST, math.floor(ROUND / (settings.held[2] + settings.release)))
  runs.fill(shard, most, function(filled, count)
    return add_round(settings, features, source, arrays, dropped, filled, count), count
  end, "no other that can be heard", report)
  return arrays, dropped
end

--- Makes a data set in a folder, a step a call: stop by not calling. Called again with the
--- same settings it goes on where it stopped, even after it was killed, and ends with the
--- same bytes in every file. How they lie there is told at the head of shards.lua.
---
--- A record is a random patch, a note, the seconds it is held, and features of its sound
--- as the chip plays it at its own rate. Notes that do not sound are left out, and in a
--- shard those of the same sound (canonical patch, note and held time): others are drawn
--- in their place. The same seed gives the same bytes, whatever the number of threads;
--- features by another level of instructions (ym.simd) may differ in their last bit.
---@param options table  output: folder; count: records to learn from; validation: further
---  ones to validate with, default 0; patches: table or folder of real patches (see
---  read_patches), of which those that `split` or `family` sets aside serve validation
---  alone; aside: share of families set aside where no `split` is named, default 0.1;
---  prior: file of the prior, default that of the training patches or else the shipped
---  one; mix: see sampler; notes: {lowest, highest} MIDI, default {21, 108}, held:
---  {shortest, longest} seconds, default {1, 1}: all equally likely, of held times on a
---  logarithmic scale; release: seconds, default 0.5; chip: output stage, default "ym2612";
---  recipe: see ym.features.new, default dataset.recipe; seed: default 1; shard_records:
---  default 8192; and of the shards, those to make in this run: shard: {i, n}, every n-th
---  from the i-th on, default {1, 1}; split: "train", "valid" or "all", the default
---@return fun(): table|false|nil, string?, string? next  steps {stage = "records", "check"
---  (of a shard that was there) or "done", shard: its name, done, total, rate?: records a
---  second, eta?: seconds, summary?: {records, shards, dropped = {silent, duplicate},
---  missing: shards not made yet, skipped: messages about files without patch}}; nil at
---  the end; or false, message, kind
function M.steps(options)
  local settings, features = check_settings(options)
  return runs.steps(settings, LAYOUT, { "silent", "duplicate" }, function()
    local sources = read_sources(settings)
    return new_index(settings, sources, features), function(shard, report)
      return make_shard(settings, sources, features, shard, report)
    end, { skipped = sources.skipped }
  end)
end

---@class ym2612ml.Dataset
---@field index table  index.json, decoded
---@field recipe table  for ym.features.new: what the features are
---@field shards ym2612ml.Shard[]  those that are there
---@field missing ym2612ml.Shard[]  those not made yet

--- Opens a data set, complete or not.
---@param folder string
---@return ym2612ml.Dataset? dataset
---@return string? message
---@return string? kind  "io" or "format"
function M.open(folder)
  local opened, message, kind = shards.open(folder, LAYOUT)
  if not opened then
    return nil, message, kind
  end
  local features = opened.index.features
  opened.recipe = { rate = features.rate, floor = features.floor, table.unpack(features.blocks) }
  return opened
end

return M
