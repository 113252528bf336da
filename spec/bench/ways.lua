-- How even ways through the learned space are in what is heard: for random pairs of ends the
-- largest D between neighbours of 32 patches in relation to the mean one, beside ways that go
-- straight from register to register.
--
--     lua5.4 spec/bench/ways.lua PATCHES [PAIRS] [MODEL]     40 pairs unless told otherwise
package.path = "./?.lua;./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local tokens = require "ym2612ml.space.tokens"
local ym = require "ym2612ml"

local STEPS, MOST = 32, 4
local NOTE = { note = 69, held = 1, release = 0.5, chip = "clean" }

local rows = assert(ym.dataset.read_patches(assert(arg[1], "PATCHES: a table or a folder of patches")))
local pairs_wanted = math.tointeger(tonumber(arg[2] or 40))
local space = assert(arg[3] and ym.space.load(arg[3]) or ym.space.shipped())
local rng = ym.rng.new { seed = 1 }

-- D between neighbours: the largest and the mean. Of two silent patches it is 0, of a silent
-- and another one what D gives a silent candidate.
local function measure(list)
  local largest, sum, before = 0, 0, nil
  for _, patch in ipairs(list) do
    local samples = ym.render(patch, NOTE)
    local target = ym.target.new(samples)
    if before then
      local distance = before.target and (before.target:distance(samples) or 0)
        or target and target:distance(before.samples) or 0
      largest, sum = math.max(largest, distance), sum + distance
    end
    before = { samples = samples, target = target }
  end
  return largest, sum / (#list - 1)
end

local function draw_patch()
  return rows[rng:integer(1, #rows)].patch
end

local function draw_point()
  local latents = {}
  for latent = 1, space.size do
    latents[latent] = rng:normal()
  end
  return latents
end

local function through_space(by)
  return function(a, b)
    return space:interpolate(a, b, { steps = STEPS, by = by })
  end
end

-- Each register straight from the one value to the other.
local function through_registers(a, b)
  local ends, way = tokens.classes { a, b }, ym.tensor.new({ STEPS, tokens.count }, "u8")
  for step = 1, STEPS do
    local share = (step - 1) / (STEPS - 1)
    for place = 1, tokens.count do
      way:set(step, place, math.floor((1 - share) * ends:get(1, place) + share * ends:get(2, place) + 0.5))
    end
  end
  return tokens.patches(way)
end

for _, kind in ipairs {
  { "patches, even in sound", draw_patch, through_space "sound" },
  { "patches, even in the space", draw_patch, through_space "space" },
  { "patches, register by register", draw_patch, through_registers },
  { "points, even in sound", draw_point, through_space "sound" },
  { "points, even in the space", draw_point, through_space "space" },
} do
  local name, draw, walk = table.unpack(kind)
  local even, largest_sum, mean_sum, seconds = 0, 0, 0, 0
  rng = ym.rng.new { seed = 1 }
  for _ = 1, pairs_wanted do
    local a, b = draw(), draw()
    local began = ym.clock()
    local way = walk(a, b)
    seconds = seconds + ym.clock() - began
    local largest, mean = measure(way)
    even = even + (largest <= MOST * mean and 1 or 0)
    largest_sum, mean_sum = largest_sum + largest, mean_sum + mean
  end
  print(("%-30s %3d of %d within %d times; largest %.2f, mean %.2f dB; %.2f s a way"):format(name, even, pairs_wanted,
    MOST, largest_sum / pairs_wanted, mean_sum / pairs_wanted, seconds / pairs_wanted))
end
