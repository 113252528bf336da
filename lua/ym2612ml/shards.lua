-- How a data set lies on the disk: a folder with an index and a folder for each shard,
-- whose arrays are NumPy's.
--
--   index.json         what was asked for, and what is needed to read the rest
--   train_00001/       a shard of the training set; valid_00001/, ... to validate with,
--                      test_00001/, ... to judge by, where there are such
--     NAME.npy         one of the arrays, a row a record
--     shard.json       how many records, what was left out, CRC-32 of each array's elements
--                      and SHA-256 of the index
--
-- The index does not grow with the shards, and a shard depends on nothing but the index:
-- folders that several machines made from one index may simply be put together. A shard
-- is made in a working folder and then renamed, so that it is there whole or not at all.
-- Which arrays there are is told by the layout of a kind of data set.
local attempt = require "ym2612ml.attempt"
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local files = require "ym2612ml.files"
local json = require "ym2612ml.json"
local lfs = require "ym2612ml.filesystem"
local store = require "ym2612ml.store"

local M = {}

---@class ym2612ml.Layout  of a kind of data set
---@field format string  how the index names it
---@field version integer
---@field arrays {name: string, type: ym2612ml.Type, width: fun(index: table): integer?}[]
---  width: numbers of a record, nil for one number without an axis of its own
---@field problem fun(index: table): string?  what is wrong with an index that was read

-- Splits and the fields of the index that count their records.
local SPLITS = { { "train", "count" }, { "valid", "validation" }, { "test", "test" } }

--- The most shards of a split: names have five digits.
M.most = 99999

local function join(folder, name)
  return folder .. "/" .. name
end

-- The table a JSON file holds, and its bytes; or nil, message, kind.
local function read_json(path)
  local bytes, message, kind = files.read(path)
  if not bytes then
    return nil, message, kind
  end
  local fine, value = attempt(json.decode, bytes)
  if not fine or type(value) ~= "table" then
    return nil, path .. ": is damaged (it is not JSON)", "format"
  end
  return value, bytes
end

local function is_count(value)
  return type(value) == "number" and value >= 0 and math.tointeger(value) ~= nil
end

-- What is wrong with an index that was read, or nil.
local function index_problem(index, layout)
  if index.format ~= layout.format then
    return ("is no index of a %s"):format(layout.format)
  elseif index.version ~= layout.version then
    return ("is of another version than %d"):format(layout.version)
  end
  local counted = is_count(index.shard_records) and index.shard_records > 0
  for _, split in ipairs(SPLITS) do
    local count = index[split[2]] or 0
    counted = counted and is_count(count) and count <= M.most * index.shard_records
  end
  if not counted then
    return "is damaged (it does not say how many records there are)"
  end
  return layout.problem(index)
end

---@class ym2612ml.Shard
---@field name string  of its folder, such as train_00001
---@field split "train"|"valid"|"test"
---@field number integer  from 1 in its split
---@field records integer
---@field path string
---@field arrays {name: string, type: ym2612ml.Type, width: integer?}[]
---@field settings string  SHA-256 of the index

