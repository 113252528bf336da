-- Patches to learn from: real ones, draws from a prior fitted to their statistics, and
-- mutations and crossings of real ones; and the notes to play with them.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local files = require "ym2612ml.files"
local lfs = require "ym2612ml.filesystem"
local patches = require "ym2612ml.patch"
local priors = require "ym2612ml.prior"

local M = {}

local FIELDS = patches.fields()

local function copy_operator(op)
  local copy = {}
  for name, value in pairs(op) do
    copy[name] = value
  end
  return copy
end

local function copy_patch(patch)
  local copy = { algorithm = patch.algorithm, feedback = patch.feedback }
  for o = 1, 4 do
    copy[o] = copy_operator(patch[o])
  end
  return copy
end

local function plain(patch)
  local copy = copy_patch(patch)
  for o = 1, 4 do
    copy[o].am, copy[o].ssg = 0, 0
  end
  return copy
end

--- The patch as the networks learn it: without LFO, AM and SSG-EG.
---@param patch ym2612ml.Patch
---@return ym2612ml.Patch  a new table
function M.plain(patch)
  local problem = patches.problem(patch)
  if problem then
    check.misuse(("bad argument #1 to 'plain' (%s)"):format(problem))
  end
  return plain(patch)
end

-- One row of a table of patches; detune as the register holds it, 0..7.
local function patch_of_row(row)
  local patch = {}
  for _, field in ipairs(FIELDS) do
    local name = field.operator and ("op%d_%s"):format(field.operator, field.name) or field.name
    local value = math.tointeger(tonumber(row[name]))
    if not value and not field.optional then
      return nil, ("column %s is %s, expected a whole number"):format(name, tostring(row[name]))
    end
    if field.name == "dt" and value >= 4 then
      value = 4 - value
    end
    if field.operator then
      patch[field.operator] = patch[field.operator] or {}
      patch[field.operator][field.name] = value
    else
      patch[field.name] = value
    end
  end
  local problem = patches.problem(patch)
  if problem then
    return nil, problem
  end
  patch.name = row.name
  return patch
end

