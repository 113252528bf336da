-- A sound to ranked patches. Stages, each of use alone: prepare (onset, pitch, key-off),
-- propose (the networks of the eight algorithms, then draws from their distributions),
-- render and rank all by D, set the level, report.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local models = require "ym2612ml.models"
local patches = require "ym2612ml.patch"
local registers = require "ym2612ml.networks.registers"

local audio = core.audio

local M = {}

--- Rate in Hz at which sounds are compared: the chip's own.
M.RATE = 53267

local RULES = {
  note = { type = "number", least = 0, most = 116 },
  held = { type = "number", least = 0.001, most = 600 },
  release = { type = "number", least = 0, most = 600 },
  chip = { choices = { "ym2612", "ym3438", "clean" }, default = "ym2612" },
  renders = { type = "integer", least = 8, default = 640 },
  budget = { type = "number", least = 0 },
  seed = { type = "integer", default = 1 },
  models = { type = "table" },
}

local SHORTEST = 0.02 -- seconds of sound that can be matched
local PITCHLESS = 48 -- the note taken for sounds without a pitch
local LOWEST, HIGHEST = 12, 110 -- notes that are estimated

local function note_of(f0)
  return 69 + 12 * math.log(f0 / 440, 2)
end

---@class ym2612ml.Prepared
---@field samples ym2612ml.Tensor  mono, at 53,267 Hz, from the onset on
---@field source_rate number  Hz of the sound it was
---@field note number  MIDI, with its fraction
---@field pitched boolean  false when no pitch was found and note is a guess
---@field held number  seconds to the key-off
---@field release number  seconds after it
---@field onset number  seconds cut off before

