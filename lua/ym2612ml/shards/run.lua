-- The making of a data set in shards, in steps that can be stopped: what is missing is
-- made, what is there is checked.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local json = require "ym2612ml.json"
local ranks = require "ym2612ml.ranks"
local shards = require "ym2612ml.shards"
local steps = require "ym2612ml.steps"
local store = require "ym2612ml.store"
local work = require "ym2612ml.ranks.work"

local M = {}

local must = steps.must

--- The options that every kind of data set has, for check.options.
M.rules = {
  output = { type = "string", needed = true },
  count = { type = "integer", least = 1, most = 1 << 40, needed = true },
  validation = { type = "integer", least = 0, most = 1 << 40, default = 0 },
  seed = { type = "integer", default = 1 },
  shard_records = { type = "integer", least = 1, most = 1 << 20, default = 8192 },
  shard = { type = "table", default = { 1, 1 } },
  split = { choices = { "train", "valid", "test", "all" }, default = "all" },
  ranks = ranks.rule,
}

--- What is wrong with a pair of numbers, the second not below the first, or nil.
---@param name string  of the option
---@param pair any[]
---@param words string  what the two are called
---@param least number
---@param most number
---@param whole? boolean
---@return string? problem
function M.pair_problem(name, pair, words, least, most, whole)
  local good = #pair == 2
  for i = 1, #pair do
    local value = pair[i]
    good = good and type(value) == "number" and value >= least and value <= most
      and (not whole or math.tointeger(value) ~= nil)
  end
  if not good or pair[1] > pair[2] then
    return ("option '%s': expected {%s} in %g..%g"):format(name, words, least, most)
  end
  return nil
end

--- What is wrong with the options `rules` has, together, or nil.
---@param settings table
---@param bytes integer  of a record
---@param most_bytes integer  of a shard, which is in memory as it is made
---@return string? problem
function M.problem(settings, bytes, most_bytes)
  local largest = math.max(settings.count, settings.validation, settings.test or 0)
  if math.ceil(largest / settings.shard_records) > shards.most then
    return ("option 'shard_records' is %d, too few for %d records in %d shards"):format(
      settings.shard_records, largest, shards.most)
  elseif settings.shard_records * bytes > most_bytes then
    return ("option 'shard_records' is %d, and %d bytes each exceed %d MiB"):format(
      settings.shard_records, bytes, most_bytes >> 20)
  end
  return M.pair_problem("shard", settings.shard, "i, n", 1, shards.most, true)
end

--- Memory for the arrays of a shard.
---@param shard ym2612ml.Shard
---@return table<string, ym2612ml.Tensor>
function M.new_arrays(shard)
  local arrays = {}
  for _, array in ipairs(shard.arrays) do
    arrays[array.name] = core.tensor.new({ shard.records, array.width }, array.type)
  end
  return arrays
end

-- Draws in a row without a record after which a shard cannot be filled.
local FRUITLESS = 16384

--- Fills a shard round by round, or ends the steps where draws give nothing more.
---@param shard ym2612ml.Shard
---@param most integer  records wanted of a round
---@param add fun(filled: integer, count: integer, round: integer): integer, integer  makes
---  up to count records after those that are filled, in rounds from 0; gives how many are
---  filled then, and how many draws that took
---@param what string  what no draw gave, for the message
---@param report fun(filled: integer)  called while there are more to come
function M.fill(shard, most, add, what, report)
  local filled, round, fruitless = 0, 0, 0
  while filled < shard.records do
    local now, drawn = add(filled, math.min(most, shard.records - filled), round)
    fruitless = now > filled and 0 or fruitless + drawn
    filled, round = now, round + 1
    if fruitless >= FRUITLESS then
      steps.fail(("%s: has %d of %d records, and %d further draws gave %s"):format(
        shard.path, filled, shard.records, fruitless, what), "input")
    end
    if filled < shard.records then
      report(filled)
    end
  end
end

