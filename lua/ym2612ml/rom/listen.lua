-- Finds the clicks of a cartridge in a recording, by their bits: each bit is the sound of
-- its first half less that of its second, both summed over a tick, so it does not matter
-- how loud the click is, at which rate it was recorded, which way round its polarity is,
-- or what else is there well below or above 1 kHz.
local click = require "ym2612ml.rom.click"

local M = {}

local GRID = 8 -- points in a tick at which a click may begin
local BIT = 2 * GRID -- points in a bit
local SPAN = click.BITS * BIT
local BLOCK = 1 << 17 -- points looked at together
-- How much of the first bits' sound has to have their pattern, 0..1, and how evenly loud
-- all bits have to be. Of noise one comes to 0.7 once in some thousand, the other to 0.8.
local ALIKE, EVEN = 0.7, 0.85

local SIGNS = {} -- of the bits to find a click by
for i, bit in ipairs(click.SYNC) do
  SIGNS[i] = 2 * bit - 1
end

-- The sums of all samples before each point of the grid, less those before the first,
-- from a point on. The recording is silent before and after itself.
local function running_sums(samples, step, first, count)
  local from = math.max(math.floor(first * step), 0) -- samples before
  local to = math.min(math.ceil((first + count) * step) + 1, #samples)
  local list = from < to and samples:slice(from + 1, to):totable() or {}
  local sums, sum, done = {}, 0, 0
  for i = 0, count - 1 do
    local position = math.min((first + i) * step - from, #list)
    local whole = math.floor(position)
    while done < whole do
      done = done + 1
      sum = sum + list[done]
    end
    sums[i] = sum + (position - whole) * (list[whole + 1] or 0)
  end
  return sums
end

-- What a bit that begins at each point would be: positive for 1, negative for 0.
local function bits_at(sums, count)
  local bits = {}
  for i = 0, count - 1 do
    bits[i] = 2 * sums[i + GRID] - sums[i] - sums[i + BIT]
  end
  return bits
end

-- How much of the sound of the first bits from a point on has their pattern, -1..1.
local function likeness(bits, point)
  local sum, power = 0, 0
  for i = 1, #SIGNS do
    local bit = bits[point + BIT * (i - 1)]
    sum = sum + SIGNS[i] * bit
    power = power + bit * bit
  end
  return power > 0 and sum / math.sqrt(#SIGNS * power) or 0
end

-- A bit between two points.
local function bit_between(bits, position)
  local whole = math.floor(position)
  return bits[whole] + (position - whole) * (bits[whole + 1] - bits[whole])
end

-- The click that begins near a point, each bit `stretch` times as long as the grid says;
-- nil when there is none.
local function read_click(bits, point, sign, stretch)
  local read, places, sum, power = {}, {}, 0, 0
  for i = 1, click.BITS do
    places[i] = BIT * (i - 1) * stretch
    local bit = sign * bit_between(bits, point + places[i])
    read[i] = bit > 0 and 1 or 0
    sum, power = sum + math.abs(bit), power + bit * bit
  end
  for i, bit in ipairs(click.SYNC) do
    if read[i] ~= bit then
      return nil
    end
  end
  local number = click.number(read)
  if not number or sum / math.sqrt(click.BITS * power) < EVEN then
    return nil
  end
  local function strength(shift)
    local total = 0
    for i, place in ipairs(places) do
      total = total + (2 * read[i] - 1) * sign * bit_between(bits, point + place + shift)
    end
    return total
  end
  local before, here, after = strength(-1), strength(0), strength(1)
  local bend = before - 2 * here + after
  local shift = bend < 0 and math.max(-1, math.min(1, 0.5 * (before - after) / bend)) or 0
  return { number = number, loud = here, point = point + shift }
end

-- The clicks that begin at points 1 to count of a block, the loudest of those that overlap:
-- a tick and a third off, upside down, a click has the same bits, but a third of the sound.
local function clicks_of(bits, count, stretches)
  local found, values = {}, {}
  for point = 0, count + 1 do
    values[point] = likeness(bits, point)
  end
  for point = 1, count do
    local value = values[point]
    local size = math.abs(value)
    if size >= ALIKE and size >= math.abs(values[point - 1]) and size > math.abs(values[point + 1]) then
      for _, stretch in ipairs(stretches) do
        local heard = read_click(bits, point, value > 0 and 1 or -1, stretch)
        local last = found[#found]
        if heard and last and heard.point - last.point < SPAN then
          found[#found] = heard.loud > last.loud and heard or last
        elseif heard then
          found[#found + 1] = heard
        end
      end
    end
  end
  return found
end

---@class ym2612ml.HeardClick
---@field number integer  what it says
---@field time number  seconds from the start of the recording to its own

--- Finds clicks.
---@param samples ym2612ml.Tensor  f32 (samples)
---@param rate number  Hz
---@param tick number  seconds
---@param stretches number[]  the factors by which ticks may be longer
---@return ym2612ml.HeardClick[] clicks  in the order of time
function M.find(samples, rate, tick, stretches)
  local step = tick / GRID * rate -- samples from one point to the next
  local reach = math.ceil(SPAN * math.max(table.unpack(stretches))) + BIT
  local points = math.ceil(#samples / step)
  local clicks, latest = {}, -math.huge
  -- A point before the first, since a click may begin with the recording.
  for first = -2, points, BLOCK do
    local count = math.min(BLOCK, points - first)
    local sums = running_sums(samples, step, first, count + reach + BIT + 2)
    local bits = bits_at(sums, count + reach + 2)
    for _, heard in ipairs(clicks_of(bits, count, stretches)) do
      local point = first + heard.point
      if point - latest >= SPAN then -- not once more what the block before ended with
        clicks[#clicks + 1] = { number = heard.number, time = point * tick / GRID }
        latest = point
      end
    end
  end
  return clicks
end

return M
