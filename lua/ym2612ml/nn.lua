-- Networks: a graph of operators written as Lua expressions, recorded once, then run
-- and trained in the core on minibatches of any size.
local check = require "ym2612ml.check"
local layers = require "ym2612ml.nn.layers"
local network = require "ym2612ml.nn.network"
local optimizer = require "ym2612ml.nn.optimizer"
local recorder = require "ym2612ml.nn.recorder"

local M = {}

local is_node = recorder.is_node

M.is_network = network.is_network
M.load = network.load
M.optimizer = optimizer.new

M.attention = layers.attention
M.batch_norm = layers.batch_norm
M.conv = layers.conv
M.dense = layers.dense
M.embedding = layers.embedding
M.film = layers.film
M.layer_norm = layers.layer_norm
M.lstm = layers.lstm
M.register_heads = layers.register_heads
M.residual = layers.residual
M.sylvester_flow = layers.sylvester_flow

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
  if not next(indices) then
    check.misuse("the function given to 'graph' returned no outputs")
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
