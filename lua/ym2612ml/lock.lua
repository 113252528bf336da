-- Registers that are to keep a value: a part of a patch, such as {algorithm = 4, [1] =
-- {mul = 3}}.
local patches = require "ym2612ml.patch"

local M = {}

--- What is wrong with the registers to be locked, in words.
---@param lock table
---@return string? problem  nil when nothing is
function M.problem(lock)
  local known = {}
  for _, field in ipairs(patches.fields()) do
    known[field.operator or 0] = known[field.operator or 0] or {}
    known[field.operator or 0][field.name] = field
  end
  local function problem_of(values, operator)
    local of = operator > 0 and (" of operator %d"):format(operator) or ""
    for name, value in pairs(values) do
      local field = known[operator][name]
      if operator == 0 and math.type(name) == "integer" and name >= 1 and name <= 4 and type(value) == "table" then
        local problem = problem_of(value, name)
        if problem then
          return problem
        end
      elseif not field then
        return ("there is no field '%s'%s"):format(tostring(name), of)
      elseif math.type(value) ~= "integer" or value < field.minimum or value > field.maximum then
        return ("field '%s'%s is %s, expected %d..%d"):format(name, of, tostring(value), field.minimum, field.maximum)
      end
    end
  end
  return problem_of(lock, 0)
end

return M
