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
    check.misuse(("bad argument #%d to '%s' (format %s, %s)"):format(argument, caller, tostring(name), EXPECTED))
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
  return heard[algorithm][operator] == true
end

--- The patch formats that can be read and written.
---@return {name: string, extension: string, title: string}[]
function M.formats()
  local list = {}
  for i, format in ipairs(formats) do
    list[i] = { name = format.name, extension = format.extension, title = format.title }
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
  M.check(patch)
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
  M.check(patch)
  local entry, message, kind = format_of(path, format, 3, "write")
  if not entry then
    return nil, message, kind
  end
  return files.write(path, entry.encode(patch))
end

return M
