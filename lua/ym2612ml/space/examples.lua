-- What the network of the learned space is trained and judged with: patches as rows of
-- tokens, in the order in which their registers are drawn.
local core = require "ym2612ml.core"
local network = require "ym2612ml.networks.patch_vae"
local tokens = require "ym2612ml.space.tokens"
local widen = require "ym2612ml.space.widen"

local M = {}

local COUNT = tokens.count
local ALGORITHM = tokens.place.algorithm

--- The row of the roles (networks/patch_vae.lua) of a register.
---@param algorithm? integer  0..7; nil: not known
---@param place integer  of the register, from 1
---@return integer
function M.role(algorithm, place)
  return algorithm and algorithm * COUNT + place - 1 or network.NO_ROLE
end

--- The order in which registers are drawn: the algorithm, what is given, and the rest.
---@param given table<integer, any>  by place
---@return integer[] places
function M.order(given)
  local order, rest = { ALGORITHM }, {}
  for place = 1, COUNT do
    if place ~= ALGORITHM then
      local list = given[place] ~= nil and order or rest
      list[#list + 1] = place
    end
  end
  return table.move(rest, 1, #rest, #order + 1, order)
end

local WHOLE = M.order {}

local FIELDS = { "seen", "seen_role", "before", "before_place", "place", "role", "target" }

--- Empty rows: tensors of the network's inputs.
---@param rows integer
---@param latents integer
---@return table<string, ym2612ml.Tensor>
function M.new(rows, latents)
  local data = { noise = core.tensor.new { rows, latents } }
  for _, name in ipairs(FIELDS) do
    data[name] = core.tensor.new({ rows, COUNT }, "i16")
  end
  return data
end

--- Fills the encoder's part of a row.
---@param data table<string, ym2612ml.Tensor>
---@param row integer
---@param classes table<integer, integer>  of each place; nil: not seen
function M.show(data, row, classes)
  local algorithm = classes[ALGORITHM]
  for place = 1, COUNT do
    data.seen:set(row, place, classes[place] or network.UNSEEN)
    data.seen_role:set(row, place, M.role(algorithm, place))
  end
end

--- Fills the decoder's part of a row: classes in an order, of which what comes before each
--- is as `shown` tells.
---@param data table<string, ym2612ml.Tensor>
---@param row integer
---@param classes table<integer, integer>  of each place; nil: to be told, and no target
---@param order integer[]  places
---@param shown table<integer, integer>  nil: not seen
function M.ask(data, row, classes, order, shown)
  local last, last_place = network.START, COUNT + 1
  for step, place in ipairs(order) do
    data.before:set(row, step, last)
    data.before_place:set(row, step, last_place - 1)
    data.place:set(row, step, place - 1)
    data.role:set(row, step, step > 1 and M.role(classes[ALGORITHM], place) or network.NO_ROLE)
    data.target:set(row, step, classes[place] or -1)
    last, last_place = shown[place] or network.UNSEEN, place
  end
end

-- The places that are given in an exercise: of single registers or of whole operators,
-- few or many.
local function draw_given(rng)
  local share, whole, given, operators = rng:uniform(), rng:uniform() < 0.5, {}, {}
  for operator = 0, 4 do
    operators[operator] = rng:uniform() < share
  end
  for place, register in ipairs(tokens.registers) do
    local drawn = rng:uniform() < share
    if whole then
      drawn = operators[register.operator or 0]
    end
    given[place] = drawn or nil
  end
  return given
end

-- Classes as the decoder is shown them in training: some wrong, some not at all, so that
-- it relies on no single one.
local function blur(classes, rng, other)
  local shown, hide, wrong = {}, 0.6 * rng:uniform(), 0.2 * rng:uniform()
  for place, register in ipairs(tokens.registers) do
    local class, kind = classes[place], rng:uniform()
    if place ~= ALGORITHM and kind < hide then
      class = nil
    elseif place ~= ALGORITHM and kind < hide + wrong then
      local moved = class + math.floor(rng:normal(0, 1 + register.classes / 32) + 0.5)
      class = rng:uniform() < 0.5 and other[place] or math.max(0, math.min(register.classes - 1, moved))
    end
    shown[place] = class
  end
  return shown
end

local function pick(classes, given)
  local picked = {}
  for place in pairs(given) do
    picked[place] = classes[place]
  end
  return picked
end

-- Shares of rows: of changed patches; with registers given; of which the encoder sees no
-- others; where the decoder is shown the algorithm alone, and where it is shown all.
local CHANGED, EXERCISES, PARTIAL, ALONE, CLEAR = 0.75, 0.5, 0.5, 0.3, 0.15

--- Rows to learn from: each patch `copies` times, most of them changed (space/widen.lua).
--- Half of them have some registers given first, and the encoder sees no others in half of
--- these. In a part the decoder is shown only the algorithm, so that it learns what the
--- point alone says.
---@param list ym2612ml.Patch[]
---@param copies integer
---@param latents integer
---@param seed integer
---@return table<string, ym2612ml.Tensor> data
function M.training(list, copies, latents, seed)
  local rng, kin, normal = core.rng.new { seed = seed }, {}, {}
  for i, patch in ipairs(list) do
    normal[i] = tokens.normal(patch)
    kin[patch.algorithm] = kin[patch.algorithm] or {}
    table.insert(kin[patch.algorithm], normal[i])
  end
  local data, rows = M.new(#list * copies, latents), {}
  for row = 1, #list * copies do
    local patch = normal[(row - 1) % #list + 1]
    rows[row] = rng:uniform() < CHANGED and widen.changed(patch, rng, kin[patch.algorithm]) or patch
  end
  local all, others = tokens.classes(rows), {}
  for algorithm, family in pairs(kin) do
    others[algorithm] = tokens.classes(family):totable()
  end
  for row = 1, #rows do
    local classes = all[row]:totable()
    local given = rng:uniform() < EXERCISES and draw_given(rng) or nil
    M.show(data, row, given and rng:uniform() < PARTIAL and pick(classes, given) or classes)
    local family, kind = others[classes[ALGORITHM]], rng:uniform()
    local shown = kind < ALONE and { [ALGORITHM] = classes[ALGORITHM] } or kind < ALONE + CLEAR and classes
      or blur(classes, rng, family[rng:integer(1, #family)])
    M.ask(data, row, classes, given and M.order(given) or WHOLE, shown)
  end
  return data
end

--- Rows to judge by: the patches as they are, their registers drawn in the one order.
---@param list ym2612ml.Patch[]
---@param latents integer
---@return table<string, ym2612ml.Tensor> data
function M.whole(list, latents)
  local data, all = M.new(#list, latents), tokens.classes(list)
  for row = 1, #list do
    local classes = all[row]:totable()
    M.show(data, row, classes)
    M.ask(data, row, classes, WHOLE, classes)
  end
  return data
end

return M
