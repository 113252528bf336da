-- Data sets of a synthesizer's sounds: random parameters and what they sound like, in
-- shards that NumPy opens (shards.lua). What a network sees of a sound is for it to say.
-- The arrays of a shard:
--
--   values.npy   f4 (records, parameters): in their own units, in the order of `parameters`
--                in the index
--   sounds.npy   f2 (records, samples)
--
-- A combination of the parameters that are heard belongs to one split: none that is judged
-- by was learned.
local attempt = require "ym2612ml.attempt"
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local json = require "ym2612ml.json"
local runs = require "ym2612ml.shards.run"
local shards = require "ym2612ml.shards"
local steps = require "ym2612ml.steps"
local synths = require "ym2612ml.synths.registry"

local M = {}

local must = steps.must

local RULES = {
  synth = { class = "ym2612ml.Synth", needed = true },
  rate = { type = "number", least = 1000, most = 192000 },
  length = { type = "number", least = 0.001, most = 60 },
  test = { type = "integer", least = 0, most = 1 << 40, default = 0 },
}
for name, rule in pairs(runs.rules) do
  RULES[name] = rule
end
RULES.shard_records = { type = "integer", least = 1, most = 1 << 20 }

local USUAL_BYTES, MOST_BYTES = 1 << 27, 1 << 30 -- of the sounds of a shard
local USUAL_RECORDS = 8192 -- at most
local ROUND = 1 << 22 -- samples rendered in one step
local SILENT = 1e-6 -- largest sample of a sound that nobody hears
local MOST_OPEN = 256 -- files of shards: a process may have 1,024

-- Shares of all combinations of parameters, in hundredths: from, to before.
local PARTS = { test = { 0, 10 }, valid = { 10, 20 }, train = { 20, 100 } }
local STREAMS = { train = 0, valid = 1, test = 2 }

