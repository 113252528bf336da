-- Registers that are to keep a value, as commands are told: FIELD=VALUE, or FIELD alone for
-- the value that a patch has.
local arguments = require "ym2612ml.cli.arguments"
local ym = require "ym2612ml"

local M = {}

-- Fields by their names in options, such as op1.tl.
local function fields_by_name()
  local fields = {}
  for _, field in ipairs(ym.patch.fields()) do
    fields[field.operator and ("op%d.%s"):format(field.operator, field.name) or field.name] = field
  end
  return fields
end

---@class ym2612ml.LockItem
---@field name string  such as "algorithm" or "op1.tl"
---@field field ym2612ml.Field
---@field value? integer  nil: that of a patch

--- One register that is to keep a value: FIELD=VALUE, or FIELD alone.
---@param text string
---@return ym2612ml.LockItem? item
---@return string? message
function M.one(text)
  local name, value = text:match("^([%w.]+)%s*=%s*(%-?%d+)$")
  name = name or text
  local field = fields_by_name()[name]
  if not field then
    return nil, ("'%s' locks nothing: expected a field such as algorithm=4 or op1.tl=20"):format(text)
  end
  value = math.tointeger(tonumber(value))
  if value and (value < field.minimum or value > field.maximum) then
    return nil, ("'%s' is out of range: expected %s=%d..%d"):format(text, name, field.minimum, field.maximum)
  end
  return { name = name, field = field, value = value }
end

--- Registers, by name, and whole operators, such as op1,op2.tl,algorithm, that keep the
--- values that a patch has.
---@param text string
---@return ym2612ml.LockItem[]? items
---@return string? message
function M.kept(text)
  local fields, items = fields_by_name(), {}
  for part in (text .. ","):gmatch("%s*([^,]-)%s*,") do
    local operator = tonumber(part:match("^op([1-4])$"))
    if not operator and not fields[part] then
      return nil, ("'%s' is nothing to keep: expected such as op1, op2.tl or algorithm"):format(part)
    end
    for _, field in ipairs(operator and ym.patch.fields() or {}) do
      if field.operator == operator then
        items[#items + 1] = { name = ("%s.%s"):format(part, field.name), field = field }
      end
    end
    items[#items + 1] = fields[part] and { name = part, field = fields[part] }
  end
  return items
end

-- The value of a field in a patch, in which some are left out where they are 0.
local function value_of(field, patch)
  local from = field.operator and patch[field.operator] or patch
  return from[field.name] or field.minimum == 0 and field.optional and 0 or nil
end

--- The registers and their values as `lock` options of functions take them, and in words.
--- Ends the command, as for any wrong usage, where they contradict each other.
---@param list ym2612ml.LockItem[]?
---@param patch ym2612ml.Patch?  that values are taken from
---@param command string  for messages, such as "ym2612ml match"
---@param source string  what the patch is given by
---@return table lock
---@return string[] words  sorted
function M.values(list, patch, command, source)
  local lock, words = {}, {}
  for _, item in ipairs(list or {}) do
    local field = item.field
    local value = item.value or patch and value_of(field, patch)
    if not value then
      arguments.misuse(command, ("option '--lock': '%s' has no value, and there is no %s to take it from"):format(
        item.name, source))
    end
    local into = lock
    if field.operator then
      lock[field.operator] = lock[field.operator] or {}
      into = lock[field.operator]
    end
    if into[field.name] and into[field.name] ~= value then
      arguments.misuse(command, ("option '--lock': '%s' has two values"):format(item.name))
    end
    into[field.name] = value
    words[#words + 1] = ("%s=%d"):format(item.name, value)
  end
  table.sort(words)
  return lock, words
end

return M
