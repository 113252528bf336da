-- A variational autoencoder over patches, after Nintorac's NeuralDX7: a token for each
-- register, embeddings shared by all of them, residual attention, a latent of eight
-- numbers whose posterior is widened by triangular Sylvester flows, and a decoder of
-- categorical registers that the latent conditions.
--
-- What we do otherwise, since 1,500 patches are few: the decoder draws one register after
-- another, and sees those that it has drawn, in any order; so what is given comes first,
-- and a patch is completed exactly. Tokens and scores of attention know which field and
-- which operator a register is of and whether that operator is heard; and an operator can
-- repeat a value of another by a weight of its own. Layers are normalised before, not
-- behind, and dropout is added.
local nn = require "ym2612ml.nn"
local patches = require "ym2612ml.patch"
local tokens = require "ym2612ml.space.tokens"

local M = {}

local COUNT, CLASSES = tokens.count, tokens.most

--- Where a class is expected: a register that is not seen, and what comes before the
--- first.
M.UNSEEN, M.START = CLASSES, CLASSES + 1
local VALUES = CLASSES + 2

--- The row of the roles for a register whose algorithm is not known.
M.NO_ROLE = 8 * COUNT

--- What is added to a score that must not count.
M.NEVER = -1e9
local GENTLE = 0.1 -- of the summary, for the flows: they begin as almost nothing
local WAVES = 8 -- octaves of the sines that values share
local OPERATORS = 5 -- of a register: 1 to 4, or the whole patch

local function zeros(rows, columns)
  local list = {}
  for i = 1, rows do
    list[i] = {}
    for j = 1, columns do
      list[i][j] = 0
    end
  end
  return list
end

-- Sines and cosines of a value, of periods from 4 to 512: neighbours are alike. Of what is
-- no value, zeros.
local function waves()
  local rows = zeros(VALUES, 2 * WAVES)
  for value = 0, CLASSES - 1 do
    for octave = 1, WAVES do
      local angle = 2 * math.pi * value / 2 ^ (octave + 1)
      rows[value + 1][2 * octave - 1], rows[value + 1][2 * octave] = math.sin(angle), math.cos(angle)
    end
  end
  return rows
end

-- For each register a 1 for its field and one for its operator, and last the row of the
-- start, which has a trait of its own.
local function traits()
  local kinds, count = {}, 0
  for _, register in ipairs(tokens.registers) do
    if not kinds[register.name] then
      count = count + 1
      kinds[register.name] = count
    end
  end
  local rows = zeros(COUNT + 1, count + OPERATORS + 1)
  for place, register in ipairs(tokens.registers) do
    rows[place][kinds[register.name]] = 1
    rows[place][count + (register.operator or 0) + 1] = 1
  end
  rows[COUNT + 1][count + OPERATORS + 1] = 1
  return rows, count
end

local ROLES = 6 -- heard, not heard; the algorithm's carriers: 1 to 4

-- What an operator is for in each algorithm: rows algorithm * COUNT + place, from 0.
local function roles()
  local rows = zeros(8 * COUNT + 1, ROLES)
  for algorithm = 0, 7 do
    local carriers = #patches.carriers(algorithm)
    for place, register in ipairs(tokens.registers) do
      if register.operator then
        local row = rows[algorithm * COUNT + place]
        row[patches.is_carrier(algorithm, register.operator) and 1 or 2] = 1
        row[2 + carriers] = 1
      end
    end
  end
  return rows
end

-- What is added to the logits of each register: nothing for its classes, else M.NEVER.
local function masks()
  local rows = zeros(COUNT, CLASSES)
  for place, register in ipairs(tokens.registers) do
    for class = register.classes + 1, CLASSES do
      rows[place][class] = M.NEVER
    end
  end
  return rows
end

-- A 1 for each value; none for what is no value.
local function values_alone()
  local rows = zeros(VALUES, CLASSES)
  for value = 1, CLASSES do
    rows[value][value] = 1
  end
  return rows
end

local function diagonal(size)
  local rows = zeros(size, size)
  for i = 1, size do
    rows[i][i] = 1
  end
  return rows
end

