-- From a recording to a target that can be matched: cut to its note, at the chip's rate,
-- with what is known or guessed of its pitch, its key-off and its noise.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"

local audio = core.audio

local M = {}

--- Rate in Hz at which sounds are compared: the chip's own.
M.RATE = 53267

--- The share of its rate that a recording is good for.
M.REACH = 0.45

local SLOWEST, FASTEST = 1000, 655350 -- Hz: rates of files and of resampling
local SHORTEST, LONGEST = 0.02, 10 -- seconds of sound that can be, and are, matched
local AT_ONCE = 0.003 -- seconds: an onset before this is where the sound begins
local SEEN = 0.003 -- seconds by which a key-off that is seen is off, at most
local LATE = 0.15 -- seconds: an onset after this may be that of a slow attack
local PITCHLESS = 48 -- the note taken where nothing is to be heard of one
local LOWEST, HIGHEST = 12, 110 -- notes that are estimated
local PERIODIC = 0.4 -- confidence in a pitch from which a sound is pitched
local PLAUSIBLE, NOTES = 0.01, 4 -- least share of a pitch that is tried; most of them
local SURE = 0.2 -- share of the partials that must agree on a note's fine tuning
local TUNED, ASTRAY = 4, 60 -- cents: less is in tune, more is another note
local TAKES = 6 -- most of them

--- The rules (see check.options) of the options that prepare a sound.
M.RULES = {
  note = { type = "number", least = 0, most = 116 },
  held = { type = "number", least = 0.001, most = 600 },
  release = { type = "number", least = 0, most = 600 },
  velocity = { type = "integer", least = 1, most = 127 },
}

local function note_of(f0)
  return 69 + 12 * math.log(f0 / 440, 2)
end

---@class ym2612ml.Take
---@field note number  MIDI, with its fraction
---@field held number  seconds to the key-off

---@class ym2612ml.Prepared
---@field samples ym2612ml.Tensor  mono, at 53,267 Hz, from the onset on
---@field source_rate number  Hz of the sound it was
---@field limit number?  Hz above which there is nothing though the rate has room for it
---@field noise number  mean square of white noise of the density found, over the whole
---  band to 26.6 kHz; 0: there is none
---@field level number  RMS of the loudest 100 ms; full scale is 1
---@field note number  MIDI, with its fraction
---@field pitched boolean  false when no pitch was found and note is a guess
---@field held number  seconds to the key-off
---@field release number  seconds after it
---@field takes ym2612ml.Take[]  what note and held may be, the most likely first
---@field onset number  seconds cut off before
---@field velocity integer?  1..127, as given

