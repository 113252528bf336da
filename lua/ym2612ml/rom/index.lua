-- The index of a cartridge: what it plays and when, as a JSON document.
local attempt = require "ym2612ml.attempt"
local check = require "ym2612ml.check"
local files = require "ym2612ml.files"
local json = require "ym2612ml.json"
local line = require "ym2612ml.line"
local patches = require "ym2612ml.patch"

local M = {}

local FORMAT = "ym2612ml cartridge 1"
local MOST = 1 << 26 -- bytes; a full cartridge has less

--- Clocks of the consoles in Hz.
M.CLOCKS = { NTSC = 7670454, PAL = 7600489 }

---@class ym2612ml.CartridgeEntry
---@field number integer  1 and up, in the order of playing; its click says it
---@field name string
---@field note number  MIDI
---@field held number  seconds
---@field release number  seconds
---@field click number  seconds from the first click to its own
---@field start number  seconds from the first click to the first sample that the key-on
---  can change
---@field patch ym2612ml.Patch

--- Seconds are those of a console of the index's region; one of the other plays all
--- times, and with them the pitch, by 0.9 % longer or shorter.
---@class ym2612ml.CartridgeIndex
---@field region "NTSC"|"PAL"
---@field finish number  seconds from the first click to the last, which has no patch
---@field entries ym2612ml.CartridgeEntry[]

-- The registers of a patch, its operators as a list.
local function patch_object(patch)
  local object = { operators = { {}, {}, {}, {} } }
  for _, field in ipairs(patches.fields()) do
    if field.operator then
      object.operators[field.operator][field.name] = patch[field.operator][field.name]
    else
      object[field.name] = patch[field.name]
    end
  end
  return object
end

--- Raises unless a value is an index, as far as a look tells.
---@param index any
---@param argument integer  its number
---@param caller string  the function
function M.check(index, argument, caller)
  check.type(index, "table", argument, caller)
  if not M.CLOCKS[index.region] or type(index.entries) ~= "table" then
    check.misuse(("bad argument #%d to '%s' (expected an index of a cartridge)"):format(argument, caller))
  end
end

--- The document, with an entry a line.
---@param index ym2612ml.CartridgeIndex
---@return string text
function M.encode(index)
  M.check(index, 1, "encode_index")
  local lines = {}
  for i, entry in ipairs(index.entries) do
    local object = {}
    for key, value in pairs(entry) do
      object[key] = key == "patch" and patch_object(value) or value
    end
    lines[i] = json.encode(object)
  end
  return ('{\n"format": %s,\n"region": %s,\n"clock": %d,\n"finish": %s,\n"entries": [\n%s\n]\n}\n'):format(
    json.encode(FORMAT), json.encode(index.region), M.CLOCKS[index.region], json.encode(index.finish),
    table.concat(lines, ",\n"))
end

-- A patch with whole numbers; nil and what is wrong.
local function patch_of(object)
  if type(object) ~= "table" or type(object.operators) ~= "table" then
    return nil, "has no patch"
  end
  local function whole(from)
    local copy = {}
    for key, value in pairs(type(from) == "table" and from or {}) do
      copy[key] = type(value) == "number" and math.tointeger(value) or value
    end
    return copy
  end
  local patch = whole(object)
  patch.operators = nil
  for o = 1, 4 do
    patch[o] = whole(object.operators[o])
  end
  local problem = patches.problem(patch)
  if problem then
    return nil, "patch: " .. problem
  end
  return patch
end

local TIMES = { "note", "held", "release", "click", "start" }

-- The entry of an object, which must be of this number; nil and what is wrong.
local function entry_of(object, number)
  if type(object) ~= "table" or object.number ~= number or type(object.name) ~= "string" then
    return nil, "has not this number, or no name"
  end
  local entry = { number = number, name = object.name }
  for _, key in ipairs(TIMES) do
    local value = object[key]
    if type(value) ~= "number" or not (value >= 0 and value < math.huge) then
      return nil, ("'%s' is %s, expected a number of 0 or more"):format(key, tostring(value))
    end
    entry[key] = value
  end
  local patch, problem = patch_of(object.patch)
  entry.patch = patch
  return patch and entry, problem
end

--- The index that a document holds.
---@param text string
---@return ym2612ml.CartridgeIndex? index
---@return string? message
---@return string? kind  "format"
function M.decode(text)
  check.type(text, "string", 1, "decode_index")
  local fine, object = attempt(json.decode, text)
  if not fine or type(object) ~= "table" or object.format ~= FORMAT or not M.CLOCKS[object.region]
    or type(object.finish) ~= "number" or type(object.entries) ~= "table" then
    return nil, "not an index of a cartridge", "format"
  end
  local index = { region = object.region, finish = object.finish, entries = {} }
  local before = -1
  for i, found in ipairs(object.entries) do
    local entry, problem = entry_of(found, i)
    if entry and entry.click <= before then
      entry, problem = nil, "begins no later than the entry before it"
    end
    if not entry then
      return nil, ("entry %d %s"):format(i, line(problem)), "format"
    end
    index.entries[i], before = entry, entry.click
  end
  if #index.entries == 0 or not (index.finish > before and index.finish < math.huge) then
    return nil, "an index without entries, or whose end is before them", "format"
  end
  return index
end

--- Reads an index.
---@param path string
---@return ym2612ml.CartridgeIndex? index
---@return string? message  names the path
---@return string? kind  "io" or "format"
function M.read(path)
  check.type(path, "string", 1, "read_index")
  local text, message, kind = files.read(path, MOST)
  if not text then
    return nil, message, kind
  end
  local index
  index, message, kind = M.decode(text)
  if not index then
    return nil, ("%s: %s"):format(path, message), kind
  end
  return index
end

return M
