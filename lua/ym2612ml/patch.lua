-- Patches: the core's functions, and files of any registered format.
local attempt = require "ym2612ml.attempt"
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local dx7 = require "ym2612ml.dx7"
local files = require "ym2612ml.files"
local formats = require "ym2612ml.formats"
local line = require "ym2612ml.line"
local loss = require "ym2612ml.formats.loss"

local M = {}

for name, value in pairs(core.patch) do
  if not name:find("y12", 1, true) then
    M[name] = value
  end
end

local READ, WRITTEN = {}, {} -- names of formats, in words
for _, format in ipairs(formats.list) do
  READ[#READ + 1] = format.name
  WRITTEN[#WRITTEN + 1] = format.encode and format.name or nil
end
READ = "expected " .. table.concat(READ, ", ")
WRITTEN = "expected " .. table.concat(WRITTEN, ", ")

local DX7 = "holds voices of a DX7, which are no patches (`ym2612ml bank list` shows them)"
local LARGEST = 1 << 22 -- bytes of a file that is read

-- The format of this name; argument and caller tell who was given it.
local function check_format(name, argument, caller, writing)
  local format = formats.by_name[name]
  if not format or writing and not format.encode then
    check.misuse(("bad argument #%d to '%s' (format %s, %s)"):format(argument, caller, tostring(name),
      writing and WRITTEN or READ))
  end
  return format
end

-- The format to write a path in: the one named, or else that of its extension; or nil,
-- message, "format".
local function format_to_write(path, name)
  check.type(path, "string", 1, "write")
  if name ~= nil then
    return check_format(name, 3, "write", true)
  end
  local format = formats.by_extension[files.ending(path)]
  if not format or not format.encode then
    return nil, ("%s: not a patch format that can be written, %s"):format(path, WRITTEN), "format"
  end
  return format
end

--- What is wrong with a patch, in words, as `write` would raise it.
---@param patch any
---@return string? problem  nil when nothing is
function M.problem(patch)
  local fine, message = attempt(core.patch.check, patch)
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

---@class ym2612ml.Format
---@field name string
---@field extension string  of the files that are written
---@field extensions string[]  of all that are read
---@field title string
---@field depths boolean  whether files hold vibrato and tremolo: AMS, FMS and AM
---@field lfo boolean  whether they hold the speed of the LFO, too
---@field many boolean  whether a file holds several patches
---@field writes boolean  whether it can be written, not only read
---@field nameless boolean  whether a patch's name is that of its file
---@field versions? integer[]  that can be written, where it can be chosen

--- The patch formats.
---@return ym2612ml.Format[]
function M.formats()
  local list = {}
  for i, format in ipairs(formats.list) do
    list[i] = {
      name = format.name, extension = format.extensions[1], extensions = { table.unpack(format.extensions) },
      title = format.title, depths = format.depths or format.lfo or false, lfo = format.lfo or false,
      many = format.many or false, writes = format.encode ~= nil,
      nameless = format.nameless or false, versions = format.versions and { table.unpack(format.versions) },
    }
  end
  return list
end

--- The endings of patch files that folders are searched for, lower case, without dot: of
--- all formats but those whose endings other files often have (text, C).
---@return table<string, true>
function M.endings()
  local set = {}
  for extension, format in pairs(formats.by_extension) do
    set[extension] = not format.common or nil
  end
  return set
end

--- The format of a file, by its content; where that leaves several, by its ending.
---@param bytes string
---@param ending? string  lower case, without dot
---@return string? name  nil: of none of the formats
function M.detect(bytes, ending)
  check.type(bytes, "string", 1, "detect")
  local format = formats.detect(bytes, ending or "")
  return format and format.detect(bytes) > 0 and format.name or nil
end

-- The patches in bytes; or nil, message, "format".
local function decode_list(bytes, format, ending)
  format = format or formats.detect(bytes, ending)
  if not format then
    return nil, dx7.is_message(bytes) and DX7 or "of no known patch format, " .. READ, "format"
  end
  local list, notes = format.decode(bytes)
  if not list then
    return nil, line(notes), "format"
  end
  for i, note in ipairs(notes) do
    notes[i] = line(note)
  end
  local said = formats.by_extension[ending]
  if said and said ~= format then
    table.insert(notes, 1, ("is not what its ending says, and read as %s"):format(format.name))
  end
  return list, notes, format
end

-- One patch out of a list of one, and its notes as a text; or nil, message, "format".
local function only_one(list, notes)
  if not list[1] then
    return nil, #notes > 0 and "holds no patch: " .. table.concat(notes, "; ") or "holds no patch", "format"
  elseif list[2] then
    return nil, ("holds %d patches, expected one (read_all reads them)"):format(#list), "format"
  end
  return list[1], notes[1] and table.concat(notes, "; ") or nil
end

--- Decodes the bytes of a patch file with one patch.
---@param bytes string
---@param format? string  name of a format; default: by the content
---@return ym2612ml.Patch? patch
---@return string? note  what was dropped from the file, if anything; or the message
---@return string? kind  "format"
function M.decode(bytes, format)
  check.type(bytes, "string", 1, "decode")
  local list, notes, kind = decode_list(bytes, format ~= nil and check_format(format, 2, "decode") or nil, "")
  if not list then
    return nil, notes, kind
  end
  return only_one(list, notes)
end

--- Decodes the bytes of a patch file with any number of patches.
---@param bytes string
---@param format? string  name of a format; default: by the content
---@return ym2612ml.Patch[]? list
---@return string[]|string notes  what was dropped from the file; or the message
---@return string? kind  "format"
function M.decode_all(bytes, format)
  check.type(bytes, "string", 1, "decode_all")
  local list, notes, kind = decode_list(bytes, format ~= nil and check_format(format, 2, "decode_all") or nil, "")
  return list, notes, not list and kind or nil
end

-- Whether what is to be written is a list of patches, rather than one.
local function is_list(value)
  return type(value) == "table" and value.algorithm == nil and type(value[1]) == "table"
    and value[1].algorithm ~= nil
end

-- The patches to be written, one or a list, checked, as a list.
local function check_patches(value, format, argument, caller)
  if not is_list(value) then
    check_patch(value, argument, caller)
    return { value }
  end
  M.check_all(value, argument, caller)
  local most = format and (format.most or not format.many and 1)
  if most and #value > most then
    check.misuse(("bad argument #%d to '%s' (%d patches, a .%s file holds %d)"):format(argument, caller, #value,
      format.extensions[1], most))
  end
  return value
end

local OPTIONS = { version = { type = "integer" } }

local function check_version(options, format, argument, caller)
  options = check.options(options, OPTIONS, argument, caller)
  for _, version in ipairs(format and format.versions or {}) do
    if version == options.version then
      return options
    end
  end
  if options.version and format then
    check.misuse(("bad argument #%d to '%s' (version %d of %s, expected %s)"):format(argument, caller, options.version,
      format.name, format.versions and table.concat(format.versions, " or ") or "none"))
  end
  return options
end

--- Encodes a patch, or a list of patches, as the bytes of a file. Raises when a field is
--- missing or out of range, and where the format holds fewer patches. What was read from a
--- file of the same format and does not belong to patches is written again, if it still is
--- in `carried`, a field of the patches and of the list.
---@param patch ym2612ml.Patch|ym2612ml.Patch[]
---@param format string
---@param options? {version?: integer}  of the format, where it has several
---@return string bytes
function M.encode(patch, format, options)
  local found = formats.by_name[format]
  local list = check_patches(patch, found, 1, "encode")
  check_format(format, 2, "encode", true)
  return found.encode(list, check_version(options, found, 3, "encode"))
end

--- What a format cannot hold of a patch, or of a list of patches in one file: every field
--- that would be read back with another meaning, names without spaces at their ends.
---@param patch ym2612ml.Patch|ym2612ml.Patch[]
---@param format string
---@param options? {version?: integer}
---@return ym2612ml.Loss[] losses
function M.lossy(patch, format, options)
  local found = formats.by_name[format]
  local list = check_patches(patch, found, 1, "lossy")
  check_format(format, 2, "lossy", true)
  local back = found.decode(found.encode(list, check_version(options, found, 3, "lossy")))
  return loss.between(list, back, found.order and found.order(list))
end

-- The patches of a file; or nil, message, kind.
local function read_list(path, format)
  local bytes, message, failure = files.read(path, LARGEST)
  if not bytes then
    return nil, message, failure
  end
  local list, notes, found = decode_list(bytes, format, files.ending(path))
  if not list then
    return nil, ("%s: %s"):format(path, notes), found
  elseif found.nameless then
    list[1].name = path:match("([^/]+)%.[^./]*$") or path:match("[^/]*$")
  end
  return list, notes
end

--- Reads a patch file with one patch.
---@param path string
---@param format? string  default: by the content, and by the path's extension where
---  content leaves several
---@return ym2612ml.Patch? patch
---@return string? note  what was dropped from the file, if anything; or the message
---@return string? kind  "io" or "format"
function M.read(path, format)
  check.type(path, "string", 1, "read")
  local list, notes, kind = read_list(path, format ~= nil and check_format(format, 2, "read") or nil)
  if not list then
    return nil, notes, kind
  end
  local patch, note
  patch, note, kind = only_one(list, notes)
  if not patch then
    return nil, ("%s: %s"):format(path, note), kind
  end
  return patch, note
end

--- Reads a patch file with any number of patches; a bank without patches for the chip is
--- an empty list.
---@param path string
---@param format? string  as for `read`
---@return ym2612ml.Patch[]? list
---@return string[]|string notes  what was dropped from the file; or the message
---@return string? kind  "io" or "format"
function M.read_all(path, format)
  check.type(path, "string", 1, "read_all")
  return read_list(path, format ~= nil and check_format(format, 2, "read_all") or nil)
end

--- Writes a patch file, whole or not at all. Raises when a field is missing or out of
--- range, and where the format holds fewer patches.
---@param path string
---@param patch ym2612ml.Patch|ym2612ml.Patch[]
---@param format? string  default: by the path's extension
---@param options? {version?: integer}  as for `encode`
---@return true? done
---@return string? message
---@return string? kind  "io" or "format"
function M.write(path, patch, format, options)
  local found, message, kind = format_to_write(path, format)
  local list = check_patches(patch, found, 2, "write")
  options = check_version(options, found, 4, "write")
  if not found then
    return nil, message, kind
  end
  return files.write(path, found.encode(list, options))
end

return M
