-- The notes that the networks learn from: random patches on all output stages, some of
-- them as recordings have them, as inputs and targets of the networks.
local core = require "ym2612ml.core"
local dataset = require "ym2612ml.dataset"
local lfs = require "ym2612ml.filesystem"
local patches = require "ym2612ml.patch"
local pca = require "ym2612ml.pca"
local registers = require "ym2612ml.networks.registers"
local steps = require "ym2612ml.steps"
local store = require "ym2612ml.store"
local work = require "ym2612ml.ranks.work"

local M = {}

local fail, must = steps.fail, steps.must

local CHUNK = 4096 -- notes drawn at once, and kept in one file
local RENDERED = 256 -- of them in one call of the core

--- Shares of the kinds of patches (see ym.dataset.sampler).
M.mix = { prior = 0.35, mutated = 0.35, crossed = 0.2, real = 0.1 }

-- The same of a bank of neighbours, which is handed out.
local BANK_MIX = { prior = 0.4, mutated = 0.4, crossed = 0.2 }

-- Shares of the output stages. Levels are as drawn.
local STAGES = { "clean", "ym2612", "ym3438" }
local STAGE_SHARES = { 0.55, 0.3, 0.15 }

-- What recordings do to a note: how many notes it befalls, and the range it is drawn
-- from. Pitch in cents, held time as a factor of 2^x, noise in dB below the note's own
-- power, limit in Hz.
local DISTURBANCES = {
  cents = { share = 0.25, low = -15, high = 15 },
  stretch = { share = 0.25, low = -0.06, high = 0.06 },
  noise = { share = 0.2, low = 30, high = 60 },
  limit = { share = 0.12, low = 8000, high = 16000 },
}

-- Every chunk has a seed of its own, so that it does not matter which were made
-- before an interruption. Chunks below 1 serve the principal components, the validation
-- and the bank.
local function chunk_seed(settings, index)
  return settings.seed * 1000003 + index
end

local function disturbed(rng, name)
  local range = DISTURBANCES[name]
  local met, value = rng:uniform() < range.share, range.low + (range.high - range.low) * rng:uniform()
  return met and value or nil
end

--- Draws patches and notes.
---@param settings table  seed
---@param sources table  prior, training: real patches
---@param index integer  of the chunk
---@param count integer
---@return table chunk  packed; and lists of count: note, held, chip, and cents, stretch,
---  noise and limit as batch.features takes them; seed
function M.draw(settings, sources, index, count)
  local seed = chunk_seed(settings, index)
  local sampler = dataset.sampler { prior = sources.prior, patches = sources.training, mix = M.mix, seed = seed }
  local rng = core.rng.new { seed = -seed }
  local chunk = {
    packed = sampler:draw(count), seed = seed, note = {}, held = {}, chip = {}, cents = {}, stretch = {},
    noise = {}, limit = {},
  }
  for i = 1, count do
    chunk.note[i], chunk.held[i] = dataset.random_note(rng)
    chunk.chip[i] = STAGES[rng:choose(STAGE_SHARES)]
    chunk.cents[i] = disturbed(rng, "cents") or 0
    chunk.stretch[i] = 2 ^ (disturbed(rng, "stretch") or 0)
    local noise = disturbed(rng, "noise")
    chunk.noise[i] = noise and 10 ^ (-noise / 10) or 0
    chunk.limit[i] = disturbed(rng, "limit") or 0
  end
  return chunk
end

