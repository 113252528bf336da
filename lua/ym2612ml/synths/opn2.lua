-- The YM2612 as a synthesizer: a patch's fields are the parameters, and one note of it is
-- the sound, by the exact core.
local bank = require "ym2612ml.bank"
local core = require "ym2612ml.core"
local models = require "ym2612ml.models"
local patches = require "ym2612ml.patch"
local priors = require "ym2612ml.prior"
local registers = require "ym2612ml.networks.registers"
local samplers = require "ym2612ml.sampler"

local M = {}

local RATE = 53267 -- Hz, the chip's own

--- Rules of its own options.
---@type table<string, table>
M.rules = {
  note = { type = "number", least = 0, most = 115, default = 60 }, -- the chip plays none above
  held = { type = "number", least = 0.001, most = 3600, default = 1 },
  chip = { choices = { "ym2612", "ym3438", "clean" }, default = "ym2612" },
  patches = { type = { "string", "table" } },
  prior = { type = "string" },
}

--- Options that tell files that random patches come from.
---@type string[]
M.sources = { "patches", "prior" }

-- What random patches never vary: the LFO and what hangs on it, and SSG-EG.
local CONSTANT = { lfo = -1, ams = 0, fms = 0, am = 0, ssg = 0 }

local FIELDS = patches.fields()

-- One parameter for each field, in the order of packed patches, named as `match --lock`
-- does.
local function new_parameters()
  local list = {}
  for i, field in ipairs(FIELDS) do
    list[i] = {
      name = field.operator and ("op%d.%s"):format(field.operator, field.name) or field.name,
      kind = field.name == "algorithm" and "class" or field.name == "am" and "switch" or "integer",
      fixed = CONSTANT[field.name],
    }
    if list[i].kind == "class" then
      list[i].classes = field.maximum + 1
    elseif list[i].kind == "integer" then
      list[i].least, list[i].most = field.minimum, field.maximum
    end
  end
  return list
end

-- Rows of values as packed patches.
local function pack(values)
  local rows = values:totable()
  for _, row in ipairs(rows) do
    for i, field in ipairs(FIELDS) do
      row[i] = row[i] - field.minimum
    end
  end
  return #rows > 0 and core.tensor.from(rows, "u8") or core.tensor.new({ 0, #FIELDS }, "u8")
end

--- The values of packed patches.
---@param packed ym2612ml.Tensor  u8 (count, 49), see ym.patch.pack
---@return ym2612ml.Tensor values  f32 (count, 49)
function M.values(packed)
  local values = packed:to "f32"
  for i, field in ipairs(FIELDS) do
    if field.minimum ~= 0 then
      for row = 1, #values do
        values:set(row, i, values:get(row, i) + field.minimum)
      end
    end
  end
  return values
end

--- The patch of a row of values.
---@param row number[]  49 of them
---@param name? string  of the patch
---@return ym2612ml.Patch
function M.patch(row, name)
  local patch = patches.unpack(pack(core.tensor.from { row }))[1]
  patch.name = name
  return patch
end

-- The options of a note that ends after so many seconds.
local function note_of(settings, length)
  local held = math.min(settings.held, length)
  return { note = settings.note, held = held, release = length - held, chip = settings.chip }
end

-- Tells whether notes can be heard.
local ears = core.features.new { { kind = "mel", size = 64, bands = 8, on = { 0 } } }

local MOST = 4096 -- patches drawn at once
local FRUITLESS = 16384 -- draws in a row without one that will do, after which there is none

-- Whether only fields are fixed that the form of `ordered` leaves alone.
local function may_be_ordered(parameters)
  for i, parameter in ipairs(parameters) do
    if parameter.fixed and i > 1 and CONSTANT[FIELDS[i].name] ~= parameter.fixed then
      return false
    end
  end
  return true
end

-- Packed patches as the ones that stand for all of the same sound, so that there is one
-- answer to it.
local function ordered(packed)
  local list = patches.unpack(packed)
  for i, patch in ipairs(list) do
    list[i] = registers.ordered(patch)
  end
  return patches.pack(list)
end

