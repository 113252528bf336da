-- Patches to learn from: real ones, a prior fitted to their statistics, and mutations
-- and crossings of real ones; and packed data sets of notes played with them.
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

--- The patch as the networks learn it: without LFO, AM and SSG-EG.
---@param patch ym2612ml.Patch
---@return ym2612ml.Patch
function M.plain(patch)
  local copy = copy_patch(patch)
  for o = 1, 4 do
    copy[o].am, copy[o].ssg = 0, 0
  end
  return copy
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
  local fine, message = pcall(patches.check, patch)
  if not fine then
    return nil, message:match("%((.*)%)") or message
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

local function add_table(path, rows)
  local found, message = read_table(path)
  for _, row in ipairs(found or { { message = message } }) do
    rows[#rows + 1] = row
  end
end

local function read_folder(path, rows)
  local names, endings = {}, patches.endings()
  for name in lfs.dir(path) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local below = path .. "/" .. name
    if name:sub(1, 1) ~= "." then
      if lfs.attributes(below, "mode") == "directory" then
        read_folder(below, rows)
      elseif endings[(name:match("%.([^.]+)$") or ""):lower()] then
        local patch, message = patches.read(below)
        rows[#rows + 1] = { patch = patch, message = not patch and message or nil }
      elseif name:match("%.csv$") then
        add_table(below, rows)
      end
    end
  end
  return rows
end

--- Reads real patches: a CSV table with a column for each field (`algorithm`,
--- `op1_mul`, ...; `dt` as the register's 0..7; optionally `split` = train or valid and
--- `name`), or a folder of patch files and such tables.
---@param path string
---@return {patch: ym2612ml.Patch, split: string?, message: string?}[]? rows  a file that cannot be read has no patch but a message
---@return string? message
---@return string? kind
function M.read_patches(path)
  if lfs.attributes(path, "mode") == "directory" then
    local rows = read_folder(path, {})
    if #rows == 0 then
      return nil, path .. ": holds no patches", "input"
    end
    return rows
  end
  return read_table(path)
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

local Sampler = {}
Sampler.__index = Sampler

local EVEN = 0.25 -- share of an even choice of algorithms, so that none is rare
local UNSEEN = 0.08 -- share of even choice in the other fields

--- A source of random patches.
---@param options {prior: table, patches: ym2612ml.Patch[]?, seed: integer?, mix: table<string, number>?}
---  mix: shares of draws from the prior, of mutated and of crossed real patches and of
---  real ones as they are (default 0.3, 0.4, 0.2, 0.1; without patches all are draws
---  from the prior)
---@return table sampler  with sampler:next() -> patch
function M.sampler(options)
  local self = setmetatable({}, Sampler)
  local prior = options.prior
  self.rng = core.rng.new { seed = options.seed or 1 }
  self.real = options.patches and #options.patches > 0 and options.patches or nil
  local mix = options.mix or { prior = 0.3, mutated = 0.4, crossed = 0.2, real = 0.1 }
  self.mix = { mix.prior, mix.mutated, mix.crossed, mix.real }
  self.algorithm = smoothed(prior.algorithm, EVEN)
  self.feedback = smoothed(prior.feedback, UNSEEN)
  self.level = smoothed(prior.level, UNSEEN)
  self.repeats = prior.repeats
  for _, role in ipairs { "carrier", "modulator" } do
    self[role] = {}
    for name, histogram in pairs(prior[role]) do
      self[role][name] = smoothed(histogram, UNSEEN)
    end
  end
  if self.real then
    self.by_algorithm = {}
    for _, patch in ipairs(self.real) do
      local list = self.by_algorithm[patch.algorithm] or {}
      self.by_algorithm[patch.algorithm] = list
      list[#list + 1] = patch
    end
  end
  return self
end

function Sampler:choose(weights)
  return self.rng:choose(weights) - 1
end

function Sampler:draw_field(role, field)
  return self:choose(self[role][field.name]) + field.minimum
end

-- Pure prior.
function Sampler:draw()
  local patch = { algorithm = self:choose(self.algorithm), feedback = self:choose(self.feedback) }
  local level, last = self:choose(self.level), {}
  for o = 1, 4 do
    local role, op = priors.role(patch.algorithm, o), { am = 0, ssg = 0 }
    for _, field in ipairs(priors.fields) do
      if last[role] and self.rng:uniform() < self.repeats[field.name] then
        op[field.name] = last[role][field.name]
      else
        op[field.name] = self:draw_field(role, field)
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
function Sampler:pick()
  local list = self.by_algorithm[self:choose(self.algorithm)] or self.real
  return copy_patch(list[self.rng:integer(1, #list)])
end

-- Moves a field by a few steps, more seldom by many.
function Sampler:nudge(op, field)
  local range = field.maximum - field.minimum
  local step = math.tan(math.pi * (self.rng:uniform() - 0.5)) * range / 12 -- Cauchy
  step = math.max(-range, math.min(range, step))
  local moved = op[field.name] + math.floor(step + 0.5)
  op[field.name] = math.max(field.minimum, math.min(field.maximum, moved))
end

local ENVELOPE = { "rs", "ar", "dr", "sr", "rr", "sl" }

function Sampler:mutate(patch)
  for _ = 1, self.rng:integer(1, 14) do
    local o, field = self.rng:integer(1, 4), priors.fields[self.rng:integer(1, #priors.fields)]
    if self.rng:uniform() < 0.6 then
      self:nudge(patch[o], field)
    else
      patch[o][field.name] = self:draw_field(priors.role(patch.algorithm, o), field)
    end
  end
  local kind = self.rng:uniform()
  if kind < 0.15 then
    patch.feedback = self.rng:integer(0, 7)
  elseif kind < 0.25 then
    local from, to = self.rng:integer(1, 4), self.rng:integer(1, 4)
    for _, name in ipairs(ENVELOPE) do
      patch[to][name] = patch[from][name]
    end
  elseif kind < 0.35 then
    local a, b = self.rng:integer(1, 4), self.rng:integer(1, 4)
    patch[a], patch[b] = patch[b], patch[a]
  elseif kind < 0.45 then
    patch.algorithm = self:choose(self.algorithm)
  end
  return patch
end

-- Each operator from one of two patches, the rest from the first.
function Sampler:cross(patch, other)
  for o = 1, 4 do
    if self.rng:uniform() < 0.5 then
      patch[o] = copy_operator(other[o])
    end
  end
  return patch
end

--- The next random patch, without LFO, AM and SSG-EG.
---@return ym2612ml.Patch
function Sampler:next()
  local kind = self.real and self:choose(self.mix) or 0
  if kind == 0 then
    return self:draw()
  elseif kind == 1 then
    return M.plain(self:mutate(self:pick()))
  elseif kind == 2 then
    return M.plain(self:cross(self:pick(), self:pick()))
  end
  return M.plain(self:pick())
end

--- Notes for a data set: MIDI 30 to 84; half of them held 1 s, the others 0.1 to 2 s.
---@param rng table
---@return number note
---@return number held     seconds
---@return number release  seconds
function M.random_note(rng)
  local held = rng:uniform() < 0.5 and 1 or 0.1 * 20 ^ rng:uniform()
  return rng:integer(30, 84), held, 0.5
end

return M