--- Raises unless a value is a sound.
---@param sound any
---@param caller string  the function it was given to, as its first argument
function M.check_sound(sound, caller)
  check.type(sound, "table", 1, caller)
  local samples, rate = sound.samples, sound.rate
  if not check.is_tensor(samples) or type(rate) ~= "number" then
    check.no_problem("expected {samples = tensor, rate = Hz}", 1, caller)
  elseif #samples:shape() ~= 1 then
    check.no_problem(("samples: rank is %d, expected 1"):format(#samples:shape()), 1, caller)
  elseif not (rate >= SLOWEST and rate <= FASTEST) then
    check.no_problem(("rate is %s Hz, expected %d..%d"):format(rate, SLOWEST, FASTEST), 1, caller)
  end
end

-- Whether a sound whose key is held for a known time began with its first sample, rather
-- than at the onset found: a slow attack can look like silence, but its key-off tells. Where
-- that does not show, a wait of more than LATE is taken for the attack.
local function began_at_once(sound, onset, held)
  local _, guesses = core.held(sound.samples, sound.rate)
  local first, late = math.huge, math.huge
  for _, guess in ipairs(guesses or {}) do
    first, late = math.min(first, math.abs(guess - held)), math.min(late, math.abs(guess - onset - held))
  end
  return first < SEEN and first < 0.5 * late or onset > LATE and late >= SEEN
end

-- The sound from its onset on, at most LONGEST seconds of it, at the chip's rate.
local function cut(sound, held)
  local trimmed, onset, kind = audio.trim(sound.samples, sound.rate)
  if not trimmed then
    return nil, onset, kind
  end
  if onset < AT_ONCE or held and began_at_once(sound, onset, held) then
    trimmed, onset = sound.samples, 0
  end
  if #trimmed < math.floor(SHORTEST * sound.rate) then
    local message = ("is too short: %.1f ms, expected %g at least")
    return nil, message:format(#trimmed / sound.rate * 1000, SHORTEST * 1000), "input"
  end
  trimmed = trimmed:slice(1, math.min(#trimmed, math.ceil(LONGEST * sound.rate)))
  local samples, message
  samples, message, kind = audio.resample(trimmed, sound.rate, M.RATE, { quick = true })
  if not samples then
    return nil, message, kind
  end
  return samples, onset
end

-- The notes that a sound may be, most likely first, and whether it has a pitch.
local function notes_of(samples, note)
  if note then
    local notes = { note }
    local f0, share = core.pitch(samples, { rate = M.RATE, near = 440 * 2 ^ ((note - 69) / 12) })
    local cents = f0 and share >= SURE and 100 * math.abs(note_of(f0) - note) or 0
    if cents >= TUNED and cents <= ASTRAY then
      notes[2] = note_of(f0)
    end
    return notes, true
  end
  local f0, confidence, guesses = core.pitch(samples, { rate = M.RATE })
  if not f0 then
    return { PITCHLESS }, false
  end
  local notes = {}
  for i, guess in ipairs(guesses) do
    if i == 1 or guess.share >= PLAUSIBLE and #notes < NOTES then
      notes[#notes + 1] = math.max(LOWEST, math.min(HIGHEST, note_of(guess.f0)))
    end
  end
  return notes, confidence >= PERIODIC
end

-- The first note with each held time and the first held time with each note, in turn.
local function takes_of(notes, helds)
  local takes = { { note = notes[1], held = helds[1] } }
  for i = 2, math.max(#notes, #helds) do
    if notes[i] and #takes < TAKES then
      takes[#takes + 1] = { note = notes[i], held = helds[1] }
    end
    if helds[i] and #takes < TAKES then
      takes[#takes + 1] = { note = notes[1], held = helds[i] }
    end
  end
  return takes
end

-- Prepares with options that `RULES` have checked.
local function prepare(sound, options)
  local samples, onset, kind = cut(sound, options.held)
  if not samples then
    return nil, onset, kind
  end
  local survey, message
  survey, message, kind = core.survey(samples, M.RATE, math.min(M.RATE / 2, M.REACH * sound.rate))
  if not survey then
    return nil, message, kind
  end
  local notes, pitched = notes_of(samples, options.note)
  local seconds = #samples / M.RATE
  local helds = options.held and { options.held } or select(2, core.held(samples, M.RATE))
  for i, held in ipairs(helds) do
    helds[i] = math.max(0.001, math.min(held, seconds))
  end
  if options.release and helds[1] + options.release < seconds then
    seconds = helds[1] + options.release
    samples = samples:slice(1, math.max(1, math.floor(seconds * M.RATE + 0.5)))
  end
  return {
    samples = samples, source_rate = sound.rate, limit = survey.limit, noise = survey.noise, level = survey.level,
    note = notes[1], pitched = pitched, held = helds[1], release = math.max(0, seconds - helds[1]),
    takes = takes_of(notes, helds), onset = onset, velocity = options.velocity,
  }
end

--- Makes a sound ready to be matched: the onset first, at most 10 seconds, the chip's
--- rate; pitch and key-off are estimated where they are not given.
---@param sound {samples: ym2612ml.Tensor, rate: number}  as ym.audio.read returns
---@param options? {note: number, held: number, release: number, velocity: integer}  MIDI
---  note; seconds; what comes later than held + release is left out
---@param caller? string  the function that mistakes are blamed on, default "prepare"
---@return ym2612ml.Prepared? prepared
---@return string? message
---@return string? kind  "input": silent, shorter than 20 ms, or not a number
function M.one(sound, options, caller)
  caller = caller or "prepare"
  M.check_sound(sound, caller)
  return prepare(sound, check.options(options, M.RULES, 2, caller))
end

--- What the options of a group say of one of its sounds, checked. Raises where they are
--- wrong.
---@param options table  as for `group`
---@param i integer  number of the sound
---@param count integer?  sounds of the group; nil: there is one sound, and no lists
---@param caller string  the function that mistakes are blamed on
---@return table own  as for `one`
function M.options_of(options, i, count, caller)
  local own = {}
  for key, value in pairs(options) do
    if count and type(value) == "table" then
      local problem = #value ~= count and "option '%s' has %d values, expected one for each of %d sounds"
      check.no_problem(problem and problem:format(key, #value, count), 2, caller)
      value = value[i]
    end
    own[key] = value
  end
  return check.options(own, M.RULES, 2, caller)
end

--- Makes several sounds of one instrument ready, at other pitches or velocities.
---@param sounds {samples: ym2612ml.Tensor, rate: number}[]
---@param options? table  note, held, release and velocity as for `one`, or lists of them,
---  one a sound
---@param caller? string  the function that mistakes are blamed on, default "prepare"
---@return ym2612ml.Prepared[]? prepared
---@return string? message  which sound it is about first
---@return string? kind  "input"
function M.group(sounds, options, caller)
  caller = caller or "prepare"
  check.type(sounds, "table", 1, caller)
  if options ~= nil then
    check.type(options, "table", 2, caller)
  end
  local list = {}
  for i, sound in ipairs(sounds) do
    M.check_sound(sound, caller)
    local message, kind
    list[i], message, kind = prepare(sound, M.options_of(options or {}, i, #sounds, caller))
    if not list[i] then
      return nil, ("%s: %s"):format(sound.path or ("sound %d"):format(i), message), kind
    end
  end
  check.no_problem(#list == 0 and "the list of sounds is empty" or nil, 1, caller)
  return list
end

return M
