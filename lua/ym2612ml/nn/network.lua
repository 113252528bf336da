-- Networks: a recorded graph with memory for its weights, run and trained in the core.
local attempt = require "ym2612ml.attempt"
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local json = require "ym2612ml.json"
local recorder = require "ym2612ml.nn.recorder"
local ranks_rule = require "ym2612ml.ranks".rule
local saved = require "ym2612ml.saved"
local sharing = require "ym2612ml.nn.sharing"
local store = require "ym2612ml.store"
local weights = require "ym2612ml.nn.weights"

local M = {}

-- What metadata "kind" of a file says.
local KIND = "ym2612ml network 1"

---@class ym2612ml.Network
---@field inputs table<string, integer[]>  shape of one row of each input
---@field outputs table<string, integer[]>  shape of one row of each output
---@field metadata table<string, string>  what `save` was given
local Network = {}
Network.__index = Network
Network.__name = "ym2612ml.Network"

--- Whether a value is a network.
---@param value any
---@return boolean
function M.is_network(value)
  return getmetatable(value) == Network
end

--- Ends a recording.
---@param recorded ym2612ml.Recorder
---@param outputs table<string, integer>  nodes by name
---@param inspect? fun(net: ym2612ml.Network): true?, string?  called before memory is
---  taken; may refuse with nil and a message
---@return ym2612ml.Network? net  its weights all zero
---@return string? message  the loss is unfit
function M.new(recorded, outputs, inspect)
  local net = setmetatable({
    core = recorded.core,
    recipe = json.encode { nodes = recorded.recipe, outputs = outputs },
    inputs = {},
    outputs = {},
    metadata = {},
    output_names = {},
    output_nodes = {},
    input_nodes = {},
    leaves = {},
    loss = outputs.loss,
    steps = 0,
    seed = 1,
  }, Network)
  for name, index in pairs(recorded.names) do
    local kind = recorded.recipe[index].operator
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
  if inspect then
    local ready, message = inspect(net)
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
    feeds[index] = check.to_tensor(values, 1, name, ("input '%s'"):format(input))
  end
  return feeds
end

local row_rules = {
  order = { type = "tensor" },
  first = { type = "integer", least = 1 },
  count = { type = "integer", least = 0 },
}

local step_rules = { ranks = ranks_rule }
for name, rule in pairs(row_rules) do
  step_rules[name] = rule
end

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

-- Rows of the tensors fed.
local function height_of(feeds)
  local _, tensor = next(feeds)
  return tensor and #tensor or 0
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
    gradients[name] = self.core:gradient(param.index)
  end
  for name, index in pairs(self.input_nodes) do
    gradients[name] = feeds[index] and self.core:gradient(index)
  end
  return gradients, loss
end

-- An optimizer changes the weights of the network it was made for, and no other.
local function need_own(net, optimizer, index, name)
  if type(optimizer) ~= "table" or optimizer.net ~= net then
    check.misuse(("bad argument #%d to '%s' (expected an optimizer of this network)"):format(index, name))
  end
end

-- A step that ranks share; give gives what sharing.step wants of some rows.
local function share(net, optimizer, ranks, total, give)
  local loss, norm, kind = settle(sharing.step(net, optimizer, ranks, total, draw(net), give))
  if loss then
    net.steps = net.steps + 1
    optimizer.ranks = ranks
  end
  return loss, norm, kind
end

