-- Networks: a graph of operators written as Lua expressions, recorded once, then run
-- and trained in the core on minibatches of any size.
local cjson = require "cjson"
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local store = require "ym2612ml.store"

local M = {}

-- What metadata "kind" of a file says.
local KIND = "ym2612ml network 1"

---@class ym2612ml.Node
---A value in a graph while it is written. Every operator is a method:
---`x:relu()`, `a:matmul(b)`, `x:slice{axis = 2, first = 1, last = 8}`, ...; + - * / and
---unary minus work between nodes and numbers, broadcasting as NumPy does. Axes count
---from 1, and axis 1 of everything that depends on an input is the minibatch.
local Node = {}
Node.__index = Node
Node.__name = "ym2612ml.Node"

local function is_node(value)
  return getmetatable(value) == Node
end

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
---@param options? {init: string, value: number}  init: "glorot" (default), "kaiming",
---  "normal" (deviation value), "constant" (value), "ones" or "zeros"; value scales all
---@return ym2612ml.Node
function Recorder:param(name, shape, options)
  options = check.options(options, {
    init = { type = "string", default = "glorot" },
    value = { type = "number", default = 1 },
  }, 3, "param")
  return leaf(self, "param", name, shape, { init = options.init, value = options.value })
end

--- What never changes; it is saved with the network.
---@param values number|table|ym2612ml.Tensor  a number, nested lists or a tensor
---@return ym2612ml.Node
function Recorder:const(values)
  local shape = {}
  if type(values) == "number" then
    values = core.tensor.from { values }
  else
    values = type(values) == "table" and core.tensor.from(values) or values
    shape = values:shape()
  end
  self.const_count = self.const_count + 1
  local node = leaf(self, "const", ("const_%d"):format(self.const_count), shape, {})
  self.const_values[node.index] = values
  return node
end

-- A name for a layer that was given none: "dense_1", "dense_2", ...
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

