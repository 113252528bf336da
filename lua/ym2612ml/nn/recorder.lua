-- Nodes and the recorder: a graph while it is written.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"

local M = {}

---@class ym2612ml.Node
---A value in a graph while it is written. Every operator is a method: `x:relu()`,
---`a:matmul(b)`, `a:concat(b, {axis = 2})`, `x:slice{axis = 2, first = 1, last = 8}` or
---shorter `x:slice(2, 1, 8)`, ...; + - * / and unary minus work between nodes and
---numbers, broadcasting as NumPy does. Axes count from 1, and axis 1 of everything that
---depends on an input is the minibatch. The operators, with their options:
---  add sub mul div neg exp log sqrt square abs tanh sigmoid relu gelu softplus
---  leaky_relu {slope} elu {slope} clamp {least, most}
---  linear (weight, bias)  matmul (other) {transpose_a, transpose_b}
---  reshape {shape} permute {axes} slice {axis, first, last} concat (others) {axis}
---  gather (indices): rows of a table, counted from 0, for each index
---  sum mean max {axis, keep}: over all of a row without axis  softmax log_softmax
---  layer_norm {epsilon}  batch_norm (mean, variance) {epsilon, momentum}: without scale
---  conv2d conv2d_transpose (weight, bias) {stride, padding, activation}
---  max_pool mean_pool {size, stride, padding}  resize {size, method}
---  lstm (weight) {reverse}: of what the input adds to the gates
---  dropout {rate}  randn: normal numbers, zeros outside training
---  mse smooth_l1 {beta} bce_logits (target)
---  head_cross_entropy (classes) {widths, weights}
---The files src/op_*.c tell each one's shapes and formulas.
local Node = {}
Node.__index = Node
Node.__name = "ym2612ml.Node"

--- Whether a value is a node.
---@param value any
---@return boolean
function M.is_node(value)
  return getmetatable(value) == Node
end
local is_node = M.is_node

---@class ym2612ml.Recorder
---What the function given to `nn.graph` writes on.
local Recorder = {}
Recorder.__index = Recorder
Recorder.__name = "ym2612ml.Recorder"

-- Adds a node to the core's graph and to the recipe it can be saved as.
local function record(recorder, operator, inputs, settings)
  local index, message = recorder.core:add(operator, inputs, settings)
  if not index then
    check.misuse(message)
  end
  recorder.recipe[index] = { operator = operator, inputs = inputs, settings = settings }
  return setmetatable({ recorder = recorder, index = index }, Node)
end

-- A leaf with a name, which must be new.
local function leaf(recorder, kind, name, shape, settings)
  check.type(name, "string", 1, kind)
  check.type(shape, "table", 2, kind)
  if recorder.names[name] then
    check.misuse(("bad argument #1 to '%s' (the name '%s' is taken)"):format(kind, name))
  end
  settings.name, settings.shape = name, shape
  local node = record(recorder, kind, {}, settings)
  recorder.names[name] = node.index
  return node
end

--- What is fed to a run.
---@param name string
---@param shape integer[]  of one row, without the batch axis; {} is one number
---@param options? {gradient: boolean}  gradient: `net:gradients` gives its gradient too
---@return ym2612ml.Node
function Recorder:input(name, shape, options)
  options = check.options(options, { gradient = { type = "boolean", default = false } }, 3, "input")
  return leaf(self, "input", name, shape, { gradient = options.gradient })
end

--- What is trained.
---@param name string
---@param shape integer[]
---@param options? {init: string, value: number}  init: "glorot" (default: uniform, of
---  variance 2 / (in + out); Glorot and Bengio 2010) or "glorot_normal"; "kaiming" (normal,
---  of variance 2 / in; He et al. 2015) or "kaiming_uniform"; "normal" (deviation value),
---  "uniform" (from -value to value), "constant" (value), "ones" or "zeros"; value scales
---  all. A matrix is (in, out); a weight of four axes (height, width, in, out) counts the
---  places of its window. Each parameter draws from its own stream of the graph's seed
---@return ym2612ml.Node
function Recorder:param(name, shape, options)
  options = check.options(options, {
    init = { type = "string", default = "glorot" },
    value = { type = "number", default = 1 },
  }, 3, "param")
  return leaf(self, "param", name, shape, { init = options.init, value = options.value })
