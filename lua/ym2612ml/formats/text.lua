-- Patches as plain text, to read, compare and edit: everything that a patch has.
local attempt = require "ym2612ml.attempt"
local core = require "ym2612ml.core"
local cursor = require "ym2612ml.formats.cursor"
local rows = require "ym2612ml.formats.rows"

local MARK = "ym2612ml patches"
local NAMES = { "name", "dumper", "game" }
local OF_PATCH, OF_OPERATOR = {}, {} -- fields, in their order and by name
for _, field in ipairs(core.patch.fields()) do
  local list = not field.operator and OF_PATCH or field.operator == 1 and OF_OPERATOR
  if list then
    list[#list + 1], list[field.name] = field, field
  end
end

local M = {
  name = "text", extensions = { "txt" }, title = "plain text", lfo = true, many = true,
  common = true,
}

--- How sure it is that bytes are of this format.
---@param bytes string
---@return integer certainty
function M.detect(bytes)
  return bytes:find("^[\xEF\xBB\xBF%s]*" .. MARK) and 2 or 0 -- editors may add a byte order mark
end

-- The value of a field, as a text; raises what `malformed` does.
local function value_of(field, text, line)
  local value = text == "off" and field.name == "lfo" and -1 or math.tointeger(tonumber(text))
  if not value or value < field.minimum or value > field.maximum then
    cursor.malformed(("line %d: %s is %s, expected %d..%d"):format(line, field.name, text, field.minimum,
      field.maximum))
  end
  return value >= 0 and value or field.name == "dt" and value or nil
end

local function read_operator(patch, columns, text, line)
  local operator, at = {}, 0
  for value in text:gmatch("%S+") do
    at = at + 1
    local field = columns[at] or cursor.malformed(("line %d: more values than columns"):format(line))
    operator[field.name] = value_of(field, value, line)
  end
  patch[#patch + 1] = operator
end

local function read_columns(text, line)
  local columns = {}
  for name in text:gmatch("%S+") do
    columns[#columns + 1] = OF_OPERATOR[name]
      or cursor.malformed(("line %d: %s is no field of an operator"):format(line, name))
  end
  return columns
end

-- Takes one line of a patch.
local function read_line(patch, text, line)
  local key, rest = text:match("^%s*(%w+)%s*:?(.*)$")
  rest = rows.trimmed(rest or "")
  if not key then
    cursor.malformed(("line %d: expected a field and its value"):format(line))
  elseif key == "op" then
    patch.columns = read_columns(rest, line)
  elseif key == tostring(#patch + 1) and patch.columns then
    read_operator(patch, patch.columns, rest, line)
  elseif OF_PATCH[key] then
    patch[key] = value_of(OF_PATCH[key], rest, line)
  elseif key == "dumper" or key == "game" then
    patch[key] = rest
  else
    cursor.malformed(("line %d: '%s' is not expected here"):format(line, key))
  end
end

--- The patches in a file.
---@param bytes string
---@return ym2612ml.Patch[]?
---@return string[]|string  notes, or what is wrong
M.decode = cursor.guarded(function(bytes)
  local list, number = {}, 0
  if M.detect(bytes) == 0 then
    cursor.malformed(("does not begin with '%s'"):format(MARK))
  end
  for line in rows.lines(bytes) do
    number = number + 1
    local name = line:match("^%s*name%s*:(.*)$")
    if name then
      list[#list + 1] = { name = rows.trimmed(name) }
    elseif line:find("%S") and not line:find(MARK, 1, true) then
      local patch = list[#list] or cursor.malformed(("line %d: a patch begins with its name"):format(number))
      read_line(patch, line, number)
    end
  end
  for i, patch in ipairs(list) do
    patch.columns = nil
    local fine, message = attempt(core.patch.check, patch)
    if not fine then
      cursor.malformed(("patch %d: %s"):format(i, message:match("%((.*)%)$") or message))
    end
  end
  return list, {}
end)

local function add_patch(lines, patch)
  for _, name in ipairs(NAMES) do
    if name == "name" or (patch[name] or "") ~= "" then
      lines[#lines + 1] = rows.trimmed(("%s: %s"):format(name, rows.one_line(patch[name])))
    end
  end
  for _, field in ipairs(OF_PATCH) do
    local value = patch[field.name] or field.name ~= "lfo" and 0
    lines[#lines + 1] = ("%s: %s"):format(field.name, value and value >= 0 and value or "off")
  end
  for row = 0, 4 do
    local cells = { row == 0 and "op" or ("%2d"):format(row) }
    for _, field in ipairs(OF_OPERATOR) do
      cells[#cells + 1] = ("%4s"):format(row == 0 and field.name or patch[row][field.name] or 0)
    end
    lines[#lines + 1] = table.concat(cells)
  end
end

--- A file of patches.
---@param list ym2612ml.Patch[]
---@return string
function M.encode(list)
  local lines = { MARK }
  for _, patch in ipairs(list) do
    lines[#lines + 1] = ""
    add_patch(lines, patch)
  end
  return table.concat(lines, "\n") .. "\n"
end

return M
