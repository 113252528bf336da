-- The benchmark card: sets of sounds made from a seed, matched with budgets, by the
-- matcher and by simpler methods, and judged by D and by published measures.
local baselines = require "ym2612ml.evaluate.baselines"
local cards = require "ym2612ml.evaluate.card"
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local files = require "ym2612ml.files"
local json = require "ym2612ml.json"
local judge = require "ym2612ml.evaluate.judge"
local methods = require "ym2612ml.evaluate.methods"
local models = require "ym2612ml.models"
local patches = require "ym2612ml.patch"
local priors = require "ym2612ml.prior"
local ranks = require "ym2612ml.ranks"
local results = require "ym2612ml.evaluate.results"
local sets = require "ym2612ml.evaluate.sets"
local soundfont = require "ym2612ml.evaluate.soundfont"
local sounds = require "ym2612ml.evaluate.sounds"
local steps = require "ym2612ml.steps"
local store = require "ym2612ml.store"
local work = require "ym2612ml.ranks.work"

local M = {
  sets = sets.names,
  disturbances = sounds.disturbances,
  budget = methods.budget,
}

--- What the matcher can be compared with: its networks alone, and the baselines.
---@type string[]
M.baselines = { "networks", table.unpack(baselines.names) }

local must = steps.must

local RULES = {
  sets = { type = "table", default = { "prior" } },
  count = { type = "integer", least = 1, most = 100000, default = 100 },
  budgets = { type = "table", default = { "default" } },
  chip = { choices = { "ym2612", "ym3438", "clean" }, default = "ym2612" },
  patches = { type = { "string", "table" } },
  prior = { type = "string" },
  soundfont = { type = "string" },
  baselines = { type = "table", default = {} },
  pitch_unknown = { type = "boolean", default = false },
  disturb = { type = "table", default = {} },
  seed = { type = "integer", default = 1 },
  work = { type = "string" },
  models = { class = "ym2612ml.Models" },
  ranks = ranks.rule,
}

-- What is wrong with a list of names of which each must be known, or nil.
local function list_problem(option, list, known, least)
  local met = {}
  for _, name in ipairs(known) do
    met[name] = false
  end
  if #list < least then
    return ("option '%s' is empty, expected some of %s"):format(option, table.concat(known, ", "))
  end
  for _, name in ipairs(list) do
    if met[name] ~= false then
      return ("option '%s': '%s', expected %s, each once"):format(option, tostring(name), table.concat(known, ", "))
    end
    met[name] = true
  end
end

local function check_budgets(list)
  local budgets, met = {}, {}
  for i, text in ipairs(list) do
    local budget, message
    if type(text) == "string" then
      budget, message = methods.budget(text)
    end
    if not budget or met[text] then
      return nil, ("option 'budgets': %s"):format(message or tostring(text) .. " is no budget, or named twice")
    end
    budgets[i], met[text] = budget, true
  end
  if #budgets == 0 then
    return nil, "option 'budgets' is empty"
  end
  return budgets
end

local function check_settings(options)
  local settings = check.options(options, RULES, 1, "steps")
  local budgets, problem = check_budgets(settings.budgets)
  problem = problem or list_problem("sets", settings.sets, sets.names, 1)
    or list_problem("baselines", settings.baselines, M.baselines, 0)
    or list_problem("disturb", settings.disturb, sounds.disturbances, 0)
  check.no_problem(problem, 1, "steps")
  if type(settings.patches) == "table" then
    patches.check_all(settings.patches, 1, "steps")
  end
  return settings, budgets
end

