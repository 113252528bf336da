-- What the matcher is compared with: simple searches with the same renderer, the same
-- distance and the same number of renders or seconds.
local core = require "ym2612ml.core"
local patches = require "ym2612ml.patch"
local samplers = require "ym2612ml.sampler"
local sounds = require "ym2612ml.evaluate.sounds"
local steps = require "ym2612ml.steps"

local M = {}

local must = steps.must

local PITCHLESS = 48 -- the note of targets without one
local ROUND = 100 -- patches judged in one step
local NEIGHBOURS = 2000 -- of the bank, by features, of which the nearest by D is taken

-- A search in progress: judges patches and keeps the best of each algorithm.
local Search = {}
Search.__index = Search

local function new_search(target, budget)
  local samples = sounds.resampled(target.samples, target.rate, sounds.RATE)
  return setmetatable({
    samples = samples, seed = target.seed,
    judge = must(core.target.new(samples, { source_rate = target.rate < sounds.RATE and target.rate or nil })),
    play = {
      note = target.note or PITCHLESS, held = target.held, release = target.release, chip = target.chip,
    },
    budget = budget, started = core.clock(), renders = 0, best = {},
  }, Search)
end

-- How many patches may be judged next, ROUND at most; 0 at the end.
function Search:left()
  local most = self.budget.renders and self.budget.renders - self.renders or ROUND
  if self.budget.seconds and self.renders > 0 and core.clock() - self.started >= self.budget.seconds then
    return 0
  end
  return math.max(0, math.min(ROUND, most))
end

-- The share of the budget that is used up.
function Search:share()
  if self.budget.renders then
    return self.renders / self.budget.renders
  end
  return math.min(1, (core.clock() - self.started) / self.budget.seconds)
end

-- Distances of packed patches.
function Search:measure(packed)
  local distances = core.batch.distances(packed, self.judge, self.play):totable()
  for i, distance in ipairs(distances) do
    local algorithm = packed:get(i, 1)
    local best = self.best[algorithm]
    if not best or distance < best.distance then
      self.best[algorithm] = { distance = distance, row = packed[i]:totable(), algorithm = algorithm }
    end
  end
  self.renders = self.renders + #distances
  return distances
end

function Search:answer()
  local list, algorithms = {}, {}
  for algorithm = 0, 7 do
    list[#list + 1] = self.best[algorithm]
  end
  table.sort(list, function(a, b)
    return a.distance < b.distance or a.distance == b.distance and a.algorithm < b.algorithm
  end)
  for i, best in ipairs(list) do
    algorithms[i] = best.algorithm
  end
  return {
    patch = patches.unpack(core.tensor.from({ list[1].row }, "u8"))[1], note = self.play.note,
    algorithms = algorithms, renders = self.renders, seconds = core.clock() - self.started,
  }
end

local function draw(search, options, report)
  local sampler = samplers.sampler { prior = options.prior, seed = search.seed }
  local count = search:left()
  while count > 0 do
    search:measure(sampler:draw(count))
    report(search:share())
    count = search:left()
  end
end

-- Judges the patches of the bank whose renders have features like the target's.
local function find_nearest(search, options, report)
  local bank, play = options.models.neighbours, search.play
  local heard = must(options.models:hear(search.samples, play.note, play.held))
  local nearest = bank.patches:rows(bank:find(heard.values, NEIGHBOURS):totable())
  search.budget = { renders = #nearest }
  local count = search:left()
  while count > 0 do
    search:measure(nearest:slice(search.renders + 1, search.renders + count))
    report(search:share())
    count = search:left()
  end
end

-- The fields that a genetic search changes: place in a packed row and largest value.
local GENES = {}
for place, field in ipairs(patches.fields()) do
  local name = field.name
  if name ~= "am" and name ~= "ssg" and (field.operator or name == "algorithm" or name == "feedback") then
    GENES[#GENES + 1] = { place = place, most = field.maximum - field.minimum }
  end
end

local MUTATION = 0.01 -- of a gene

local function child_of(mother, father, rng)
  local child = { table.unpack(mother) }
  for _, gene in ipairs(GENES) do
    if rng:uniform() < 0.5 then
      child[gene.place] = father[gene.place]
    end
    if rng:uniform() < MUTATION then
      child[gene.place] = rng:integer(0, gene.most)
    end
  end
  return child
end

-- The next generation: the best one unchanged, the others children of parents chosen in
-- proportion to 1 / D.
local function next_generation(rows, distances, rng)
  local fitness, best = {}, 1
  for i, distance in ipairs(distances) do
    fitness[i] = 1 / (0.01 + distance) -- a perfect one does not take all
    best = distance < distances[best] and i or best
  end
  local generation = { rows[best] }
  for i = 2, #rows do
    generation[i] = child_of(rows[rng:choose(fitness)], rows[rng:choose(fitness)], rng)
  end
  return generation
end

local function all_equal(distances)
  for i = 2, #distances do
    if distances[i] ~= distances[1] then
      return false
    end
  end
  return true
end

-- The plain genetic algorithm of earlier tools: a population of 100 from the prior,
-- uniform crossover, and a new population when all are equal.
local function evolve(search, options, report)
  local sampler = samplers.sampler { prior = options.prior, seed = search.seed }
  local rng = core.rng.new { seed = search.seed, stream = 1 }
  local packed, count = nil, search:left()
  while count > 0 do
    packed = packed or sampler:draw(ROUND)
    local distances = search:measure(packed:slice(1, count))
    if all_equal(distances) or count < ROUND then
      packed = nil
    else
      packed = core.tensor.from(next_generation(packed:totable(), distances, rng), "u8")
    end
    report(search:share())
    count = search:left()
  end
end

local RUN = { random = draw, nearest = find_nearest, genetic = evolve }

--- The baselines: random patches of the prior; the best of the 2,000 of the models' bank
--- that are nearest by features, whatever the budget; a plain genetic algorithm.
---@type string[]
M.names = { "random", "nearest", "genetic" }

--- Runs a baseline on a target.
---@param name string
---@param target ym2612ml.EvaluationTarget
---@param budget {seconds: number?, renders: integer?}
---@param options {prior: ym2612ml.Prior, models: ym2612ml.Models}
---@param report fun(share: number)  called as it goes on
---@return table answer  {patch, note, algorithms: best first, renders, seconds}
function M.run(name, target, budget, options, report)
  local search = new_search(target, budget)
  RUN[name](search, options, report)
  return search:answer()
end

return M
