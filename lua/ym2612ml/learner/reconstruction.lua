-- A single sound, told by a learner and rendered again.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local measure = require "ym2612ml.learner.measure"

local M = {}

local SILENT = 1e-6 -- largest sample of a sound that nobody hears
local LOWEST, HIGHEST = 4000, 192000 -- Hz between which D is defined

-- A sound as the learner hears it: at its rate, cut or continued with silence to its
-- length. Or nil, message, kind.
local function heard_of(learner, samples, rate, trim)
  if trim then
    local trimmed, message, kind = core.audio.trim(samples, rate)
    if not trimmed then
      return nil, message, kind
    end
    samples = trimmed
  end
  if rate ~= learner.rate then
    local resampled, message, kind = core.audio.resample(samples, rate, learner.rate)
    if not resampled then
      return nil, message, kind
    end
    samples = resampled
  end
  local heard = core.tensor.new { 1, math.floor(learner.rate * learner.length) }
  local kept = math.min(#samples, heard:shape()[2])
  if kept > 0 then
    heard[1]:slice(1, kept):copy(samples:slice(1, kept))
  end
  local peak = core.audio.peaks(heard)[1]
  if peak ~= peak then
    return nil, "holds what is not a number", "input"
  elseif peak <= SILENT then
    return nil, ("is silent in the %g s that the model hears"):format(learner.length), "input"
  end
  return heard
end

local function listed(list, name)
  for _, parameter in ipairs(list) do
    if parameter.name == name then
      return true
    end
  end
  return false
end

-- How likely the learner holds the class that it told: a probability where it was taught
-- one, nil where it told a value.
local function share_of(learner, name, scores, class)
  local targets, own = learner.targets, scores[class + 1]
  if listed(targets.switch, name) or listed(targets.class, name) and targets.loss == "bce" then
    return 1 / (1 + math.exp(-own))
  elseif not listed(targets.class, name) then
    return nil
  end
  local sum = 0
  for _, score in ipairs(scores) do
    sum = sum + math.exp(score - own)
  end
  return 1 / sum
end

-- What was told of each parameter.
local function describe(learner, answer, values)
  local list, classes = {}, learner.synth:classes(values)
  for i, parameter in ipairs(learner.synth.parameters) do
    local scores = answer.scores[parameter.name]
    local class = classes:get(1, i)
    list[i] = {
      name = parameter.name, value = values:get(1, i), class = class, unit = parameter.unit,
      share = scores and share_of(learner, parameter.name, scores[1]:totable(), class),
      dropped = not scores and (learner.dropped[parameter.name] or "not learned") or nil,
    }
  end
  return list
end

--- Tells the parameters of a sound and renders it again.
---@param learner ym2612ml.Learner
---@param samples ym2612ml.Tensor  f32 (samples), mono
---@param rate number  Hz
---@param options? {trim: boolean}  trim: leave out what is before the note's onset; the
---  sounds that a model learns from begin with the note
---@return table? reconstruction  heard: f32 (samples), the sound at the learner's rate, cut
---  or continued with silence to its length; values: f32 (1, parameters of the synthesizer);
---  parameters: a list of {name, value, class: from 0, unit?, share?: how likely the learner
---  holds it, 0..1, dropped?: why it is not told, but given its most usual value}; sound:
---  f32 (samples), as long as heard; pcc_stft, pcc_ft and lsd: see learner/measure.lua; and
---  of synthesizer opn2 distance: D in dB (ym.distance)
---@return string? message
---@return string? kind  "input": silent, or not numbers
function M.one(learner, samples, rate, options)
  check.type(learner, "table", 1, "one")
  check.tensor(samples, 2, "one")
  local rank = #samples:shape()
  check.no_problem(rank ~= 1 and ("rank is %d, expected 1"):format(rank) or nil, 2, "one")
  check.type(rate, "number", 3, "one")
  options = check.options(options, { trim = { type = "boolean", default = false } }, 4, "one")
  local heard, message, kind = heard_of(learner, samples, rate, options.trim)
  if not heard then
    return nil, message, kind
  end
  local answer, sounds, measures
  answer, message, kind = learner:predict(heard)
  if not answer then
    return nil, message, kind
  end
  local values = learner.synth:nearest(answer.values)
  sounds, message, kind = learner.synth:render(values, { rate = learner.rate, length = learner.length })
  if not sounds then
    return nil, message, kind
  end
  measures, message, kind = measure.sounds(heard, sounds, learner.rate)
  if not measures then
    return nil, message, kind
  end
  local made = measures[1]
  made.heard, made.sound, made.values = heard[1], sounds[1], values
  made.parameters = describe(learner, answer, values)
  if learner.synth.name == "opn2" and learner.rate >= LOWEST and learner.rate <= HIGHEST then
    made.distance = core.distance(made.heard, made.sound, { rate = learner.rate, source_rate = learner.rate })
  end
  return made
end

return M