--- Makes a sound ready to be matched: the chip's rate, the onset first; pitch and
--- key-off are estimated where they are not given.
---@param sound {samples: ym2612ml.Tensor, rate: number}  as ym.audio.read returns
---@param options? {note: number, held: number, release: number}  MIDI note; seconds; what
---  comes later than held + release is left out
---@return ym2612ml.Prepared? prepared
---@return string? message
---@return string? kind  "input": silent, or not a number
function M.prepare(sound, options)
  options = check.options(options, {
    note = RULES.note, held = RULES.held, release = RULES.release,
  }, 2, "prepare")
  local samples, message, kind = audio.resample(sound.samples, sound.rate, M.RATE)
  if not samples then
    return nil, message, kind
  end
  local trimmed, onset, failure = audio.trim(samples, M.RATE)
  if not trimmed then
    return nil, onset, failure
  end
  if #trimmed < SHORTEST * M.RATE then
    return nil, ("is too short: %.1f ms, expected %g at least"):format(#trimmed / M.RATE * 1000, SHORTEST * 1000),
      "input"
  end
  local note, pitched = options.note, true
  if not note then
    local f0 = core.pitch(trimmed, { rate = M.RATE })
    pitched = f0 ~= nil
    note = pitched and math.max(LOWEST, math.min(HIGHEST, note_of(f0))) or PITCHLESS
  end
  local seconds = #trimmed / M.RATE
  local held = options.held or core.held(trimmed, M.RATE)
  held = math.max(0.001, math.min(held, seconds))
  if options.release and held + options.release < seconds then
    seconds = held + options.release
    trimmed = trimmed:slice(1, math.max(1, math.floor(seconds * M.RATE + 0.5)))
  end
  return {
    samples = trimmed, source_rate = sound.rate, note = note, pitched = pitched, onset = onset,
    held = held, release = math.max(0, seconds - held),
  }
end

-- Candidates of one sound, judged as they are added.
local Pool = {}
Pool.__index = Pool

local function new_pool(prepared, chip)
  local target, message, kind = core.target.new(prepared.samples, {
    rate = M.RATE, source_rate = prepared.source_rate < M.RATE and prepared.source_rate or nil,
  })
  if not target then
    return nil, message, kind
  end
  return setmetatable({
    target = target,
    note = { note = prepared.note, held = prepared.held, release = prepared.release, chip = chip },
    best = {}, -- by algorithm
    renders = 0,
  }, Pool)
end

-- Renders and judges a list of patches; keeps the best of each algorithm. Of equals
-- the earlier stays, so that the order of judging is the order of preference.
function Pool:judge(list)
  if #list == 0 then
    return
  end
  local distances = core.batch.distances(patches.pack(list), self.target, self.note)
  for i, patch in ipairs(list) do
    local best = self.best[patch.algorithm]
    if not best or distances[i] < best.distance then
      self.best[patch.algorithm] = { patch = patch, distance = distances[i] }
    end
  end
  self.renders = self.renders + #list
end

local ROUND = 64 -- patches drawn and judged in one step
local LEVELS = { 4, 8, 12, 16, 24, 32 } -- of the loudest carrier, besides 0

-- The level is part of the timbre on the chip's own output stages, so it is tried, not
-- computed.
local function at_levels(pool)
  local list = {}
  for algorithm = 0, 7 do
    local best = pool.best[algorithm]
    for _, level in ipairs(best and LEVELS or {}) do
      list[#list + 1] = registers.at_level(best.patch, level)
    end
  end
  return list
end

-- Patches drawn from the networks' distributions; algorithms by their probability, each
-- with a share of an even choice.
local function draw_round(answer, rng, count)
  local weights, list = {}, {}
  for i, probability in ipairs(answer.probabilities) do
    weights[i] = 0.6 * probability + 0.4 / 8
  end
  for i = 1, count do
    local algorithm = rng:choose(weights) - 1
    local temperature = 0.4 + 0.6 * rng:uniform()
    list[i] = registers.patch(answer.logits[algorithm], algorithm, rng, temperature)
  end
  return list
end

local function ranked(pool, prepared, answer, chip)
  local matches = {}
  for algorithm = 0, 7 do
    local best = pool.best[algorithm]
    if best then
      matches[#matches + 1] = {
        patch = patches.canonical(best.patch), distance = best.distance, algorithm = algorithm,
        probability = answer.probabilities[algorithm + 1],
        note = prepared.note, pitched = prepared.pitched, held = prepared.held,
        release = prepared.release, chip = chip,
      }
    end
  end
  table.sort(matches, function(a, b)
    if a.distance ~= b.distance then
      return a.distance < b.distance
    end
    return a.algorithm < b.algorithm
  end)
  return matches
end

---@class ym2612ml.Match
---@field patch ym2612ml.Patch
---@field distance number  D in dB between the sound and the patch's note on `chip`
---@field algorithm integer  0..7
---@field probability number  of the algorithm, by the network
---@field note number  MIDI, with its fraction
---@field pitched boolean  false when no pitch was found and note is a guess
---@field held number  seconds
---@field release number  seconds
---@field chip string  the output stage judged with

--- Matches a sound, a step a call: each step returns what is best so far. Stop by not
--- calling.
---@param sound {samples: ym2612ml.Tensor, rate: number}  as ym.audio.read returns
---@param options? {note: number, held: number, release: number, chip: string, renders: integer, budget: number, seed: integer, models: ym2612ml.Models}
---  note: MIDI, default: estimated; held: seconds to the key-off, default: estimated;
---  release: seconds matched after it, default: all; chip: the output stage the patch will be played on, "ym2612" (default), "ym3438" or
---  "clean"; renders: how many patches are tried, default 640; budget: seconds, stops
---  earlier; seed: of the draws; models: default those that come with the module
---@return (fun(): {done: integer, total: integer, matches: ym2612ml.Match[]}?)? steps
---@return string? message
---@return string? kind
function M.steps(sound, options)
  options = check.options(options, RULES, 2, "steps")
  local set, message, kind = options.models
  if not set then
    set, message, kind = models.shipped()
  end
  if not set then
    return nil, message, kind
  end
  local prepared, answer, pool
  prepared, message, kind = M.prepare(sound, {
    note = options.note, held = options.held, release = options.release,
  })
  if not prepared then
    return nil, message, kind
  end
  answer, message, kind = set:listen(prepared.samples, prepared.note, prepared.held)
  if not answer then
    return nil, message, kind
  end
  pool, message, kind = new_pool(prepared, options.chip)
  if not pool then
    return nil, message, kind
  end
  local rng, started, ended = core.rng.new { seed = options.seed }, os.time(), false
  return function()
    if ended then
      return nil
    end
    local left = options.renders - pool.renders
    if pool.renders == 0 then
      local list = {}
      for algorithm = 0, 7 do
        list[#list + 1] = registers.patch(answer.logits[algorithm], algorithm)
      end
      pool:judge(list)
    elseif left > 8 * #LEVELS and not (options.budget and os.time() - started >= options.budget) then
      pool:judge(draw_round(answer, rng, math.min(ROUND, left - 8 * #LEVELS)))
    else
      pool:judge(at_levels(pool))
      ended = true
    end
    return {
      done = ended and options.renders or pool.renders, total = options.renders,
      matches = ranked(pool, prepared, answer, options.chip),
    }
  end
end

--- Matches a sound: the best patch of each algorithm, best first. Options as for steps.
---@param sound {samples: ym2612ml.Tensor, rate: number}
---@param options? table
---@return ym2612ml.Match[]? matches
---@return string? message
---@return string? kind  "input" (silent, empty, not a number), "io" or "format" (models)
function M.estimate(sound, options)
  local steps, message, kind = M.steps(sound, options)
  if not steps then
    return nil, message, kind
  end
  local last
  for step in steps do
    last = step
  end
  return last.matches
end

--- Matches sound files one after another. A file that fails is reported, and the others
--- go on.
---@param paths string[]
---@param options? table  as for estimate
---@return fun(): string?, ym2612ml.Match[]?, string?, string?  path, matches or nil, message, kind
function M.estimate_each(paths, options)
  check.type(paths, "table", 1, "estimate_each")
  local i = 0
  return function()
    i = i + 1
    local path = paths[i]
    if not path then
      return nil
    end
    local sound, message, kind = audio.read(path)
    if not sound then
      return path, nil, message, kind
    end
    local matches
    matches, message, kind = M.estimate(sound, options)
    if not matches then
      return path, nil, ("%s: %s"):format(path, message), kind
    end
    return path, matches
  end
end

return M
