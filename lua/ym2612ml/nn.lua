-- Networks: a graph of operators written as Lua expressions, recorded once, then run
-- and trained in the core on minibatches of any size.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local network = require "ym2612ml.nn.network"
local optimizer = require "ym2612ml.nn.optimizer"
local recorder = require "ym2612ml.nn.recorder"

local M = {}

local is_node = recorder.is_node

M.is_network = network.is_network
M.load = network.load
M.optimizer = optimizer.new

--- A layer: x times a matrix of weights, plus a bias, then an activation.
---@param x ym2612ml.Node  (batch, ..., in)
---@param width integer  the size of the last axis of the result
---@param options? {name: string, activation: string, bias: boolean, init: string}
---  activation: an operator such as "relu" (default: none); init: of the weights, by
---  default "kaiming" before relu and leaky_relu, else "glorot"
---@return ym2612ml.Node
function M.dense(x, width, options)
  if not is_node(x) then
    check.misuse("bad argument #1 to 'dense' (expected a node)")
  end
  options = check.options(options, {
    name = { type = "string" },
    activation = { choices = core.nn.operators },
    bias = { type = "boolean", default = true },
    init = { type = "string" },
  }, 3, "dense")
  local g, sizes, activation = x.recorder, x:shape(), options.activation
  local name = options.name or g:layer_name("dense")
  local rectified = activation == "relu" or activation == "leaky_relu"
  local weight = g:param(name .. ".weight", { sizes[#sizes], width }, {
    init = options.init or (rectified and "kaiming" or "glorot"),
  })
  local bias = options.bias and g:param(name .. ".bias", { width }, { init = "zeros" }) or nil
  local y = x:linear(weight, bias)
  return activation and y[activation](y) or y
end

--- Records a graph.
---@param write fun(g: ym2612ml.Recorder): table<string, ym2612ml.Node>  writes the
---  network on g and returns its outputs by name; the mean of output `loss` over the
---  minibatch is what training makes small
---@param options? {seed: integer}  of the parameters and of dropout, default 1
---@return ym2612ml.Network
function M.graph(write, options)
  check.type(write, "function", 1, "graph")
  options = check.options(options, { seed = { type = "integer", default = 1 } }, 2, "graph")
  local g = recorder.new()
  local outputs = write(g)
  if type(outputs) ~= "table" then
    check.misuse("the function given to 'graph' must return a table of nodes")
  end
  local indices = {}
  for name, node in pairs(outputs) do
    if type(name) ~= "string" or not is_node(node) or node.recorder ~= g then
      check.misuse(("output '%s' is not a node of this graph"):format(tostring(name)))
    end
    indices[name] = node.index
  end
  local net, message = network.new(g, indices)
  if not net then
    check.misuse(message)
  end
  for index, values in pairs(g.const_values) do
    local memory = net.core:leaf(index)
    memory:copy(values:reshape(memory:shape()))
  end
  net:reset(options.seed)
  return net
end

return M
