-- Layers: functions from nodes to nodes. The last axis of every node is its channels, or
-- features; a matrix of weights is (in, out), which is PyTorch's transposed. Parameters
-- are called as PyTorch calls them, below the name of the layer.
local check = require "ym2612ml.check"
local recorder = require "ym2612ml.nn.recorder"

local M = {}

local name_rule = { type = "string" }
local activation_rule = { choices = {
  "relu", "leaky_relu", "elu", "gelu", "softplus", "sigmoid", "tanh", "exp", "softmax", "log_softmax",
} }

-- Raises unless argument number `argument` of the layer is a node with at least this many
-- axes besides the minibatch, and at most so many; returns its sizes.
local function sizes_of(node, axes, argument, layer, most)
  if not recorder.is_node(node) then
    check.misuse(("bad argument #%d to '%s' (expected a node)"):format(argument, layer))
  end
  local sizes, batched = node:shape()
  local problem = (not batched or #sizes < axes) and "fewer" or most and #sizes > most and "more"
  if problem then
    local message = "bad argument #%d to '%s' (%s has %s than %d axes)"
    check.misuse(message:format(argument, layer, tostring(node), problem, (problem == "fewer" and axes or most) + 1))
  end
  return sizes
end

-- Raises unless an option that was given is a node.
local function need_node(value, option, argument, layer)
  if value ~= nil and not recorder.is_node(value) then
    check.misuse(("bad argument #%d to '%s' (option '%s' is %s, expected a node)"):format(
      argument, layer, option, tostring(value)))
  end
end

local function activate(y, activation)
  return activation and y[activation](y) or y
end

-- What an operator with weights makes of x, then an activation: relu it does itself.
local function weighted(operator, x, weight, bias, settings, activation)
  local fused = activation == "relu"
  settings.activation = fused and "relu" or nil
  local y = bias and operator(x, weight, bias, settings) or operator(x, weight, settings)
  return fused and y or activate(y, activation)
end

-- Weights before a rectifier keep the variance by He's rule, others by Glorot's.
local function init_before(activation)
  local rectified = activation == "relu" or activation == "leaky_relu"
  return rectified and "kaiming" or "glorot"
end

local function bias_of(g, name, width, wanted)
  return wanted and g:param(name .. ".bias", { width }, { init = "zeros" }) or nil
end

--- A layer: x times a matrix of weights, plus a bias, then an activation.
---@param x ym2612ml.Node  (batch, ..., in)
---@param width integer  the size of the last axis of the result
---@param options? {name: string, activation: string, bias: boolean, init: string}
---  activation: "relu", "leaky_relu", "elu", "gelu", "softplus", "sigmoid", "tanh", "exp",
---  "softmax" or "log_softmax" (default: none); init: of the weights, by default "kaiming"
---  before relu and leaky_relu, else "glorot" (see `param`)
---@return ym2612ml.Node
function M.dense(x, width, options)
  local sizes = sizes_of(x, 1, 1, "dense")
  width = check.integer(width, 2, "dense", 1)
  options = check.options(options, {
    name = name_rule,
    activation = activation_rule,
    bias = { type = "boolean", default = true },
    init = { type = "string" },
  }, 3, "dense")
  local g, activation = x.recorder, options.activation
  local name = options.name or g:layer_name("dense")
  local weight = g:param(name .. ".weight", { sizes[#sizes], width }, {
    init = options.init or init_before(activation),
  })
  return weighted(x.linear, x, weight, bias_of(g, name, width, options.bias), {}, activation)
end

-- A pair of sizes from an option of a convolution that is one number or two; of a
-- sequence it can only be one, and the other is 1.
local function pair_of(options, option, sequence)
  local value = options[option]
  local pair = type(value) == "table" and value or { sequence and 1 or value, value }
  for i = 1, 2 do
    local size = type(pair[i]) == "number" and math.tointeger(pair[i])
    if not size or size < 1 or #pair > 2 or pair == value and sequence then
      local found = pair == value and ("{%s, %s}"):format(pair[1], pair[2]) or tostring(value)
      check.misuse(("bad argument #3 to 'conv' (option '%s' is %s, expected a whole number 1 or more%s)"):format(
        option, found, sequence and "" or ", or two"))
    end
  end
  return pair[1], pair[2]
end

--- A convolution of images, or of sequences.
---@param x ym2612ml.Node  (batch, height, width, in) or (batch, time, in)
---@param channels integer  the size of the last axis of the result
---@param options? table  size: of the window, a number or, of images, {height, width},
---  default 3; stride: likewise, default 1; padding "same" (default) or "valid"; transpose: the
---  other way round, from small to large; activation, bias, init and name as of `dense`.
---  The weight is (height, width, in, out)
---@return ym2612ml.Node
function M.conv(x, channels, options)
  local sizes = sizes_of(x, 2, 1, "conv", 3)
  channels = check.integer(channels, 2, "conv", 1)
  options = check.options(options, {
    name = name_rule,
    size = { type = { "number", "table" }, default = 3 },
    stride = { type = { "number", "table" }, default = 1 },
    padding = { choices = { "same", "valid" }, default = "same" },
    transpose = { type = "boolean", default = false },
    activation = activation_rule,
    bias = { type = "boolean", default = true },
    init = { type = "string" },
  }, 3, "conv")
  local g, sequence = x.recorder, #sizes == 2
  local name = options.name or g:layer_name("conv")
  local height, width = pair_of(options, "size", sequence)
  local down, across = pair_of(options, "stride", sequence)
  if sequence then
    x = x:reshape { 1, sizes[1], sizes[2] }
  end
  local weight = g:param(name .. ".weight", { height, width, sizes[#sizes], channels }, {
    init = options.init or init_before(options.activation),
  })
  local operator = options.transpose and x.conv2d_transpose or x.conv2d
  local settings = { stride = { down, across }, padding = options.padding }
  local y = weighted(operator, x, weight, bias_of(g, name, channels, options.bias), settings, options.activation)
  return sequence and y:reshape { y:shape()[2], channels } or y
end

--- Rows of a table of weights (count, width), by index.
---@param indices ym2612ml.Node  (batch, ...), whole numbers 0..count - 1
---@param count integer  of rows
---@param width integer  of a row
---@param options? {name: string, init: string}  init: default "normal"
---@return ym2612ml.Node  (batch, ..., width)
function M.embedding(indices, count, width, options)
  sizes_of(indices, 0, 1, "embedding")
  count, width = check.integer(count, 2, "embedding", 1), check.integer(width, 3, "embedding", 1)
  options = check.options(options, { name = name_rule, init = { type = "string", default = "normal" } }, 4, "embedding")
  local g = indices.recorder
  local name = options.name or g:layer_name("embedding")
  return g:param(name .. ".weight", { count, width }, { init = options.init }):gather(indices)
end

-- y times a weight for each channel, and a bias.
local function scaled(y, name)
  local g, sizes = y.recorder, y:shape()
  local weight = g:param(name .. ".weight", { sizes[#sizes] }, { init = "ones" })
  return y * weight + g:param(name .. ".bias", { sizes[#sizes] }, { init = "zeros" })
end

--- The last axis with mean 0 and variance 1, then scaled and shifted channel by channel.
---@param x ym2612ml.Node  (batch, ..., channels)
---@param options? {name: string, epsilon: number, affine: boolean}  epsilon: added to the
---  variance, default 1e-5; affine: scale and shift, default true
---@return ym2612ml.Node
function M.layer_norm(x, options)
  sizes_of(x, 1, 1, "layer_norm")
  options = check.options(options, {
    name = name_rule,
    epsilon = { type = "number", default = 1e-5 },
    affine = { type = "boolean", default = true },
  }, 2, "layer_norm")
  local y = x:layer_norm { epsilon = options.epsilon }
  return options.affine and scaled(y, options.name or x.recorder:layer_name("layer_norm")) or y
end

--- Every channel with mean 0 and variance 1 over the minibatch and all axes but the last,
--- then scaled and shifted. Runs without training use the mean and variance that
--- training has followed, in the states running_mean and running_var.
---@param x ym2612ml.Node  (batch, ..., channels)
---@param options? {name: string, epsilon: number, momentum: number}  default 1e-5, 0.1
---@return ym2612ml.Node
function M.batch_norm(x, options)
  local sizes = sizes_of(x, 1, 1, "batch_norm")
  options = check.options(options, {
    name = name_rule,
    epsilon = { type = "number", default = 1e-5 },
    momentum = { type = "number", default = 0.1 },
  }, 2, "batch_norm")
  local g, channels = x.recorder, sizes[#sizes]
  local name = options.name or g:layer_name("batch_norm")
  local mean = g:state(name .. ".running_mean", { channels })
  local variance = g:state(name .. ".running_var", { channels }, { init = "ones" })
  return scaled(x:batch_norm(mean, variance, { epsilon = options.epsilon, momentum = options.momentum }), name)
end

-- Query, key and value after their projections: one product where they are one node.
local function project(inputs, width, name)
  local g, parts = inputs[1].recorder, {}
  local weight = g:param(name .. ".in_proj_weight", { width, 3 * width })
  local bias = g:param(name .. ".in_proj_bias", { 3 * width }, { init = "zeros" })
  local same = inputs[1].index == inputs[2].index and inputs[1].index == inputs[3].index
  local all = same and inputs[1]:linear(weight, bias)
  for i = 1, 3 do
    local first, last = (i - 1) * width + 1, i * width
    parts[i] = same and all:slice(3, first, last)
      or inputs[i]:linear(weight:slice(2, first, last), bias:slice(1, first, last))
  end
  return parts
end

--- Attention of several heads (Vaswani et al. 2017). Give one node three times for
--- self-attention.
---@param query ym2612ml.Node  (batch, steps, width)
---@param key ym2612ml.Node  (batch, others, width)
---@param value ym2612ml.Node  (batch, others, width)
---@param options {heads: integer, mask: ym2612ml.Node, dropout: number, name: string}
---  heads: must divide the width; mask: added to the scores (batch, heads, steps, others)
---  before their softmax, with which it must broadcast, such as a const (steps, others)
---  of 0 and -1e9; dropout: of the weights after it
---@return ym2612ml.Node  (batch, steps, width)
function M.attention(query, key, value, options)
  local inputs, sizes = { query, key, value }, {}
  for i = 1, 3 do
    sizes[i] = sizes_of(inputs[i], 2, i, "attention", 2)
  end
  options = check.options(options, {
    heads = { type = "integer", least = 1, needed = true },
    mask = { type = "table" },
    dropout = { type = "number", least = 0, below = 1 },
    name = name_rule,
  }, 4, "attention")
  need_node(options.mask, "mask", 4, "attention")
  local width, heads = sizes[1][2], options.heads
  if width % heads ~= 0 then
    check.misuse(("bad argument #4 to 'attention' (%d heads do not divide a width of %d)"):format(heads, width))
  end
  local name = options.name or query.recorder:layer_name("attention")
  local parts = project(inputs, width, name)
  for i = 1, 3 do
    parts[i] = parts[i]:reshape({ sizes[i][1], heads, width // heads }):permute { 1, 3, 2, 4 }
  end
  local scores = (parts[1] * (heads / width) ^ 0.5):matmul(parts[2], { transpose_b = true })
  local weights = (options.mask and scores + options.mask or scores):softmax()
  weights = options.dropout and weights:dropout(options.dropout) or weights
  local y = weights:matmul(parts[3]):permute({ 1, 3, 2, 4 }):reshape { sizes[1][1], width }
  return M.dense(y, width, { name = name .. ".out_proj" })
end

--- What a layer makes of x, added to x (He et al. 2016).
---@param x ym2612ml.Node
---@param layer fun(x: ym2612ml.Node): ym2612ml.Node  keeps the shape
---@return ym2612ml.Node
function M.residual(x, layer)
  sizes_of(x, 0, 1, "residual")
  check.type(layer, "function", 2, "residual")
  return x + layer(x)
end

--- Channels scaled and shifted as a condition says, linearly (FiLM, Perez et al. 2018).
---@param x ym2612ml.Node  (batch, ..., channels)
---@param condition ym2612ml.Node  (batch, features)
---@param options? {name: string, scale: string, shift: string}  activations of the scale
---  and the shift, such as "sigmoid" and "tanh", default none
---@return ym2612ml.Node
function M.film(x, condition, options)
  local sizes = sizes_of(x, 1, 1, "film")
  sizes_of(condition, 1, 2, "film", 1)
  options = check.options(options, { name = name_rule, scale = activation_rule, shift = activation_rule }, 3, "film")
  local width, spread = sizes[#sizes], {}
  for axis = 1, #sizes do
    spread[axis] = axis == #sizes and width or 1
  end
  local both = M.dense(condition, 2 * width, { name = options.name or x.recorder:layer_name("film") })
  local scale = activate(both:slice(2, 1, width), options.scale)
  local shift = activate(both:slice(2, width + 1, 2 * width), options.shift)
  return x * scale:reshape(spread) + shift:reshape(spread)
end

-- One direction of one layer. Both biases of PyTorch are there, and added.
local function lstm_pass(x, hidden, name, suffix, reverse)
  local g, sizes = x.recorder, x:shape()
  local settings = { init = "uniform", value = hidden ^ -0.5 }
  local function param(kind, shape)
    return g:param(("%s.%s_%s"):format(name, kind, suffix), shape, settings)
  end
  local input = param("weight_ih", { sizes[2], 4 * hidden })
  local recurrent = param("weight_hh", { hidden, 4 * hidden })
  local bias = param("bias_ih", { 4 * hidden }) + param("bias_hh", { 4 * hidden })
  return x:linear(input, bias):lstm(recurrent, { reverse = reverse })
end

--- Long short-term memory over the steps of sequences (see op_recurrent.c), in one or
--- several layers. Parameters weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, ..., of
--- the way back with _reverse, are uniform within 1 / sqrt(hidden), as in PyTorch.
---@param x ym2612ml.Node  (batch, steps, in)
---@param hidden integer  the size of the state
---@param options? {layers: integer, bidirectional: boolean, last: boolean, dropout: number, name: string}
---  layers: default 1; bidirectional: a second pass from the end, its results behind the
---  first's; last: only the state after all steps; dropout: between layers
---@return ym2612ml.Node  (batch, steps, hidden or 2 hidden); with last (batch, ...)
function M.lstm(x, hidden, options)
  local steps = sizes_of(x, 2, 1, "lstm", 2)[1]
  hidden = check.integer(hidden, 2, "lstm", 1)
  options = check.options(options, {
    layers = { type = "integer", least = 1, default = 1 },
    bidirectional = { type = "boolean", default = false },
    last = { type = "boolean", default = false },
    dropout = { type = "number", least = 0, below = 1 },
    name = name_rule,
  }, 3, "lstm")
  local name = options.name or x.recorder:layer_name("lstm")
  for layer = 0, options.layers - 1 do
    if layer > 0 and options.dropout then
      x = x:dropout(options.dropout)
    end
    local there = lstm_pass(x, hidden, name, "l" .. layer, false)
    local back = options.bidirectional and lstm_pass(x, hidden, name, ("l%d_reverse"):format(layer), true)
    if options.last and layer == options.layers - 1 then
      there, back = there:slice(2, steps, steps), back and back:slice(2, 1, 1)
    end
    x = back and there:concat(back, { axis = 3 }) or there
  end
  return options.last and x:reshape { x:shape()[2] } or x
end

--- Logits over the values of every field of a patch: a softmax each.
---@param x ym2612ml.Node  (batch, features)
---@param fields {name: string, minimum: integer, maximum: integer, size: integer?}[]  such
---  as ym.patch.fields(); with size, so many neighbouring values are one class
---@param options? {name: string, target: ym2612ml.Node}  target: (batch, fields), the
---  class of each, (value - minimum) // size, or -1 where it does not count
---@return ym2612ml.Node logits  (batch, all classes of all fields side by side)
---@return {name: string, operator: integer?, minimum: integer, first: integer, width: integer}[] heads
---  of each field: the first of its logits, counted from 1, and how many they are
---@return ym2612ml.Node? loss  (batch), the cross-entropies' sum, when there is a target
function M.register_heads(x, fields, options)
  sizes_of(x, 1, 1, "register_heads", 1)
  check.type(fields, "table", 2, "register_heads")
  options = check.options(options, { name = name_rule, target = { type = "table" } }, 3, "register_heads")
  need_node(options.target, "target", 3, "register_heads")
  local heads, widths, total = {}, {}, 0
  for i, field in ipairs(fields) do
    if type(field) ~= "table" or not (math.tointeger(field.minimum) and math.tointeger(field.maximum)) then
      check.misuse(("bad argument #2 to 'register_heads' (field %d has no minimum and maximum)"):format(i))
    end
    local width = (field.maximum - field.minimum) // (field.size or 1) + 1
    heads[i] = {
      name = field.name, operator = field.operator, minimum = field.minimum, first = total + 1, width = width,
    }
    widths[i], total = width, total + width
  end
  if total < 1 then
    check.misuse "bad argument #2 to 'register_heads' (no fields)"
  end
  local logits = M.dense(x, total, { name = options.name or x.recorder:layer_name("register_heads") })
  return logits, heads, options.target and logits:head_cross_entropy(options.target, { widths = widths })
end

-- Matrices of a flow: ones above the diagonal, below it, and on the other diagonal.
local function flow_masks(g, width)
  local above, below, turned = {}, {}, {}
  for i = 1, width do
    above[i], below[i], turned[i] = {}, {}, {}
    for j = 1, width do
      above[i][j], below[i][j] = j > i and 1 or 0, j < i and 1 or 0
      turned[i][j] = i + j == width + 1 and 1 or 0
    end
  end
  return g:const(above), g:const(below), g:const(turned)
end

--- Triangular Sylvester flows (van den Berg et al. 2018), their parameters given by a
--- condition: z becomes z + Q R1 tanh(R2 Q' z + b), where R1 and R2 are upper triangular,
--- from one square matrix and its transpose, with tanh of two vectors on their diagonals;
--- Q reverses the order in every second flow.
---@param z ym2612ml.Node  (batch, width)
---@param condition ym2612ml.Node  (batch, features)
---@param options? {flows: integer, name: string}  flows: default 4
---@return ym2612ml.Node z  (batch, width)
---@return ym2612ml.Node change  (batch), the logarithm of the determinant of all flows
function M.sylvester_flow(z, condition, options)
  local width = sizes_of(z, 1, 1, "sylvester_flow", 1)[1]
  sizes_of(condition, 1, 2, "sylvester_flow", 1)
  options = check.options(options, {
    flows = { type = "integer", least = 1, default = 4 },
    name = name_rule,
  }, 3, "sylvester_flow")
  local g, each, change = z.recorder, width * (width + 3), nil
  local name = options.name or g:layer_name("sylvester_flow")
  local numbers = M.dense(condition, options.flows * each, { name = name })
  local above, below, turned = flow_masks(g, width)
  z = z:reshape { 1, width }
  for flow = 0, options.flows - 1 do
    local at = flow * each + width * width
    local function vector()
      at = at + width
      return numbers:slice(2, at - width + 1, at):reshape { 1, width }
    end
    local square = numbers:slice(2, flow * each + 1, at):reshape { width, width }
    local first, second, shift = vector():tanh(), vector():tanh(), vector()
    local own = flow % 2 == 1 and z:matmul(turned) or z
    local h = (own:matmul(square * below) + own * second + shift):tanh()
    local y = h:matmul(square * above, { transpose_b = true }) + h * first
    z = z + (flow % 2 == 1 and y:matmul(turned) or y)
    local determinant = ((1 - h * h) * (first * second) + 1 + 1e-8):log():sum()
    change = change and change + determinant or determinant
  end
  return z:reshape { width }, change
end

return M
