-- D between patches and the sounds they are to match: what is reported.
local core = require "ym2612ml.core"
local patches = require "ym2612ml.patch"
local prepare = require "ym2612ml.prepare"

-- A judge: targets and how they are played.
local Judge = {}
Judge.__index = Judge

local M = {}

local IN_TUNE = 0.12 -- semitones
local SAME_NOTE, OTHER_NOTE = 0.6, 0.18 -- semitones; the handicap in dB of a take beyond them

local WHOLE = 18000 -- Hz up to which D hears

-- The rate of the recording as far as it is good, as ym.target.new takes it: D leaves out
-- what is above. nil: nothing.
local function source_rate(sound)
  local reach = math.min(sound.source_rate * prepare.REACH, sound.limit or math.huge)
  return reach < WHOLE and reach / prepare.REACH or nil
end

--- Judges patches by all sounds of a group.
---@param sounds ym2612ml.Prepared[]  one sound, or several of one instrument
---@param chip string  the output stage
---@return table? judge  seconds: of all sounds; shortest: of the shortest
---@return string? message
---@return string? kind  "input": a sound is silent
function M.new(sounds, chip)
  local self = setmetatable({ sounds = sounds, chip = chip, targets = {}, seconds = 0, shortest = math.huge }, Judge)
  for i, sound in ipairs(sounds) do
    local seconds = sound.held + sound.release
    self.seconds, self.shortest = self.seconds + seconds, math.min(self.shortest, seconds)
    local options = { rate = prepare.RATE, source_rate = source_rate(sound) }
    local target, message, kind = core.target.new(sound.samples, options)
    if not target then
      return nil, message, kind
    end
    self.targets[i] = target
  end
  -- How the sounds may have been played: a group in one way only.
  self.takes = #sounds == 1 and table.move(sounds[1].takes, 1, #sounds[1].takes, 1, {}) or { {} }
  return self
end

--- A target of the first seconds of a sound.
---@param sound integer
---@param seconds number
---@return ym2612ml.Target
function Judge:beginning(sound, seconds)
  local prepared = self.sounds[sound]
  local samples = prepared.samples:slice(1, math.min(#prepared.samples, math.floor(seconds * prepare.RATE)))
  return core.target.new(samples, { rate = prepare.RATE, source_rate = source_rate(prepared) }) or self.targets[sound]
end

--- Adds a take of a single sound.
---@param take ym2612ml.Take
---@return integer number  of it
function Judge:add_take(take)
  self.takes[#self.takes + 1] = take
  return #self.takes
end

--- Takes notes that are all but in tune for those in tune: most instruments are, and what a
--- detuned voice of the chip is measured at is not what it plays. For notes that are not
--- given.
function Judge:snap()
  for i, take in ipairs(self.takes) do
    local nearest = math.floor((take.note or 0) + 0.5)
    if take.note and math.abs(take.note - nearest) <= IN_TUNE then
      self.takes[i] = { note = nearest, held = take.held }
    end
  end
end

--- What is added to the distances of a take before takes are compared: another note than
--- the most likely one has to be closer by more than a trifle.
---@param take integer
---@return number handicap  dB
function Judge:handicap(take)
  local note, first = self.takes[take].note, self.takes[1].note
  return note and math.abs(note - first) > SAME_NOTE and OTHER_NOTE or 0
end

--- Note and held time of a sound in a take.
---@param sound integer
---@param take integer
---@return number note
---@return number held
function Judge:played(sound, take)
  if #self.sounds == 1 then
    return self.takes[take].note, self.takes[take].held
  end
  return self.sounds[sound].note, self.sounds[sound].held
end

--- The options of ym.render for a sound in a take.
---@param sound integer
---@param take integer
---@return table
function Judge:play(sound, take)
  local note, held = self:played(sound, take)
  local prepared = self.sounds[sound]
  return {
    note = note, held = held, release = math.max(0, prepared.held + prepared.release - held), chip = self.chip,
    velocity = prepared.velocity,
  }
end

--- D of patches played as in a take: the mean over the sounds.
---@param packed ym2612ml.Tensor  (patches, 49)
---@param take integer
---@return number[] distances
function Judge:distances(packed, take)
  local sums = {}
  for i, target in ipairs(self.targets) do
    local distances = core.batch.distances(packed, target, self:play(i, take))
    for k = 1, #distances do
      sums[k] = (sums[k] or 0) + distances[k]
    end
  end
  for k = 1, #sums do
    sums[k] = sums[k] / #self.targets
  end
  return sums
end

--- The same of patch tables, each with its take.
---@param list {patch: ym2612ml.Patch, take: integer}[]
---@return number[] distances
function Judge:all(list)
  local distances = {}
  for take = 1, #self.takes do
    local some, places = {}, {}
    for i, entry in ipairs(list) do
      if entry.take == take then
        some[#some + 1], places[#places + 1] = entry.patch, i
      end
    end
    if #some > 0 then
      for k, distance in ipairs(self:distances(patches.pack(some), take)) do
        distances[places[k]] = distance
      end
    end
  end
  return distances
end

return M
