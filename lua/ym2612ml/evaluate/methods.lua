-- The ways to answer a target: the matcher with a budget, with or without knowing the
-- pitch, on the target as it is or disturbed, and the baselines.
local baselines = require "ym2612ml.evaluate.baselines"
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local estimate = require "ym2612ml.estimate"
local sounds = require "ym2612ml.evaluate.sounds"

local M = {}

local SHORTEST = 0.001 -- seconds that a match can be given

--- Reads a budget: "fast" (50 ms), "default" (5 s), "best" (60 s), seconds such as "0.2s",
--- or a number of renders such as "640".
---@param text string
---@return {name: string, seconds: number?, renders: integer?}? budget
---@return string? message
function M.budget(text)
  check.type(text, "string", 1, "budget")
  local seconds = estimate.BUDGETS[text] or tonumber(text:match("^(%d*%.?%d+)s$"))
  local renders = math.tointeger(tonumber(text:match("^%d+$")))
  if seconds and seconds >= SHORTEST then
    return { name = text, seconds = seconds }
  elseif renders and renders >= 8 then
    return { name = text, renders = renders }
  end
  return nil, ("'%s' is no budget: expected fast, default, best, seconds such as 5s, or 8 renders or more"):format(text)
end

---@class ym2612ml.EvaluationMethod
---@field name string
---@field kind string  "search", "networks" or a baseline
---@field budget {name: string, seconds: number?, renders: integer?}
---@field known boolean  whether the note is given
---@field disturbance? string

--- All methods that the settings ask for, a budget after the other: the matcher, its
--- variants, then the baselines.
---@param budgets table[]  as `budget` gives them
---@param settings table  baselines: names; pitch_unknown: boolean; disturb: kinds
---@return ym2612ml.EvaluationMethod[]
function M.list(budgets, settings)
  local list = {}
  local function add(kind, budget, suffix, more)
    local method = { kind = kind, budget = budget, known = true, name = ("%s %s%s"):format(kind, budget.name, suffix) }
    for key, value in pairs(more) do
      method[key] = value
    end
    list[#list + 1] = method
  end
  for _, budget in ipairs(budgets) do
    add("search", budget, "", {})
    if settings.pitch_unknown then
      add("search", budget, ", pitch unknown", { known = false })
    end
    for _, kind in ipairs(settings.disturb) do
      add("search", budget, ", " .. kind, { disturbance = kind })
    end
    for _, kind in ipairs(settings.baselines) do
      add(kind, budget, "", {})
    end
  end
  return list
end

-- The matcher's answer; or nil, message, kind.
local function match(method, target, settings, report)
  local sound, unknown = { samples = target.samples, rate = target.rate }, nil
  if method.disturbance then
    sound = sounds.disturbed(sound, method.disturbance, core.rng.new { seed = target.seed })
  end
  if method.known then
    unknown = target.note
  end
  local started = core.clock()
  local next_step, message, kind = estimate.steps(sound, {
    note = unknown, held = target.held, chip = target.chip, seed = settings.seed, models = settings.models,
    budget = method.budget.seconds, renders = method.budget.renders,
    method = method.kind == "networks" and "networks" or nil,
  })
  if not next_step then
    return nil, message, kind
  end
  local last
  for step in next_step do
    last = step
    report(step.share)
  end
  local matches, algorithms = last.matches, {}
  for rank, found in ipairs(matches) do
    algorithms[rank] = found.algorithm
  end
  return {
    patch = matches[1].patch, algorithms = algorithms, renders = last.done,
    note = method.known and target.note or matches[1].note, seconds = core.clock() - started,
  }
end

--- Answers a target.
---@param method ym2612ml.EvaluationMethod
---@param target ym2612ml.EvaluationTarget
---@param settings table  seed, prior, models
---@param report fun(share: number)  called as it goes on
---@return {patch: ym2612ml.Patch, note: number, algorithms: integer[], renders: integer, seconds: number}? answer
---@return string? message
---@return string? kind
function M.run(method, target, settings, report)
  if method.kind == "search" or method.kind == "networks" then
    return match(method, target, settings, report)
  end
  return baselines.run(method.kind, target, method.budget, settings, report)
end

return M
