-- JSON whose bytes depend on the value alone: keys in order, numbers in the shortest form
-- that reads back the same. lua-cjson, which reads it, writes keys in any order.
local cjson = require "cjson"

local M = {}

local function number_text(value)
  local whole = math.tointeger(value)
  if whole then
    return ("%d"):format(whole)
  end
  for digits = 6, 17 do
    local text = ("%%.%dg"):format(digits):format(value)
    if tonumber(text) == value then
      return text
    end
  end
end

local function sorted_keys(object)
  local keys = {}
  for key in pairs(object) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

--- Encodes a value on one line.
---@param value string|number|boolean|table  finite numbers; a table is a list when it has
---  an element 1 or nothing in it, else an object with string keys
---@return string json
function M.encode(value)
  if type(value) == "number" then
    return number_text(value)
  elseif type(value) ~= "table" then
    return cjson.encode(value)
  end
  local texts = {}
  if value[1] ~= nil or next(value) == nil then
    for i, element in ipairs(value) do
      texts[i] = M.encode(element)
    end
    return "[" .. table.concat(texts, ",") .. "]"
  end
  for i, key in ipairs(sorted_keys(value)) do
    texts[i] = ("%s:%s"):format(cjson.encode(key), M.encode(value[key]))
  end
  return "{" .. table.concat(texts, ",") .. "}"
end

--- Encodes an object as a document, each key of the outermost on a line of its own.
---@param object table<string, any>
---@return string json  ends with a line break
function M.document(object)
  local lines = {}
  for i, key in ipairs(sorted_keys(object)) do
    lines[i] = ("%s: %s"):format(cjson.encode(key), M.encode(object[key]))
  end
  return "{\n" .. table.concat(lines, ",\n") .. "\n}\n"
end

return M
