-- A sound to ranked patches. Stages, each of use alone: prepare (onset, pitch, key-off,
-- noise), propose (a network and a bank of renders), refine (search over registers), rank.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local judges = require "ym2612ml.match.judge"
local locks = require "ym2612ml.lock"
local models = require "ym2612ml.models"
local patches = require "ym2612ml.patch"
local prepare = require "ym2612ml.prepare"
local ranking = require "ym2612ml.match.ranking"
local sounds = require "ym2612ml.sounds"

local M = {}

--- Seconds of the budgets that have a name; "default" holds where nothing is said.
M.BUDGETS = { fast = 0.05, default = 5, best = 60 }

--- Sounds that a group can have.
M.GROUP = 64

local METHODS = {
  search = require "ym2612ml.match.search",
  networks = require "ym2612ml.match.networks",
}

local RULES = {
  note = { type = { "number", "table" } },
  held = { type = { "number", "table" } },
  release = prepare.RULES.release,
  velocity = { type = { "number", "table" } },
  chip = { choices = { "ym2612", "ym3438", "clean" }, default = "ym2612" },
  method = { choices = { "search", "networks" }, default = "search" },
  renders = { type = "integer", least = 8 },
  budget = { type = "number", least = 0.001 },
  seed = { type = "integer", default = 1 },
  lock = { type = "table", default = {} },
  start = { type = "table" },
  lfo = { type = "boolean", default = false },
  models = { class = "ym2612ml.Models" },
}

-- What of the options is for the search alone, and cannot be kept by the networks, or nil.
local function method_problem(options)
  if options.method == "networks" and (next(options.lock) or options.start or options.lfo) then
    return "options 'lock', 'start' and 'lfo' are those of the method 'search'"
  end
end

-- How the sounds were played, as far as the options say.
local function playing(options)
  return { note = options.note, held = options.held, release = options.release, velocity = options.velocity }
end

-- Options checked, with the budget that holds where none is given. count: of the sounds of
-- a group, nil for one sound.
local function check_options(options, caller, count)
  options = check.options(options, RULES, 2, caller)
  for i = 1, count or 1 do
    prepare.options_of(playing(options), i, count, caller)
  end
  local locked = locks.problem(options.lock)
  local problem = locked and "option 'lock': " .. locked or method_problem(options)
  if not problem and options.start then
    problem = patches.problem(options.start)
    problem = problem and "option 'start': " .. problem
  end
  check.no_problem(problem, 2, caller)
  if not options.renders and options.method == "search" then
    options.budget = options.budget or M.BUDGETS.default
  end
  return options
end

