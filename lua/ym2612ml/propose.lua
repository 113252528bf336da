-- A sound to the patches a search may begin with: what the networks find most likely,
-- draws from their distributions, and neighbours in a bank of renders, as they are and
-- crossed.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local patches = require "ym2612ml.patch"
local registers = require "ym2612ml.networks.registers"

local M = {}

local RULES = {
  count = { type = "integer", least = 1, most = 100000, default = 300 },
  seed = { type = "integer", default = 1 },
  chip = { choices = { "ym2612", "ym3438", "clean" }, default = "ym2612" },
  bank = { type = "number", least = 0, most = 1, default = 0.25 },
  method = { choices = { "matcher", "networks" }, default = "matcher" },
}

local FIELDS = #patches.fields() -- of a packed patch
local MODES = 8 -- of which each algorithm has one at least
local COLDEST, WARMEST = 0.4, 1 -- temperatures of the draws
local TRUST = 0.6 -- of the algorithms' probabilities, against an even choice
local CROSSED = 0.5 -- of the patches from the bank

-- The numbers 1..#weights, the largest weight first, of equals the first.
local function ranked(weights)
  local order = {}
  for i = 1, #weights do
    order[i] = i
  end
  table.sort(order, function(a, b)
    if weights[a] ~= weights[b] then
      return weights[a] > weights[b]
    end
    return a < b
  end)
  return order
end

-- The rows of an answer in the order of trust: of each algorithm that of the largest
-- share, the most probable algorithm first; then the others.
local function order_of(answer)
  local each = #answer.shares // 8 -- rows of an algorithm
  local weights = {}
  for row, share in ipairs(answer.shares) do
    weights[row] = share * answer.probabilities[(row - 1) // each + 1]
  end
  local first, others, best = {}, {}, {}
  for _, row in ipairs(ranked(weights)) do
    local algorithm = (row - 1) // each + 1
    if best[algorithm] then
      others[#others + 1] = row
    else
      best[algorithm] = row
    end
  end
  for i, algorithm in ipairs(ranked(answer.probabilities)) do
    first[i] = best[algorithm]
  end
  return table.move(others, 1, #others, #first + 1, first)
end

local function draw(answer, count, level, seed)
  local weights, each = {}, #answer.shares // 8
  for row, share in ipairs(answer.shares) do
    weights[row] = share * (TRUST * answer.probabilities[(row - 1) // each + 1] + (1 - TRUST) / 8)
  end
  return registers.decoder:draw(answer.logits, count, {
    weights = weights, coldest = COLDEST, warmest = WARMEST, level = level, seed = seed,
  })
end

-- Pairs (i, j) of 1..most, those of the smallest sums first: the nearest spectra with the
-- nearest envelopes. Two lists.
local function pairs_by_rank(count, most)
  local first, second = {}, {}
  for sum = 2, 2 * most do
    for i = math.max(1, sum - most), math.min(most, sum - 1) do
      if #first == count then
        return first, second
      end
      first[#first + 1], second[#second + 1] = i, sum - i
    end
  end
  return first, second
end

-- Neighbours and crossings, at most so many of each: two packed tensors, nearest first.
local function from_bank(bank, values, nearest, crossed)
  local side = math.ceil((2 * crossed) ^ 0.5) + 1 -- ranks up to which pairs are needed
  local all, spectrum, envelope = bank:find(values, math.max(nearest, side))
  local spectra, envelopes = pairs_by_rank(crossed, math.min(side, #spectrum))
  spectra = bank.patches:rows(spectrum:totable()):rows(spectra)
  envelopes = bank.patches:rows(envelope:totable()):rows(envelopes)
  return bank.patches:rows(all:slice(1, math.min(nearest, #all)):totable()), core.neighbours.cross(spectra, envelopes)
end

-- One packed tensor of several, in turns so that each is used up at the same pace.
local function interleave(parts)
  local total, sizes, order, at = 0, {}, {}, 0
  for i, part in ipairs(parts) do
    sizes[i] = { first = total, count = #part, taken = 0 }
    total = total + #part
  end
  local all = core.tensor.new({ total, FIELDS }, "u8")
  for i, part in ipairs(parts) do
    if #part > 0 then
      all:slice(sizes[i].first + 1, sizes[i].first + #part):copy(part)
    end
  end
  while at < total do
    local best
    for _, size in ipairs(sizes) do
      size.progress = (size.taken + 0.5) / size.count -- above 1 when used up
      if size.taken < size.count and (not best or size.progress < best.progress) then
        best = size
      end
    end
    best.taken, at = best.taken + 1, at + 1
    order[at] = best.first + best.taken
  end
  return all:rows(order)
end

--- Patches to begin a search with, the best guesses first: the most likely patch of each
--- algorithm, the most probable algorithm first, then draws, neighbours and crossings in
--- turns. The same seed gives the same patches.
---@param models ym2612ml.Models
---@param sound {samples: ym2612ml.Tensor, note: number, held: number}  samples at 53,267
---  Hz from the onset on; MIDI note; seconds: such as ym.prepare gives
---@param options? {count: integer, seed: integer, chip: string, bank: number, method: string}
---  count: default 300; seed: default 1; chip: the output stage, default "ym2612": on
---  "clean" the loudest carrier of all patches is at level 0; bank: the share of patches
---  from the bank behind the first eight, default 0.25; method: "matcher" (default) or
---  "networks" (see Models:answer)
---@return ym2612ml.Tensor? packed  u8 (count, 49)
---@return number[]|string probabilities  of algorithms 0..7 (at 1..8); or a message
---@return string? kind  "input": the sound is silent
function M.packed(models, sound, options)
  check.type(models, "table", 1, "packed")
  check.type(sound, "table", 2, "packed")
  options = check.options(options, RULES, 3, "packed")
  local heard, message, kind = models:hear(sound.samples, sound.note, sound.held)
  if not heard then
    return nil, message, kind
  end
  local answer, level = models:answer(heard, options.method), options.chip ~= "clean"
  local order = order_of(answer)
  local modes = math.min(options.count, MODES, #order)
  local packed = core.tensor.new({ options.count, FIELDS }, "u8")
  local likely = registers.decoder:modes(answer.logits, { level = level })
  packed:slice(1, modes):copy(likely:rows { table.unpack(order, 1, modes) })
  if options.count > modes then
    local banked = math.floor(options.bank * (options.count - modes) + 0.5)
    local crossed = math.floor(CROSSED * banked)
    local near, crossings = from_bank(models.neighbours, heard.values, banked - crossed, crossed)
    banked = #near + #crossings
    local drawn = draw(answer, options.count - modes - banked, level, options.seed)
    if level then -- the bank has none: it takes the levels of further draws
      local levels = core.heads.levels(draw(answer, banked, true, options.seed + 1))
      near = core.heads.at_levels(near, levels:slice(1, #near))
      crossings = core.heads.at_levels(crossings, levels:slice(#near + 1, banked))
    end
    packed:slice(modes + 1, options.count):copy(interleave { drawn, near, crossings })
  end
  return packed, answer.probabilities
end

return M
