-- Matching by the networks of the eight algorithms alone, as the first system did: the most
-- likely patch of each, then draws from their distributions.
local patches = require "ym2612ml.patch"
local propose = require "ym2612ml.propose"
local ranking = require "ym2612ml.match.ranking"

local M = {}

local RENDERS, MOST = 640, 100000 -- patches tried where nothing is said, and at most
local ROUND = 64 -- patches judged in one step

-- A match in progress: see new.
local Match = {}
Match.__index = Match

--- Begins to match by the networks.
---@param judge table
---@param models ym2612ml.Models
---@param options {renders: integer?, seed: integer}
---@return table? match
---@return string? message
---@return string? kind  "input"
function M.new(judge, models, options)
  local note, held = judge:played(1, 1)
  local sound = { samples = judge.sounds[1].samples, note = note, held = held }
  local packed, probabilities, kind = propose.packed(models, sound, {
    method = "networks", count = math.min(options.renders or RENDERS, MOST), seed = options.seed, chip = judge.chip,
    bank = 0,
  })
  if not packed then
    return nil, probabilities, kind
  end
  return setmetatable({
    judge = judge, packed = packed, probabilities = probabilities, renders = 0, best = {},
  }, Match)
end

--- One step: some more patches are judged. Of equals the earlier stays.
---@param share number  0..1 of the time that has gone by
---@return boolean more  whether another step is to come
function Match:step(share)
  local part = self.packed:slice(self.renders + 1, math.min(self.renders + ROUND, #self.packed))
  local distances = self.judge:distances(part, 1)
  for i, patch in ipairs(patches.unpack(part)) do
    local best = self.best[patch.algorithm]
    if not best or distances[i] < best.distance then
      self.best[patch.algorithm] = { patch = patch, distance = distances[i], take = 1 }
    end
  end
  self.renders = self.renders + #part
  return self.renders < #self.packed and share < 1
end

--- The best patch of each algorithm so far, best first.
---@return {patch: ym2612ml.Patch, distance: number, take: integer}[]
function Match:found()
  local list = {}
  for algorithm = 0, 7 do
    local best = self.best[algorithm]
    list[#list + 1] = best and { patch = best.patch, distance = best.distance, take = 1 }
  end
  return ranking.sorted(list)
end

--- How much of what there is to try has been tried.
---@return number share  0..1
function Match:share()
  return self.renders / #self.packed
end

--- There is nothing to give back.
function Match.close() end

return M
