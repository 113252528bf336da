-- The matcher's networks: what they hear, how they are built, and how their answers
-- become patches. One network for each algorithm 0..7 gives a distribution over each
-- register (a softmax a register); one more gives the probability of each algorithm.
local nn = require "ym2612ml.nn"
local patches = require "ym2612ml.patch"

local M = {}

--- What the networks hear (see ym.features): harmonics relative to the note, which
--- makes them independent of pitch, and mel bands for attacks and noise.
M.recipe = {
  {
    kind = "harmonics", size = 4096, bands = 64,
    on = { 0.01, 0.04, 0.08, 0.13, 0.2, 0.3, 0.45, 0.65, 0.92 },
    off = { 0.03, 0.08, 0.15, 0.25, 0.4 },
  },
  {
    kind = "mel", size = 1024, bands = 64,
    on = { 0, 0.01, 0.02, 0.035, 0.055, 0.085, 0.13, 0.2, 0.32, 0.5, 0.75, 0.97 },
    off = { 0.01, 0.03, 0.06, 0.12, 0.25, 0.42 },
  },
  {
    kind = "mel", size = 512, bands = 40,
    on = { 0, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.022, 0.032 },
    off = {},
  },
}

--- Principal components of them that the networks see.
M.components = 200

--- Inputs: the components, then note and held time.
M.inputs = M.components + 2

--- Note and held time (seconds) as two inputs of about unit spread.
---@param note number  MIDI
---@param held number  seconds
---@return number, number
function M.note_inputs(note, held)
  return (note - 60) / 16, math.log(held, 2)
end

-- Registers in this many values or more are learned in classes of several values.
local function class_size(field)
  local values = field.maximum - field.minimum + 1
  return values >= 128 and 4 or values >= 32 and 2 or 1
end

-- Values whose neighbours sound alike: their distributions have a meaningful middle.
local ORDERED = { tl = true, ar = true, dr = true, sr = true, rr = true, sl = true, rs = true }