-- Which of the tokens, in the order of drawing, sees which.
local function past()
  local rows, counts = zeros(COUNT, COUNT), zeros(COUNT, COUNT)
  for i = 1, COUNT do
    for j = 1, COUNT do
      rows[i][j] = j <= i and 0 or M.NEVER
      counts[i][j] = j <= i and 1 or 0
    end
  end
  return rows, counts
end

-- The field of each register, in a row of ones and zeros; none of the start.
local function fields_alone()
  local rows, kinds = traits()
  for place, row in ipairs(rows) do
    rows[place] = table.move(row, 1, kinds, 1, {})
  end
  return rows
end

-- Which registers have the same field as each.
local function same_fields()
  local rows, fields = zeros(COUNT, COUNT + 1), fields_alone()
  for place = 1, COUNT do
    for other = 1, COUNT + 1 do
      for kind, has in ipairs(fields[place]) do
        rows[place][other] = rows[place][other] + has * fields[other][kind]
      end
    end
  end
  return rows
end

-- The operators 1 to 4 of the registers and of the start, which has none.
local function operators_alone()
  local rows = zeros(COUNT + 1, 4)
  for place, register in ipairs(tokens.registers) do
    if register.operator then
      rows[place][register.operator] = 1
    end
  end
  return rows
end

-- Everything that the training's graph and the drawing's share: constants, embeddings.
local function new_parts(g, sizes)
  local trait_rows = traits()
  local parts = {
    g = g, sizes = sizes, width = sizes.width, traits = g:const(trait_rows), trait_count = #trait_rows[1],
    alone = g:const(values_alone()),
  }
  local wave_rows, role_rows = g:const(waves()), g:const(roles())
  local function shared(name, rows, scale)
    return g:param(name, { rows, sizes.width }, { init = "normal", value = scale })
  end
  -- A vector for each value: one that is its own, and what neighbours share.
  function parts.values(name, rows, scale)
    local common = wave_rows:slice(1, 1, rows):matmul(shared(name .. ".waves", 2 * WAVES, scale))
    return shared(name, rows, scale) + common
  end
  -- A vector for each register: of its field and operator, and a little that is its own.
  -- The start's is the last row.
  function parts.places(name, scale)
    local common = parts.traits:matmul(shared(name .. ".traits", parts.trait_count, scale))
    return common + shared(name .. ".own", COUNT + 1, scale / 4)
  end
  function parts.roles(name)
    return role_rows:matmul(shared(name, ROLES, 0.3))
  end
  return parts
end

local function drop(x, rate)
  return rate > 0 and x:dropout(rate) or x
end

