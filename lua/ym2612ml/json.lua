-- JSON whose bytes depend on the value alone: keys in order, numbers in the shortest form
-- that reads back the same. lua-cjson, which reads it, writes keys in any order.
local cjson = require "cjson"
local numbers = require "ym2612ml.numbers"

local M = {}

-- Levels of lists and objects in what is decoded: each takes some of the C stack, of which a
-- host's thread may have little.
local DEEPEST = 64

--- Decodes a document, as lua-cjson does; raises where it is none. lua-cjson reads numbers
--- with strtod, and asks what the point of the host's locale is when an instance is made:
--- so there is a new one each time, which takes microseconds. A NUL it takes for the end, and
--- what follows for nothing.
---@param text string
---@return any value
function M.decode(text)
  if text:find("\0", 1, true) then
    error("Expected no NUL", 0)
  end
  local reader = cjson.new()
  reader.decode_max_depth(DEEPEST)
  local fine, value = pcall(reader.decode, text)
  if not fine then
    error(value, 0)
  end
  return value
end

local function number_text(value)
  local whole = math.tointeger(value)
  if whole then
    return ("%d"):format(whole)
  end
  local text
  for digits = 6, 17 do
    text = numbers.format(("%%.%dg"):format(digits), value)
    if tonumber(text) == value then
      return text
    end
  end
  return text -- a host that has changed the direction of rounding does not read the same
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