end

--- What training changes without its being trained, such as the mean of `batch_norm`. It
--- is saved with the network.
---@param name string
---@param shape integer[]
---@param options? {init: string, value: number}  as of `param`; default "zeros"
---@return ym2612ml.Node
function Recorder:state(name, shape, options)
  options = check.options(options, {
    init = { type = "string", default = "zeros" },
    value = { type = "number", default = 1 },
  }, 3, "state")
  return leaf(self, "state", name, shape, { init = options.init, value = options.value })
end

--- What never changes; it is saved with the network.
---@param values number|table|ym2612ml.Tensor  a number, nested lists or a tensor
---@return ym2612ml.Node
function Recorder:const(values)
  local shape = {}
  if type(values) == "number" then
    values = core.tensor.from { values }
  else
    values = check.to_tensor(values, 1, "const")
    shape = values:shape()
  end
  if not core.store.finite(values) then
    check.misuse("bad argument #1 to 'const' (a value is not finite)")
  end
  self.const_count = self.const_count + 1
  local node = leaf(self, "const", ("const_%d"):format(self.const_count), shape, {})
  self.const_values[node.index] = values
  return node
end

--- A name for a layer that was given none: "dense_1", "dense_2", ...
---@param kind string
---@return string
function Recorder:layer_name(kind)
  self.layers[kind] = (self.layers[kind] or 0) + 1
  return ("%s_%d"):format(kind, self.layers[kind])
end

-- The index of a node, or of a constant made of a number.
local function index_of(recorder, value, operator)
  if is_node(value) then
    if value.recorder ~= recorder then
      check.misuse(("%s: a node belongs to another graph"):format(operator))
    end
    return value.index
  elseif type(value) ~= "number" then
    check.misuse(("%s: expected a node or a number, got %s"):format(operator, type(value)))
  end
  local known = recorder.numbers[value]
  if not known then
    known = recorder:const(value).index
    recorder.numbers[value] = known
  end
  return known
end

-- Operators of one node whose settings may be given in this order, without names.
local POSITIONAL = {
  dropout = { "rate" },
  leaky_relu = { "slope" },
  elu = { "slope" },
  clamp = { "least", "most" },
  reshape = { "shape" },
  permute = { "axes" },
  slice = { "axis", "first", "last" },
  sum = { "axis" },
  mean = { "axis" },
  max = { "axis" },
}

-- Applies an operator to nodes and numbers, of which the last may be its settings.
local function apply(operator, ...)
  local operands, count, settings = { ... }, select("#", ...), {}
  local last, positional = operands[count], POSITIONAL[operator]
  local named = type(last) == "table" and not is_node(last) and last[1] == nil
  if positional and count > 1 and not named then
    if count > #positional + 1 then
      check.misuse(("%s: %d values, expected %s"):format(operator, count - 1, table.concat(positional, ", ")))
    end
    for i, name in ipairs(positional) do
      settings[name] = operands[i + 1]
    end
    count = 1
  elseif named then
    settings, count = last, count - 1
  end
  local recorder
  for i = 1, count do
    recorder = recorder or (is_node(operands[i]) and operands[i].recorder)
  end
  local inputs = {}
  for i = 1, count do
    inputs[i] = index_of(recorder, operands[i], operator)
  end
  return record(recorder, operator, inputs, settings)
end

for _, operator in ipairs(core.nn.operators) do
  Node[operator] = function(...)
    return apply(operator, ...)
  end
end
Node.input, Node.param, Node.const, Node.state = nil, nil, nil, nil

Node.__add, Node.__sub, Node.__mul, Node.__div = Node.add, Node.sub, Node.mul, Node.div

function Node:__unm()
  return self:neg()
end

--- The sizes of a node without the batch axis.
---@return integer[] sizes
---@return boolean batched
function Node:shape()
  return self.recorder.core:shape(self.index)
end

function Node:__tostring()
  local sizes, batched = self:shape()
  return ("node (%s%s)"):format(batched and "batch, " or "", table.concat(sizes, ", "))
end

--- An empty graph.
---@return ym2612ml.Recorder
function M.new()
  return setmetatable({
    core = core.nn.new(),
    recipe = {},
    names = {},
    layers = {},
    numbers = {},
    const_count = 0,
    const_values = {},
  }, Recorder)
end

return M
