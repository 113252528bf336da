-- The matcher's network: one for all algorithms. It hears what those of
-- networks/registers.lua hear and gives the probability of each algorithm, and for an
-- algorithm that it is told a mixture of distributions over the registers. Patches of one
-- sound come in kinds: within a component of the mixture registers are independent, from
-- one to the next they may differ together.
local nn = require "ym2612ml.nn"
local registers = require "ym2612ml.networks.registers"

local M = {}

--- Components of the mixture.
M.components = 4

local ALGORITHMS = 8
local ALGORITHM_HEAD = { { name = "algorithm", minimum = 0, maximum = ALGORITHMS - 1 } }
local BRANCH = 192 -- units of the layer that only the algorithm's head sees
local OWN = 64 -- units from which a component's own part of its logits comes
local EMPHASIS = 2 -- of the algorithm's cross-entropy, one of 43, in the loss

-- The cross-entropy of a mixture, from those of its components and the logarithms of
-- their weights, both (batch, components).
local function mixture_loss(parts, weights)
  local likelihoods = weights - parts
  local largest = likelihoods:max(2)
  return -(largest + (likelihoods - largest:reshape { 1 }):exp():sum(2):log())
end

-- The mixture from the last hidden layer: all components share a part of their logits.
local function mixture(x, target)
  local widths, logits, parts = {}, nil, nil
  for i, head in ipairs(registers.heads) do
    widths[i] = head.width
  end
  local shared = nn.dense(x, registers.logits)
  local own = nn.dense(x, M.components * OWN):gelu()
  local weights = nn.dense(x, M.components):log_softmax()
  for i = 1, M.components do
    local part = own:slice(2, (i - 1) * OWN + 1, i * OWN)
    part = shared + nn.dense(part, registers.logits, { bias = false })
    local entropy = part:head_cross_entropy(target, { widths = widths }):reshape { 1 }
    logits = logits and logits:concat(part, { axis = 2 }) or part
    parts = parts and parts:concat(entropy, { axis = 2 }) or entropy
  end
  return logits, weights, mixture_loss(parts, weights)
end

--- Records the network. The algorithm is told to the second hidden layer and those
--- behind it; it learns with the true one.
---@param options {hidden: integer[], dropout: number?, seed: integer?}  hidden: of one
---  layer or more
---@return ym2612ml.Network net  inputs x (batch, inputs), told (batch, 1), an algorithm
---  0..7, and target (batch, heads); outputs algorithm (batch, 8), weights (batch,
---  components): their logarithms, and logits (batch, components * logits), and loss:
---  twice the cross-entropy of the algorithm and that of all registers
function M.build(options)
  return nn.graph(function(g)
    local x, told = g:input("x", { registers.inputs }), g:input("told", { 1 })
    local function hide(layer)
      layer = layer:gelu()
      return options.dropout and layer:dropout(options.dropout) or layer
    end
    x = hide(nn.dense(x, options.hidden[1]))
    local algorithm, _, loss = nn.register_heads(hide(nn.dense(x, BRANCH)), ALGORITHM_HEAD, { target = told })
    for i = 2, #options.hidden do
      local size = options.hidden[i]
      x = hide(nn.dense(x, size) + nn.embedding(told, ALGORITHMS, size):reshape { size })
    end
    local logits, weights, rest = mixture(x, g:input("target", { #registers.heads }))
    return { algorithm = algorithm, logits = logits, weights = weights, loss = loss * EMPHASIS + rest }
  end, { seed = options.seed })
end

return M