-- (steps, width) as (heads, steps, width / heads).
local function split(x, heads)
  local steps, width = table.unpack((x:shape()))
  return x:reshape({ steps, heads, width // heads }):permute { 1, 3, 2, 4 }
end

-- Attention and a layer that is `wider`, both added to x. recall, given keys and values of
-- the steps of x (heads, steps, width / heads), returns all those that are attended to; bias is added to the scores
-- (heads, steps, all); condition scales and shifts.
local function block(x, parts, name, recall, bias, condition)
  local sizes, width = parts.sizes, parts.width
  local h = nn.layer_norm(x, { name = name .. ".attention.norm" })
  if condition then
    h = h + nn.film(h, condition, { name = name .. ".condition" })
  end
  local all = nn.dense(h, 3 * width, { name = name .. ".attention.in" })
  local query = all:slice(3, 1, width)
  local key, value = all:slice(3, width + 1, 2 * width), all:slice(3, 2 * width + 1, 3 * width)
  local keys, values = recall(split(key, sizes.heads), split(value, sizes.heads))
  local scores = (split(query, sizes.heads) * (sizes.heads / width) ^ 0.5):matmul(keys, { transpose_b = true })
  local seen = (scores + bias):softmax():matmul(values)
  seen = seen:permute({ 1, 3, 2, 4 }):reshape { x:shape()[1], width }
  x = x + drop(nn.dense(seen, width, { name = name .. ".attention.out" }), sizes.dropout)
  h = nn.layer_norm(x, { name = name .. ".wide.norm" })
  h = nn.dense(h, sizes.wider * width, { name = name .. ".wide", activation = "gelu" })
  return x + drop(nn.dense(h, width, { name = name .. ".narrow" }), sizes.dropout)
end

local function as_they_are(keys, values)
  return keys, values
end

-- Scores of attention that only tell which registers are asked and which answer: traits
-- (steps, traits) times a matrix for each head times the traits of those that answer.
-- One matrix for all of the minibatch where neither depends on it.
local function trait_scores(parts, name, asked, answering)
  local heads, count = parts.sizes.heads, parts.trait_count
  local weight = parts.g:param(name .. ".traits", { heads, count, count }, { init = "normal", value = 0.3 })
  if not select(2, asked:shape()) then
    return asked:matmul(weight):matmul(answering, { transpose_b = true })
  end
  local same = zeros(count, heads * count)
  for trait = 1, count do
    for head = 0, heads - 1 do
      same[trait][head * count + trait] = 1
    end
  end
  local flat = weight:permute({ 2, 1, 3 }):reshape { count, heads * count }
  local turned = split(asked:linear(flat), heads)
  return turned:matmul(split(answering:linear(parts.g:const(same)), heads), { transpose_b = true })
end

-- The posterior's base: its mean and the logarithm of its deviation, and a summary of the
-- patch for the flows.
local function encode(parts, seen, role)
  local sizes = parts.sizes
  local scale = parts.places("encoder.scale", 0.3):slice(1, 1, COUNT) + 1
  local x = parts.values("values", VALUES, 0.3):gather(seen) * scale
  x = x + parts.places("encoder.shift", 0.3):slice(1, 1, COUNT) + parts.roles("encoder.role"):gather(role)
  x = drop(x, sizes.dropout)
  local own = parts.traits:slice(1, 1, COUNT)
  for layer = 1, sizes.encoder do
    local name = "encoder." .. layer
    x = block(x, parts, name, as_they_are, trait_scores(parts, name, own, own))
  end
  local summary = nn.layer_norm(x, { name = "encoder.norm" }):mean(2)
  summary = nn.dense(summary, parts.width, { name = "posterior.summary", activation = "gelu" })
  local both = nn.dense(summary, 2 * sizes.latents, { name = "posterior" })
  local logarithm = both:slice(2, sizes.latents + 1, 2 * sizes.latents):clamp(-5, 2)
  return both:slice(2, 1, sizes.latents), logarithm, summary
end

-- The decoder's tables, by the names under which the drawing's graph has them whole.
local function decoder_tables(parts)
  return {
    values = parts.values("decoder.values", VALUES, 0.3),
    scale = parts.places("decoder.scale", 0.3) + 1, shift = parts.places("decoder.shift", 0.3),
    ask = parts.places("decoder.ask", 0.5), roles = parts.roles("decoder.role"),
    classes = parts.values("classes", CLASSES, 0.05),
    bias = parts.g:param("classes.bias", { COUNT, CLASSES }, { init = "zeros" }) + parts.g:const(masks()),
  }
end

-- The decoder: its tables, and what the latent is to it.
local function new_decoder(parts, tables, z)
  tables.latent = nn.dense(z, parts.width, { name = "decoder.latent", bias = false }):reshape { 1, parts.width }
  tables.condition = nn.dense(z, parts.width, { name = "decoder.condition", activation = "gelu" })
  return tables
end

-- Tokens: the value before, where it stands, and which register comes next.
local function read_tokens(decoder, before, before_place, place, role)
  local x = decoder.values:gather(before) * decoder.scale:gather(before_place) + decoder.shift:gather(before_place)
  return x + decoder.ask:gather(place) + decoder.roles:gather(role) + decoder.latent
end

-- Logits (steps, classes) from the last layer; repeats (steps, others) tells which of the
-- registers seen have the same field, and shown (others, classes) their values, of
-- operators (others, 4).
local function tell(x, parts, decoder, place, repeats, operators, shown)
  x = nn.layer_norm(x, { name = "decoder.norm" })
  x = x + nn.film(x, decoder.condition, { name = "decoder.film" })
  x = x + nn.dense(x, parts.width, { name = "decoder.hidden", activation = "gelu" }) * decoder.ask:gather(place)
  local logits = x:matmul(decoder.classes, { transpose_b = true }) + decoder.bias:gather(place)
  local weight = nn.dense(x, 4, { name = "decoder.repeats" }):matmul(operators, { transpose_b = true })
  return logits + (weight * repeats):matmul(shown)
end

-- The decoder of all registers of a patch, given what comes before each: logits (n, classes).
local function decode(parts, z)
  local g, decoder = parts.g, new_decoder(parts, decoder_tables(parts), z)
  local before, before_place = g:input("before", { COUNT }), g:input("before_place", { COUNT })
  local place = g:input("place", { COUNT })
  local asked, answering = parts.traits:gather(place), parts.traits:gather(before_place)
  local hidden, seen = past()
  local x = read_tokens(decoder, before, before_place, place, g:input("role", { COUNT }))
  hidden = g:const(hidden)
  for layer = 1, parts.sizes.decoder do
    local name = "decoder." .. layer
    local bias = trait_scores(parts, name, asked, answering) + hidden
    x = block(x, parts, name, as_they_are, bias, decoder.condition)
  end
  -- of the registers seen, those that have the field of the one asked
  local fields = g:const(fields_alone())
  local repeats = fields:gather(place):matmul(fields:gather(before_place), { transpose_b = true }) * g:const(seen)
  local operators = g:const(operators_alone()):gather(before_place)
  return tell(x, parts, decoder, place, repeats, operators, parts.alone:gather(before))
end

---@class ym2612ml.SpaceSizes
---@field width integer  of a token
---@field heads integer  of attention; must divide the width
---@field wider integer  the layers between attention are so many times as wide
---@field encoder integer  layers
---@field decoder integer  layers
---@field latents integer
---@field flows integer  0: none, the posterior is a normal distribution
---@field dropout number

--- How many weights the layers of attention and the flows of a network have, which are most
--- of a large one: sizes that a file tells are refused before they are built.
---@param sizes ym2612ml.SpaceSizes
---@return integer count  never more than the network has
function M.fewest_weights(sizes)
  local width, latents, trait_count = sizes.width, sizes.latents, #traits()[1]
  local layer = (4 + 2 * sizes.wider) * width * width + sizes.heads * trait_count * trait_count
  return (sizes.encoder + sizes.decoder) * layer + sizes.flows * latents * (latents + 3) * width
end

--- Records the whole network.
---@param sizes ym2612ml.SpaceSizes
---@param options? {free: number, seed: integer}  free: nats of a patch that the latent may
---  tell without a cost in the loss, default 0
---@return ym2612ml.Network net  inputs, of n = 48 registers: seen (n) classes as the encoder
---  sees them, or UNSEEN, and seen_role (n); before (n), before_place (n), place (n) and
---  role (n): the tokens, in the order of drawing; target (n): classes in that order; noise
---  (latents): of the posterior, added to that of training. Outputs mean, deviation (latents)
---  of the posterior's base, z (latents) behind the flows, reconstruction and divergence:
---  nats of a patch, whose sum is the negative ELBO; loss, in which the divergence is
---  multiplied by the state `beta`
function M.build(sizes, options)
  options = options or {}
  return nn.graph(function(g)
    local parts = new_parts(g, sizes)
    local mean, logarithm, summary = encode(parts, g:input("seen", { COUNT }), g:input("seen_role", { COUNT }))
    local noise = g:input("noise", { sizes.latents })
    noise = noise + noise:randn()
    local z = mean + logarithm:exp() * noise
    -- log q(z) - log p(z), of which the constants cancel out
    local divergence = -(logarithm + noise * noise * 0.5):sum()
    if sizes.flows > 0 then
      local change
      z, change = nn.sylvester_flow(z, summary * GENTLE, { flows = sizes.flows, name = "flow" })
      divergence = divergence - change
    end
    divergence = divergence + (z * z * 0.5):sum()

    local logits = decode(parts, z)
    local widths = {}
    for i = 1, COUNT do
      widths[i] = CLASSES
    end
    local reconstruction = logits:reshape({ COUNT * CLASSES })
      :head_cross_entropy(g:input("target", { COUNT }), { widths = widths })
    local beta, free = g:state("beta", { 1 }, { init = "ones" }), options.free or 0
    local cost = free > 0 and (divergence - free):relu() or divergence
    return {
      mean = mean, deviation = logarithm:exp(), z = z, reconstruction = reconstruction, divergence = divergence,
      loss = reconstruction + (cost:reshape { 1 } * beta):sum(),
    }
  end, { seed = options.seed })
end

--- Records the decoder alone, with parameters of `build` by name.
---@param sizes ym2612ml.SpaceSizes
---@return ym2612ml.Network decoder  inputs z (latents) and before, before_place, place and role
---  (n) as of `build`; output logits (n, classes)
function M.build_decoder(sizes)
  return nn.graph(function(g)
    return { logits = decode(new_parts(g, sizes), g:input("z", { sizes.latents })) }
  end)
end

-- Parameters of the step's graph that the tables' graph gives: all that depends on the
-- weights alone, and would else be computed anew for each register.
local function table_name(name)
  return name .. ".table"
end

--- Records what `build_step` wants to know beside the parameters of `build`.
---@param sizes ym2612ml.SpaceSizes
---@return ym2612ml.Network tables  with parameters of `build`, by name; without inputs; its
---  outputs are the parameters of `build_step` that `build` does not have
function M.build_tables(sizes)
  return nn.graph(function(g)
    local parts, outputs = new_parts(g, sizes), {}
    for name, node in pairs(decoder_tables(parts)) do
      outputs[table_name(name)] = node
    end
    for layer = 1, sizes.decoder do
      local name = "decoder." .. layer
      local scores = trait_scores(parts, name, parts.traits, parts.traits) -- heads, all, all
      outputs[table_name(name)] = scores:permute({ 2, 1, 3 }):slice(1, 1, COUNT)
    end
    return outputs
  end)
end

--- Records what draws the next register of a patch, with the parameters of `build` by name
--- and those of `build_tables`. The keys and values of the registers drawn before are kept by
--- the caller, a row for each register where it stands and one for the start.
---@param sizes ym2612ml.SpaceSizes
---@return ym2612ml.Network step  inputs z (latents); before, before_place, place and role
---  (1); known (n + 1): the classes drawn before, START behind the last, UNSEEN elsewhere;
---  hidden (n + 1): 0 where a class is known, else -1e9; keys_1, values_1, ... (heads, n + 1,
---  width / heads) of each layer. Outputs logits (classes) and keys_1, values_1, ... with the
---  new row in them
function M.build_step(sizes)
  return nn.graph(function(g)
    local parts, all = new_parts(g, sizes), COUNT + 1
    local tables, width = {}, sizes.width
    for name, rows in pairs {
      values = VALUES, scale = all, shift = all, ask = all, roles = 8 * COUNT + 1, classes = CLASSES,
    } do
      tables[name] = g:param(table_name(name), { rows, width })
    end
    tables.bias = g:param(table_name "bias", { COUNT, CLASSES })
    local decoder = new_decoder(parts, tables, g:input("z", { sizes.latents }))
    local before_place, place = g:input("before_place", { 1 }), g:input("place", { 1 })
    local x = read_tokens(decoder, g:input("before", { 1 }), before_place, place, g:input("role", { 1 }))
    local slot = g:const(diagonal(all)):gather(before_place):reshape { 1, all, 1 }
    local hidden = g:input("hidden", { all }):reshape { 1, 1, all }
    local outputs = {}
    for layer = 1, sizes.decoder do
      local name = "decoder." .. layer
      local bias = g:param(table_name(name), { COUNT, sizes.heads, all }):gather(place)
      local function keep(kind, new)
        local before = g:input(kind .. layer, { sizes.heads, all, width // sizes.heads })
        outputs[kind .. layer] = before + slot * new
        return outputs[kind .. layer]
      end
      local function recall(keys, values)
        return keep("keys_", keys), keep("values_", values)
      end
      x = block(x, parts, name, recall, bias:reshape { sizes.heads, 1, all } + hidden, decoder.condition)
    end
    local logits = tell(x, parts, decoder, place, g:const(same_fields()):gather(place),
      g:const(operators_alone()), parts.alone:gather(g:input("known", { all })))
    outputs.logits = logits:reshape { CLASSES }
    return outputs
  end)
end

return M