-- The shards that an index asks for, made or not.
local function plan(folder, index, layout, digest)
  local list, arrays = {}, {}
  for i, array in ipairs(layout.arrays) do
    arrays[i] = { name = array.name, type = array.type, width = array.width(index) }
  end
  for _, split in ipairs(SPLITS) do
    local left = math.tointeger(index[split[2]] or 0)
    for number = 1, math.ceil(left / index.shard_records) do
      local name = ("%s_%05d"):format(split[1], number)
      list[#list + 1] = {
        name = name, split = split[1], number = number, path = join(folder, name), settings = digest,
        records = math.tointeger(math.min(index.shard_records, left)), arrays = arrays,
      }
      left = left - list[#list].records
    end
  end
  return list
end

-- Removes what is in a folder, but for what has the name kept, and the folder itself when
-- nothing is left in it. Links are not followed, and what cannot be removed stays.
local function remove_tree(path, kept)
  for _, name in ipairs(files.list(path) or {}) do
    local inner = join(path, name)
    if name ~= kept then
      if lfs.symlinkattributes(inner, "mode") == "directory" then
        remove_tree(inner)
      else
        os.remove(inner)
      end
    end
  end
  os.remove(path)
end

-- The first setting that differs between two indexes, in words.
local function difference(before, now)
  local keys = {}
  for _, index in ipairs { before, now } do
    for key in pairs(index) do
      keys[#keys + 1] = key
    end
  end
  table.sort(keys)
  for _, key in ipairs(keys) do
    local old = before[key] ~= nil and json.encode(before[key]) or "nothing"
    local new = now[key] ~= nil and json.encode(now[key]) or "nothing"
    if old ~= new then
      return #old + #new > 40 and key .. " differs" or ("%s is %s there and %s now"):format(key, old, new)
    end
  end
  return "they are written otherwise"
end

-- Whether the folder has this index; or nil, message, kind when it has another.
local function check_index(path, index, layout, text)
  if not lfs.symlinkattributes(path, "mode") then
    return false
  end
  local before, bytes, kind = read_json(path)
  local problem = before and index_problem(before, layout)
  if problem then
    before, bytes, kind = nil, ("%s: %s"):format(path, problem), "format"
  end
  if not before then
    local advice = kind == "format" and "; choose another folder, or remove it to have it written again" or ""
    return nil, bytes .. advice, kind
  elseif bytes ~= text then
    return nil, ("%s: this data set was begun with other settings (%s); choose another folder"):format(
      path, difference(before, index)), "input"
  end
  return true
end

---@class ym2612ml.DatasetPlace  a data set being made
---@field shards ym2612ml.Shard[]
---@field work string  working folder
---@field lock file*?  of who began

--- What there is to make, for a rank that works with one that began or will begin.
---@param folder string
---@param index table  as of `begin`
---@param layout ym2612ml.Layout
---@param part string
---@return ym2612ml.DatasetPlace place
---@return string text  of the index
function M.place(folder, index, layout, part)
  index.format, index.version = layout.format, layout.version
  local text = json.document(index)
  return {
    work = join(folder, ".work_" .. part), shards = plan(folder, index, layout, store.sha256(text)),
  }, text
end

--- Begins to make a data set, or to go on with it: makes the folder and its index, or
--- checks that the index is this one, and removes what an interrupted run left.
---@param folder string
---@param index table  the settings; format and version are added
---@param layout ym2612ml.Layout
---@param part string  of the shards, made by one run at a time: names the working folder
---@return ym2612ml.DatasetPlace? place
---@return string? message
---@return string? kind  "io", "format" or "input" (other settings)
function M.begin(folder, index, layout, part)
  local place, text = M.place(folder, index, layout, part)
  local path = join(folder, "index.json")
  local there, message, kind = check_index(path, index, layout, text)
  if there == nil then
    return nil, message, kind
  end
  for _, needed in ipairs { folder, place.work } do
    local made, reason, failure = files.make_folder(needed)
    if not made then
      return nil, reason, failure
    end
  end
  place.lock, message = io.open(join(place.work, "lock"), "w")
  if not place.lock then
    os.remove(place.work) -- fails where there is something in it
    return nil, message, "io"
  end
  if not lfs.lock(place.lock, "w") then -- the system lets go of it however a run ends
    place.lock:close()
    return nil, folder .. ": another run is making this part of the data set", "io"
  end
  remove_tree(place.work, "lock")
  -- the folder may be another by now
  there, message, kind = check_index(path, index, layout, text)
  if there == false then
    local draft = join(place.work, "index.json")
    there, message, kind = files.write(draft, text)
    if there then
      there, message, kind = files.rename(draft, path)
    end
  end
  if not there then
    M.finish(place)
    return nil, message, kind
  end
  return place
end

--- Ends the making, done or failed: removes the working folder.
---@param place ym2612ml.DatasetPlace
function M.finish(place)
  remove_tree(place.work) -- before another run can have the lock
  place.lock:close()
end

-- CRC-32 of the object without its own.
local function self_checksum(info)
  local copy = {}
  for key, value in pairs(info) do
    copy[key] = key ~= "crc32" and value or nil
  end
  return ("%08x"):format(core.crc32(json.encode(copy)))
end

--- Writes a shard, which appears whole or not at all. One that a run of other parts has
--- made meanwhile stays: it has the same bytes.
---@param place ym2612ml.DatasetPlace
---@param shard ym2612ml.Shard
---@param arrays table<string, ym2612ml.Tensor>  those of the layout
---@param dropped table<string, integer>  what was left out
---@return true? done
---@return string? message
---@return string? kind  "io"
function M.write(place, shard, arrays, dropped)
  local draft, sums = join(place.work, shard.name), {}
  local done, message, kind = files.make_folder(draft)
  for _, array in ipairs(shard.arrays) do
    local name = array.name
    if done then
      sums[name] = core.store.checksum("", { arrays[name] })
      done, message, kind = store.write_npy(join(draft, name .. ".npy"), arrays[name])
    end
  end
  if not done then
    return nil, message, kind
  end
  local info = { records = shard.records, dropped = dropped, arrays = sums, settings = shard.settings }
  info.crc32 = self_checksum(info)
  done, message, kind = files.write(join(draft, "shard.json"), json.document(info))
  if not done then
    return nil, message, kind
  end
  done, message, kind = files.rename(draft, shard.path)
  if not done and M.made(shard) then
    remove_tree(draft)
    return true
  end
  return done, message, kind
end

-- The info of a shard; or nil, message, kind.
local function read_info(shard)
  local path = join(shard.path, "shard.json")
  local info, bytes, kind = read_json(path)
  if not info then
    return nil, bytes, kind
  elseif info.crc32 ~= self_checksum(info) or bytes ~= json.document(info) then
    return nil, path .. ": is damaged (its checksum is wrong)", "format"
  elseif type(info.arrays) ~= "table" then
    return nil, path .. ": is damaged (it tells of no arrays)", "format"
  elseif info.settings ~= shard.settings or info.records ~= shard.records then
    return nil, path .. ": belongs to a data set with other settings", "format"
  end
  return info
end

-- Whether a file begins with these bytes.
local function begins_with(path, bytes)
  local file <close> = io.open(path, "rb")
  return file ~= nil and file:read(#bytes) == bytes
end

-- Whether this is the type and shape that an array of a shard has.
local function fits(shard, array, kind, shape)
  return kind == array.type and shape[1] == shard.records and shape[2] == array.width and not shape[3]
end

-- One array of a shard; or nil, message, kind.
local function read_checked(shard, info, array)
  local path = join(shard.path, array.name .. ".npy")
  local values, message, kind = store.read_npy(path)
  if not values then
    return nil, message, kind
  end
  if not fits(shard, array, values:type(), values:shape()) then
    return nil, path .. ": is damaged (its shape or type is wrong)", "format"
  elseif not begins_with(path, store.npy_header(values)) then
    return nil, path .. ": is damaged (its header is not as it was written)", "format"
  elseif core.store.checksum("", { values }) ~= info.arrays[array.name] then
    return nil, path .. ": is damaged (its checksum is wrong)", "format"
  end
  return values
end

-- The failure of reading a shard, with advice.
local function unreadable(shard, message, kind)
  return nil, ("%s; if that cannot be mended, remove the folder %s to have it made again"):format(
    message, shard.path), kind
end

--- Reads a shard into memory and checks it.
---@param shard ym2612ml.Shard  from open
---@return table<string, ym2612ml.Tensor>? arrays  those of the layout, a row a record
---@return table<string, integer>|string? dropped  how many draws were left out, by reason;
---  or a message that names the file
---@return string? kind  "io" or "format"
function M.read(shard)
  check.type(shard, "table", 1, "read")
  check.type(shard.path, "string", 1, "read")
  local info, message, kind = read_info(shard)
  local arrays = {}
  for _, array in ipairs(shard.arrays) do
    if info then
      arrays[array.name], message, kind = read_checked(shard, info, array)
      info = arrays[array.name] and info
    end
  end
  if not info then
    return unreadable(shard, message, kind)
  end
  return arrays, info.dropped
end

local function array_named(shard, name)
  for _, array in ipairs(shard.arrays) do
    if array.name == name then
      return array
    end
  end
end

--- Reads one array of a shard into memory and checks it.
---@param shard ym2612ml.Shard  from open
---@param name string
---@return ym2612ml.Tensor? values  a row a record
---@return string? message  names the file
---@return string? kind  "io" or "format"
function M.read_array(shard, name)
  local info, message, kind = read_info(shard)
  local values
  if info then
    values, message, kind = read_checked(shard, info, array_named(shard, name))
  end
  if not values then
    return unreadable(shard, message, kind)
  end
  return values
end

--- Opens one array of a shard to read some of its rows at a time, unchecked but for its
--- type and shape.
---@param shard ym2612ml.Shard  from open
---@param name string
---@return ym2612ml.NpyRows? rows  see store.open_npy
---@return string? message  names the file
---@return string? kind  "io" or "format"
function M.open_array(shard, name)
  local path = join(shard.path, name .. ".npy")
  local rows, message, kind = store.open_npy(path)
  if not rows then
    return unreadable(shard, message, kind)
  end
  if fits(shard, array_named(shard, name), rows.type, rows.shape) then
    return rows
  end
  rows:close()
  return unreadable(shard, path .. ": is damaged (its shape or type is wrong)", "format")
end

--- Whether a shard has been made.
---@param shard ym2612ml.Shard
---@return boolean
function M.made(shard)
  return lfs.symlinkattributes(shard.path, "mode") ~= nil
end

--- Opens a data set, complete or not.
---@param folder string
---@param layout ym2612ml.Layout
---@return {index: table, shards: ym2612ml.Shard[], missing: ym2612ml.Shard[]}? dataset
---  index: index.json, decoded; shards: those that are there; missing: not made yet
---@return string? message
---@return string? kind  "io" or "format"
function M.open(folder, layout)
  check.type(folder, "string", 1, "open")
  local path = join(folder, "index.json")
  local index, bytes, kind = read_json(path)
  if not index then
    return nil, bytes, kind
  end
  local problem = index_problem(index, layout)
  if problem then
    return nil, ("%s: %s"):format(path, problem), "format"
  end
  local opened, there = { index = index, shards = {}, missing = {} }, {}
  for _, name in ipairs(files.list(folder) or {}) do -- not one by one: an index may tell of 300,000
    there[name] = true
  end
  for _, shard in ipairs(plan(folder, index, layout, store.sha256(bytes))) do
    local list = there[shard.name] and opened.shards or opened.missing
    list[#list + 1] = shard
  end
  return opened
end

return M
