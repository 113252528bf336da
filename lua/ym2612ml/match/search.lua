-- Matching by search: proposals of the network and the bank, islands of evolution over
-- registers, all of them gathered, then the best polished on the whole of D.
local core = require "ym2612ml.core"
local patches = require "ym2612ml.patch"
local propose = require "ym2612ml.propose"
local ranking = require "ym2612ml.match.ranking"

local M = {}

-- How a search is laid out, by the renders it is expected to make. rounds: of proposals,
-- each searched in the beginnings of notes first; sharp: whether it ends on the whole of D;
-- climbs: of how many algorithms the best of a round is searched around at once.
local PLANS = {
  { renders = 1500, islands = 1, generation = 96, proposals = 160, rounds = 1, climbs = 1, sharp = false },
  { renders = 6000, islands = 2, generation = 128, proposals = 400, rounds = 1, climbs = 1, sharp = true },
  { renders = 25000, islands = 6, generation = 192, proposals = 1000, rounds = 1, climbs = 4, sharp = true },
  { renders = 100000, islands = 8, generation = 256, proposals = 1000, rounds = 2, climbs = 4, sharp = true },
  { renders = math.huge, islands = 12, generation = 384, proposals = 1500, rounds = 10, climbs = 6, sharp = true },
}

local ADDED = 256 -- proposals that are judged in one step
local PROPOSED = 0.6 -- share of the renders that proposals may take
-- Seconds of notes rendered and compared in a second, about, where only seconds are given;
-- and the seconds of all sounds from which a generation has fewer patches than planned.
local RATE, USUAL = 12000, 1.5
local FRAMES = { 32, 32, 16 } -- of the three scales, that candidates are compared in
local EARLY, EARLY_SHARE = 0.2, 0.3 -- of a note, in seconds and of its length, that sifts
local WHOLE = { 640, 320, 160 } -- frames, of all sounds: all that D has in one of usual length
-- The beginning of a note shows its algorithm, multiples and levels at a tenth of the cost:
-- seconds of it, how it is searched, and the share of the renders that all rounds spend so.
local SHORT = { seconds = 0.12, islands = 8, generation = 512, patience = 3, frames = { 16, 16, 16 }, share = 0.28 }
local SHORT_EXTRA = 0.03 -- seconds of a note that each render costs besides
local LONG_ENOUGH = 3 -- times as long as its beginning a note is for that to pay
local GATHER, SHARPEN = 0.75, 0.9 -- shares at which the islands meet, and D is whole
local TUNINGS = { 0.3, 0.45, 0.6, 0.7 } -- shares at which a pitch that was not given is tuned
local CENTS = { 0, -20, -10, -5, -2.5, -1.2, 1.2, 2.5, 5, 10, 20 }
local TUNED = 0.01 -- dB that a tuning gains at least
local TAKES = 24 -- at most
local EXACT = 0.002 -- dB that nobody has to search below

-- Shares of the proposals that the takes get: the first as much as all others.
local function take_share(take, takes)
  return takes == 1 and 1 or take == 1 and 0.5 or 0.5 / (takes - 1)
end

local function plan_for(renders)
  for _, plan in ipairs(PLANS) do
    if renders <= plan.renders then
      return plan
    end
  end
end

-- A match in progress: see new.
local Match = {}
Match.__index = Match

