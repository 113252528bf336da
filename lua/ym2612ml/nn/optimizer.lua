-- Optimisers: what turns the gradients of one network into steps.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local network = require "ym2612ml.nn.network"
local saved = require "ym2612ml.saved"
local sharing = require "ym2612ml.nn.sharing"
local store = require "ym2612ml.store"

local M = {}

-- What the core's floats hold, and what 0 / epsilon needs to be a number there.
local LARGEST, SMALLEST = 1e38, 1e-30

---@class ym2612ml.Optimizer
local Optimizer = {}
Optimizer.__index = Optimizer
Optimizer.__name = "ym2612ml.Optimizer"

--- What turns gradients into steps of one network.
---@param net ym2612ml.Network
---@param options? table  method "adam" ("sgd", "adamw"); rate 1e-3; momentum (of sgd) 0;
---  beta1 0.9, beta2 0.999 (both below 1) and epsilon 1e-8 (of adam and adamw); decay of
---  all parameters 0; clip: the largest norm of the whole gradient, default none
---@return ym2612ml.Optimizer
function M.new(net, options)
  if not network.is_network(net) then
    check.misuse("bad argument #1 to 'optimizer' (expected a network)")
  end
  local positive = { type = "number", least = 0, most = LARGEST }
  local kept = { type = "number", least = 0, below = 1 } -- Adam divides by 1 - beta
  options = check.options(options, {
    method = { choices = { "sgd", "adam", "adamw" }, default = "adam" },
    rate = positive,
    momentum = { type = "number", least = 0, most = 1 },
    beta1 = kept,
    beta2 = kept,
    epsilon = { type = "number", least = SMALLEST, most = 1 },
    decay = positive,
    clip = positive,
  }, 2, "optimizer")
  return setmetatable({ net = net, core = core.nn.optimizer(net.core, options), method = options.method }, Optimizer)
end

--- The learning rate in force, after setting it if given.
---@param rate? number
---@return number
function Optimizer:rate(rate)
  if rate ~= nil and (type(rate) ~= "number" or not (rate >= 0 and rate <= LARGEST)) then
    check.misuse(("bad argument #1 to 'rate' (%s, expected a number 0..%g)"):format(tostring(rate), LARGEST))
  end
  return self.core:rate(rate)
end

--- Steps taken.
---@return integer
function Optimizer:steps()
  return self.core:steps()
end

--- Brings together what ranks remember that shared its steps, each a slice. All have to
--- call it, before `dump`.
---@return true? done
---@return string? message
---@return string? kind  "io"
function Optimizer:complete()
  if not self.ranks then
    return true
  end
  local done, message, kind = sharing.complete(self.net, self, self.ranks)
  self.ranks = not done and self.ranks or nil
  return done, message, kind
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
  return saved.decode(bytes, function(tensors, metadata)
    local moments, steps = tensors.moments, math.tointeger(tonumber(metadata.steps))
    local own = self.core:moments()
    if not moments or not steps or metadata.method ~= self.method or #moments ~= #own or #moments:shape() ~= 1 then
      return nil, "the state is of another optimizer"
    end
    own:copy(moments)
    self.ranks = nil -- all moments are here now
    self.core:steps(math.max(steps, 0))
    return true
  end)
end

function Optimizer:__tostring()
  return tostring(self.core)
end

return M
