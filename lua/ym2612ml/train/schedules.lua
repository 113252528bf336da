-- Schedules: what becomes of the rate in the course of a training.
local check = require "ym2612ml.check"
local json = require "ym2612ml.json"

local M = {}

local share = { type = "number", least = 0, most = 1 }

local function with(rule, default)
  local copy = { default = default }
  for key, value in pairs(rule) do
    copy[key] = value
  end
  return copy
end

local count = { type = "integer", least = 1 }

-- Options of each kind; steps of warm-up, over which the factor rises from 0, are of all.
local rules = {
  constant = {},
  step = { epochs = with(count, 10), factor = with(share, 0.1) },
  cosine = { final = with(share, 0) },
  one_cycle = { rise = with(share, 0.3), start = with(share, 1 / 25), final = with(share, 0) },
  plateau = {
    factor = with(share, 0.1), patience = { type = "integer", least = 0, default = 10 },
    threshold = with(share, 1e-4), least = with(share, 0),
  },
}

-- From one value to another along half a cosine, progress 0..1.
local function glide(from, to, progress)
  return to + (from - to) * 0.5 * (1 + math.cos(math.pi * progress))
end

-- Makers of factors: options, state -> function of where the training is.
local factors = {
  constant = function()
    return function()
      return 1
    end
  end,
  step = function(options)
    return function(at)
      return options.factor ^ ((at.epoch - 1) // options.epochs)
    end
  end,
  -- Loshchilov and Hutter, SGDR, 2017, without restarts.
  cosine = function(options)
    return function(at)
      return glide(1, options.final, at.progress)
    end
  end,
  -- Smith and Topin, Super-Convergence, 2018; both ways along cosines.
  one_cycle = function(options)
    return function(at)
      if at.progress < options.rise then
        return glide(options.start, 1, at.progress / options.rise)
      end
      return glide(1, options.final, (at.progress - options.rise) / math.max(1 - options.rise, 1e-9))
    end
  end,
  plateau = function(_, state)
    return function()
      return state.factor
    end
  end,
}

local Schedule = {}
Schedule.__index = Schedule
Schedule.__name = "ym2612ml.Schedule"

--- Checks and makes a schedule.
---@param given string|table|function  the name of a kind; a table {kind =, ...} with its
---  options; or a function of progress 0..1 and step number that gives the factor
---@param argument integer  its number, for messages
---@param name string  of the function it was given to
---@return table schedule
function M.new(given, argument, name)
  if type(given) == "function" then
    local self = { signature = "function", state = { factor = 1, waited = 0 } }
    function self.at(at)
      local factor = given(at.progress, at.step)
      if type(factor) ~= "number" or not (factor >= 0 and factor < math.huge) then
        check.misuse(("option 'schedule' returned %s, expected a number 0 or more"):format(tostring(factor)))
      end
      return factor
    end
    return setmetatable(self, Schedule)
  end
  local options, kind = {}, given
  if type(given) == "table" then
    kind = given.kind
    for key, value in pairs(given) do
      options[key] = value
    end
    options.kind = nil
  end
  if type(kind) ~= "string" or not rules[kind] then
    check.misuse(("bad argument #%d to '%s' (option 'schedule' is %s, expected one of constant, step, cosine, "
      .. "one_cycle, plateau, a table with such a kind, or a function)"):format(argument, name, tostring(kind)))
  end
  local own = { warmup = { type = "integer", least = 0, default = 0 } }
  for key, rule in pairs(rules[kind]) do
    own[key] = rule
  end
  options = check.options(options, own, argument, name)
  local self = setmetatable({ kind = kind, options = options, state = { factor = 1, waited = 0 } }, Schedule)
  self.at = factors[kind](options, self.state)
  self.signature = kind .. json.encode(options)
  return self
end

--- The factor of the rate for the next step.
---@param at {progress: number, step: integer, epoch: integer}  progress: the share of all
---  steps that was taken, 0..1; step, epoch: of the next step, from 1
---@return number
function Schedule:factor(at)
  local warmup = self.options and self.options.warmup or 0
  return self.at(at) * (at.step <= warmup and at.step / (warmup + 1) or 1)
end

--- Tells it the loss that is watched, after each epoch. A plateau is `patience` epochs
--- in which it does not fall by the share `threshold` of the best; the one after them
--- lowers the factor.
---@param loss number
function Schedule:observe(loss)
  local state, options = self.state, self.options
  if self.kind ~= "plateau" then
    return
  elseif not state.best or loss < state.best - options.threshold * math.abs(state.best) then
    state.best, state.waited = loss, 0
    return
  end
  state.waited = state.waited + 1
  if state.waited > options.patience then
    state.factor, state.waited = math.max(state.factor * options.factor, options.least), 0
  end
end

--- Puts back what `schedule.state` was.
---@param state {factor: number, waited: integer, best: number?}
function Schedule:restore(state)
  self.state.factor, self.state.waited, self.state.best = state.factor, state.waited, state.best
end

return M