-- What tells a folder of models from others: the SHA-256 of all its files.
local function digest_of(folder)
  local digests = {}
  for _, path in ipairs((files.expand({ folder }, { safetensors = true, json = true }, "models"))) do
    digests[#digests + 1] = must(store.sha256_file(path))
  end
  return store.sha256(table.concat(digests))
end

-- What targets and methods are made of, and what results depend on.
local function read_sources(settings)
  local set = settings.models or must(models.shipped())
  local sources = {
    seed = settings.seed, count = settings.count, chip = settings.chip, models = set,
    soundfont = settings.soundfont or soundfont.find(), patches = settings.patches,
    prior = must(priors.read(settings.prior or set.folder .. "/" .. models.files.prior)),
  }
  if type(sources.patches) == "string" then
    sources.patches = sets.held_out(sources.patches)
  end
  local identity = {
    seed = settings.seed, chip = settings.chip, models = digest_of(set.folder),
    sources = store.sha256(priors.encode(sources.prior)
      .. (sources.patches and patches.pack(sources.patches):bytes() or "")),
    soundfont = sources.soundfont or "none",
  }
  return sources, identity
end

-- Seconds that answers take, by what was measured of each method.
local Forecast = {}
Forecast.__index = Forecast

local OVERHEAD = 0.3 -- seconds to judge an answer, until it is known

-- list: of methods, each of which has `count` answers to give.
local function new_forecast(list, count)
  local self = setmetatable({ list = list, runs = {}, seconds = {}, left = {} }, Forecast)
  for _, method in ipairs(list) do
    self.runs[method], self.seconds[method], self.left[method] = 0, 0, count
  end
  return self
end

-- An answer was given: in so many seconds, or nil where it was there already.
function Forecast:add(method, seconds)
  self.left[method] = self.left[method] - 1
  if seconds then
    self.runs[method], self.seconds[method] = self.runs[method] + 1, self.seconds[method] + seconds
  end
end

function Forecast:each(method)
  if self.runs[method] > 0 then
    return self.seconds[method] / self.runs[method]
  end
  return (method.budget.seconds or 1) + OVERHEAD
end

-- Seconds to the end, when a method has done this share of its next answer.
function Forecast:eta(method, share)
  local sum = -share * self:each(method)
  for _, other in ipairs(self.list) do
    sum = sum + self:each(other) * self.left[other]
  end
  return math.max(0, sum)
end

-- The result of a method on a target.
local function result_of(method, target, sources, report)
  if target.chaotic == nil then
    target.chaotic = judge.is_chaotic(target)
  end
  local result = {
    set = target.set, number = target.number, name = target.name, note = target.note, method = method.name,
    chaotic = target.chaotic,
  }
  local answer, message = methods.run(method, target, sources, report)
  if not answer then
    result.failed = message
    return result
  end
  for name, value in pairs(judge.measure(target, answer)) do
    result[name] = value
  end
  result.seconds, result.renders = answer.seconds, answer.renders
  return result
end

-- The sets that there are, opened; skipped: why not the others.
local function open_sets(settings, sources)
  local open, skipped = {}, {}
  for _, name in ipairs(settings.sets) do
    local next_target, reason = sets.open(name, sources)
    if next_target then
      open[#open + 1] = { name = name, next = next_target }
    else
      skipped[#skipped + 1] = reason
    end
  end
  return open, skipped
end

local function names_of(list)
  local names = {}
  for i, entry in ipairs(list) do
    names[i] = entry.name
  end
  return names
end

-- Target number `number` of a set, which goes on to it; nil when there are not so many.
local function target_of(set, number)
  while not set.ended and not (set.target and set.target.number >= number) do
    set.target = set.next()
    set.ended = not set.target
  end
  return not set.ended and set.target or nil
end

-- The answers of all methods to all targets of the sets, in their order: first the first
-- set's, of each target all methods. Of ranks only the first has them.
local function answer_all(settings, list, open, sources, kept, report)
  local group, count = settings.ranks, settings.count
  local per_set, forecast, all = count * #list, new_forecast(list, #open * count), {}
  local total = #open * per_set
  local function place_of(item)
    local left = item - 1
    return open[left // per_set + 1], left % per_set // #list + 1, list[left % #list + 1]
  end
  local function progress(item, share, result)
    local set, _, method = place_of(item)
    report {
      done = item - 1 + share, total = total, set = set.name, method = method.name, result = result,
      eta = forecast:eta(method, result and 0 or share) / (group and group.size or 1),
    }
  end
  work.each(group, total, {
    perform = function(item, tick)
      local set, number, method = place_of(item)
      local target = target_of(set, number)
      local result = target and kept:get(target.set, target.number, method.name)
      local seconds
      if target and not result then
        local started = core.clock()
        result = result_of(method, target, sources, function(share) tick(math.min(share, 1)) end)
        seconds = core.clock() - started
      end
      return work.pack(group, { result = result, seconds = seconds })
    end,
    taken = function(item, packed)
      local found, method = work.unpack(group, packed), select(3, place_of(item))
      if found.seconds then
        must(kept:add(found.result))
      end
      forecast:add(method, found.seconds)
      if found.result then
        all[#all + 1] = found.result
        progress(item, 1, found.result)
      end
    end,
    tell = function(done)
      if done < total then
        progress(math.floor(done) + 1, done % 1)
      end
    end,
  })
  return all, total
end

local function run(settings, budgets, report)
  local group = settings.ranks
  local sources, identity = work.together(group, read_sources, settings)
  local list = methods.list(budgets, settings)
  local open, skipped = open_sets(settings, sources)
  work.alike(group, "has other models, sources or sets", json.encode { identity, names_of(open) })
  local kept = results.shared(group, settings.work, identity)
  local all, total = answer_all(settings, list, open, sources, kept, report)
  report {
    done = total, total = total, eta = 0,
    summary = not (group and group.rank > 0) and cards.make(all, list, {
      seed = settings.seed, count = settings.count, chip = settings.chip, sets = settings.sets,
      budgets = settings.budgets, methods = names_of(list), skipped = skipped,
    }) or nil,
  }
end

--- Evaluates the matcher, a step a call: stop by not calling. With a work folder, called
--- again with the same seed, chip and sources it goes on where it stopped, and may ask for
--- more targets, sets and methods.
---@param options? table  sets: names of `sets`, default {"prior"}; count: targets of each,
---  default 100; budgets: as `budget` reads them, default {"default"}; chip: output stage
---  of targets and answers, default "ym2612" (that of the set "chip"); patches: real ones
---  that the models have not learned from: a list, or a table or folder of which rows with
---  another `split` than "train" are taken; prior: file to draw from, default that of the
---  models; soundfont: path, default the installed one; baselines: names of `baselines`,
---  default none; pitch_unknown: true: also without the note given; disturb: names of
---  `disturbances`: also on sounds changed like that; seed: default 1; work: folder;
---  models (ym2612ml.Models): default those that come with the module; ranks
---  (ym2612ml.Ranks): who share the answers, each calls this alike, and rank 0 has the card
---@return fun(): table|false|nil, string?, string? next  steps {done, total: answers, eta:
---  seconds, set, method, result?: when it is there, summary?: the card (see card.lua),
---  with the last}; nil at the end; or false, message, kind
function M.steps(options)
  local settings, budgets = check_settings(options)
  return steps.new(function(report)
    run(settings, budgets, report)
  end)
end

return M
