-- How good the matcher is: targets rendered from known patches, matched, and judged by
-- D.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local dataset = require "ym2612ml.dataset"
local estimate = require "ym2612ml.estimate"
local patches = require "ym2612ml.patch"

local M = {}

local HELD, RELEASE = 1.0, 0.5

local RULES = {
  count = { type = "integer", least = 1, default = 100 },
  chip = { choices = { "ym2612", "ym3438", "clean" }, default = "clean" },
  renders = { type = "integer", least = 8 },
  seed = { type = "integer", default = 1 },
  rivals = { type = "table", default = {} },
  models = { type = "table" },
}

-- Best D of eight of the rivals, as they are, playing the target's note.
local function best_rival(target, rivals, play, rng)
  local list = {}
  for i = 1, 8 do
    list[i] = dataset.plain(rivals[rng:integer(1, #rivals)])
  end
  local distances = core.batch.distances(patches.pack(list), target, play)
  return math.min(table.unpack(distances:totable()))
end

local function mean_and_median(values)
  local sorted, sum = { table.unpack(values) }, 0
  table.sort(sorted)
  for _, value in ipairs(sorted) do
    sum = sum + value
  end
  return sum / #sorted, (sorted[(#sorted + 1) // 2] + sorted[#sorted // 2 + 1]) / 2
end

--- Renders patches without LFO, AM and SSG-EG at random notes 36 to 79, 1.0 s held and
--- 0.5 s released, and matches them, note and held time given. A step a call.
---@param list ym2612ml.Patch[]  targets; count of them are drawn
---@param options? table  count: targets, default 100; chip: default "clean"; renders: as
---  in estimate; seed: default 1; rivals: patches of which the best of eight drawn ones is
---  the baseline; models (ym2612ml.Models): as in estimate
---@return fun(): table?  steps {done, total, distances, mean, median, wins}: D of the best
---  match of each target so far, and how often it was below the baseline's
function M.steps(list, options)
  check.type(list, "table", 1, "steps")
  options = check.options(options, RULES, 2, "steps")
  local rng = core.rng.new { seed = options.seed }
  local distances, wins = {}, 0
  return function()
    local note = rng:integer(36, 79)
    local patch = dataset.plain(list[rng:integer(1, #list)])
    if #distances == options.count then
      return nil
    end
    local play = { note = note, held = HELD, release = RELEASE, chip = options.chip }
    local samples, rate = core.render(patch, play)
    local matches = estimate.estimate({ samples = samples, rate = rate }, {
      note = note, held = HELD, chip = options.chip, renders = options.renders,
      seed = options.seed, models = options.models,
    })
    if matches then -- a target that cannot be heard is passed over
      local target = core.target.new(samples, { rate = rate })
      local distance = target:distance((core.render(matches[1].patch, play)))
      distances[#distances + 1] = distance
      if #options.rivals > 0 and distance < best_rival(target, options.rivals, play, rng) then
        wins = wins + 1
      end
    end
    local mean, median = mean_and_median(#distances > 0 and distances or { 0 })
    return {
      done = #distances, total = options.count, distances = distances, mean = mean, median = median,
      wins = wins,
    }
  end
end

return M
