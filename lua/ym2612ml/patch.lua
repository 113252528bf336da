-- Patches: the core's functions, and files of any registered format.
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

local function check_format(name, argument, level)
  local format = by_name[name]
  if not format then
    error(("bad argument #%d (format %s, expected %s)"):format(argument, tostring(name), table.concat(names, ", ")), level + 1)
  end
  return format
end

-- The format named, or else that of the path's extension, or nil.
local function format_of(path, name, level)
  if name ~= nil then
    return check_format(name, 2, level + 1)
  end
  return by_extension[(path:match("%.([^./]+)$") or ""):lower()]
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
  if type(bytes) ~= "string" then
    error(("bad argument #1 to 'decode' (string expected, got %s)"):format(type(bytes)), 2)
  end
  return check_format(format, 2, 2).decode(bytes)
end

--- Encodes a patch as the bytes of a file. Raises when a field is missing or out of
--- range.
---@param patch ym2612ml.Patch
---@param format string  "y12"
---@return string bytes
function M.encode(patch, format)
  M.check(patch)
  return check_format(format, 2, 2).encode(patch)
end

--- Reads a patch file.
---@param path string
---@param format? string  default: by the path's extension
---@return ym2612ml.Patch? patch
---@return string? note  what was dropped from the file, if anything; or the message
---@return string? kind  "io" or "format"
function M.read(path, format)
  local entry = format_of(path, format, 2)
  if not entry then
    return nil, ("%s: not a known patch format, expected %s"):format(path, table.concat(names, ", ")), "format"
  end
  local bytes, message, kind = files.read(path)
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
  local entry = format_of(path, format, 2)
  if not entry then
    return nil, ("%s: not a known patch format, expected %s"):format(path, table.concat(names, ", ")), "format"
  end
  return files.write(path, entry.encode(patch))
end

return M
