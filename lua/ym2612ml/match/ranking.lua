-- From what a search found to what is handed out: D of every patch, the best of each
-- algorithm and of all, patches simplified, as loud as the sound where that changes nothing
-- else, and which registers matter.
local core = require "ym2612ml.core"
local patches = require "ym2612ml.patch"
local prepare = require "ym2612ml.prepare"

local M = {}

--- How many patches are ranked, whatever their algorithms.
M.RANKED = 8

--- dB that one step of a register changes where its value is certain, at least.
M.CERTAIN = 0.3

--- dB that one step of a register changes where it does not matter, at most.
M.IDLE = 0.02

-- Patches of an algorithm that are judged by D, where there is time and where not.
local EACH = { [true] = 3, [false] = 1 }
local FREE = 0.02 -- dB that a simpler patch may be further away

--- Entries sorted by distance and handicap; of equals the lower algorithm.
---@param list {patch: ym2612ml.Patch, distance: number, handicap: number?}[]
---@return table[] list  the same
function M.sorted(list)
  table.sort(list, function(a, b)
    local x, y = a.distance + (a.handicap or 0), b.distance + (b.handicap or 0)
    if x ~= y then
      return x < y
    end
    return a.patch.algorithm < b.patch.algorithm
  end)
  return list
end

local function copy(patch)
  local to = {}
  for name, value in pairs(patch) do
    to[name] = value
  end
  for o = 1, 4 do
    to[o] = {}
    for name, value in pairs(patch[o]) do
      to[o][name] = value
    end
  end
  return to
end

-- Values that say nothing, of fields that are easier to read so. An operator at 127 is off.
local NEUTRAL = {
  { "dt", 0 }, { "rs", 0 }, { "ssg", 0 }, { "am", 0 }, { "sr", 0 }, { "dr", 0 }, { "tl", 127 },
}