-- Raises unless a value is a sound or a list of them, a group; returns how many it has,
-- nil of one sound.
local function check_sounds(sound, caller)
  check.type(sound, "table", 1, caller)
  if sound[1] == nil then
    prepare.check_sound(sound, caller)
    return nil
  end
  check.no_problem(#sound > M.GROUP and ("%d sounds, expected %d at most"):format(#sound, M.GROUP) or nil, 1, caller)
  for _, one in ipairs(sound) do
    prepare.check_sound(one, caller)
  end
  return #sound
end

-- The sounds made ready, a group or one.
local function prepare_all(sound, options)
  local settings = playing(options)
  if sound[1] then
    return prepare.group(sound, settings)
  end
  local one, message, kind = prepare.one(sound, settings)
  if not one then
    return nil, message, kind
  end
  return { one }
end

-- Steps of a match whose arguments are checked.
local Steps = {}
Steps.__index = Steps

local ELSEWHERE = 0.7 -- of the distance at the given note, from which another is better
-- The seconds that a ranking that takes its time, and a quick one, need for each second of
-- the sounds; from how many renders on, and for what share of the budget, it is worth it.
local RANKING = { [true] = 0.12, [false] = 0.004 }
local THOROUGH = { renders = 1500, share = 0.3 }
local UNDONE = 0.5 -- of the last step's time: with less than that left there is no other
local LEFT = 5000000 -- bytes, four times what the match of a short note leaves behind

-- Whether a match of so many seconds of sounds is ranked thoroughly, as far as can be told
-- before.
local function is_thorough(options, seconds)
  return (options.renders or math.huge) >= THOROUGH.renders
    and RANKING[true] * seconds <= THOROUGH.share * (options.budget or math.huge)
end

local function start(sound, options)
  local set, message, kind = options.models
  if not set then
    set, message, kind = models.shipped()
  end
  if not set then
    return nil, message, kind
  end
  -- to read models, which is done once, is no part of the budget
  local self = setmetatable({ options = options, started = core.clock(), ended = false }, Steps)
  local prepared
  prepared, message, kind = prepare_all(sound, options)
  if not prepared then
    return nil, message, kind
  end
  self.judge, message, kind = judges.new(prepared, options.chip)
  if not self.judge then
    return nil, message, kind
  end
  self.match, message, kind = METHODS[options.method].new(self.judge, set, options)
  if not self.match then
    return nil, message, kind
  end
  self.thorough = is_thorough(options, self.judge.seconds)
  if options.budget then
    self.searching = math.max(1e-6, options.budget - RANKING[self.thorough] * self.judge.seconds)
  end
  return self
end

function Steps:seconds()
  return core.clock() - self.started
end

-- 0..1 of the time there is for the search.
function Steps:time_share()
  return self.searching and self:seconds() / self.searching or 0
end

-- What was found, but for other pitches than the one given where they are not much closer:
-- those who give a note play it.
local function found(self)
  local list, takes = self.match:found(), self.judge.takes
  if not self.options.note or #takes == 1 then
    return list
  end
  local given, kept = math.huge, {}
  for _, entry in ipairs(list) do
    if takes[entry.take].note == takes[1].note then
      given = math.min(given, entry.distance)
    end
  end
  for _, entry in ipairs(list) do
    if takes[entry.take].note == takes[1].note or entry.distance < ELSEWHERE * given then
      kept[#kept + 1] = entry
    end
  end
  return kept
end

local function as_is(patch)
  return patch
end

function Steps:matches(thorough)
  local lock = self.options.lock
  local matches = ranking.rank(self.judge, found(self), {
    probabilities = self.match.probabilities, thorough = thorough,
    locked = function(o, name)
      return (o and (lock[o] or {}) or lock)[name] ~= nil
    end,
    -- the canonical form could change what is locked
    settle = next(lock) and as_is or patches.canonical,
  })
  matches.renders, matches.seconds = math.floor(self.match.renders), self:seconds()
  return matches
end

-- Closes the match, and lets the collector work off what it leaves behind. By itself that
-- waits until the memory of the state has doubled, and meanwhile the C library's is split
-- around what is dead.
local function close(self)
  self.match:close()
  self.match, self.judge = nil, nil
  core.tell_collector(LEFT)
end

-- A step as callers see it: its matches are ranked when they are asked for. After the end
-- these are the last ones for all steps.
local function view(self, more)
  local share = more and math.min(1, math.max(self:time_share(), self.match:share())) or 1
  local step = { done = math.floor(self.match.renders), share = share }
  step.eta = share > 0 and self:seconds() * (1 - share) / share or nil
  if not more then
    self.final = self:matches(self.thorough)
    step.matches = self.final
    close(self)
    return step
  end
  return setmetatable(step, {
    __index = function(_, key)
      if key == "matches" then
        step.matches = self.final or self:matches(false)
        return rawget(step, "matches")
      end
    end,
  })
end

function Steps:next()
  if self.ended then
    return nil
  end
  local before = self:seconds()
  local more = self.match:step(self:time_share())
  local after = self:seconds()
  if self.searching and self.searching - after < UNDONE * (after - before) then
    more = false
  end
  self.ended = not more
  return view(self, more)
end

---@class ym2612ml.Match
---@field patch ym2612ml.Patch
---@field distance number  D in dB between the sound and the patch's note on `chip`; of a
---  group, the mean
---@field algorithm integer  0..7
---@field probability number  of the algorithm, by the network
---@field note number  MIDI, with its fraction
---@field pitched boolean  false when no pitch was found and note is a guess
---@field held number  seconds
---@field release number  seconds
---@field onset number  seconds of the sound before the note
---@field velocity integer?  1..127, as given
---@field chip string  the output stage judged with
---@field sensitivity table?  of the best match of a search that took its time: a table
---  like a patch, with the dB that one step of each register changes at most

--- Matches a sound, a step a call: each step tells how far it is and what is best so far.
--- A step takes some tens of milliseconds, the last one, which ranks with care, longer.
--- Stop by not calling.
---@param sound {samples: ym2612ml.Tensor, rate: number}  as ym.audio.read returns; its
---  first 10 seconds are matched. A list of them, 64 at most, is a group: one
---  instrument at several pitches or velocities, to be matched by one patch
---@param options? table  note: MIDI, default: estimated; held: seconds to the key-off,
---  default: estimated; velocity: 1..127 the note was played with (of a group, these are
---  lists); release: seconds matched after it, default: all; chip: the output stage the
---  patch will be played on, "ym2612" (default), "ym3438" or "clean"; budget: seconds,
---  default 5 (0.05 is fast, 60 finds the best); renders: 8 or more patches after which
---  the step that has tried them is the last: given alone, there is no limit of time, and
---  the same seed gives the same result; method: "search" (default) or "networks", which
---  draws from the networks of the algorithms (640 renders where nothing is said, 100,000
---  at most), without lock, start and lfo; seed: default 1; lock: registers that keep a
---  value, a table like a patch with only those; start: a patch to begin from; lfo:
---  whether vibrato and tremolo may be used, which a Y12 cannot hold, default false;
---  models (ym2612ml.Models): default those that come with the module
---@return (fun(): {done: number, share: number, eta: number?, matches: ym2612ml.Match[]}?)? steps
---  done: renders; share: 0..1 of the budget; eta: seconds left; matches: so far, ranked
---  when first read, which takes some milliseconds
---@return string? message
---@return string? kind  "input" (silent, too short, not a number), "io" or "format"
---  (models)
function M.steps(sound, options)
  local count = check_sounds(sound, "estimate_steps")
  local steps, message, kind = start(sound, check_options(options, "estimate_steps", count))
  if not steps then
    return nil, message, kind
  end
  return function()
    return steps:next()
  end
end

local function finish(sound, options)
  local steps, message, kind = start(sound, options)
  if not steps then
    return nil, message, kind
  end
  local last
  repeat
    last = steps:next()
  until steps.ended
  return last.matches
end

--- Matches a sound: the best patch of each algorithm, best first; in the field `ranking`
--- the eight best of all, in `renders` and `seconds` what it took.
---@param sound {samples: ym2612ml.Tensor, rate: number}  or a list of them: a group
---@param options? table  as for steps
---@return ym2612ml.Match[]? matches
---@return string? message
---@return string? kind
function M.estimate(sound, options)
  local count = check_sounds(sound, "estimate")
  return finish(sound, check_options(options, "estimate", count))
end

--- Matches sound files one after another. A file that fails is reported, and the others
--- go on.
---@param paths string[]  files, and folders of them (see ym2612ml.sounds)
---@param options? table  as for estimate
---@return fun(): string?, ym2612ml.Match[]?, string?, string?  path, matches or nil,
---  message, kind
function M.estimate_each(paths, options)
  local list, failures = sounds.expand(paths, "estimate_each")
  options = check_options(options, "estimate_each")
  local i = 0
  return function()
    i = i + 1
    local path = list[i]
    if not path then
      return nil
    elseif failures[path] then
      return path, nil, failures[path].message, failures[path].kind
    end
    local sound, message, kind = core.audio.read(path)
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
