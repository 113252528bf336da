-- JSON whose bytes depend on the value alone, and that gives back the same numbers.
local cjson = require "cjson"

local M = {}

--- A value as JSON: keys in order, every digit of a number. An empty table is a list.
---@param value any  of numbers (finite), strings, booleans and tables of them
---@return string
function M.encode(value)
  if math.type(value) == "float" then
    return ("%.17g"):format(value)
  elseif type(value) ~= "table" then
    return cjson.encode(value)
  end
  local parts = {}
  if next(value) == nil or value[1] ~= nil then
    for i, item in ipairs(value) do
      parts[i] = M.encode(item)
    end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for key in pairs(value) do
    parts[#parts + 1] = key
  end
  table.sort(parts)
  for i, key in ipairs(parts) do
    parts[i] = cjson.encode(key) .. ":" .. M.encode(value[key])
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

return M
