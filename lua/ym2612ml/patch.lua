-- Patches: the core's functions, and files of any registered format.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local files = require "ym2612ml.files"
local formats = require "ym2612ml.formats"

local M = {}

for name, value in pairs(core.patch) do
  if not name:find("y12", 1, true) then
    M[name] = value
  end
end

local by_name, by_extension, names = {}, {}, {}
for _, format in ipairs(formats) do
  by_name[format.name] = format
  by_extension[format.extension] = format
  names[#names + 1] = format.name
end

local EXPECTED = "expected " .. table.concat(names, ", ")

-- The format of this name; argument and caller tell who was given it.
local function check_format(name, argument, caller)
  local format = by_name[name]
  if not format then
    local found = tostring(name)
    check.misuse(("bad argument #%d to '%s' (format %s, %s)"):format(argument, caller, found, EXPECTED))
  end
  return format
end

-- The format named, or else that of the path's extension; or nil, message, "format".
local function format_of(path, name, argument, caller)
  check.type(path, "string", 1, caller)
  if name ~= nil then
    return check_format(name, argument, caller)
  end
  local format = by_extension[(path:match("%.([^./]+)$") or ""):lower()]
  if not format then
    return nil, ("%s: not a known patch format, %s"):format(path, EXPECTED), "format"
  end
  return format
end

--- What is wrong with a patch, in words, as `write` would raise it.
---@param patch any
---@return string? problem  nil when nothing is
function M.problem(patch)
  local fine, message = pcall(core.patch.check, patch)
  if not fine then
    return message:match("%((.*)%)$") or message
  end
  for _, key in ipairs { "name", "dumper", "game" } do
    if patch[key] ~= nil and type(patch[key]) ~= "string" then
      return ("field '%s' is %s, expected a string"):format(key, tostring(patch[key]))
    end
  end
  return nil
end

local function check_patch(patch, argument, caller)
  check.no_problem(M.problem(patch), argument, caller)
end

--- Raises, naming the patch, operator and field, unless all of a list are patches.
---@param list ym2612ml.Patch[]
---@param argument? integer  its number in the function to blame, default 1
---@param caller? string  that function's name, default "check_all"
---@return ym2612ml.Patch[] list  the same table
function M.check_all(list, argument, caller)
  argument, caller = argument or 1, caller or "check_all"
  check.type(list, "table", argument, caller)
  for i, patch in ipairs(list) do
    local problem = M.problem(patch)
    if problem then
      check.misuse(("bad argument #%d to '%s' (patch %d: %s)"):format(argument, caller, i, problem))
    end
  end
  return list
end

local heard = {}
for algorithm = 0, 7 do
  heard[algorithm] = {}
  for _, operator in ipairs(M.carriers(algorithm)) do
    heard[algorithm][operator] = true
  end
end

--- Whether an operator is a carrier: heard itself, rather than modulating another.
---@param algorithm integer  0..7
---@param operator integer   1..4
---@return boolean
function M.is_carrier(algorithm, operator)
  local operators = heard[algorithm]
  if not operators then
    check.misuse(("bad argument #1 to 'is_carrier' (%s, expected algorithm 0..7)"):format(tostring(algorithm)))
  end
  return operators[operator] == true
end

--- Total level of the loudest carrier.
---@param patch ym2612ml.Patch
---@return integer level  0..127
function M.carrier_level(patch)
  local level = 127
  for _, operator in ipairs(M.carriers(patch.algorithm)) do
    level = math.min(level, patch[operator].tl)
  end
  return level
end

--- The patch formats that can be read and written.
---@return {name: string, extension: string, title: string, lfo: boolean}[]  lfo: whether
---  files hold vibrato and tremolo
function M.formats()
  local list = {}
  for i, format in ipairs(formats) do
    list[i] = { name = format.name, extension = format.extension, title = format.title, lfo = format.lfo }
  end
  return list
end

--- The endings of patch files, lower case, without dot.
---@return table<string, true>
function M.endings()
  local set = {}
  for extension in pairs(by_extension) do
    set[extension] = true
  end
  return set
end

--- Decodes the bytes of a patch file.
---@param bytes string
---@param format string  "y12"
---@return ym2612ml.Patch? patch
---@return string? note  what was dropped from the file, if anything; or the message
---@return string? kind  "format"
function M.decode(bytes, format)
  check.type(bytes, "string", 1, "decode")
  return check_format(format, 2, "decode").decode(bytes)
end

--- Encodes a patch as the bytes of a file. Raises when a field is missing or out of
--- range.
---@param patch ym2612ml.Patch
---@param format string  "y12"
---@return string bytes
function M.encode(patch, format)
  check_patch(patch, 1, "encode")
  return check_format(format, 2, "encode").encode(patch)
end

--- Reads a patch file.
---@param path string
---@param format? string  default: by the path's extension
---@return ym2612ml.Patch? patch
---@return string? note  what was dropped from the file, if anything; or the message
---@return string? kind  "io" or "format"
function M.read(path, format)
  local entry, message, kind = format_of(path, format, 2, "read")
  if not entry then
    return nil, message, kind
  end
  local bytes
  bytes, message, kind = files.read(path)
  if not bytes then
    return nil, message, kind
  end
  local patch, note, failure = entry.decode(bytes)
  if not patch then
    return nil, ("%s: %s"):format(path, note), failure
  end
  return patch, note
end

--- Writes a patch file, whole or not at all. Raises when a field is missing or out of
--- range.
---@param path string
---@param patch ym2612ml.Patch
---@param format? string  default: by the path's extension
---@return true? done
---@return string? message
---@return string? kind  "io" or "format"
function M.write(path, patch, format)
  local entry, message, kind = format_of(path, format, 3, "write")
  check_patch(patch, 2, "write")
  if not entry then
    return nil, message, kind
  end
  return files.write(path, entry.encode(patch))
end

return M