---@type ym2612ml.Layout
local LAYOUT = {
  format = "data set of sounds of ym2612ml", version = 1,
  arrays = {
    { name = "values", type = "f32", width = function(index) return #index.parameters end },
    { name = "sounds", type = "f16", width = function(index) return math.tointeger(index.samples) end },
  },
  problem = function(index)
    if type(index.synth) ~= "table" or type(index.synth.name) ~= "string" or type(index.parameters) ~= "table"
      or type(index.samples) ~= "number" or not math.tointeger(index.samples) or index.samples < 1
      or type(index.rate) ~= "number" or type(index.length) ~= "number" or type(index.observable) ~= "table"
      or index.samples ~= math.floor(index.rate * index.length) then
      return "is damaged (it does not say what a record holds)"
    end
  end,
}

-- What the index says of parameters.
local function described(synth)
  local list = {}
  for i, parameter in ipairs(synth.parameters) do
    list[i] = {
      name = parameter.name, kind = parameter.kind, least = parameter.least, most = parameter.most,
      classes = parameter.classes, fixed = parameter.fixed,
    }
  end
  return list
end

-- All that the records depend on.
local function new_index(settings)
  local synth, play = settings.synth, { rate = settings.rate, length = settings.length, seed = settings.seed }
  local index = {
    synth = { name = synth.name, options = synth.options }, parameters = described(synth),
    samples = math.floor(settings.rate * settings.length), observable = must(synth:observable(play)),
  }
  for _, name in ipairs { "rate", "length", "count", "validation", "test", "seed", "shard_records" } do
    index[name] = settings[name]
  end
  return index
end

-- Columns of parameters that vary and are not heard.
local function unheard_columns(synth, observable)
  local columns = {}
  for i, parameter in ipairs(synth.parameters) do
    if not parameter.fixed and not observable[parameter.name] then
      columns[#columns + 1] = i
    end
  end
  return columns
end

-- Rows of values that belong to a split, whatever is in the columns that are not heard.
local function own_rows(values, split, unheard)
  local rows, part = {}, PARTS[split]
  local heard = values:to "f32"
  for _, column in ipairs(unheard) do
    heard:permute({ 2, 1 })[column]:fill(0)
  end
  for row = 1, #values do
    local place = core.crc32(heard[row]:bytes()) % 100
    if place >= part[1] and place < part[2] then
      rows[#rows + 1] = row
    end
  end
  return rows
end

-- The rows of those that can be heard; or nil, message, kind where one holds what is no
-- number, or more than f16 does.
local function audible(sounds)
  local rows, peaks = {}, core.audio.peaks(sounds)
  for row = 1, #sounds do
    local peak = peaks[row]
    if peak ~= peak or peak >= 65504 then
      return nil, ("the synthesizer gave a sample of %s, expected less than 65504"):format(tostring(peak)), "input"
    elseif peak > SILENT then
      rows[#rows + 1] = row
    end
  end
  return rows
end

-- Draws and renders a round, and puts what can be heard into the arrays after `filled`
-- records. Returns how many there are then, and how many were drawn.
local function add_round(settings, unheard, shard, arrays, dropped, filled, count, round)
  local synth, part = settings.synth, PARTS[shard.split]
  local drawn = math.max(16, count * 100 // (part[2] - part[1]))
  -- every round has a sequence of its own, so that draws need no state
  local stream = ((shard.number << 24) + round) * 3 + STREAMS[shard.split]
  local values = must(synth:draw(drawn, { seed = settings.seed, stream = stream }))
  local own = own_rows(values, shard.split, unheard)
  values = values:rows(table.move(own, 1, math.min(#own, count), 1, {}))
  if #values == 0 then
    return filled, drawn
  end
  local sounds = must(synth:render(values, { rate = settings.rate, length = settings.length }))
  local kept = must(audible(sounds))
  arrays.values:slice(filled + 1, filled + #kept):copy(values:rows(kept))
  arrays.sounds:slice(filled + 1, filled + #kept):copy(sounds:rows(kept))
  dropped.silent = dropped.silent + #values - #kept
  return filled + #kept, drawn
end

-- Makes a shard; reports how many of its records there are.
local function make_shard(settings, unheard, shard, report)
  local arrays, dropped = runs.new_arrays(shard), { silent = 0 }
  local most = math.max(1, ROUND // arrays.sounds:shape()[2])
  runs.fill(shard, most, function(filled, count, round)
    return add_round(settings, unheard, shard, arrays, dropped, filled, count, round)
  end, "none that can be heard", report)
  return arrays, dropped
end

--- Makes a data set of sounds in a folder, a step a call: stop by not calling. Called
--- again with the same settings it goes on where it stopped, and ends with the same bytes.
--- Sounds that nobody hears are left out.
---@param options table  synth (ym2612ml.Synth); output: folder; count: records to learn
---  from; validation, test: further ones to validate with and to judge by, default 0; no
---  combination of the parameters that are heard is in two of these; rate: Hz and length:
---  seconds of a sound, default the synthesizer's; seed: default 1; shard_records: at most
---  what makes 1 GiB, default 8192 or what makes 128 MiB; shard: {i, n}: make every n-th
---  shard from the i-th on, default {1, 1}; split: "train", "valid", "test" or "all", the
---  default
---@return fun(): table|false|nil, string?, string? next  steps as of `ym.dataset.steps`,
---  whose summary has dropped = {silent}
function M.steps(options)
  local settings = check.options(options, RULES, 1, "steps")
  settings.rate = settings.rate or settings.synth.rate
  settings.length = settings.length or settings.synth.length
  local samples = math.floor(settings.rate * settings.length)
  settings.shard_records = settings.shard_records
    or math.max(1, math.min(USUAL_RECORDS, USUAL_BYTES // (2 * math.max(samples, 1))))
  check.no_problem(samples < 1 and ("option 'length' is %g, less than a sample"):format(settings.length)
    or runs.problem(settings, 2 * samples, MOST_BYTES), 1, "steps")
  return runs.steps(settings, LAYOUT, { "silent" }, function()
    local index = new_index(settings)
    local unheard = unheard_columns(settings.synth, index.observable)
    return index, function(shard, report)
      return make_shard(settings, unheard, shard, report)
    end, {}
  end)
end

--- Numbers of rows that follow each other.
---@param first integer
---@param last integer
---@return integer[]
function M.numbers(first, last)
  local rows = {}
  for row = first, last do
    rows[#rows + 1] = row
  end
  return rows
end

---@class ym2612ml.SoundSplit
---@field rows integer
---@field values ym2612ml.Tensor  f32 (rows, parameters)
local SoundSplit = {}
SoundSplit.__index = SoundSplit
SoundSplit.__name = "ym2612ml.SoundSplit"

--- Keeps all sounds in memory from now on, if they are no more than so many bytes.
---@param bytes number
---@return boolean? kept
---@return string? message  names the file
---@return string? kind  "io" or "format"
function SoundSplit:keep(bytes)
  if 2 * self.rows * self.samples > bytes then
    return false
  elseif self.kept then
    return true
  end
  local kept = {}
  for place, shard in ipairs(self.shards) do
    local arrays, message, kind = shards.read(shard)
    if not arrays then
      return nil, message, kind
    end
    kept[place] = arrays.sounds
  end
  self.kept = kept
  return true
end

local function close_all(self)
  for _, file in pairs(self.files) do
    file:close()
  end
  self.files, self.open = {}, 0
end

-- Reads row number `row` of the shard at a place into a row of sounds.
local function read_row(self, into, place, row)
  if self.kept then
    into:copy(self.kept[place]:slice(row, row))
    return true
  end
  local file = self.files[place]
  if not file then
    if self.open == MOST_OPEN then
      close_all(self)
    end
    local message, kind
    file, message, kind = shards.open_array(self.shards[place], "sounds")
    if not file then
      return nil, message, kind
    end
    self.files[place], self.open = file, self.open + 1
  end
  return file:read(into, { row })
end

--- Reads some sounds.
---@param rows integer[]|ym2612ml.Tensor  numbers from 1, in any order
---@return ym2612ml.Tensor? sounds  f32 (rows, samples)
---@return string? message  names the file
---@return string? kind  "io" or "format"
function SoundSplit:sounds(rows)
  rows = check.is_tensor(rows) and rows:totable() or rows
  check.type(rows, "table", 1, "sounds")
  local sounds = core.tensor.new({ #rows, self.samples }, "f16")
  for i, row in ipairs(rows) do
    if not math.tointeger(row) or row < 1 or row > self.rows then
      check.misuse(("bad argument #1 to 'sounds' (row %s, expected 1..%d)"):format(tostring(row), self.rows))
    end
    local done, message, kind =
      read_row(self, sounds:slice(i, i), (row - 1) // self.shard_records + 1, (row - 1) % self.shard_records + 1)
    if not done then
      return nil, message, kind
    end
  end
  return sounds:to "f32"
end

-- A split of the shards that are there; or nil, message, kind.
local function open_split(set, name, list)
  local split = setmetatable({
    rows = 0, shards = list, files = {}, open = 0, samples = set.index.samples,
    shard_records = set.index.shard_records,
  }, SoundSplit)
  for _, shard in ipairs(list) do
    split.rows = split.rows + shard.records
  end
  split.values = core.tensor.new { split.rows, #set.index.parameters }
  local first = 1
  for _, shard in ipairs(list) do
    local values, message, kind = shards.read_array(shard, "values")
    if not values then
      return nil, message, kind
    end
    split.values:slice(first, first + shard.records - 1):copy(values)
    first = first + shard.records
  end
  set.splits[name] = split
  return true
end

---@class ym2612ml.SoundSet
---@field synth ym2612ml.Synth
---@field rate number  Hz
---@field length number  seconds
---@field observable table<string, boolean>  which parameters are heard at all
---@field index table  index.json, decoded
---@field splits {train: ym2612ml.SoundSplit, valid: ym2612ml.SoundSplit, test: ym2612ml.SoundSplit}

--- Opens a data set of sounds, which must be complete.
---@param folder string
---@param options? {synth: string}  the Lua file of a synthesizer that a user wrote, which is run
---@return ym2612ml.SoundSet? set
---@return string? message
---@return string? kind  "io", "format" or "input": its synthesizer is another today, or a
---  user's of which no file was given
function M.open(folder, options)
  options = check.options(options, synths.recall_rules, 2, "open")
  local opened, message, kind = shards.open(folder, LAYOUT)
  if not opened then
    return nil, message, kind
  elseif #opened.missing > 0 then
    return nil, ("%s: %d of its shards are not made yet"):format(folder, #opened.missing), "input"
  end
  local index = opened.index
  local fine, synth
  fine, synth, message, kind = attempt(synths.recall, index.synth, options.synth)
  if not fine then
    return nil, ("%s: its index is damaged, or of another version (%s)"):format(folder, tostring(synth)), "format"
  elseif not synth then
    return nil, ("%s: its synthesizer: %s"):format(folder, message), kind
  elseif json.encode(described(synth)) ~= json.encode(index.parameters) then
    return nil, ("%s: the synthesizer %s has other parameters today"):format(folder, synth.name), "input"
  end
  local set = {
    synth = synth, rate = index.rate, length = index.length, observable = index.observable, index = index, splits = {},
  }
  for _, name in ipairs { "train", "valid", "test" } do
    local list = {}
    for _, shard in ipairs(opened.shards) do
      if shard.split == name then
        list[#list + 1] = shard
      end
    end
    local done
    done, message, kind = open_split(set, name, list)
    if not done then
      return nil, message, kind
    end
  end
  return set
end

return M