--- Patches of which none is a real one, and their features as clean notes: what a bank of
--- neighbours is made of.
---@param settings table  seed, neighbours: how many
---@param sources table
---@param features ym2612ml.Features
---@return ym2612ml.Tensor packed  u8 (neighbours, 49), the loudest carriers at level 0
---@return ym2612ml.Tensor values  f16 (neighbours, features)
function M.bank(settings, sources, features)
  local count, seed = settings.neighbours, chunk_seed(settings, -2000000)
  local sampler = dataset.sampler {
    prior = sources.prior, patches = sources.training, mix = BANK_MIX, seed = seed,
  }
  local rng = core.rng.new { seed = -seed }
  local packed = core.tensor.new({ count, #patches.fields() }, "u8")
  local values = core.tensor.new({ count, features:count() }, "f16")
  local rows = 0
  while rows < count do
    local drawn = sampler:draw(RENDERED)
    drawn = core.heads.at_levels(drawn, core.tensor.new { RENDERED })
    local note = {}
    for i = 1, RENDERED do
      note[i] = dataset.random_note(rng)
    end
    local part, audible = core.batch.features(drawn, features, { note = note, held = 1, chip = "clean" })
    must(part, audible)
    for i = 1, RENDERED do
      if audible[i] == 1 and rows < count then
        rows = rows + 1
        packed[rows]:copy(drawn[i])
        values[rows]:copy(part[i])
      end
    end
  end
  return packed, values
end

--- Renders a chunk.
---@param chunk table  from draw
---@param features ym2612ml.Features
---@param tick? fun(share: number)  called between its steps
---@return ym2612ml.Tensor values  f16 (count, features)
---@return integer[] heard  the rows that were audible
function M.hear(chunk, features, tick)
  local count = #chunk.packed
  local values, heard = core.tensor.new({ count, features:count() }, "f16"), {}
  for first = 1, count, RENDERED do
    local last = math.min(first + RENDERED - 1, count)
    local options = { seed = chunk.seed + first }
    for _, name in ipairs { "note", "held", "chip", "cents", "stretch", "noise", "limit" } do
      options[name] = table.move(chunk[name], first, last, 1, {})
    end
    local part, audible = core.batch.features(chunk.packed:slice(first, last), features, options)
    must(part, audible)
    values:slice(first, last):copy(part)
    for i = 1, #audible do
      if audible[i] == 1 then
        heard[#heard + 1] = first + i - 1
      end
    end
    if tick and last < count then
      tick(last / count)
    end
  end
  return values, heard
end

--- Inputs and targets of the networks for the notes of a chunk that were heard.
---@param chunk table  from draw
---@param features ym2612ml.Features
---@param axes ym2612ml.Pca
---@param tick? fun(share: number)  called between its steps
---@return {x: ym2612ml.Tensor, target: ym2612ml.Tensor, algorithm: ym2612ml.Tensor} data
---  x: f16; target: i16, a class for each head, -1 where it cannot be heard
function M.examples(chunk, features, axes, tick)
  local values, heard = M.hear(chunk, features, tick)
  local count = #heard
  local x = core.tensor.new({ count, registers.inputs }, "f16")
  local target = core.tensor.new({ count, #registers.heads }, "i16")
  local algorithm = core.tensor.new({ count, 1 }, "i16")
  if count > 0 then
    local list = patches.unpack(chunk.packed)
    local components = axes:transform(values:rows(heard))
    for row, i in ipairs(heard) do
      local note, held = registers.note_inputs(chunk.note[i] + chunk.cents[i] / 100,
        chunk.held[i] * chunk.stretch[i])
      x[row]:slice(1, registers.components):copy(components[row])
      x:set(row, registers.components + 1, note)
      x:set(row, registers.components + 2, held)
      for head, class in ipairs(registers.classes(list[i], chunk.chip[i])) do
        target:set(row, head, class)
      end
      algorithm:set(row, 1, list[i].algorithm)
    end
  end
  return { x = x, target = target, algorithm = algorithm }
end

-- Features of the notes of one chunk of those for the components that can be heard, f16.
local function heard_values(settings, sources, features, index, tick)
  local count = math.min(CHUNK, settings.pca_records)
  local part, heard = M.hear(M.draw(settings, sources, -index, count), features, tick)
  return part:rows(heard)
end

--- Features of the notes that the principal components are fitted to.
---@param settings table  seed, pca_records, ranks
---@param sources table
---@param features ym2612ml.Features
---@param report fun(step: table)
---@return ym2612ml.Tensor values  f16 (pca_records, features); filled on rank 0 alone
function M.components(settings, sources, features, report)
  local count, width = settings.pca_records, features:count()
  local values = core.tensor.new({ count, width }, "f16")
  local rows, index = 0, 0
  while rows < count do
    local before = rows
    local chunks = math.ceil((count - rows) / CHUNK)
    work.each(settings.ranks, chunks, {
      perform = function(item, tick)
        return store.encode { values = heard_values(settings, sources, features, index + item - 1, tick) }
      end,
      taken = function(_, result)
        local part = must(store.decode(result)).values
        local taken = math.min(#part, count - rows)
        values:slice(rows + 1, rows + taken):copy(part:slice(1, taken))
        rows = rows + taken
      end,
      tell = function()
        report { stage = "features", done = rows, total = count }
      end,
    })
    rows = work.shared(settings.ranks, rows)
    index = index + chunks
    if rows == before then
      fail("none of the patches drawn can be heard", "input")
    end
  end
  return values
end

--- Fits the principal components.
---@param values ym2612ml.Tensor  as of components
---@return ym2612ml.Pca
function M.fit_pca(values)
  return must(pca.fit(values, { components = registers.components, scale = true }))
end

local function chunk_path(settings, index)
  return ("%s/chunk_%05d.safetensors"):format(settings.work, index)
end

--- Makes the chunks that the work folder lacks.
---@param settings table  seed, records, work, ranks
---@param sources table
---@param features ym2612ml.Features
---@param axes ym2612ml.Pca
---@param report fun(step: table)
---@return integer total  of chunks
function M.make(settings, sources, features, axes, report)
  local total = math.ceil(settings.records / CHUNK)
  work.each(settings.ranks, total, {
    perform = function(index, tick)
      local path = chunk_path(settings, index)
      if lfs.attributes(path, "mode") ~= "file" then
        local count = math.min(CHUNK, settings.records - (index - 1) * CHUNK)
        must(store.save(path, M.examples(M.draw(settings, sources, index, count), features, axes, tick)))
      end
      return ""
    end,
    taken = function() end,
    tell = function(chunks)
      report { stage = "data", done = math.floor(math.min(chunks * CHUNK, settings.records)), total = settings.records }
    end,
  })
  return total
end

--- All chunks in one block a tensor, and the SHA-256 of what they hold.
---@param settings table  work
---@param total integer  of chunks
---@return table<string, ym2612ml.Tensor> data
---@return string sha256
function M.load(settings, total)
  local parts, rows, hashes = {}, 0, {}
  for index = 1, total do
    parts[index] = must(store.load(chunk_path(settings, index)))
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

--- Notes to validate with: of the patches set aside, or draws from the prior where there
--- are none. Clean, and nothing disturbs them.
---@param settings table  seed, validation_records
---@param sources table  prior, validation: real patches
---@param features ym2612ml.Features
---@param axes ym2612ml.Pca
---@return table data  as of examples
function M.validation(settings, sources, features, axes)
  local seed = chunk_seed(settings, -1000000)
  local rng = core.rng.new { seed = seed }
  local sampler = dataset.sampler { prior = sources.prior, seed = seed }
  local count, aside, list = settings.validation_records, sources.validation, {}
  local chunk = { seed = seed, note = {}, held = {}, chip = {}, cents = {}, stretch = {}, noise = {}, limit = {} }
  for i = 1, count do
    list[i] = #aside > 0 and dataset.plain(aside[(i - 1) % #aside + 1]) or sampler:next()
    chunk.note[i], chunk.held[i] = dataset.random_note(rng)
    chunk.chip[i], chunk.cents[i], chunk.stretch[i], chunk.noise[i], chunk.limit[i] = "clean", 0, 1, 0, 0
  end
  chunk.packed = patches.pack(list)
  return M.examples(chunk, features, axes)
end

return M