-- Random patches with the algorithm and the other fields that are fixed, of which a note
-- can be heard; or nil, message, kind.
local function draw_audible(settings, sampler, count, parameters)
  local algorithm, values = parameters[1].fixed, core.tensor.new { count, #FIELDS }
  local orders = may_be_ordered(parameters)
  local filled, fruitless = 0, 0
  while filled < count do
    local packed = sampler:draw(math.min(MOST, math.max(64, 2 * (count - filled))))
    local drawn, kept = #packed, {}
    -- with the algorithm also the roles of the operators come from the draw
    for row = 1, drawn do
      kept[#kept + 1] = (not algorithm or packed:get(row, 1) == algorithm) and row or nil
    end
    packed = packed:rows(kept)
    for i, parameter in ipairs(parameters) do
      if parameter.fixed then
        packed:permute({ 2, 1 })[i]:fill(parameter.fixed - FIELDS[i].minimum)
      end
    end
    local _, audible = core.batch.features(packed, ears, note_of(settings, settings.held))
    kept = {}
    for row = 1, #packed do
      kept[#kept + 1] = audible[row] == 1 and filled + #kept < count and row or nil
    end
    packed = packed:rows(kept)
    values:slice(filled + 1, filled + #kept):copy(M.values(orders and ordered(packed) or packed))
    filled, fruitless = filled + #kept, #kept > 0 and 0 or fruitless + drawn
    if fruitless >= FRUITLESS then
      return nil, ("%d random patches in a row with what is fixed gave no sound"):format(fruitless), "input"
    end
  end
  return values
end

-- Real patches to draw from; or nil, message, kind. Rows that their table keeps aside are
-- not among them. A list of patches becomes one of packed rows in the settings, and may be
-- one: JSON has no tables with names and numbers as keys.
local function read_patches(settings)
  local source = settings.patches
  if type(source) == "table" then
    if type(source[1]) == "table" and type(source[1][1]) == "number" then
      source = patches.unpack(core.tensor.from(source, "u8"))
    end
    settings.patches = patches.pack(patches.check_all(source, 2, "get")):totable()
    return source
  end
  local rows, message, kind = bank.read_patches(source)
  if not rows then
    return nil, message, kind
  end
  local list = bank.parts(rows, 0, 1)
  if #list == 0 then
    return nil, source .. ": holds no patch to draw from", "input"
  end
  return list
end

-- What random patches come from: options of a sampler; or nil, message, kind.
local function read_sources(settings)
  local list, message, kind = {}, nil, nil
  if settings.patches then
    list, message, kind = read_patches(settings)
  end
  if not list then
    return nil, message, kind
  elseif #list > 0 and not settings.prior then
    return { prior = priors.fit(list), patches = list }
  end
  local prior, problem, reason = priors.read(settings.prior or models.folder() .. "/" .. models.files.prior)
  if not prior then
    return nil, problem, reason
  end
  return { prior = prior, patches = list }
end

--- Its definition. Random sounds are those of `ym.dataset.sampler`, without any that cannot
--- be heard, and of all patches of one sound always the same, unless fields other than the
--- algorithm are fixed.
---@param settings table  note: MIDI 0..115, default 60; held: seconds, default 1, at most
---  the sound's length; chip: "ym2612" (default), "ym3438" or "clean"; patches: real ones to
---  draw from too, a list, or the path of a table or folder; prior: path, default fitted to
---  them, or the one that comes with the module
---@return table? definition
---@return string? message
---@return string? kind  "io" or "format"
function M.definition(settings)
  local sources, failed, reason = read_sources(settings)
  if not sources then
    return nil, failed, reason
  end
  return {
    name = "opn2", title = "YM2612, one note", source = "ym2612ml", rate = RATE, length = 1.5,
    parameters = new_parameters(),
    render_batch = function(values, rate, length)
      local sounds = core.render_batch(pack(values), note_of(settings, length))
      return core.synths.resample(sounds, RATE, rate, math.floor(rate * length))
    end,
    draw = function(rng, count, parameters)
      sources.seed = rng:integer(0, math.maxinteger)
      return draw_audible(settings, samplers.sampler(sources), count, parameters)
    end,
  }
end

return M
