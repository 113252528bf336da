-- Checks of arguments and options that raise at the line of the caller from outside
-- this module, however deep inside it the mistake is found.
local attempt = require "ym2612ml.attempt"
local core = require "ym2612ml.core"

local M = {}

-- The folder of this module's sources, as in the chunk names of its functions.
local folder = debug.getinfo(1, "S").source:match("^(.*)check%.lua$")

--- Raises an error that points at the first caller outside ym2612ml.
---@param message string
function M.misuse(message)
  local level = 2
  local info = debug.getinfo(level, "S")
  while info and (info.what == "C" or info.source:sub(1, #folder) == folder) do
    level = level + 1
    info = debug.getinfo(level, "S")
  end
  error(message, info and level or 2)
end

--- Raises when there is something wrong with an argument.
---@param problem string?  what is wrong; nil: nothing
---@param argument integer  its number
---@param name string  of the function
function M.no_problem(problem, argument, name)
  if problem then
    M.misuse(("bad argument #%d to '%s' (%s)"):format(argument, name, problem))
  end
end

--- Raises unless value is of the Lua type expected.
---@param value any
---@param expected string  a type name, as `type` returns
---@param argument integer  its number
---@param name string  of the function
function M.type(value, expected, argument, name)
  if type(value) ~= expected then
    M.misuse(("bad argument #%d to '%s' (%s expected, got %s)"):format(argument, name, expected, type(value)))
  end
end

-- What a value is, for messages: of what the core makes, its name.
local function kind_of(value)
  local meta = getmetatable(value)
  return type(value) == "userdata" and type(meta) == "table" and meta.__name or type(value)
end

--- Whether a value is a tensor.
---@param value any
---@return boolean
function M.is_tensor(value)
  return kind_of(value) == "ym2612ml.tensor"
end

--- Raises unless value is a tensor.
---@param value any
---@param argument integer  its number
---@param name string  of the function
---@param part? string  which part of the argument value is, such as "input 'x'"
function M.tensor(value, argument, name, part)
  if not M.is_tensor(value) then
    local message = "bad argument #%d to '%s' (%stensor expected, got %s)"
    M.misuse(message:format(argument, name, part and part .. ": " or "", kind_of(value)))
  end
end

--- A tensor out of a tensor or nested lists of numbers; raises for anything else.
---@param value any
---@param argument integer  its number
---@param name string  of the function
---@param part? string  as of `tensor`
---@return ym2612ml.Tensor
function M.to_tensor(value, argument, name, part)
  if type(value) ~= "table" then
    M.tensor(value, argument, name, part)
    return value
  end
  local made, tensor = attempt(core.tensor.from, value)
  if not made then
    M.no_problem((part and part .. ": " or "") .. tensor, argument, name)
  end
  return tensor
end

--- Raises unless value is a whole number, of at least `least` where that is given.
---@param value any
---@param argument integer  its number
---@param name string  of the function
---@param least? integer
---@return integer
function M.integer(value, argument, name, least)
  local whole = type(value) == "number" and math.tointeger(value)
  if not whole or least and whole < least then
    M.misuse(("bad argument #%d to '%s' (%s, expected a whole number%s)"):format(
      argument, name, tostring(value), least and (" %d or more"):format(least) or ""))
  end
  return whole
end

local function fits(value, rule)
  if type(rule.type) == "table" then
    for _, name in ipairs(rule.type) do
      if type(value) == name then
        return true
      end
    end
    return false
  end
  if rule.choices then
    for _, choice in ipairs(rule.choices) do
      if value == choice then
        return true
      end
    end
    return rule.also ~= nil and type(value) == rule.also
  end
  if rule.type == "tensor" then
    return M.is_tensor(value)
  end
  if rule.class then
    local meta = type(value) == "table" and getmetatable(value)
    return type(meta) == "table" and meta.__name == rule.class
  end
  if rule.type == "integer" then
    value = type(value) == "number" and math.tointeger(value) or nil
  end
  if type(value) ~= (rule.type == "integer" and "number" or rule.type) then
    return false
  end
  if type(value) ~= "number" then
    return true
  end
  local finite = value > -math.huge and value < math.huge -- false of NaN
  return finite
    and value >= (rule.least or value)
    and value <= (rule.most or value)
    and (not rule.below or value < rule.below)
end

local function describe(rule)
  if type(rule.type) == "table" then
    return table.concat(rule.type, " or ")
  end
  if rule.choices then
    return "one of " .. table.concat(rule.choices, ", ") .. (rule.also and " or a " .. rule.also or "")
  end
  if rule.class then
    return rule.class
  end
  local range = ""
  if rule.least or rule.most then
    range = (" %s..%s"):format(rule.least or "", rule.most or "")
  end
  if rule.below then
    range = ("%s below %s"):format(range, rule.below)
  end
  return rule.type .. range
end

--- Checks a table of options by its rules, and returns a copy with defaults. A rule is
--- `{type = "integer" | "number" | "boolean" | "string" | "table" | "tensor" | ..., least =,
--- most =, below =, default =, needed = true}`, where type may be a list of Lua types, or
--- `{choices = {...}, also = type, default =}`, or `{class = name}` for a table of that
--- class. Numbers must be finite, and less than `below`.
---@param options table?
---@param rules table<string, table>
---@param argument integer  its number
---@param name string  of the function
---@return table checked
function M.options(options, rules, argument, name)
  if options ~= nil then
    M.type(options, "table", argument, name)
  end
  local function fail(message)
    M.misuse(("bad argument #%d to '%s' (%s)"):format(argument, name, message))
  end
  local checked = {}
  for key, value in pairs(options or {}) do
    local rule = rules[key]
    if not rule then
      fail(("unknown option '%s'"):format(tostring(key)))
    elseif not fits(value, rule) then
      fail(("option '%s' is %s, expected %s"):format(key, tostring(value), describe(rule)))
    end
    checked[key] = rule.type == "integer" and math.tointeger(value) or value
  end
  for key, rule in pairs(rules) do
    if checked[key] == nil then
      checked[key] = rule.default
      if rule.needed then
        fail(("option '%s' is missing, expected %s"):format(key, describe(rule)))
      end
    end
  end
  return checked
end

return M