-- The changes that could make a patch simpler: functions of a copy.
local function simpler(patch, locked)
  local changes = {}
  if patch.feedback ~= 0 and not locked(nil, "feedback") then
    changes[1] = function(to)
      to.feedback = 0
    end
  end
  for o = 1, 4 do
    for _, rule in ipairs(NEUTRAL) do
      local name, value = rule[1], rule[2]
      if patch[o][name] ~= value and not locked(o, name) then
        changes[#changes + 1] = function(to)
          to[o][name] = value
        end
      end
    end
  end
  return changes
end

-- Makes patches simpler as long as they stay within FREE of where they were: first each
-- change alone, then as many of the harmless ones as go together. Two batches for all.
local function simplify(judge, entries, locked)
  local tried, of = {}, {}
  for i, entry in ipairs(entries) do
    entry.changes = simpler(entry.patch, locked)
    for c, change in ipairs(entry.changes) do
      local to = copy(entry.patch)
      change(to)
      tried[#tried + 1], of[#of + 1] = { patch = to, take = entry.take }, { i, c }
    end
  end
  local distances = judge:all(tried)
  local harmless = {}
  for k, place in ipairs(of) do
    local i = place[1]
    harmless[i] = harmless[i] or {}
    local loss = distances[k] - entries[i].distance
    if loss <= FREE then
      table.insert(harmless[i], { loss = loss, change = entries[i].changes[place[2]], order = k })
    end
  end
  tried, of = {}, {}
  for i, list in pairs(harmless) do
    table.sort(list, function(a, b)
      return a.loss < b.loss or a.loss == b.loss and a.order < b.order
    end)
    local to = copy(entries[i].patch)
    for _, item in ipairs(list) do
      item.change(to)
      tried[#tried + 1], of[#of + 1] = { patch = copy(to), take = entries[i].take }, i
    end
  end
  distances = judge:all(tried)
  local limit = {}
  for k, i in ipairs(of) do
    local entry = entries[i]
    limit[i] = limit[i] or entry.distance + FREE
    if distances[k] <= limit[i] then
      entry.patch, entry.distance = tried[k].patch, distances[k]
    end
  end
end

-- The patch with all carriers so many steps softer, or nil where one leaves its range.
local function softened(patch, steps, locked)
  local to = copy(patch)
  for _, o in ipairs(patches.carriers(patch.algorithm)) do
    to[o].tl = to[o].tl + steps
    if to[o].tl < 0 or to[o].tl > 127 or locked(o, "tl") then
      return nil
    end
  end
  return to
end

local STEP = 0.75 -- dB of a total level's step

-- Makes patches as loud as the sound where D stays as it is, which on an output stage
-- with few steps it does not.
local function match_loudness(judge, entries, locked)
  local tried, of = {}, {}
  local wanted = judge.sounds[1].level
  for i, entry in ipairs(entries) do
    local samples = core.render(entry.patch, judge:play(1, entry.take))
    local survey = core.survey(samples, prepare.RATE) -- nil for silence
    local steps = survey and math.floor(20 * math.log(survey.level / wanted, 10) / STEP + 0.5) or 0
    local loudest = patches.carrier_level(entry.patch)
    local to = steps ~= 0 and softened(entry.patch, math.max(steps, -loudest), locked)
    if to then
      tried[#tried + 1], of[#of + 1] = { patch = to, take = entry.take }, i
    end
  end
  for k, distance in ipairs(judge:all(tried)) do
    local entry = entries[of[k]]
    if distance <= entry.distance + FREE then
      entry.patch, entry.distance = tried[k].patch, distance
    end
  end
end

-- D's change for one step of each register of a patch, up and down, the larger of the two:
-- next to 0 where a register does not matter.
local function sensitivity(judge, entry)
  local tried, of = {}, {}
  for _, field in ipairs(patches.fields()) do
    local o, name = field.operator, field.name
    local value = (o and entry.patch[o] or entry.patch)[name]
    for step = -1, 1, 2 do
      if value and name ~= "algorithm" and value + step >= field.minimum and value + step <= field.maximum then
        local to = copy(entry.patch)
        local into = o and to[o] or to
        into[name] = value + step
        tried[#tried + 1], of[#of + 1] = { patch = to, take = entry.take }, field
      end
    end
  end
  local result = { {}, {}, {}, {} }
  for k, distance in ipairs(judge:all(tried)) do
    local field = of[k]
    local into = field.operator and result[field.operator] or result
    into[field.name] = math.max(into[field.name] or -math.huge, distance - entry.distance)
  end
  return result
end

-- The entries that are judged by D: some of each algorithm.
local function shortlist(found, each)
  local taken, list = {}, {}
  for _, entry in ipairs(M.sorted(found)) do
    local algorithm = entry.patch.algorithm
    taken[algorithm] = (taken[algorithm] or 0) + 1
    if taken[algorithm] <= each then
      list[#list + 1] = entry
    end
  end
  return list
end

local function key_of(patch)
  return patches.pack({ patch }):bytes()
end

-- One entry of each distinct patch, best first.
local function distinct(list)
  local met, kept = {}, {}
  for _, entry in ipairs(M.sorted(list)) do
    local key = key_of(entry.patch)
    if not met[key] then
      met[key] = true
      kept[#kept + 1] = entry
    end
  end
  return kept
end

local function match_of(judge, entry, probabilities)
  local note, held = judge:played(1, entry.take)
  local first = judge.sounds[1]
  local algorithm = entry.patch.algorithm
  return {
    patch = entry.patch, distance = entry.distance, algorithm = algorithm, probability = probabilities[algorithm + 1],
    note = note, pitched = first.pitched, held = held, release = math.max(0, first.held + first.release - held),
    onset = first.onset, velocity = first.velocity, chip = judge.chip, sensitivity = entry.sensitivity,
  }
end

--- Ranks what was found.
---@param judge table
---@param found {patch: ym2612ml.Patch, distance: number, take: integer}[]  distance: as
---  the search saw it
---@param options table  probabilities: of the algorithms, by the network; thorough:
---  whether patches are simplified, made as loud as the sound, and the registers of the
---  best told apart; locked: a function of an operator, or nil, and the name of a field:
---  whether it keeps its value; settle: a function that gives a patch the form in which it
---  is handed out
---@return ym2612ml.Match[] matches  the best of each algorithm, best first; matches.ranking:
---  the best of all
function M.rank(judge, found, options)
  local list = shortlist(found, EACH[options.thorough])
  for i, distance in ipairs(judge:all(list)) do
    list[i].distance, list[i].handicap = distance, judge:handicap(list[i].take)
    list[i].patch = options.settle(list[i].patch)
  end
  list = distinct(list)
  local best, chosen, taken = {}, {}, {}
  for rank, entry in ipairs(list) do
    local algorithm = entry.patch.algorithm
    if rank <= M.RANKED or not taken[algorithm] then
      chosen[#chosen + 1] = entry
    end
    taken[algorithm] = true
  end
  if options.thorough then
    simplify(judge, chosen, options.locked)
    if judge.chip == "clean" then
      match_loudness(judge, chosen, options.locked)
    end
    for _, entry in ipairs(chosen) do
      entry.patch = options.settle(entry.patch)
    end
    chosen = distinct(chosen)
    chosen[1].sensitivity = sensitivity(judge, chosen[1])
  end
  local matches = { ranking = {} }
  for rank, entry in ipairs(chosen) do
    local match = match_of(judge, entry, options.probabilities)
    if rank <= M.RANKED then
      matches.ranking[rank] = match
    end
    if not best[match.algorithm] then
      best[match.algorithm] = true
      matches[#matches + 1] = match
    end
  end
  return matches
end

return M
