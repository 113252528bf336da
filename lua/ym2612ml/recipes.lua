-- Recipes for ym.features.new: what is heard of a note.
local check = require "ym2612ml.check"

local M = {}

local LONGEST = 3600 -- seconds, the latest time of a frame

-- Three scales for the search, after measurements of which times tell patches apart: the
-- frames stand close after the onset and the key-off, where sounds change most. A part of a
-- row of times is {seconds at which it ends, frames up to there}; the last part of a row
-- ends with the note. The counts fill vectors of 8 frames, those of the first two scales
-- vectors of 16.
local SCALES = {
  { size = 512, bands = 40, on = { { 0.06, 12 }, { 0.2, 14 }, { 1, 20 } }, off = { { 0.06, 6 }, { 0.5, 11 } } },
  { size = 1024, bands = 64, on = { { 0.2, 16 }, { 1, 17 } }, off = { { 0.1, 6 }, { 0.5, 8 } } },
  { size = 2048, bands = 96, on = { { 0.2, 10 }, { 1, 16 } }, off = { { 0.5, 13 } } },
}

-- Appends the times of parts up to `length` seconds; what is shorter than the last part's
-- end has all parts shortened alike.
local function add_times(times, parts, length)
  local whole = parts[#parts][1]
  local from = 0
  for i, part in ipairs(parts) do
    local to = i == #parts and length or part[1] * math.min(1, length / whole)
    for k = 1, part[2] do
      times[#times + 1] = from + (to - from) * k / part[2]
    end
    from = to
  end
  return times
end

local function check_seconds(value, least, argument)
  check.type(value, "number", argument, "three_scales")
  if not (value >= least and value <= LONGEST) then
    check.misuse(("bad argument #%d to 'three_scales' (%s seconds, expected %g..%d)"):format(
      argument, value, least, LONGEST))
  end
end

--- Log-mel at three scales, as the search hears a note: frames of 512, 1024 and 2048
--- samples in 40, 64 and 96 bands, 64, 48 and 40 of them whatever the note's length (47,
--- 34 and 27 without a release). A recipe for `ym.features.new`.
---@param held number  seconds to the key-off, 0.001..3600
---@param release number  seconds from there to the end, 0..3600
---@return ym2612ml.FeatureRecipe
function M.three_scales(held, release)
  check_seconds(held, 0.001, 1)
  check_seconds(release, 0, 2)
  local recipe = {}
  for i, scale in ipairs(SCALES) do
    recipe[i] = {
      kind = "mel", size = scale.size, bands = scale.bands,
      on = add_times({ 0 }, scale.on, held),
      off = release > 0 and add_times({}, scale.off, release) or nil,
    }
  end
  return recipe
end

return M