--- The heads, in the order of the logits: every field that a patch without LFO, AM
--- and SSG-EG has, but the algorithm.
---@type {name: string, operator: integer?, minimum: integer, size: integer, width: integer, first: integer}[]
M.heads = {}
--- Logits in all.
M.logits = 0
local skipped = { algorithm = true, ams = true, fms = true, lfo = true, am = true, ssg = true }
for _, field in ipairs(patches.fields()) do
  if not skipped[field.name] then
    local size = class_size(field)
    local head = {
      name = field.name, operator = field.operator, minimum = field.minimum, maximum = field.maximum,
      size = size, width = (field.maximum - field.minimum) // size + 1, first = M.logits + 1,
      ordered = ORDERED[field.name] or false,
    }
    M.heads[#M.heads + 1] = head
    M.logits = M.logits + head.width
  end
end

-- Operators that sound alike when exchanged: exactly so where the chip's order of
-- adding allows, else but for a sample's delay.
local function twins(patch)
  local plain = patch.feedback == 0
  if patch.algorithm == 7 then
    return { plain and { 1, 2, 3, 4 } or { 2, 3, 4 } }
  elseif patch.algorithm == 6 then
    return { { 3, 4 } }
  elseif patch.algorithm == 5 then
    return { { 2, 3, 4 } }
  elseif patch.algorithm == 1 and plain then
    return { { 1, 2 } }
  end
  return {}
end

local function before(a, b)
  for _, name in ipairs { "mul", "tl", "ar", "dr", "sl", "dt" } do
    if a[name] ~= b[name] then
      return a[name] < b[name]
    end
  end
  return false
end

local function sort_twins(patch)
  for _, group in ipairs(twins(patch)) do
    local list = {}
    for i, o in ipairs(group) do
      list[i] = patch[o]
    end
    table.sort(list, before)
    for i, o in ipairs(group) do
      patch[o] = list[i]
    end
  end
  if patch.algorithm == 4 and patch.feedback == 0 and before(patch[4], patch[2]) then
    patch[1], patch[2], patch[3], patch[4] = patch[3], patch[4], patch[1], patch[2]
  end
end

local DEAD = 104 -- total level from which an operator gives nothing

-- Registers that nobody can hear, and so nobody can learn.
local function unheard(op, name)
  if op.tl >= DEAD then
    return name ~= "tl"
  elseif name == "sr" then
    return op.dr == 0 and op.sl ~= 0 or op.sl == 15
  elseif name == "dr" then
    return op.sl == 0
  end
  return false
end

--- The class of each head for a patch, 0 and up; -1 where the register cannot be
--- heard. Levels of carriers are relative to the loudest.
---@param patch ym2612ml.Patch
---@return integer[]
function M.classes(patch)
  patch = patches.canonical(patch)
  local level = patches.carrier_level(patch)
  for _, o in ipairs(patches.carriers(patch.algorithm)) do
    patch[o].tl = patch[o].tl >= DEAD and 127 or patch[o].tl - level
  end
  sort_twins(patch)
  local classes = {}
  for i, head in ipairs(M.heads) do
    local from = head.operator and patch[head.operator] or patch
    local class = (from[head.name] - head.minimum) // head.size
    if head.operator and unheard(from, head.name)
      or head.name == "feedback" and patch[1].tl >= DEAD then
      class = -1
    end
    classes[i] = class
  end
  return classes
end

-- Hidden layers, then the logits of the heads of these fields and their cross-entropy.
local function build(fields, options)
  return nn.graph(function(g)
    local x = g:input("x", { M.inputs })
    for _, size in ipairs(options.hidden) do
      x = nn.dense(x, size):gelu()
      if options.dropout then
        x = x:dropout(options.dropout)
      end
    end
    local logits, _, loss = nn.register_heads(x, fields, { target = g:input("target", { #fields }) })
    return { logits = logits, loss = loss }
  end, { seed = options.seed })
end

--- Records a network that gives logits over the classes of the heads.
---@param options {hidden: integer[], dropout: number?, seed: integer?}
---@return ym2612ml.Network net  inputs x (batch, inputs) and target (batch, heads);
---  outputs logits and loss
function M.build(options)
  return build(M.heads, options)
end

--- Records the network that gives the logits of the eight algorithms.
---@param options {hidden: integer[], dropout: number?, seed: integer?}
---@return ym2612ml.Network net  inputs x and target (batch, 1); outputs logits and loss
function M.build_algorithm(options)
  return build({ { name = "algorithm", minimum = 0, maximum = 7 } }, options)
end

--- Probabilities from logits first..first + width - 1, sharpened by a temperature
--- below 1, flattened by one above.
---@param logits number[]
---@param first integer
---@param width integer
---@param temperature? number  default 1
---@return number[]
function M.softmax(logits, first, width, temperature)
  local top, total, weights = -math.huge, 0, {}
  for i = first, first + width - 1 do
    top = math.max(top, logits[i])
  end
  for i = 1, width do
    weights[i] = math.exp((logits[first + i - 1] - top) / (temperature or 1))
    total = total + weights[i]
  end
  for i = 1, width do
    weights[i] = weights[i] / total
  end
  return weights
end

local function largest(weights)
  local best = 1
  for i = 2, #weights do
    if weights[i] > weights[best] then
      best = i
    end
  end
  return best
end

-- Middle value of class i, counted from 1.
local function class_value(head, i)
  return head.minimum + (i - 1) * head.size + (head.size - 1) / 2
end

-- The register's value at the mode of its distribution; an ordered register takes the
-- mean over the mode and its neighbours, which resolves more finely than the classes.
local function most_likely(head, weights)
  local mode = largest(weights)
  local value = class_value(head, mode)
  if head.ordered and head.size > 1 then
    local sum, total = 0, 0
    for i = math.max(1, mode - 1), math.min(#weights, mode + 1) do
      sum, total = sum + weights[i] * class_value(head, i), total + weights[i]
    end
    value = sum / total
  end
  return math.min(head.maximum, math.floor(value + 0.5))
end

local function drawn(head, weights, rng)
  local first = head.minimum + (rng:choose(weights) - 1) * head.size
  return math.min(head.maximum, first + rng:integer(0, head.size - 1))
end

--- The patch that logits stand for: the most likely one, or with rng one drawn from
--- the distributions.
---@param logits number[]      M.logits of them
---@param algorithm integer    0..7
---@param rng? table           draws when given
---@param temperature? number  of the draw, default 1
---@return ym2612ml.Patch      its loudest carrier at total level 0
function M.patch(logits, algorithm, rng, temperature)
  local patch = { algorithm = algorithm }
  for o = 1, 4 do
    patch[o] = { am = 0, ssg = 0 }
  end
  for _, head in ipairs(M.heads) do
    local weights = M.softmax(logits, head.first, head.width, rng and temperature)
    local to = head.operator and patch[head.operator] or patch
    to[head.name] = rng and drawn(head, weights, rng) or most_likely(head, weights)
  end
  return M.at_level(patch, 0)
end

--- The patch with its loudest carrier at a total level, the others as far above it as
--- before.
---@param patch ym2612ml.Patch
---@param level integer  0..127
---@return ym2612ml.Patch  a copy
function M.at_level(patch, level)
  local copy = { algorithm = patch.algorithm, feedback = patch.feedback }
  local change = level - patches.carrier_level(patch)
  for o = 1, 4 do
    copy[o] = {}
    for name, value in pairs(patch[o]) do
      copy[o][name] = value
    end
    if patches.is_carrier(patch.algorithm, o) then
      copy[o].tl = math.min(127, copy[o].tl + change)
    end
  end
  return copy
end

return M
