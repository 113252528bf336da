-- A sound to ranked patches. Stages, each of use alone: prepare (onset, pitch, key-off),
-- propose (the networks of the eight algorithms, then draws from their distributions),
-- render and rank all by D, set the level, report.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local models = require "ym2612ml.models"
local patches = require "ym2612ml.patch"
local registers = require "ym2612ml.networks.registers"
local sounds = require "ym2612ml.sounds"

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

local SHORTEST, LONGEST = 0.02, 10 -- seconds of sound that can be, and are, matched
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

local function check_sound(sound, caller)
  check.type(sound, "table", 1, caller)
  if type(sound.samples) ~= "userdata" or type(sound.rate) ~= "number" then
    check.misuse(("bad argument #1 to '%s' (expected {samples = tensor, rate = Hz})"):format(caller))
  end
end

-- The sound from its onset on, at most LONGEST seconds of it, at the chip's rate.
local function cut(sound)
  local trimmed, onset, kind = audio.trim(sound.samples, sound.rate)
  if not trimmed then
    return nil, onset, kind
  end
  if #trimmed < SHORTEST * sound.rate then
    local message = ("is too short: %.1f ms, expected %g at least")
    return nil, message:format(#trimmed / sound.rate * 1000, SHORTEST * 1000), "input"
  end
  trimmed = trimmed:slice(1, math.min(#trimmed, math.ceil(LONGEST * sound.rate)))
  local samples, message
  samples, message, kind = audio.resample(trimmed, sound.rate, M.RATE)
  if not samples then
    return nil, message, kind
  end
  return samples, onset
end

-- Prepares with options already checked.
local function prepare(sound, options)
  local samples, onset, kind = cut(sound)
  if not samples then
    return nil, onset, kind
  end
  local note, pitched = options.note, true
  if not note then
    local f0 = core.pitch(samples, { rate = M.RATE })
    pitched = f0 ~= nil
    note = pitched and math.max(LOWEST, math.min(HIGHEST, note_of(f0))) or PITCHLESS
  end
  local seconds = #samples / M.RATE
  local held = math.min(options.held or core.held(samples, M.RATE), seconds)
  if options.release and held + options.release < seconds then
    seconds = held + options.release
    samples = samples:slice(1, math.max(1, math.floor(seconds * M.RATE + 0.5)))
  end
  return {
    samples = samples, source_rate = sound.rate, note = note, pitched = pitched, onset = onset,
    held = math.max(0.001, held), release = math.max(0, seconds - held),
  }
end

--- Makes a sound ready to be matched: the onset first, at most 10 seconds, the chip's
--- rate; pitch and key-off are estimated where they are not given.
---@param sound {samples: ym2612ml.Tensor, rate: number}  as ym.audio.read returns
---@param options? {note: number, held: number, release: number}  MIDI note; seconds; what
---  comes later than held + release is left out
---@return ym2612ml.Prepared? prepared
---@return string? message
---@return string? kind  "input": silent, shorter than 20 ms, or not a number
function M.prepare(sound, options)
  check_sound(sound, "prepare")
  return prepare(sound, check.options(options, {
    note = RULES.note, held = RULES.held, release = RULES.release,
  }, 2, "prepare"))
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

-- The best patch of each algorithm, best first; of equals the lower algorithm.
function Pool:ranked()
  local list = {}
  for algorithm = 0, 7 do
    list[#list + 1] = self.best[algorithm]
  end
  table.sort(list, function(a, b)
    if a.distance ~= b.distance then
      return a.distance < b.distance
    end
    return a.patch.algorithm < b.patch.algorithm
  end)
  return list
end

local ROUND = 64 -- patches drawn and judged in one step
local LEVELS = { 4, 8, 12, 16, 24, 32 } -- of the loudest carrier, besides 0

-- The best patches at other levels, at most so many, best first. The level is part of
-- the timbre on the chip's own output stages, so it is tried, not computed.
local function at_levels(pool, count)
  local list = {}
  for _, best in ipairs(pool:ranked()) do
    for _, level in ipairs(LEVELS) do
      if #list < count then
        list[#list + 1] = registers.at_level(best.patch, level)
      end
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

-- What is handed out: all there is to know of the best patches.
local function matches_of(pool, prepared, answer, chip)
  local matches = {}
  for rank, best in ipairs(pool:ranked()) do
    local algorithm = best.patch.algorithm
    matches[rank] = {
      patch = patches.canonical(best.patch), distance = best.distance, algorithm = algorithm,
      probability = answer.probabilities[algorithm + 1],
      note = prepared.note, pitched = prepared.pitched, held = prepared.held,
      release = prepared.release, chip = chip,
    }
  end
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

-- Steps of a match whose arguments are checked.
local function start(sound, options)
  local set, message, kind = options.models
  if not set then
    set, message, kind = models.shipped()
  end
  if not set then
    return nil, message, kind
  end
  local prepared, answer, pool
  prepared, message, kind = prepare(sound, options)
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
  local rng, started, ended = core.rng.new { seed = options.seed }, core.clock(), false
  -- One step: the networks' own answers, then rounds of draws, last the levels.
  return function()
    if ended then
      return nil
    end
    local left = options.renders - pool.renders
    local drawn = left - 8 * #LEVELS
    if pool.renders == 0 then
      local list = {}
      for algorithm = 0, 7 do
        list[#list + 1] = registers.patch(answer.logits[algorithm], algorithm)
      end
      pool:judge(list)
    elseif drawn > 0 and not (options.budget and core.clock() - started >= options.budget) then
      pool:judge(draw_round(answer, rng, math.min(ROUND, drawn)))
    else
      pool:judge(at_levels(pool, left))
      ended = true
    end
    return {
      done = pool.renders, total = ended and pool.renders or options.renders,
      matches = matches_of(pool, prepared, answer, options.chip),
    }
  end
end

--- Matches a sound, a step a call: each step returns what is best so far. Stop by not
--- calling.
---@param sound {samples: ym2612ml.Tensor, rate: number}  as ym.audio.read returns; its
---  first 10 seconds are matched
---@param options? table  note: MIDI, default: estimated; held: seconds to the key-off,
---  default: estimated; release: seconds matched after it, default: all; chip: the output
---  stage the patch will be played on, "ym2612" (default), "ym3438" or "clean"; renders:
---  how many patches are tried, default 640, at least 8, the networks' own answers;
---  budget: seconds, ends the draws earlier; seed: of the draws, default 1; models
---  (ym2612ml.Models): default those that come with the module
---@return (fun(): {done: integer, total: integer, matches: ym2612ml.Match[]}?)? steps
---@return string? message
---@return string? kind  "input" (silent, too short, not a number), "io" or "format"
---  (models)
function M.steps(sound, options)
  check_sound(sound, "estimate_steps")
  return start(sound, check.options(options, RULES, 2, "estimate_steps"))
end

local function finish(sound, options)
  local steps, message, kind = start(sound, options)
  if not steps then
    return nil, message, kind
  end
  local last
  for step in steps do
    last = step
  end
  return last.matches
end

--- Matches a sound: the best patch of each algorithm, best first.
---@param sound {samples: ym2612ml.Tensor, rate: number}
---@param options? table  as for steps
---@return ym2612ml.Match[]? matches
---@return string? message
---@return string? kind
function M.estimate(sound, options)
  check_sound(sound, "estimate")
  return finish(sound, check.options(options, RULES, 2, "estimate"))
end

--- Matches sound files one after another. A file that fails is reported, and the others
--- go on.
---@param paths string[]  files, and folders of them (see ym2612ml.sounds)
---@param options? table  as for estimate
---@return fun(): string?, ym2612ml.Match[]?, string?, string?  path, matches or nil,
---  message, kind
function M.estimate_each(paths, options)
  local list, failures = sounds.expand(paths, "estimate_each")
  options = check.options(options, RULES, 2, "estimate_each")
  local i = 0
  return function()
    i = i + 1
    local path = list[i]
    if not path then
      return nil
    elseif failures[path] then
      return path, nil, failures[path].message, failures[path].kind
    end
    local sound, message, kind = audio.read(path)
    if not sound then
      return path, nil, message, kind
    end
    local matches
    matches, message, kind = finish(sound, options)
    if not matches then
      return path, nil, ("%s: %s"):format(path, message), kind
    end
    return path, matches
  end
end

return M