--- One step of training on a minibatch.
---@param inputs table<string, ym2612ml.Tensor|table>
---@param optimizer ym2612ml.Optimizer
---@param rows? table  as in `run`, and ranks (ym2612ml.Ranks): who share the step; all have
---  to take it, with the same network and arguments, and it gives the same bits as one
---  process. The optimizer's moments are whole again after `optimizer:complete`
---@return number? loss  before the step
---@return number|string norm  of the gradient, before clipping; or a message
---@return string? kind  "diverged": the loss or the gradient is not finite, and nothing
---  was changed; "input": a target is no class of its head
function Network:step(inputs, optimizer, rows)
  need_loss(self, "step")
  need_own(self, optimizer, 2, "step")
  rows = check.options(rows, step_rules, 3, "step")
  local feeds = feed(self, inputs, "step")
  if rows.ranks then
    local total = rows.count or (rows.order and #rows.order or height_of(feeds)) - (rows.first or 1) + 1
    return share(self, optimizer, rows.ranks, total, function(first, count)
      return feeds, rows.order, (rows.first or 1) + first - 1, count
    end)
  end
  if optimizer.ranks then
    check.misuse("bad argument #2 to 'step' (ranks share its moments: call optimizer:complete() first)")
  end
  local loss, norm, kind =
    settle(self.core:step(feeds, rows.order, rows.first, rows.count, draw(self), optimizer.core))
  if loss then
    self.steps = self.steps + 1
  end
  return loss, norm, kind
end

--- The same for ranks of which each has only the rows that it computes.
---@param optimizer ym2612ml.Optimizer
---@param ranks ym2612ml.Ranks
---@param total integer  rows of the minibatch
---@param take fun(first: integer, count: integer): table?, string?, string?  gives the inputs
---  of so many of these rows, from number first on; or nil, message, kind
---@return number? loss
---@return number|string norm
---@return string? kind
function Network:share_step(optimizer, ranks, total, take)
  need_loss(self, "share_step")
  need_own(self, optimizer, 1, "share_step")
  return share(self, optimizer, ranks, total, function(first, count)
    local inputs, message, kind = {}, nil, nil
    if count > 0 then
      inputs, message, kind = take(first, count)
    end
    local well, problem, sort = ranks:agree(not inputs and message or nil, kind)
    if not well then
      return nil, problem, sort
    end
    return feed(self, inputs, "step")
  end)
end

-- The leaves of a kind, as views.
local function views_of(net, kind)
  local views = {}
  for name, node in pairs(net.leaves) do
    if node.kind == kind then
      views[name] = net.core:leaf(node.index)
    end
  end
  return views
end

--- The parameters, as views: writing to them changes the network.
---@return table<string, ym2612ml.Tensor>
function Network:parameters()
  return views_of(self, "param")
end

--- The states (see `Recorder:state`), as views likewise.
---@return table<string, ym2612ml.Tensor>
function Network:states()
  return views_of(self, "state")
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
  self.seed, self.steps = check.integer(seed, 1, "reset"), 0
  self.core:initialise(self.seed)
end

function Network:__tostring()
  return ("network (%d parameters)"):format(self:count())
end

-- Everything a file of the network holds.
local function contents(net, format, metadata)
  local tensors = {}
  for name, node in pairs(net.leaves) do
    local view = net.core:leaf(node.index)
    -- states and constants stay f32: a variance or a mask may be larger than any half
    tensors[name] = (format == "f32" or node.kind ~= "param") and view or view:to(format)
  end
  local strings = { kind = KIND, graph = net.recipe, steps = tostring(net.steps), seed = tostring(net.seed) }
  for key, value in pairs(metadata) do
    if type(key) ~= "string" or type(value) ~= "string" then
      check.misuse(("metadata '%s' is %s, expected texts by name"):format(tostring(key), type(value)))
    end
    strings["user." .. key] = value
  end
  return tensors, strings
end

--- Writes the network as a safetensors file, the graph in its metadata.
---@param path string
---@param options? {type: "f32"|"f16", metadata: table<string, string>}  type: of the
---  weights in the file, default "f32"; states and constants are f32
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

--- Copies parameters and states from a safetensors file that any program wrote, such as
--- PyTorch's; all or none. Tensors that are not asked for are passed over.
---@param path string
---@param options? {names: table|function, layout: string, partial: boolean}  names: of
---  each of ours the name in the file, a table or a function, default the same; layout:
---  "own" (default) or "torch": weights of dense and lstm layers are (out, in) there, of
---  convolutions (out, in, height, width); partial: leave those the file lacks as they
---  are, default false
---@return true? done
---@return string? message  names the path
---@return string? kind  "io" or "format": a tensor is missing, of another shape or not
---  finite
function Network:load_weights(path, options)
  check.type(path, "string", 1, "load_weights")
  options = check.options(options, {
    names = { type = { "table", "function" } },
    layout = { choices = { "own", "torch" }, default = "own" },
    partial = { type = "boolean", default = false },
  }, 2, "load_weights")
  return weights.load(self, path, options, json.decode(self.recipe).nodes)
end

-- Checks a file's tensors against the leaves, before memory is taken for these.
local function check_tensors(net, tensors)
  for name, node in pairs(net.leaves) do
    local tensor, message = weights.find(tensors, name, net.core:shape(node.index))
    if not tensor then
      return nil, message
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
  return saved.decode(bytes, function(tensors, metadata)
    local fits, message = check_tensors(self, tensors)
    if fits then
      fill(self, tensors, metadata)
    end
    return fits, message
  end)
end

-- Records the graph again as the file tells it. The file may say anything: what the
-- core refuses becomes an error here.
local function replay(text)
  local read, graph = attempt(json.decode, text)
  if not read or type(graph) ~= "table" or type(graph.nodes) ~= "table" or type(graph.outputs) ~= "table" then
    error("it is not JSON of nodes and outputs", 0)
  end
  local recorded = recorder.new()
  for i, node in ipairs(graph.nodes) do
    if type(node) ~= "table" or type(node.inputs) ~= "table" or type(node.settings) ~= "table" then
      error(("node %d is none"):format(i), 0)
    end
    local index, message = recorded.core:add(node.operator, node.inputs, node.settings)
    if index ~= i then
      error(message or "a node is out of place", 0)
    end
    recorded.recipe[i] = { operator = node.operator, inputs = node.inputs, settings = node.settings }
    if node.settings.name then
      if recorded.names[node.settings.name] then
        error(("the name '%s' is taken twice"):format(node.settings.name), 0)
      end
      recorded.names[node.settings.name] = i
    end
  end
  for name, index in pairs(graph.outputs) do
    if type(name) ~= "string" or not recorded.recipe[index] then
      error("an output is not a node", 0)
    end
  end
  return recorded, graph.outputs
end

-- A network from what store gave.
local function rebuild(tensors, metadata)
  if metadata.kind ~= KIND or not metadata.graph then
    return nil, "is not a network of ym2612ml"
  end
  local done, recorded, outputs = attempt(replay, metadata.graph)
  if not done then
    return nil, ("the graph is not valid (%s)"):format(tostring(recorded))
  end
  local net, message = M.new(recorded, outputs, function(net)
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
  return saved.load(path, rebuild)
end

return M
