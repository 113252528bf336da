-- The networks' inputs and heads: what they hear and how a patch becomes classes to learn,
-- which core.heads turns into patches again. And the networks of the single algorithms:
-- one for each of 0..7 gives a distribution over each register (a softmax a register); one
-- more gives the probability of each algorithm.
local core = require "ym2612ml.core"
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
M.components = 320

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
for position, field in ipairs(patches.fields()) do
  if not skipped[field.name] then
    local size = class_size(field)
    local head = {
      name = field.name, operator = field.operator, position = position,
      minimum = field.minimum, maximum = field.maximum,
      size = size, width = (field.maximum - field.minimum) // size + 1, first = M.logits + 1,
      ordered = ORDERED[field.name] or false,
    }
    M.heads[#M.heads + 1] = head
    M.logits = M.logits + head.width
  end
end
-- Last, the total level of the loudest carrier, to which those of the others are relative.
M.heads[#M.heads + 1] = {
  name = "level", position = #patches.fields() + 1, minimum = 0, maximum = 127, size = 4, width = 32,
  first = M.logits + 1, ordered = true,
}
M.logits = M.logits + 32

--- Turns logits of these heads into patches (core.heads).
M.decoder = core.heads.new(M.heads)

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

--- The canonical form with operators that sound alike in a fixed order: the one patch that
--- the networks learn of all those that sound the same.
---@param patch ym2612ml.Patch
---@return ym2612ml.Patch  a new table
function M.ordered(patch)
  patch = patches.canonical(patch)
  sort_twins(patch)
  return patch
end

--- Total level from which an operator gives nothing.
M.dead_level = 104

-- Registers that nobody can hear, and so nobody can learn.
local function unheard(op, name)
  if op.tl >= M.dead_level then
    return name ~= "tl"
  elseif name == "sr" then
    return op.sl == 15
  elseif name == "dr" then
    return op.sl == 0
  end
  return false
end

--- The class of each head for a patch, 0 and up; -1 where the register cannot be
--- heard. Levels of carriers are relative to the loudest.
---@param patch ym2612ml.Patch
---@param chip string  the output stage: on "clean" the level cannot be heard
---@return integer[]
function M.classes(patch, chip)
  patch = patches.canonical(patch)
  local level = patches.carrier_level(patch)
  for _, o in ipairs(patches.carriers(patch.algorithm)) do
    patch[o].tl = patch[o].tl >= M.dead_level and 127 or patch[o].tl - level
  end
  sort_twins(patch)
  local classes = {}
  for i, head in ipairs(M.heads) do
    local from = head.operator and patch[head.operator] or head.name == "level" and { level = level } or patch
    local class = (from[head.name] - head.minimum) // head.size
    if head.operator and unheard(from, head.name)
      or head.name == "feedback" and patch[1].tl >= M.dead_level
      or head.name == "level" and chip == "clean" then
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

--- Probabilities from logits.
---@param logits number[]
---@return number[]
function M.softmax(logits)
  local top, total, weights = math.max(table.unpack(logits)), 0, {}
  for i, logit in ipairs(logits) do
    weights[i] = math.exp(logit - top)
    total = total + weights[i]
  end
  for i = 1, #weights do
    weights[i] = weights[i] / total
  end
  return weights
end

return M
