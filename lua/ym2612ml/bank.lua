-- Real patches to learn from, read from tables and folders, and their two parts: one to
-- learn from and one kept aside.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local files = require "ym2612ml.files"
local line = require "ym2612ml.line"
local lfs = require "ym2612ml.filesystem"
local patches = require "ym2612ml.patch"

local M = {}

local FIELDS = patches.fields()

-- A cell's text, or nil when it is empty or its column is missing.
local function filled(text)
  return text ~= "" and text or nil
end

-- One row of a table of patches; detune as the register holds it, 0..7.
local function patch_of_row(row)
  local patch = {}
  for _, field in ipairs(FIELDS) do
    local name = field.operator and ("op%d_%s"):format(field.operator, field.name) or field.name
    local value = math.tointeger(tonumber(row[name]))
    if not value and (filled(row[name]) or not field.optional) then
      return nil, ("column %s is %s, expected a whole number"):format(name, tostring(row[name]))
    end
    if field.name == "dt" and value >= 4 then
      value = 4 - value
    end
    if field.operator then
      patch[field.operator] = patch[field.operator] or {}
      patch[field.operator][field.name] = value
    else
      patch[field.name] = value
    end
  end
  local problem = patches.problem(patch)
  if problem then
    return nil, problem
  end
  patch.name = row.name
  return patch
end

-- Splits a CSV line; fields in double quotes may hold commas and doubled quotes.
local function split_csv(text)
  local fields, position, closed = {}, 1, true
  repeat
    local quoted, after
    if closed and text:byte(position) == 0x22 then
      quoted, after = text:match('^"(.-)"()%f[,\0]', position)
      closed = after ~= nil -- where no quote follows that closes this one, none closes another
    end
    if quoted then
      fields[#fields + 1] = quoted:gsub('""', '"')
      position = after + 1
    else
      local comma = text:find(",", position, true) or #text + 1
      fields[#fields + 1] = text:sub(position, comma - 1)
      position = comma + 1
    end
  until position > #text + 1
  return fields
end

-- The rows of a table; or nil, message, kind.
local function read_table(path)
  local bytes, message, kind = files.read(path)
  if not bytes then
    return nil, message, kind
  end
  local names, rows = nil, {}
  for text in bytes:gsub("^\xEF\xBB\xBF", ""):gmatch("[^\r\n]+") do -- without a byte order mark
    local fields = split_csv(text)
    if not names then
      names = fields
    else
      local row = {}
      for i, name in ipairs(names) do
        row[name] = fields[i]
      end
      local patch, reason = patch_of_row(row)
      if not patch then
        return nil, ("%s: row %d: %s"):format(path, #rows + 2, line(reason)), "format"
      end
      rows[#rows + 1] = { patch = patch, split = filled(row.split), family = filled(row.family) }
    end
  end
  return rows
end

local READ = { csv = true } -- endings of files with patches
for ending in pairs(patches.endings()) do
  READ[ending] = true
end

-- Whether a file is a table: by its ending, or else since its content is none of the patch
-- formats.
local function is_table(path)
  local ending = files.ending(path)
  if ending == "csv" or READ[ending] then
    return ending == "csv"
  end
  local bytes = files.read(path)
  return bytes and not patches.detect(bytes, ending)
end

-- The rows of a file, a table or patches; or nil, message, kind.
local function read_file(path)
  if is_table(path) then
    return read_table(path)
  end
  local list, message, kind = patches.read_all(path)
  if not list then
    return nil, message, kind
  end
  local rows = {}
  for i, patch in ipairs(list) do
    rows[i] = { patch = patch }
  end
  return rows
end

---@class ym2612ml.PatchRow
---@field patch? ym2612ml.Patch
---@field split? string  of a table that has this column and a value in it: "train" or
---  "valid"
---@field family? string  likewise
---@field message? string  why there is no patch

--- Reads real patches: a CSV table with a column for each field (`algorithm`,
--- `op1_mul`, ...; `dt` as the register's 0..7; optionally `split` = train or valid,
--- `family` and `name`), a patch file of any format, or a folder of patch files and such
--- tables.
---@param path string
---@return ym2612ml.PatchRow[]? rows  a file of a folder that cannot be read has a row of
---  its own, with a message and no patch
---@return string? message
---@return string? kind
function M.read_patches(path)
  check.type(path, "string", 1, "read_patches")
  if lfs.attributes(path, "mode") ~= "directory" then
    return read_file(path)
  end
  local list, failures = files.expand({ path }, READ, "patches")
  local failure = failures[path]
  if failure then
    return nil, failure.message, failure.kind
  end
  local rows = {}
  for _, found in ipairs(list) do
    local inner, message = nil, failures[found] and failures[found].message
    if not message then
      inner, message = read_file(found)
    end
    inner = inner or { { message = message } }
    table.move(inner, 1, #inner, #rows + 1, rows)
  end
  return rows
end

-- The names of families in random order, without repetition: a row without one is its
-- own, whose name is its number.
local function shuffled_families(rows, seed)
  local names, seen = {}, {}
  for i, row in ipairs(rows) do
    local family = row.family or i
    if row.patch and not row.split and not seen[family] then
      seen[family] = true
      names[#names + 1] = family
    end
  end
  return core.rng.new { seed = seed, stream = 1 }:shuffle(names)
end

--- The two parts of real patches: those to learn from, and those kept aside to validate
--- with. A row goes where its `split` says (a value other than train or valid: to
--- neither). Of the other rows, families drawn by seed are kept aside, whole, so that no
--- near-duplicate of a patch is in the other part; a row without family is its own.
---@param rows ym2612ml.PatchRow[]
---@param aside number  share of these families, 0..1; of two or more, if it is not 0, at
---  least one, and never all
---@param seed integer
---@return ym2612ml.Patch[] training
---@return ym2612ml.Patch[] validation
function M.parts(rows, aside, seed)
  check.type(rows, "table", 1, "parts")
  check.type(aside, "number", 2, "parts")
  local families, kept = shuffled_families(rows, check.integer(seed, 3, "parts")), {}
  local count = math.max(aside > 0 and 1 or 0, math.floor(aside * #families + 0.5))
  for i = 1, math.min(count, #families - 1) do
    kept[families[i]] = true
  end
  local training, validation = {}, {}
  for i, row in ipairs(rows) do
    local split = row.split or (kept[row.family or i] and "valid" or "train")
    local part = split == "train" and training or split == "valid" and validation
    if row.patch and part then
      part[#part + 1] = row.patch
    end
  end
  return training, validation
end

return M