-- Applies an operator to nodes and numbers, of which the last may be its settings.
local function apply(operator, ...)
  local operands, settings = { ... }, {}
  local last = operands[#operands]
  if type(last) == "table" and not is_node(last) then
    settings, operands[#operands] = last, nil
  end
  local recorder
  for _, operand in ipairs(operands) do
    recorder = recorder or (is_node(operand) and operand.recorder)
  end
  local inputs = {}
  for i, operand in ipairs(operands) do
    inputs[i] = index_of(recorder, operand, operator)
  end
  return record(recorder, operator, inputs, settings)
end

for _, operator in ipairs(core.nn.operators) do
  Node[operator] = function(...)
    return apply(operator, ...)
  end
end
Node.input, Node.param, Node.const = nil, nil, nil

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
  local recorder, sizes, activation = x.recorder, x:shape(), options.activation
  local name = options.name or recorder:layer_name("dense")
  local rectified = activation == "relu" or activation == "leaky_relu"
  local weight = recorder:param(name .. ".weight", { sizes[#sizes], width }, {
    init = options.init or (rectified and "kaiming" or "glorot"),
  })
  local bias = options.bias and recorder:param(name .. ".bias", { width }, { init = "zeros" }) or nil
  local y = x:linear(weight, bias)
  return activation and y[activation](y) or y
end

---@class ym2612ml.Network
---@field inputs table<string, integer[]>  shape of one row of each input
---@field outputs table<string, integer[]>  shape of one row of each output
---@field metadata table<string, string>  what `save` was given
local Network = {}
Network.__index = Network
Network.__name = "ym2612ml.Network"

-- Ends the recording and makes the network; nil and a message when the loss is unfit.
local function make_network(recorder, outputs, seed, allocate)
  local net = setmetatable({
    core = recorder.core,
    recipe = cjson.encode { nodes = recorder.recipe, outputs = outputs },
    inputs = {},
    outputs = {},
    metadata = {},
    output_names = {},
    output_nodes = {},
    input_nodes = {},
    leaves = {},
    loss = outputs.loss,
    steps = 0,
    seed = seed,
  }, Network)
  for name, index in pairs(recorder.names) do
    local kind = recorder.recipe[index].operator
    if kind == "input" then
      net.input_nodes[name] = index
      net.inputs[name] = net.core:shape(index)
    else
      net.leaves[name] = { index = index, kind = kind }
    end
  end
  for name, index in pairs(outputs) do
    net.output_names[#net.output_names + 1] = name
    net.outputs[name] = net.core:shape(index)
  end
  table.sort(net.output_names)
  for i, name in ipairs(net.output_names) do
    net.output_nodes[i] = outputs[name]
  end
  if allocate then
    local ready, message = allocate(net)
    if not ready then
      return nil, message
    end
  end
  local finished, message = net.core:finish(net.loss)
  if not finished then
    return nil, message
  end
  return net
end

local function new_recorder()
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

--- Records a graph.
---@param write fun(g: ym2612ml.Recorder): table<string, ym2612ml.Node>  writes the
---  network on g and returns its outputs by name; the mean of output `loss` over the
---  minibatch is what training makes small
---@param options? {seed: integer}  of the parameters and of dropout, default 1
---@return ym2612ml.Network
function M.graph(write, options)
  check.type(write, "function", 1, "graph")
  options = check.options(options, { seed = { type = "integer", default = 1 } }, 2, "graph")
  local recorder = new_recorder()
  local outputs = write(recorder)
  if type(outputs) ~= "table" then
    check.misuse("the function given to 'graph' must return a table of nodes")
  end
  local indices = {}
  for name, node in pairs(outputs) do
    if type(name) ~= "string" or not is_node(node) or node.recorder ~= recorder then
      check.misuse(("output '%s' is not a node of this graph"):format(tostring(name)))
    end
    indices[name] = node.index
  end
  local net, message = make_network(recorder, indices, options.seed)
  if not net then
    check.misuse(message)
  end
  for index, values in pairs(recorder.const_values) do
    local memory = net.core:leaf(index)
    memory:copy(values:reshape(memory:shape()))
  end
  net:reset(options.seed)
  return net
end

-- Results of the core: misuse is raised, the rest returned.
local function settle(result, message, kind, ...)
  if result == nil and kind == "argument" then
    check.misuse(message)
  end
  return result, message, kind, ...
end

-- The feeds the core wants: input node -> tensor.
local function feed(net, inputs, name)
  check.type(inputs, "table", 1, name)
  local feeds = {}
  for input, values in pairs(inputs) do
    local index = net.input_nodes[input]
    if not index then
      check.misuse(("bad argument #1 to '%s' (the network has no input '%s')"):format(name, tostring(input)))
    end
    if type(values) == "table" then
      values = core.tensor.from(values)
    elseif type(values) ~= "userdata" then
      check.misuse(("bad argument #1 to '%s' (input '%s' is %s, expected a tensor)"):format(name, input, type(values)))
    end
    feeds[index] = values
  end
  return feeds
end

local row_rules = {
  order = { type = "userdata" },
  first = { type = "integer", least = 1 },
  count = { type = "integer", least = 0 },
}

-- order, first and count for the core.
local function rows_of(rows, argument, name)
  if rows == nil then
    return nil, nil, nil
  end
  rows = check.options(rows, row_rules, argument, name)
  return rows.order, rows.first, rows.count
end

--- Runs the network, without dropout. Rows are axis 1 of every tensor.
---@param inputs table<string, ym2612ml.Tensor|table>  as many as the outputs wanted need
---@param rows? {order: ym2612ml.Tensor, first: integer, count: integer}  which rows: count
---  of them from `first` on, of the tensors, or of `order`, which lists rows (i32)
---@return table<string, ym2612ml.Tensor>? outputs  those the inputs suffice for
---@return string? message
---@return string? kind  "input": a target is no class of its head
function Network:run(inputs, rows)
  local order, first, count = rows_of(rows, 2, "run")
  local results, message, kind =
    settle(self.core:forward(feed(self, inputs, "run"), order, first, count, self.output_nodes))
  if not results then
    return nil, message, kind
  end
  local outputs = {}
  for i, name in ipairs(self.output_names) do
    outputs[name] = results[i]
  end
  if not next(outputs) then
    check.misuse("the inputs given suffice for no output")
  end
  return outputs
end

local function need_loss(net, name)
  if not net.loss then
    check.misuse(("'%s' needs a network with an output named 'loss'"):format(name))
  end
end

--- The mean loss over rows, without dropout and without learning.
---@param inputs table<string, ym2612ml.Tensor|table>
---@param rows? table  as in `run`
---@return number? loss
---@return string? message
---@return string? kind  "input"
function Network:evaluate(inputs, rows)
  need_loss(self, "evaluate")
  local order, first, count = rows_of(rows, 2, "evaluate")
  return settle(self.core:evaluate(feed(self, inputs, "evaluate"), order, first, count, self.loss))
end

-- The random numbers of a step: new each time, the same after a restore.
local function draw(net)
  return core.nn.mix(net.seed, net.steps + 1)
end

--- The loss on a minibatch and its gradients by every parameter, and by the inputs that
--- asked for one. Nothing is learned.
---@param inputs table<string, ym2612ml.Tensor|table>
---@return table<string, ym2612ml.Tensor>? gradients
---@return number|string loss  or a message
---@return string? kind  "input"
function Network:gradients(inputs)
  need_loss(self, "gradients")
  local feeds = feed(self, inputs, "gradients")
  local loss, message, kind = settle(self.core:backward(feeds, nil, nil, nil, draw(self)))
  if not loss then
    return nil, message, kind
  end
  local gradients = {}
  for name, param in pairs(self.leaves) do
    gradients[name] = self.core:gradient(param.index, 1)
  end
  for name, index in pairs(self.input_nodes) do
    gradients[name] = feeds[index] and self.core:gradient(index, #feeds[index])
  end
  return gradients, loss
end

--- One step of training on a minibatch.
---@param inputs table<string, ym2612ml.Tensor|table>
---@param optimizer ym2612ml.Optimizer
---@param rows? table  as in `run`
---@return number? loss  before the step
---@return number|string norm  of the gradient, before clipping; or a message
---@return string? kind  "diverged": the loss or the gradient is not finite, and nothing
---  was changed; "input": a target is no class of its head
function Network:step(inputs, optimizer, rows)
  need_loss(self, "step")
  if type(optimizer) ~= "table" or optimizer.net ~= self then
    check.misuse("bad argument #2 to 'step' (expected an optimizer of this network)")
  end
  local order, first, count = rows_of(rows, 3, "step")
  local loss, norm, kind =
    settle(self.core:step(feed(self, inputs, "step"), order, first, count, draw(self), optimizer.core))
  if loss then
    self.steps = self.steps + 1
  end
  return loss, norm, kind
end

--- The parameters, as views: writing to them changes the network.
---@return table<string, ym2612ml.Tensor>
function Network:parameters()
  local views = {}
  for name, node in pairs(self.leaves) do
    if node.kind == "param" then
      views[name] = self.core:leaf(node.index)
    end
  end
  return views
end

--- How many numbers are trained.
---@return integer
function Network:count()
  local count = 0
  for _, node in pairs(self.leaves) do
    if node.kind == "param" then
      local product = 1
      for _, size in ipairs(self.core:shape(node.index)) do
        product = product * size
      end
      count = count + product
    end
  end
  return count
end

--- Draws all parameters anew, and starts the dropout of a new training.
---@param seed integer
function Network:reset(seed)
  check.type(seed, "number", 1, "reset")
  self.seed, self.steps = seed, 0
  self.core:initialise(seed)
end

function Network:__tostring()
  return ("network (%d parameters)"):format(self:count())
end

-- Everything a file of the network holds.
local function contents(net, format, metadata)
  local tensors = {}
  for name, node in pairs(net.leaves) do
    local view = net.core:leaf(node.index)
    tensors[name] = format == "f32" and view or view:to(format)
  end
  local strings = { kind = KIND, graph = net.recipe, steps = tostring(net.steps), seed = tostring(net.seed) }
  for key, value in pairs(metadata) do
    strings["user." .. key] = value
  end
  return tensors, strings
end

--- Writes the network as a safetensors file, the graph in its metadata.
---@param path string
---@param options? {type: "f32"|"f16", metadata: table<string, string>}  type: of the
---  weights in the file, default "f32"
---@return true? done
---@return string? message
---@return string? kind  "io"
function Network:save(path, options)
  check.type(path, "string", 1, "save")
  options = check.options(options, {
    type = { choices = { "f32", "f16" }, default = "f32" },
    metadata = { type = "table", default = self.metadata },
  }, 2, "save")
  return store.save(path, contents(self, options.type, options.metadata))
end

--- The whole network as a string: graph, weights and step.
---@return string
function Network:dump()
  return store.encode(contents(self, "f32", self.metadata))
end

-- Checks a file's tensors against the leaves, before memory is taken for them.
local function check_tensors(net, tensors)
  for name, node in pairs(net.leaves) do
    local tensor = tensors[name]
    if not tensor then
      return nil, ("tensor '%s' is missing"):format(name)
    end
    local shape, found = net.core:shape(node.index), tensor:shape()
    shape = #shape == 0 and { 1 } or shape
    if table.concat(shape, ", ") ~= table.concat(found, ", ") then
      return nil,
        ("tensor '%s' has the shape (%s), expected (%s)"):format(
          name,
          table.concat(found, ", "),
          table.concat(shape, ", ")
        )
    end
  end
  return true
end

local function fill(net, tensors, metadata)
  for name, node in pairs(net.leaves) do
    net.core:leaf(node.index):copy(tensors[name])
  end
  net.steps = math.tointeger(tonumber(metadata.steps)) or 0
  net.seed = math.tointeger(tonumber(metadata.seed)) or 1
  net.metadata = {}
  for key, value in pairs(metadata) do
    local own = key:match("^user%.(.*)$")
    if own then
      net.metadata[own] = value
    end
  end
end

--- Puts back what `dump` gave.
---@param bytes string
---@return true? done
---@return string? message
---@return string? kind  "format": damaged, or of a network of other shapes
function Network:restore(bytes)
  check.type(bytes, "string", 1, "restore")
  local tensors, metadata, kind = store.decode(bytes)
  if not tensors then
    return nil, metadata, kind
  end
  local fits, message = check_tensors(self, tensors)
  if not fits then
    return nil, message, "format"
  end
  fill(self, tensors, metadata)
  return true
end

-- Records the graph again as the file tells it. The file may say anything: what the
-- core refuses becomes an error here.
local function replay(text)
  local graph = cjson.decode(text)
  local recorder = new_recorder()
  for i, node in ipairs(graph.nodes) do
    local index, message = recorder.core:add(node.operator, node.inputs, node.settings)
    if index ~= i then
      error(message or "a node is out of place", 0)
    end
    recorder.recipe[i] = { operator = node.operator, inputs = node.inputs, settings = node.settings }
    if node.settings.name then
      if recorder.names[node.settings.name] then
        error(("the name '%s' is taken twice"):format(node.settings.name), 0)
      end
      recorder.names[node.settings.name] = i
    end
  end
  for name, index in pairs(graph.outputs) do
    if type(name) ~= "string" or not recorder.recipe[index] then
      error("an output is not a node", 0)
    end
  end
  return recorder, graph.outputs
end

-- A network from what store gave.
local function rebuild(tensors, metadata)
  if metadata.kind ~= KIND or not metadata.graph then
    return nil, "is not a network of ym2612ml"
  end
  local done, recorder, outputs = pcall(replay, metadata.graph)
  if not done then
    return nil, ("the graph is not valid (%s)"):format(tostring(recorder))
  end
  local net, message = make_network(recorder, outputs, 1, function(net)
    return check_tensors(net, tensors)
  end)
  if net then
    fill(net, tensors, metadata)
  end
  return net, message
end

--- Reads a network that `save` wrote.
---@param path string
---@return ym2612ml.Network? net
---@return string? message  names the path
---@return string? kind  "io" or "format"
function M.load(path)
  check.type(path, "string", 1, "load")
  local tensors, metadata, kind = store.load(path)
  if not tensors then
    return nil, metadata, kind
  end
  local net, message = rebuild(tensors, metadata)
  if not net then
    return nil, ("%s: %s"):format(path, message), "format"
  end
  return net
end

---@class ym2612ml.Optimizer
local Optimizer = {}
Optimizer.__index = Optimizer
Optimizer.__name = "ym2612ml.Optimizer"

--- What turns gradients into steps of one network.
---@param net ym2612ml.Network
---@param options? {method: "sgd"|"adam"|"adamw", rate: number, momentum: number, beta1: number, beta2: number, epsilon: number, decay: number, clip: number}
---  method "adam"; rate 1e-3; momentum (of sgd) 0; beta1 0.9, beta2 0.999 and epsilon 1e-8
---  (of adam and adamw); decay of all parameters 0; clip: the largest norm of the whole
---  gradient, default none
---@return ym2612ml.Optimizer
function M.optimizer(net, options)
  if getmetatable(net) ~= Network then
    check.misuse("bad argument #1 to 'optimizer' (expected a network)")
  end
  local positive = { type = "number", least = 0 }
  options = check.options(options, {
    method = { choices = { "sgd", "adam", "adamw" }, default = "adam" },
    rate = positive,
    momentum = { type = "number", least = 0, most = 1 },
    beta1 = { type = "number", least = 0, most = 1 },
    beta2 = { type = "number", least = 0, most = 1 },
    epsilon = { type = "number", least = 0, most = 1 },
    decay = positive,
    clip = positive,
  }, 2, "optimizer")
  return setmetatable({ net = net, core = core.nn.optimizer(net.core, options), method = options.method }, Optimizer)
end

--- The learning rate in force, after setting it if given.
---@param rate? number
---@return number
function Optimizer:rate(rate)
  if rate ~= nil and (type(rate) ~= "number" or not (rate >= 0 and rate < math.huge)) then
    check.misuse(("bad argument #1 to 'rate' (%s, expected a number of 0 or more)"):format(tostring(rate)))
  end
  return self.core:rate(rate)
end

--- Steps taken.
---@return integer
function Optimizer:steps()
  return self.core:steps()
end

--- All it remembers, but for its options.
---@return string
function Optimizer:dump()
  return store.encode({ moments = self.core:moments() }, { method = self.method, steps = tostring(self:steps()) })
end

--- Puts back what `dump` gave.
---@param bytes string
---@return true? done
---@return string? message
---@return string? kind  "format": damaged, or of another method or network
function Optimizer:restore(bytes)
  check.type(bytes, "string", 1, "restore")
  local tensors, metadata, kind = store.decode(bytes)
  if not tensors then
    return nil, metadata, kind
  end
  local moments, steps = tensors.moments, math.tointeger(tonumber(metadata.steps))
  local own = self.core:moments()
  if not moments or not steps or metadata.method ~= self.method or #moments ~= #own or #moments:shape() ~= 1 then
    return nil, "the state is of another optimizer", "format"
  end
  own:copy(moments)
  self.core:steps(math.max(steps, 0))
  return true
end

function Optimizer:__tostring()
  return tostring(self.core)
end

return M
