-- Sets of sounds to be matched, made from a seed: the first n targets of a set are the
-- same whatever their number. All are 1.0 s held and 0.5 s released.
local bank = require "ym2612ml.bank"
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local samplers = require "ym2612ml.sampler"
local soundfont = require "ym2612ml.evaluate.soundfont"
local sounds = require "ym2612ml.evaluate.sounds"
local steps = require "ym2612ml.steps"

local M = {}

local fail, must = steps.fail, steps.must

--- Seconds the notes are held, and heard after that.
M.HELD, M.RELEASE = soundfont.HELD, soundfont.RELEASE

local LOWEST, HIGHEST = 36, 79 -- notes
local FAINTEST = 0.005 -- the peak of a target, of one channel's largest swing
local QUIETEST = -24 -- dB: level of the recordings, 0 at most

---@class ym2612ml.EvaluationTarget
---@field set string
---@field number integer  in its set
---@field name string
---@field samples ym2612ml.Tensor  the recording
---@field rate number  Hz of it
---@field clean ym2612ml.Tensor  what an answer is compared with, at 53,267 Hz
---@field note? integer  MIDI; nil of drums
---@field held number
---@field release number
---@field chip string  output stage of the answers
---@field patch? ym2612ml.Patch  which made it
---@field heard fun(samples: ym2612ml.Tensor): ym2612ml.Tensor  what comes after the chip
---@field chaotic? boolean  see judge.is_chaotic, once it is known
---@field seed integer  a number of its own

local function as_is(samples)
  return samples
end

local function new_target(set, number, options, fields)
  fields.set, fields.number, fields.held, fields.release = set, number, M.HELD, M.RELEASE
  fields.chip, fields.heard = fields.chip or options.chip, fields.heard or as_is
  fields.seed = options.seed * 1000003 + number
  return fields
end

local function peak(samples)
  local most = 0
  for _, value in ipairs(samples:totable()) do
    most = math.max(most, math.abs(value))
  end
  return most
end

-- The recording of a patch: at an unknown level.
local function record_plain(clean, rng)
  return sounds.amplified(clean, rng:uniform(QUIETEST, 0)), sounds.RATE
end

-- The recording of a console: its filter, noise and an unknown level, at 44,100 Hz.
local function record_console(clean, rng)
  local rate = 44100
  local noisy = sounds.noisy(clean, -50, rng)
  return sounds.resampled(sounds.amplified(noisy, rng:uniform(QUIETEST, 0)), sounds.RATE, rate), rate
end

-- Targets of patches: next_patch gives one after the other, with a name, and nil at the
-- end. Notes that cannot be heard are passed over.
local function of_patches(set, options, next_patch, stage)
  local rng, number = core.rng.new { seed = options.seed, stream = stage.stream }, 0
  return function()
    for patch, name in next_patch do
      local note = rng:integer(LOWEST, HIGHEST)
      local clean = core.render(patch, {
        note = note, held = M.HELD, release = M.RELEASE, chip = stage.chip or options.chip,
      })
      clean = stage.heard and stage.heard(clean) or clean
      local samples, rate = stage.record(clean, rng)
      if peak(clean) >= FAINTEST then
        number = number + 1
        return new_target(set, number, options, {
          name = name, patch = patch, note = note, clean = clean, samples = samples, rate = rate,
          chip = stage.chip, heard = stage.heard,
        })
      end
    end
  end
end

-- Real patches in random order.
local function shuffled(list, seed)
  local order, at = core.rng.new { seed = seed, stream = 11 }:order(#list):totable(), 0
  return function()
    at = at + 1
    local patch = list[order[at]]
    if patch then
      return samplers.plain(patch), ("%s (%d)"):format(patch.name or "patch", order[at])
    end
  end
end

-- Draws from the prior, without end.
local function drawn(prior, seed)
  local sampler, number = samplers.sampler { prior = prior, seed = seed, stream = 12 }, 0
  return function()
    number = number + 1
    return sampler:next(), ("draw %d"):format(number)
  end
end

-- Every value of low..high once in random order, and again in another.
local function endless(low, high, rng)
  local queue = {}
  return function()
    if #queue == 0 then
      for value = low, high do
        queue[#queue + 1] = value
      end
      rng:shuffle(queue)
    end
    return table.remove(queue)
  end
end

local PROGRAMS = { 0, 111 } -- of General MIDI, from 0: without percussion and effects
local DRUM_KEYS = { 35, 81 }

-- Notes of a soundfont, all rendered at the first call.
local function of_soundfont(set, options, drums)
  local number, list, notes, rate = 0, nil, {}, nil
  return function()
    if not list then
      local rng = core.rng.new { seed = options.seed, stream = drums and 14 or 13 }
      local next_value = endless(drums and DRUM_KEYS[1] or PROGRAMS[1], drums and DRUM_KEYS[2] or PROGRAMS[2], rng)
      for i = 1, options.count do
        local value = next_value()
        notes[i] = drums and { key = value } or { key = rng:integer(LOWEST, HIGHEST), program = value }
      end
      local kind
      list, rate, kind = soundfont.render(notes, options.soundfont)
      must(list, rate, kind)
    end
    while number < #list do
      number = number + 1
      local note, samples = notes[number], list[number]
      if peak(samples) > 0 then
        return new_target(set, number, options, {
          name = note.program and ("program %d"):format(note.program) or ("drum %d"):format(note.key),
          note = note.program and note.key, samples = samples, rate = rate,
          clean = sounds.resampled(samples, rate, sounds.RATE),
        })
      end
    end
  end
end

local OPEN = {
  real = function(options)
    if not options.patches then
      return nil, "real: needs real patches"
    end
    return of_patches("real", options, shuffled(options.patches, options.seed), {
      stream = 1, record = record_plain,
    })
  end,
  prior = function(options)
    return of_patches("prior", options, drawn(options.prior, options.seed), {
      stream = 2, record = record_plain,
    })
  end,
  gm = function(options)
    return options.soundfont and of_soundfont("gm", options, false), "gm: no soundfont is installed"
  end,
  drums = function(options)
    return options.soundfont and of_soundfont("drums", options, true), "drums: no soundfont is installed"
  end,
  chip = function(options)
    local next_patch = options.patches and shuffled(options.patches, options.seed + 1)
      or drawn(options.prior, options.seed + 1)
    return of_patches("chip", options, next_patch, {
      stream = 5, chip = "ym2612", heard = sounds.through_console, record = record_console,
    })
  end,
}

--- The sets: patches held out; draws of the prior; General MIDI notes; its drums;
--- recordings of a console (of held-out patches where there are some).
---@type string[]
M.names = { "real", "prior", "gm", "drums", "chip" }

--- Opens a set.
---@param name string
---@param options table  seed; count: of targets asked for; chip: output stage of targets
---  and answers; prior; patches?: real ones; soundfont?: path
---@return (fun(): ym2612ml.EvaluationTarget?)? next  nil at the end
---@return string? reason  why there is no such set here
function M.open(name, options)
  local next_target, reason = OPEN[name](options)
  return next_target or nil, reason
end

--- The patches of a table or folder that no network has learned from: where a row's
--- `split` is named, those not of "train".
---@param path string
---@return ym2612ml.Patch[]
function M.held_out(path)
  check.type(path, "string", 1, "held_out")
  local list = {}
  for _, row in ipairs(must(bank.read_patches(path))) do
    if row.patch and row.split ~= "train" then
      list[#list + 1] = row.patch
    end
  end
  if #list == 0 then
    fail(path .. ": holds no patch that was held out", "input")
  end
  return list
end

return M
