-- Optimisers: what turns the gradients of one network into steps.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local network = require "ym2612ml.nn.network"
local store = require "ym2612ml.store"

local M = {}

---@class ym2612ml.Optimizer
local Optimizer = {}
Optimizer.__index = Optimizer
Optimizer.__name = "ym2612ml.Optimizer"

--- What turns gradients into steps of one network.
---@param net ym2612ml.Network
---@param options? table  method "adam" ("sgd", "adamw"); rate 1e-3; momentum (of sgd) 0;
---  beta1 0.9, beta2 0.999 and epsilon 1e-8 (of adam and adamw); decay of all parameters
---  0; clip: the largest norm of the whole gradient, default none
---@return ym2612ml.Optimizer
function M.new(net, options)
  if not network.is_network(net) then
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
  local tensors, metadata, kind = store.decode(bytes, { checked = true })
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
