-- Synthesizers whose parameters can be learnt from their sounds: those of the module, and
-- any that a user defines.
local attempt = require "ym2612ml.attempt"
local check = require "ym2612ml.check"
local files = require "ym2612ml.files"
local line = require "ym2612ml.line"
local synth = require "ym2612ml.synths.synth"

local M = {}

local BUILT_IN = {
  inversynth = require "ym2612ml.synths.inversynth",
  opn2 = require "ym2612ml.synths.opn2",
  simple_fm = require "ym2612ml.synths.simple_fm",
}

--- The synthesizers of the module.
---@type string[]
M.names = { "inversynth", "opn2", "simple_fm" }

--- Makes a synthesizer of a definition:
---
--- - name, and optionally title and source
--- - rate: Hz, and length: seconds, where nothing is said
--- - parameters: a list of {name, kind, unit?, fixed?}, kind being "class" (classes: how
---   many, their values 0, 1, ..., or values: a list of numbers), "integer" (least, most),
---   "continuous" (least, most; classes: how many stand for it, default 16, evenly spaced,
---   both ends among them, on the scale "linear" or "log"), or "switch" (0 or 1)
--- - render(values, rate, length): values by name; returns floor(rate * length) samples,
---   a list of numbers or a tensor, or nil, message, kind; or in its place
--- - render_batch(values, rate, length): of a tensor (count, parameters) to one (count,
---   samples)
--- - draw(rng, count, parameters): optional, random values (count, parameters)
---@param definition table
---@param options? {fixed: table<string, number>, classes: integer, rate: number, length: number}
---  fixed: values, by name, of parameters that are held constant; classes: of every
---  continuous parameter, 0: as defined, but drawn anywhere in the range; rate, length:
---  other defaults
---@return ym2612ml.Synth
function M.new(definition, options)
  check.no_problem(synth.problem(definition), 1, "new")
  return synth.new(definition, check.options(options, synth.rules, 2, "new"), "new")
end

-- The definition that a user's file returns; or nil, message, kind.
local function load_definition(path)
  local text, message, kind = files.read(path)
  if not text then
    return nil, message, kind
  end
  local chunk, problem = load(text, "@" .. path, "t")
  if problem == "not enough memory" then
    error(problem, 0)
  elseif not chunk then
    return nil, ("%s: is no Lua: %s"):format(path, problem), "format"
  end
  local fine, definition = attempt(chunk, path)
  problem = not fine and tostring(definition) or synth.problem(definition)
  if problem then
    return nil, ("%s: defines no synthesizer: %s"):format(path, problem), "format"
  end
  return definition
end

local function rules_with(more)
  local rules = { path = { type = "string" } }
  for _, list in ipairs { synth.rules, more or {} } do
    for key, rule in pairs(list) do
      rules[key] = rule
    end
  end
  return rules
end

--- A synthesizer by name: one of the module's, or one that a user's Lua file returns the
--- definition of (see `new`). The file is run, with its path as the argument `...`.
---@param name string  one of `names`; or the path of a file, ending in .lua
---@param options? table  as of `new`; path: of the file, where name is not that; and those
---  of the synthesizer (see synths/opn2.lua)
---@return ym2612ml.Synth? synth  its name and options, given here, make it again
---@return string? message
---@return string? kind  "io" or "format"
function M.get(name, options)
  check.type(name, "string", 1, "get")
  local path = type(options) == "table" and options.path or name:find("%.lua$") and name
  local built_in = not path and BUILT_IN[name]
  if not (path or built_in) then
    check.misuse(("bad argument #1 to 'get' (synthesizer '%s', expected %s or the path of a Lua file)"):format(
      name, table.concat(M.names, ", ")))
  end
  options = check.options(options, rules_with(built_in and built_in.rules), 2, "get")
  local definition, message, kind
  if built_in then
    definition, message, kind = built_in.definition(options)
  else
    options.path = path
    definition, message, kind = load_definition(path)
  end
  if not definition then
    return nil, message, kind
  end
  return synth.new(definition, options, "get")
end

--- What an option must be that tells which Lua file a recalled synthesizer may be, for
--- check.options.
M.recall_rules = { synth = { type = "string" } }

--- Makes the synthesizer again that a file tells of, to be played, not to be drawn from. A
--- user's is code, and run only from the path that the caller gives. No path in the file is
--- followed.
---@param told {name: string, options: table}
---@param path? string  of the Lua file of a user's synthesizer
---@return ym2612ml.Synth? synth
---@return string? message
---@return string? kind  "input": it is a user's, and no path was given; otherwise as of `get`
function M.recall(told, path)
  local built_in = not told.options.path and BUILT_IN[told.name]
  if not built_in and not path then
    return nil, line(("the synthesizer is code, in the file '%s' when it was used: option 'synth' has to tell which "
      .. "Lua file may be run"):format(tostring(told.options.path or told.name))), "input"
  end
  local options = {}
  for name, value in pairs(told.options) do
    options[name] = value
  end
  options.path = not built_in and path or nil
  for _, name in ipairs(built_in and built_in.sources or {}) do
    options[name] = nil
  end
  return M.get(told.name, options)
end

return M