-- Positions and values of the registers that keep theirs, as the core takes them.
local function locks_of(lock)
  local list = {}
  for position, field in ipairs(patches.fields()) do
    local from = field.operator and (lock[field.operator] or {}) or lock
    if from[field.name] then
      list[#list + 1] = { position, from[field.name] - field.minimum }
    end
  end
  return list
end

-- A search of the core for the sounds, or their first seconds only, and its takes.
local function open_core(self, options, seconds)
  local judge, targets = self.judge, {}
  for i, sound in ipairs(judge.sounds) do
    local target = judge.targets[i]
    if seconds then
      target = judge:beginning(i, seconds)
    end
    targets[i] = { target = target, held = sound.held, noise = sound.noise, velocity = sound.velocity }
  end
  options.level, options.lfo = judge.chip ~= "clean", self.options.lfo
  options.lock = locks_of(self.options.lock or {})
  options.seed = self.options.seed + self.rounds
  local search = core.search.new(targets, options)
  for take = 1, #judge.takes do
    local played = {}
    for i = 1, #judge.sounds do
      played[i] = { judge:played(i, take) }
    end
    played[#played + 1] = judge:handicap(take)
    search:take(judge.chip, table.unpack(played))
  end
  return search
end

--- Begins a search.
---@param judge table
---@param models ym2612ml.Models
---@param options table  as ym.estimate has them, checked
---@return table? match
---@return string? message
---@return string? kind  "input"
function M.new(judge, models, options)
  local plan = plan_for(math.min(options.renders or math.huge, (options.budget or math.huge) * RATE / judge.seconds))
  local self = setmetatable({
    judge = judge, models = models, options = options, plan = plan, limit = options.renders or math.huge,
    rounds = 0, renders = 0, spent = 0, phase = "propose", probabilities = {}, climbing = {}, queued = {},
    generation = math.ceil(plan.generation * math.min(1, USUAL / judge.seconds)),
    untuned = options.note == nil and #judge.sounds == 1 and table.move(TUNINGS, 1, #TUNINGS, 1, {}) or {},
  }, Match)
  if self.untuned[1] then
    judge:snap()
  end
  local message, kind
  self.proposed, message, kind = self:propose(math.min(plan.proposals, math.floor(self.limit * PROPOSED)))
  if not self.proposed then
    return nil, message, kind
  end
  self.core = open_core(self, {
    islands = plan.islands, frames = FRAMES, early = math.min(EARLY, EARLY_SHARE * judge.shortest),
  })
  return self
end

-- Proposals for every take: a list of packed patches by take; or nil, message, kind.
function Match:propose(count)
  local first, takes, list = self.judge.sounds[1], #self.judge.takes, {}
  for take = 1, takes do
    local note, held = self.judge:played(1, take)
    local sound = { samples = first.samples, note = note, held = held }
    local packed, probabilities, kind = propose.packed(self.models, sound, {
      count = math.max(8, math.floor(count * take_share(take, takes))), chip = self.judge.chip,
      seed = self.options.seed + self.rounds * 7919,
    })
    if not packed then
      return nil, probabilities, kind
    end
    if take == 1 then
      self.probabilities = probabilities
    end
    list[take] = packed
  end
  self.rounds = self.rounds + 1
  return list
end

-- Has proposals added to a search, a part of them a step.
function Match:queue(search, list)
  for take, packed in ipairs(list) do
    if self.options.start and self.rounds == 1 then
      table.insert(self.queued, { search, patches.pack { self.options.start }, take })
    end
    for first = 1, #packed, ADDED do
      table.insert(self.queued, { search, packed:slice(first, math.min(first + ADDED - 1, #packed)), take })
    end
  end
end

-- Adds what one search found to another.
local function hand_over(from, to)
  local packed, takes = from:results()
  local rows = {}
  for i, take in ipairs(takes) do
    rows[take] = rows[take] or {}
    table.insert(rows[take], i)
  end
  for take = 1, TAKES do
    if rows[take] then
      to:add(packed:rows(rows[take]), take)
    end
  end
end

local function least(costs)
  local best = math.huge
  for _, cost in ipairs(costs) do
    best = math.min(best, cost)
  end
  return best
end

-- Polishes the best of all, then those of the algorithms one by one; false when there is
-- nothing left to do.
function Match:polish()
  if self.core:polish(self.polished) then
    return true
  end
  self.polished = (self.polished or -1) + 1
  return self.polished < 8
end

-- Tries the best patch a little lower and higher; where that helps, all that was found is
-- judged anew so, as a take of its own.
function Match:tune()
  local best = self:found()[1]
  local play = self.judge:play(1, best.take)
  local list, notes = {}, {}
  for i, cents in ipairs(CENTS) do
    list[i], notes[i] = best.patch, play.note + cents / 100
  end
  list[#list + 1], notes[#notes + 1] = best.patch, math.floor(play.note + 0.5)
  play.note = notes
  local distances = core.batch.distances(patches.pack(list), self.judge.targets[1], play):totable()
  local chosen = 1 -- no change
  for i, distance in ipairs(distances) do
    chosen = distance < distances[chosen] - TUNED and i or chosen
  end
  if chosen ~= 1 and #self.judge.takes < TAKES then
    local take = self.judge:add_take { note = notes[chosen], held = play.held }
    self.core:take(self.judge.chip, { notes[chosen], play.held }, self.judge:handicap(take))
    self.core:add(self.core:results(), take)
  end
end

-- Begins a round with its proposals: in the beginnings of notes, where that pays, and where
-- it is not from a given patch on that is searched.
function Match:begin_round()
  local proposed = self.proposed or self:propose(self.plan.proposals // 2)
  self.proposed = nil
  self:queue(self.core, proposed) -- first, so that there is something to show
  if self.plan.sharp and not self.options.start and self.judge.shortest >= LONG_ENOUGH * SHORT.seconds then
    self.short = open_core(self, {
      islands = SHORT.islands, frames = SHORT.frames, patience = SHORT.patience,
    }, SHORT.seconds)
    self:queue(self.short, proposed)
  end
  self.phase = "add"
end

-- Adds what is queued, a part a step; then the round is under way.
function Match:add(share)
  local search, packed, take = table.unpack(table.remove(self.queued, 1))
  search:add(packed, take)
  if self.queued[1] then
    return true
  elseif self.short then
    self.phase, self.short_end = "short", share + SHORT.share / self.plan.rounds
    return true
  end
  return self:go_on()
end

-- Goes over to whole notes: the best of the first few algorithms are climbed first.
function Match:go_on()
  local met = {}
  for _, entry in ipairs(self:found()) do
    local algorithm = entry.patch.algorithm
    if #self.climbing < self.plan.climbs and not met[algorithm] then
      met[algorithm] = true
      table.insert(self.climbing, algorithm)
    end
  end
  self.phase = "evolve"
  return true
end

-- A generation on the beginnings; at their end what was found goes on to the whole notes.
function Match:evolve_short(share)
  if share < self.short_end then
    self.short:evolve(SHORT.generation)
    return true
  end
  hand_over(self.short, self.core)
  self.spent = self.spent + self:short_renders()
  self.short:close()
  self.short = nil
  return self:go_on()
end

-- Renders that a search of the beginnings has cost, in whole notes.
function Match:short_renders()
  return self.short and self.short:renders() * (SHORT.seconds + SHORT_EXTRA) / self.judge.shortest or 0
end

-- A generation on the whole notes.
function Match:evolve(share)
  if self.untuned[1] and share >= self.untuned[1] then
    table.remove(self.untuned, 1)
    self:tune()
  end
  if share >= GATHER and self.phase == "evolve" then
    self.core:gather()
    self.phase = "gathered"
  elseif self.phase == "evolve" and share >= GATHER * self.rounds / self.plan.rounds then
    self.phase = "propose"
  end
  local climbed = self.climbing[1]
  if not climbed then
    self.core:evolve(self.generation)
  elseif not self.core:polish(climbed) then
    table.remove(self.climbing, 1)
  end
  return true
end

-- One step of the phase that it is in; false when there is nothing left to do.
function Match:advance(share)
  if self.phase == "propose" then
    self:begin_round()
  end
  if self.phase == "add" then
    return self:add(share)
  elseif self.phase == "short" then
    return self:evolve_short(share)
  elseif self.phase == "polish" then
    return self:polish()
  elseif share >= SHARPEN and self.plan.sharp then
    local frames = {}
    for i, count in ipairs(WHOLE) do
      frames[i] = math.ceil(count / #self.judge.sounds)
    end
    self.core:sharpen { frames = frames }
    self.phase = "polish"
    return true
  end
  return self:evolve(share)
end

--- One step, some tens of milliseconds.
---@param share number  0..1 of the time that has gone by
---@return boolean more  whether another step is to come
function Match:step(share)
  local more = self:advance(math.max(share, self:share()))
  self.renders = self.core:renders() + self.spent + self:short_renders()
  local _, _, costs = self.core:results()
  return more and share < 1 and self:share() < 1 and least(costs) > EXACT
end

--- How many of the renders allowed have been made.
---@return number share  0..1
function Match:share()
  return self.renders / self.limit
end

--- Gives the memory of the searches back.
function Match:close()
  self.core:close()
  if self.short then
    self.short:close()
  end
end

--- What was found so far: the best of each algorithm, best first.
---@return {patch: ym2612ml.Patch, distance: number, take: integer}[]
function Match:found()
  local packed, takes, costs = self.core:results()
  local list = patches.unpack(packed)
  for i, patch in ipairs(list) do
    list[i] = { patch = patch, distance = costs[i], take = takes[i] }
  end
  return ranking.sorted(list)
end

return M
