-- Random patches: draws from a prior fitted to the statistics of real ones, and
-- mutations and crossings of real ones; and the notes to play with them.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local patches = require "ym2612ml.patch"
local priors = require "ym2612ml.prior"

local M = {}

--- The patch as the networks learn it: without LFO, AM and SSG-EG.
---@param patch ym2612ml.Patch
---@return ym2612ml.Patch  a new table
function M.plain(patch)
  check.no_problem(patches.problem(patch), 1, "plain")
  local copy = { algorithm = patch.algorithm, feedback = patch.feedback }
  for o = 1, 4 do
    copy[o] = {}
    for name, value in pairs(patch[o]) do
      copy[o][name] = value
    end
    copy[o].am, copy[o].ssg = 0, 0
  end
  return copy
end

-- Weights with a share of evenness: a value never seen can still be drawn.
local function smoothed(histogram, share)
  local weights, total = {}, 0
  for _, count in ipairs(histogram) do
    total = total + count
  end
  for i, count in ipairs(histogram) do
    weights[i] = (1 - share) * count / math.max(total, 1) + share / #histogram
  end
  return weights
end

---@class ym2612ml.Sampler
local Sampler = {}
Sampler.__index = Sampler
Sampler.__name = "ym2612ml.Sampler"

local EVEN = 0.25 -- share of an even choice of algorithms, so that none is rare
local UNSEEN = 0.08 -- share of even choice in the other fields

local KINDS = { "prior", "mutated", "crossed", "real" } -- of draws, in the order of mix
local EXPECTED = "option 'mix': expected shares of 0 or more for " .. table.concat(KINDS, ", ")

--- Shares of the kinds where real patches are given and nothing is said.
---@type table<string, number>
M.default_mix = { prior = 0.3, mutated = 0.4, crossed = 0.2, real = 0.1 }

local RULES = {
  prior = { type = "table", needed = true },
  patches = { type = "table", default = {} },
  seed = { type = "integer", default = 1 },
  stream = { type = "integer", default = 0 },
  mix = { type = "table", default = M.default_mix },
}

--- The shares of a mix as a list in the order prior, mutated, crossed, real.
---@param mix table<string, number>
---@return number[]? shares  nil when this is no mix
---@return string? problem  what was expected
function M.shares(mix)
  local shares, total, known = {}, 0, 0
  for i, kind in ipairs(KINDS) do
    local share = mix[kind] == nil and 0 or mix[kind]
    if type(share) ~= "number" or not (share >= 0 and share < math.huge) then
      return nil, EXPECTED
    end
    shares[i], total = share, total + share
    known = known + (mix[kind] ~= nil and 1 or 0)
  end
  for _ in pairs(mix) do
    known = known - 1
  end
  if known ~= 0 or not (total > 0 and total < math.huge) then
    return nil, EXPECTED
  end
  return shares
end

-- The options with mix as a list of shares, or raises.
local function check_sampler(options)
  options = check.options(options, RULES, 1, "sampler")
  local problem = priors.problem(options.prior)
  if problem then
    check.misuse(("bad argument #1 to 'sampler' (option 'prior': %s)"):format(problem))
  end
  patches.check_all(options.patches, 1, "sampler")
  options.mix, problem = M.shares(options.mix)
  check.no_problem(problem, 1, "sampler")
  return options
end

--- A source of random patches.
---@param options table  prior: ym2612ml.Prior; patches: real ones, default none; seed:
---  default 1; stream: an independent sequence of that seed, default 0; mix: shares of
---  draws from the prior, of mutated and of crossed real patches and of real ones as they
---  are, default {prior = 0.3, mutated = 0.4, crossed = 0.2, real = 0.1}, without patches
---  all are draws from the prior
---@return ym2612ml.Sampler
function M.sampler(options)
  options = check_sampler(options)
  local prior = options.prior
  local weights = {
    mix = options.mix,
    algorithm = smoothed(prior.algorithm, EVEN),
    feedback = smoothed(prior.feedback, UNSEEN),
    level = smoothed(prior.level, UNSEEN),
    repeats = prior.repeats,
  }
  for _, role in ipairs { "carrier", "modulator" } do
    weights[role] = {}
    for _, field in ipairs(priors.fields) do
      weights[role][field.name] = smoothed(prior[role][field.name], UNSEEN)
    end
  end
  local packed = patches.pack(options.patches)
  return setmetatable({
    source = core.dataset.sampler(weights, packed, options.seed, options.stream),
  }, Sampler)
end

--- The next random patch, without LFO, AM and SSG-EG.
---@return ym2612ml.Patch
function Sampler:next()
  return patches.unpack(self.source:draw(1))[1]
end

--- The next random patches, as patch.pack has them: much faster than one by one.
---@param count integer  0 or more
---@return ym2612ml.Tensor packed  u8 (count, 49)
function Sampler:draw(count)
  if check.integer(count, 1, "draw") < 0 then
    check.misuse(("bad argument #1 to 'draw' (%d, expected 0 or more)"):format(count))
  end
  return self.source:draw(count)
end

--- Notes for a data set: MIDI 30 to 84; half of them held 1 s, the others 0.1 to 2 s.
---@param rng ym2612ml.Rng
---@return integer note
---@return number held  seconds
function M.random_note(rng)
  check.type(rng, "userdata", 1, "random_note")
  local held = rng:uniform() < 0.5 and 1 or 0.1 * 20 ^ rng:uniform()
  return rng:integer(30, 84), held
end

return M