-- Splits a CSV line; fields in double quotes may hold commas and doubled quotes.
local function split_csv(line)
  local fields, position = {}, 1
  repeat
    local quoted, after = line:match('^"(.-)"()%f[,\0]', position)
    if quoted then
      fields[#fields + 1] = quoted:gsub('""', '"')
      position = after + 1
    else
      local comma = line:find(",", position, true) or #line + 1
      fields[#fields + 1] = line:sub(position, comma - 1)
      position = comma + 1
    end
  until position > #line + 1
  return fields
end

local function read_table(path)
  local bytes, message, kind = files.read(path)
  if not bytes then
    return nil, message, kind
  end
  local names, rows = nil, {}
  for line in bytes:gmatch("[^\r\n]+") do
    local fields = split_csv(line)
    if not names then
      names = fields
    else
      local row = {}
      for i, name in ipairs(names) do
        row[name] = fields[i]
      end
      local patch, reason = patch_of_row(row)
      if not patch then
        return nil, ("%s: row %d: %s"):format(path, #rows + 2, reason), "format"
      end
      rows[#rows + 1] = { patch = patch, split = row.split, family = row.family }
    end
  end
  return rows
end

local READ = { csv = true } -- endings of files with patches
for ending in pairs(patches.endings()) do
  READ[ending] = true
end

---@class ym2612ml.PatchRow
---@field patch? ym2612ml.Patch
---@field split? string  of a table that has this column: "train" or "valid"
---@field family? string  of a table that has this column
---@field message? string  why there is no patch

--- Reads real patches: a CSV table with a column for each field (`algorithm`,
--- `op1_mul`, ...; `dt` as the register's 0..7; optionally `split` = train or valid,
--- `family` and `name`), or a folder of patch files and such tables.
---@param path string
---@return ym2612ml.PatchRow[]? rows  a file of a folder that cannot be read has a row of
---  its own, with a message and no patch
---@return string? message
---@return string? kind
function M.read_patches(path)
  check.type(path, "string", 1, "read_patches")
  if lfs.attributes(path, "mode") ~= "directory" then
    return read_table(path)
  end
  local list, failures = files.expand({ path }, READ, "patches")
  local failure = failures[path]
  if failure then
    return nil, failure.message, failure.kind
  end
  local rows = {}
  for _, found in ipairs(list) do
    if failures[found] then
      rows[#rows + 1] = { message = failures[found].message }
    elseif files.ending(found) == "csv" then
      local inner, message = read_table(found)
      table.move(inner or { { message = message } }, 1, inner and #inner or 1, #rows + 1, rows)
    else
      local patch, message = patches.read(found)
      rows[#rows + 1] = { patch = patch, message = not patch and message or nil }
    end
  end
  return rows
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

local RULES = {
  prior = { type = "table", needed = true },
  patches = { type = "table", default = {} },
  seed = { type = "integer", default = 1 },
  mix = { type = "table", default = { prior = 0.3, mutated = 0.4, crossed = 0.2, real = 0.1 } },
}

-- The shares of the kinds as a list, with nil for a mix that is none.
local function shares_of(mix)
  local shares, total, known = {}, 0, 0
  for i, kind in ipairs(KINDS) do
    local share = mix[kind] == nil and 0 or mix[kind]
    if type(share) ~= "number" or not (share >= 0 and share < math.huge) then
      return nil
    end
    shares[i], total = share, total + share
    known = known + (mix[kind] ~= nil and 1 or 0)
  end
  for _ in pairs(mix) do
    known = known - 1
  end
  return known == 0 and total > 0 and shares or nil
end

-- The options with mix as a list of shares, or raises.
local function check_sampler(options)
  options = check.options(options, RULES, 1, "sampler")
  local problem = priors.problem(options.prior)
  if problem then
    check.misuse(("bad argument #1 to 'sampler' (option 'prior': %s)"):format(problem))
  end
  patches.check_all(options.patches, 1, "sampler")
  options.mix = shares_of(options.mix)
  if not options.mix then
    check.misuse(("bad argument #1 to 'sampler' (option 'mix': expected shares of 0 or more for %s)"):format(
      table.concat(KINDS, ", ")))
  end
  return options
end

--- A source of random patches.
---@param options table  prior: ym2612ml.Prior; patches: real ones, default none; seed:
---  default 1; mix: shares of draws from the prior, of mutated and of crossed real patches
---  and of real ones as they are, default {prior = 0.3, mutated = 0.4, crossed = 0.2, real
---  = 0.1}, without patches all are draws from the prior
---@return ym2612ml.Sampler
function M.sampler(options)
  options = check_sampler(options)
  local prior = options.prior
  local self = setmetatable({
    rng = core.rng.new { seed = options.seed },
    real = #options.patches > 0 and options.patches or nil,
    mix = options.mix,
    algorithm = smoothed(prior.algorithm, EVEN),
    feedback = smoothed(prior.feedback, UNSEEN),
    level = smoothed(prior.level, UNSEEN),
    repeats = prior.repeats,
    by_algorithm = {},
  }, Sampler)
  for _, role in ipairs { "carrier", "modulator" } do
    self[role] = {}
    for name, histogram in pairs(prior[role]) do
      self[role][name] = smoothed(histogram, UNSEEN)
    end
  end
  for _, patch in ipairs(options.patches) do
    local list = self.by_algorithm[patch.algorithm] or {}
    self.by_algorithm[patch.algorithm] = list
    list[#list + 1] = patch
  end
  return self
end

-- A value counted from 0, as likely as its weight.
local function choose(sampler, weights)
  return sampler.rng:choose(weights) - 1
end

local function draw_field(sampler, role, field)
  return choose(sampler, sampler[role][field.name]) + field.minimum
end

-- A draw from the prior alone.
local function draw(sampler)
  local rng = sampler.rng
  local patch = { algorithm = choose(sampler, sampler.algorithm), feedback = choose(sampler, sampler.feedback) }
  local level, last = choose(sampler, sampler.level), {}
  for o = 1, 4 do
    local role, op = priors.role(patch.algorithm, o), { am = 0, ssg = 0 }
    for _, field in ipairs(priors.fields) do
      if last[role] and rng:uniform() < sampler.repeats[field.name] then
        op[field.name] = last[role][field.name]
      else
        op[field.name] = draw_field(sampler, role, field)
        if field.name == "tl" and role == "carrier" then
          op.tl = math.min(op.tl + level, 127)
        end
      end
    end
    patch[o], last[role] = op, op
  end
  return patch
end

-- A real patch of an algorithm drawn as for the prior, so that rare ones are met.
local function pick(sampler)
  local list = sampler.by_algorithm[choose(sampler, sampler.algorithm)] or sampler.real
  return copy_patch(list[sampler.rng:integer(1, #list)])
end

-- Moves a field by a few steps, more seldom by many.
local function nudge(rng, op, field)
  local range = field.maximum - field.minimum
  local step = math.tan(math.pi * (rng:uniform() - 0.5)) * range / 12 -- Cauchy
  step = math.max(-range, math.min(range, step))
  local moved = op[field.name] + math.floor(step + 0.5)
  op[field.name] = math.max(field.minimum, math.min(field.maximum, moved))
end

local ENVELOPE = { "rs", "ar", "dr", "sr", "rr", "sl" }

local function mutate(sampler, patch)
  local rng = sampler.rng
  for _ = 1, rng:integer(1, 14) do
    local o, field = rng:integer(1, 4), priors.fields[rng:integer(1, #priors.fields)]
    if rng:uniform() < 0.6 then
      nudge(rng, patch[o], field)
    else
      patch[o][field.name] = draw_field(sampler, priors.role(patch.algorithm, o), field)
    end
  end
  local kind = rng:uniform()
  if kind < 0.15 then
    patch.feedback = rng:integer(0, 7)
  elseif kind < 0.25 then
    local from, to = rng:integer(1, 4), rng:integer(1, 4)
    for _, name in ipairs(ENVELOPE) do
      patch[to][name] = patch[from][name]
    end
  elseif kind < 0.35 then
    local a, b = rng:integer(1, 4), rng:integer(1, 4)
    patch[a], patch[b] = patch[b], patch[a]
  elseif kind < 0.45 then
    patch.algorithm = choose(sampler, sampler.algorithm)
  end
  return patch
end

-- Each operator from one of two patches, the rest from the first.
local function cross(rng, patch, other)
  for o = 1, 4 do
    if rng:uniform() < 0.5 then
      patch[o] = copy_operator(other[o])
    end
  end
  return patch
end

--- The next random patch, without LFO, AM and SSG-EG.
---@return ym2612ml.Patch
function Sampler:next()
  local kind = self.real and KINDS[self.rng:choose(self.mix)] or "prior"
  if kind == "prior" then
    return draw(self)
  elseif kind == "mutated" then
    return plain(mutate(self, pick(self)))
  elseif kind == "crossed" then
    return plain(cross(self.rng, pick(self), pick(self)))
  end
  return plain(pick(self))
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
