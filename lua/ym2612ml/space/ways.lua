-- Ways through a learned space: from one patch or point to another, and along one latent.
-- Steps are even in what is heard: where the sound changes much, the points stand closer.
local core = require "ym2612ml.core"
local tokens = require "ym2612ml.space.tokens"

local M = {}

local CLOSE = 6 -- points looked at for each step of a way
local ROUNDS = 6 -- times that intervals in which the sound jumps are halved

-- What is heard of a patch, as far as steps go: bands of a note of A4 over its time.
local NOTE = { note = 69, held = 0.6, release = 0.2, chip = "clean" }
local RECIPE = { {
  kind = "mel", size = 1024, bands = 48,
  on = { 0, 0.01, 0.02, 0.04, 0.07, 0.11, 0.16, 0.22, 0.3, 0.4, 0.5, 0.58 }, off = { 0.02, 0.05, 0.1, 0.15 },
} }
local RANGE = 60 -- dB that a feature from 0 to 1 is

-- The row of a tensor (1, columns) some way towards that of another.
local function between(a, b, share)
  local mixed = {}
  for column = 1, a:shape()[2] do
    local from = a:get(1, column)
    mixed[column] = from + share * (b:get(1, column) - from)
  end
  return mixed
end

---@class ym2612ml.SpaceWay
---@field space ym2612ml.Space
---@field from {z: ym2612ml.Tensor, numbers: ym2612ml.Tensor, patch: ym2612ml.Patch?}  tensors of
---  one row; the patch that is there, where it is known
---@field to {z: ym2612ml.Tensor, numbers: ym2612ml.Tensor, patch: ym2612ml.Patch?}
---@field temperature number

---@class ym2612ml.SpaceStop  a patch on a way
---@field share number  0..1 of the way
---@field algorithm integer
---@field patch ym2612ml.Patch
---@field key string  tells it from other patches
---@field heard number[]

-- The patches at shares 0..1 of a way, with an algorithm, or at its ends their own.
local function visit(way, shares, algorithm, features)
  local z, numbers, stops = {}, {}, {}
  for i, share in ipairs(shares) do
    z[i] = between(way.from.z, way.to.z, share)
    numbers[i] = between(way.from.numbers, way.to.numbers, share)
  end
  local list = way.space:decode(z, {
    numbers = core.tensor.from(numbers), temperature = way.temperature, lock = { algorithm = algorithm },
  })
  local classes, heard = tokens.classes(list), core.batch.features(list, features, NOTE)
  for i, patch in ipairs(list) do
    stops[i] = {
      share = shares[i], algorithm = patch.algorithm, patch = patch, key = classes:slice(i, i):bytes(),
      heard = heard[i]:totable(),
    }
  end
  return stops
end

-- How far apart two stops sound, in dB: about D.
local function distance(a, b)
  if a.key == b.key then
    return 0
  end
  local sum = 0
  for i, value in ipairs(a.heard) do
    sum = sum + math.abs(value - b.heard[i])
  end
  return RANGE * sum / #a.heard
end

-- How far each stop is along the way: the sums of the distances up to it.
local function measure(stops)
  local along = { 0 }
  for i = 2, #stops do
    along[i] = along[i - 1] + distance(stops[i - 1], stops[i])
  end
  return along
end

-- The stops of a way at these shares, 0 and 1 among them. Where its ends have two
-- algorithms, the first stops have that of one and the others that of the other, and the
-- change is where it is heard least.
local function all_stops(way, shares, features)
  local ends = visit(way, { 0, 1 }, nil, features)
  local first = visit(way, shares, ends[1].algorithm, features)
  if ends[1].algorithm == ends[2].algorithm then
    return first
  end
  local last, at, least = visit(way, shares, ends[2].algorithm, features), 1, math.huge
  for i = 1, #shares - 1 do
    local change = distance(first[i], last[i + 1])
    if change < least then
      at, least = i, change
    end
  end
  return table.move(last, at + 1, #last, at + 1, first)
end

-- Puts stops into the middle of the intervals in which the sound changes by more than a
-- step's share of the whole; true where there were any.
local function refine(way, stops, steps, features)
  local along, shares = measure(stops), {}
  local step = along[#along] / (steps - 1)
  for i = 2, #stops do
    local a, b = stops[i - 1], stops[i]
    if along[i] - along[i - 1] > step and a.algorithm == b.algorithm then
      shares[a.algorithm] = shares[a.algorithm] or {}
      table.insert(shares[a.algorithm], (a.share + b.share) / 2)
    end
  end
  local changed = stops[1].algorithm
  for algorithm, list in pairs(shares) do
    table.move(visit(way, list, algorithm, features), 1, #list, #stops + 1, stops)
  end
  table.sort(stops, function(a, b)
    if a.algorithm ~= b.algorithm then
      return a.algorithm == changed
    end
    return a.share < b.share
  end)
  return next(shares) ~= nil
end

-- So many of the stops, the first and the last among them, as evenly along the way as they
-- stand.
local function spaced(stops, steps)
  local along, chosen, at = measure(stops), {}, 1
  for k = 0, steps - 1 do
    local wanted = along[#along] * k / (steps - 1)
    while at < #stops and along[at + 1] - wanted < wanted - along[at] do
      at = at + 1
    end
    chosen[k + 1] = stops[k == steps - 1 and #stops or at]
  end
  return chosen
end

--- The patches along a way.
---@param way ym2612ml.SpaceWay
---@param steps integer  patches, 2 or more
---@param by "sound"|"space"  what is even: what is heard from one to the next, or the way
---@return ym2612ml.Patch[]
function M.walk(way, steps, by)
  local shares, count = {}, by == "sound" and CLOSE * (steps - 1) or steps - 1
  for i = 0, count do
    shares[i + 1] = i / count
  end
  local features = core.features.new(RECIPE)
  local stops = all_stops(way, shares, features)
  if by == "sound" then
    for _ = 1, ROUNDS do
      if not refine(way, stops, steps, features) then
        break
      end
    end
    stops = spaced(stops, steps)
  end
  local list = {}
  for i, stop in ipairs(stops) do
    list[i] = stop.patch
  end
  list[1], list[#list] = way.from.patch or list[1], way.to.patch or list[#list]
  return list
end

return M