-- The shards that this run is to make.
local function own_shards(settings, all)
  local own, records = {}, 0
  for i, shard in ipairs(all) do
    local wanted = settings.split == "all" or settings.split == shard.split
    if wanted and (i - settings.shard[1]) % settings.shard[2] == 0 then
      own[#own + 1] = shard
      records = records + shard.records
    end
  end
  return own, records
end

local function count_missing(all)
  local missing = 0
  for _, shard in ipairs(all) do
    missing = missing + (shards.made(shard) and 0 or 1)
  end
  return missing
end

-- How many records the first shards have, a share of the next one included.
local function records_of(own, done)
  local records = 0
  for i = 1, math.min(math.ceil(done), #own) do
    records = records + own[i].records * math.min(done - i + 1, 1)
  end
  return math.floor(records + 0.5)
end

-- Makes what is missing of this run's shards and checks the others. Returns how many
-- shards and records they are.
local function make_all(settings, place, make, dropped, report)
  local own, total = own_shards(settings, place.shards)
  local checked, start = 0, core.clock() -- start moves on while nothing is made
  local stage, name = "records", nil
  local function perform(i, tick)
    local shard, before = own[i], core.clock()
    local there = shards.made(shard)
    local arrays, left_out, kind
    stage, name = there and "check" or "records", shard.name
    if there then
      tick(0) -- others may ask for theirs between two of these
      arrays, left_out, kind = shards.read(shard)
      start = start + core.clock() - before
      must(arrays, left_out, kind)
    else
      arrays, left_out = make(shard, function(filled)
        tick(filled / shard.records)
      end)
      must(shards.write(place, shard, arrays, left_out))
    end
    return json.encode { there = there, dropped = left_out }
  end
  work.each(settings.ranks, #own, {
    perform = perform,
    taken = function(i, result)
      local found = json.decode(result)
      checked = checked + (found.there and own[i].records or 0)
      for reason, count in pairs(dropped) do
        dropped[reason] = count + math.tointeger(found.dropped[reason])
      end
    end,
    tell = function(items)
      local done = records_of(own, items)
      local rate = done > checked and (done - checked) / (core.clock() - start) or nil
      report {
        stage = stage, shard = name, done = done, total = total, rate = rate,
        eta = rate and (total - done) / rate or nil,
      }
    end,
  })
  return #own, total
end

--- Makes a data set, a step a call.
---@param settings table  output, shard, split, ranks: see rules
---@param layout ym2612ml.Layout
---@param reasons string[]  why draws are left out
---@param begin fun(): table, fun(shard: ym2612ml.Shard, report: fun(filled: integer)): table, table
---  gives the index, the function that makes the arrays of a shard and counts by reason
---  what it left out, and fields for the summary
---@return fun(): table|false|nil, string?, string? next  steps {stage = "records", "check"
---  (of a shard that was there) or "done", shard: its name, done, total, rate?: records a
---  second, eta?: seconds, summary?: {records, shards, dropped: counts by reason, missing:
---  shards not made yet, ...}}; nil at the end; or false, message, kind
function M.steps(settings, layout, reasons, begin)
  check.type(begin, "function", 4, "steps")
  local place
  return steps.new(function(report)
    local group, dropped = settings.ranks, {}
    local index, make, summary = work.together(group, begin)
    local part = ("%s_%d_of_%d"):format(settings.split, settings.shard[1], settings.shard[2])
    local joined, text = shards.place(settings.output, index, layout, part)
    work.alike(group, "has other settings or sources", store.sha256(text))
    place = work.once(group, function()
      return must(shards.begin(settings.output, index, layout, part))
    end)
    for _, reason in ipairs(reasons) do
      dropped[reason] = 0
    end
    summary.shards, summary.records = make_all(settings, place or joined, make, dropped, report)
    summary.dropped, summary.missing = work.shared(group, dropped), work.shared(group, count_missing(joined.shards))
    local finished = place
    place = nil
    if finished then
      shards.finish(finished)
    end
    report { stage = "done", done = summary.records, total = summary.records, summary = summary }
  end, function()
    if place then
      shards.finish(place)
    end
  end)
end

return M
