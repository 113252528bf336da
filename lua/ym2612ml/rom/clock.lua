-- Which of the clicks heard are the cartridge's, and how the recorder's clock goes by the
-- console's.
local indices = require "ym2612ml.rom.index"

local M = {}

local FAR = 0.005 -- by which a recorder's clock may be wrong, as a share
local CLOSE = 0.002 -- seconds
--- Seconds by which the time between two clicks may be wrong; by more, the recording jumps.
M.JUMP = 0.001
local NEIGHBOURS = 2 -- on each side, of which one has to agree with a click

-- Whether two clicks are as far apart as they should be, by a scale.
local function agree(one, other, scale)
  local wanted = (other.expected - one.expected) * scale
  return wanted > 0 and math.abs(other.time - one.time - wanted) < CLOSE + FAR * wanted
end

-- The clicks with which one near them agrees; one alone agrees with itself.
local function believed(clicks, scale)
  local kept = {}
  for i, click in ipairs(clicks) do
    local supported = #clicks == 1
    for j = math.max(i - NEIGHBOURS, 1), math.min(i + NEIGHBOURS, #clicks) do
      supported = supported or j < i and agree(clicks[j], click, scale) or j > i and agree(click, clicks[j], scale)
    end
    if supported then
      kept[#kept + 1] = click
    end
  end
  return kept
end

-- The longest part in which numbers rise: a console that was reset plays anew.
local function longest_run(clicks)
  local best, run = {}, {}
  for i, click in ipairs(clicks) do
    if i > 1 and click.number <= clicks[i - 1].number then
      run = {}
    end
    run[#run + 1] = click
    best = #run > #best and run or best
  end
  return best
end

-- Seconds of the recording in one of the index, from the first to the last click of the
-- longest part without a jump: one where neighbours are as far apart as the median says.
local function scale_of(clicks, otherwise)
  local list, steps = {}, {}
  for i = 2, #clicks do
    steps[i] = (clicks[i].time - clicks[i - 1].time) / (clicks[i].expected - clicks[i - 1].expected)
    list[i - 1] = steps[i]
  end
  table.sort(list)
  local median = list[#list // 2 + 1]
  local from, best, first, last = 1, 0, nil, nil
  for i = 2, #clicks do
    local between = clicks[i].expected - clicks[i - 1].expected
    if math.abs(steps[i] - median) * between > M.JUMP then
      from = i
    elseif i - from > best then
      best, first, last = i - from, clicks[from], clicks[i]
    end
  end
  return first and (last.time - first.time) / (last.expected - first.expected) or otherwise
end

--- Seconds of each region's consoles in one of an index's.
---@param index ym2612ml.CartridgeIndex
---@return table<string, number> factors  by region
function M.factors(index)
  local factors = {}
  for region, clock in pairs(indices.CLOCKS) do
    factors[region] = indices.CLOCKS[index.region] / clock
  end
  return factors
end

---@class ym2612ml.PlacedClick
---@field number integer
---@field time number  seconds from the start of the recording
---@field expected number  seconds of the index from the first click

--- Places the clicks of a recording: those that are the cartridge's, the region of the
--- console that played it, and the recorder's clock.
---@param heard ym2612ml.HeardClick[]
---@param index ym2612ml.CartridgeIndex
---@return ym2612ml.PlacedClick[] clicks  in order; none when there are none to believe
---@return string region  "NTSC" or "PAL"
---@return number scale  seconds of the recording in one of the index
function M.place(heard, index)
  local clicks = {}
  for _, click in ipairs(heard) do
    local entry = index.entries[click.number]
    local expected = entry and entry.click or click.number == #index.entries + 1 and index.finish
    if expected then
      clicks[#clicks + 1] = { number = click.number, time = click.time, expected = expected }
    end
  end
  local best, region = {}, index.region
  local factors = M.factors(index)
  for _, candidate in ipairs { index.region, index.region == "PAL" and "NTSC" or "PAL" } do
    local run = longest_run(believed(clicks, factors[candidate]))
    if #run > #best then
      best, region = run, candidate
    end
  end
  local scale = scale_of(best, factors[region])
  -- Over a short time both regions agree with what was heard; the nearer one is right.
  for candidate, factor in pairs(factors) do
    if math.abs(scale - factor) < math.abs(scale - factors[region]) then
      region = candidate
    end
  end
  return best, region, scale
end

return M
