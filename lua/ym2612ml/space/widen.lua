-- More patches out of a few: changes after which a patch still is a sound of its class,
-- so that what is learned is the kind and not the one patch.
local patches = require "ym2612ml.patch"
local registers = require "ym2612ml.networks.registers"

local M = {}

local function limited(value, least, most)
  return math.max(least, math.min(most, value))
end

local function rounded(rng, deviation)
  return math.floor(rng:normal(0, deviation) + 0.5)
end

local function copy_of(patch)
  local copy = {}
  for key, value in pairs(patch) do
    copy[key] = value
  end
  for o = 1, 4 do
    copy[o] = {}
    for key, value in pairs(patch[o]) do
      copy[o][key] = value
    end
  end
  return copy
end

-- Moves the total levels of carriers, or of modulators, all alike.
local function move_levels(patch, carriers, by)
  for o = 1, 4 do
    if patches.is_carrier(patch.algorithm, o) == carriers and patch[o].tl < registers.dead_level then
      patch[o].tl = limited(patch[o].tl + by, 0, registers.dead_level - 1)
    end
  end
end

-- Makes decays, or releases, or both faster or slower, all alike; what rests goes on resting.
local function move_rates(patch, decays, releases, by)
  for o = 1, 4 do
    local operator = patch[o]
    for _, name in ipairs { "dr", "sr" } do
      if decays and operator[name] > 0 then
        operator[name] = limited(operator[name] + by, 1, 31)
      end
    end
    if releases and operator.rr > 0 then
      operator.rr = limited(operator.rr + by // 2, 1, 15)
    end
  end
end

-- An octave up or down, where the multiples have room for it: 0 is the half.
local function move_octave(patch, up)
  for o = 1, 4 do
    local mul = patch[o].mul
    if up and mul > 7 or not up and (mul == 0 or mul > 1 and mul % 2 == 1) then
      return
    end
  end
  for o = 1, 4 do
    local mul = patch[o].mul
    patch[o].mul = up and (mul == 0 and 1 or 2 * mul) or not up and mul // 2 or mul
  end
end

-- Registers that are moved, with their maxima: in an order, since each draws numbers.
local MOVED = { { "tl", 127 }, { "ar", 31 }, { "dr", 31 }, { "sr", 31 }, { "rr", 15 }, { "sl", 15 } }

-- Moves single levels and rates by little, so many of them.
local function jitter(patch, rng, share)
  for o = 1, 4 do
    for _, moved in ipairs(MOVED) do
      local name, most = moved[1], moved[2]
      local value = patch[o][name]
      if value > 0 and value < most and rng:uniform() < share then
        patch[o][name] = limited(value + rounded(rng, 0.8), 0, most)
      end
    end
  end
end

-- Puts some operators of another patch of the same algorithm in place of this one's.
local function cross(patch, rng, other)
  for o = 1, 4 do
    if rng:uniform() < 0.3 then
      patch[o] = copy_of(other)[o]
    end
  end
end

--- A patch changed at random in ways that keep its class of sound: levels of the carriers
--- or the modulators, speed, octave, the sign of its detune, feedback by a step, levels and
--- rates by little; and at times operators taken from another one.
---@param patch ym2612ml.Patch
---@param rng ym2612ml.Rng
---@param kin ym2612ml.Patch[]  patches of the same algorithm
---@return ym2612ml.Patch  a new table
function M.changed(patch, rng, kin)
  patch = copy_of(patch)
  if rng:uniform() < 0.5 then
    move_levels(patch, true, rng:integer(-4, 6))
  end
  if rng:uniform() < 0.3 then
    move_levels(patch, false, rounded(rng, 4))
  end
  if rng:uniform() < 0.3 then
    local which = rng:integer(1, 3)
    move_rates(patch, which ~= 2, which ~= 1, rounded(rng, 2))
  end
  if rng:uniform() < 0.2 then
    move_octave(patch, rng:uniform() < 0.5)
  end
  if rng:uniform() < 0.25 then
    for o = 1, 4 do
      patch[o].dt = -patch[o].dt
    end
  end
  if rng:uniform() < 0.15 then
    patch.feedback = limited(patch.feedback + rng:integer(-1, 1), 0, 7)
  end
  if rng:uniform() < 0.2 then
    cross(patch, rng, kin[rng:integer(1, #kin)])
  end
  jitter(patch, rng, 0.4 * rng:uniform())
  return patch
end

return M
