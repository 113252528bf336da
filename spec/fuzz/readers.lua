-- Every reader of files, each with what must hold of anything that it is given. The fuzzer,
-- its measure of coverage and the spec that replays the corpus share this list. Those of what
-- was learned are in learned.lua.
local core = require "ym2612ml.core"
local rom = require "ym2612ml.rom.index"
local ledgers = require "ym2612ml.cli.match.ledger"
local formats = require "ym2612ml.formats"
local learned = require "spec.fuzz.learned"
local traps = require "spec.fuzz.traps"
local ym = require "ym2612ml"

local M = {}

local KINDS = { io = true, format = true, input = true }
local LONGEST = 1000 -- bytes of a message
local FIELDS = ym.patch.fields() -- asked once: a copy is made of them each time

local open = io.open -- before there is a trap about it

local function write(path, bytes)
  local file <close> = assert(open(path, "wb"))
  file:write(bytes)
end

local function expect(fine, what, ...)
  if not fine then
    error(what:format(...), 2)
  end
end

-- Whether a reader succeeded; raises where it refused without a proper reason.
local function accepted(result, message, kind, path)
  if result then
    return true
  end
  expect(type(message) == "string" and #message > 0, "refused without a message")
  expect(KINDS[kind], "refused with kind %s", tostring(kind))
  expect(not message:find("%c"), "a message of several lines: %q", message)
  expect(#message < LONGEST, "a message of %d bytes", #message)
  expect(not path or message:find(path, 1, true), "a message without the path: %s", message)
  return false
end

local function check_notes(notes)
  expect(type(notes) == "table", "read without notes")
  for _, note in ipairs(notes) do
    expect(type(note) == "string" and not note:find("%c"), "a note of several lines: %q", tostring(note))
  end
end

-- A name but for spaces, quotes and control characters, which texts do not keep.
local function in_words(name)
  return ((name or ""):gsub("[%c%s\"']", ""))
end

local function check_same(patch, back, what)
  for _, field in ipairs(FIELDS) do
    local a = field.operator and patch[field.operator] or patch
    local b = field.operator and back[field.operator] or back
    expect((a[field.name] or 0) == (b[field.name] or 0), "%s: %s was %s, comes back as %s", what, field.name,
      tostring(a[field.name]), tostring(b[field.name]))
  end
  local name, returned = in_words(patch.name), in_words(back.name)
  expect(name == returned, "%s: name was %q, comes back as %q", what, name, returned)
end

-- What was read of a format must be written so that it reads the same.
local function check_written(list, format)
  local bytes = ym.patch.encode(#list > 1 and list or list[1], format.name)
  local back, message = ym.patch.decode_all(bytes, format.name)
  expect(back, "what was written is not read: %s", tostring(message))
  local order = formats.by_name[format.name].order
  local places = order and order(list)
  for i = 1, #list do
    local patch = list[places and places[i] or i]
    expect(back[i], "patch %d of %d does not come back", i, #list)
    check_same(patch, back[i], ("patch %d"):format(i))
  end
  expect(#back == #list, "%d patches were written, %d are read", #list, #back)
end

local by_name = {}
for _, format in ipairs(ym.patch.formats()) do
  by_name[format.name] = format
end

-- Reads patches as a format does; without one, by the content.
local function read_patches(bytes, name)
  local list, notes, kind = ym.patch.decode_all(bytes, name)
  if not accepted(list, notes, kind) then
    return
  end
  check_notes(notes)
  ym.patch.check_all(list)
  local format = by_name[name or list[1] and list[1].carried and list[1].carried.format]
  if format and format.writes and list[1] then
    check_written(list, format)
  end
end

local function add(name, sources, check)
  M[#M + 1] = { name = name, sources = sources, check = check }
end

for _, format in ipairs(ym.patch.formats()) do
  local name = format.name
  local file = (name == "tfi" or name == "vgi") and "tfi" or name
  add(name, { ("formats/%s.lua"):format(file) }, function(bytes)
    read_patches(bytes, name)
  end)
end

add("detect", {
  "formats/init.lua", "formats/layout.lua", "formats/cursor.lua", "formats/rows.lua", "patch.lua",
}, function(bytes, path)
  read_patches(bytes)
  local list, notes, kind = ym.patch.read_all(path)
  if accepted(list, notes, kind, path) then
    check_notes(notes)
  end
  local name = ym.patch.detect(bytes)
  expect(name == nil or by_name[name], "detected as %s", tostring(name))
  local one, other = { ym.patch.decode(bytes) }, { ym.patch.read(path) }
  accepted(table.unpack(one, 1, 3))
  accepted(other[1], other[2], other[3], path)
  if one[1] then
    expect(list and #list == 1 and other[1], "one patch, but not of the file")
  end
  local rows, message, failure = ym.dataset.read_patches(path)
  accepted(rows, message, failure, path)
end)

add("dx7", { "dx7.lua" }, function(bytes, path)
  local list, notes, kind = ym.dx7.decode(bytes)
  if accepted(list, notes, kind) then
    check_notes(notes)
  end
  accepted(ym.dx7.read(path))
end)

-- Tensors that were read are written and read again, the same.
add("safetensors", { "store.lua" }, function(bytes, path)
  local tensors, metadata, kind = ym.store.decode(bytes)
  local loaded, other, failure = ym.store.load(path)
  expect((tensors == nil) == (loaded == nil), "read from memory, but not from the file, or the other way")
  if accepted(tensors, metadata, kind) then
    local again = ym.store.encode(tensors, metadata)
    expect(ym.store.encode(loaded, other) == again, "the file holds other tensors than its bytes")
    local back, texts = ym.store.decode(again, { checked = true })
    expect(back and ym.store.encode(back, texts) == again, "comes back different")
  else
    accepted(loaded, other, failure, path)
  end
end)

add("npy", { "store.lua", "store/rows.lua" }, function(_, path)
  local value, message, kind = ym.store.read_npy(path)
  local read = accepted(value, message, kind, path)
  local rows
  rows, message, kind = ym.store.open_npy(path)
  if accepted(rows, message, kind, path) then
    expect(read, "has rows, but is not read whole")
    local shape = value:shape()
    if shape[1] > 0 then
      shape[1] = 1
      accepted(rows:read(ym.tensor.new(shape, value:type()), { 1 }))
    end
    rows:close()
  end
end)

add("chip", {}, function(bytes)
  local chip = ym.chip.new()
  local done, message, kind = chip:restore(bytes)
  if accepted(done, message, kind) then
    chip:run(20)
    expect(#chip:save() == #bytes, "a state of another size")
  end
end)

-- Files of music are decoded, mined, and played for a moment.
add("vgm", { "vgm/file.lua", "vgm/decoder.lua", "vgm/writes.lua", "vgm/mining.lua",
  "vgm/player.lua" }, function(bytes, path)
  local writes, header, tags = ym.vgm.decode(bytes)
  if accepted(writes, header, tags) then
    expect(writes:shape()[2] == 4, "writes of another shape")
    check_notes(header.notes)
    for _, text in pairs(tags) do
      expect(utf8.len(text), "a tag that is not UTF-8")
    end
  end
  local found, message, kind = ym.vgm.mine(path)
  if accepted(found, message, kind, path) then
    for _, entry in ipairs(found) do
      ym.patch.check(entry.patch)
    end
  end
  local samples, rate, notes = ym.vgm.render(path, { longest = 0.004, loops = 2 })
  if accepted(samples, rate, notes, path) then
    check_notes(notes)
  end
end)

add("gzip", {}, function(bytes)
  local unpacked, message, kind = core.gunzip(bytes)
  if accepted(unpacked, message, kind) and #unpacked < 2 ^ 14 then
    expect(core.gunzip(core.gzip(unpacked)) == unpacked, "what was packed is not unpacked")
  end
end)

add("audio", {}, function(_, path)
  local sound, message, kind = ym.audio.read(path)
  if accepted(sound, message, kind, path) then
    expect(#sound.samples > 0 and sound.rate > 0, "a sound of nothing")
    expect(math.abs(#sound.samples / sound.rate - sound.seconds) < 1, "of another length")
  end
end)

add("prior", { "prior.lua" }, function(_, path)
  local prior, message, kind = ym.prior.read(path)
  if accepted(prior, message, kind, path) then
    expect(ym.prior.encode(prior), "cannot be written")
  end
end)

add("cartridge", { "rom/index.lua" }, function(bytes, path)
  local index, message, kind = rom.decode(bytes)
  if accepted(index, message, kind) then
    expect(rom.decode(rom.encode(index)), "what was written is not read")
  end
  index, message, kind = rom.read(path)
  accepted(index, message, kind, path)
end)

add("table", { "bank.lua" }, function(_, path)
  local rows, message, kind = ym.dataset.read_patches(path)
  if accepted(rows, message, kind, path) then
    for _, row in ipairs(rows) do
      ym.patch.check(row.patch)
    end
  end
  for _, row in ipairs(assert(ym.dataset.read_patches(path:match "^(.*)/"))) do
    expect(row.patch or accepted(nil, row.message, "format", path) == false, "a row of nothing")
  end
end)

-- Its file has to be of this name in a folder.
add("ledger", { "cli/match/ledger.lua" }, function(_, path)
  local ledger = ledgers.open(path:match("^(.*)/[^/]*$") or ".")
  for _, known in ipairs(ledger:all()) do
    ledger:find(known.stem, known.digest, "")
    expect(type(known.stem) == "string", "a sound without a name")
  end
  for stem, known in pairs(ledger.sounds) do
    ledger:find(stem, type(known) == "table" and known.digest, type(known) == "table" and known.settings)
  end
end)

-- The index of a data set, whose shards are not there.
add("dataset", { "shards.lua" }, function(_, path)
  local data, message, kind = ym.dataset.open(path:match "^(.*)/")
  if accepted(data, message, kind, path) then
    local shard = data.shards[1] or data.missing[1]
    if shard then
      accepted(require("ym2612ml.shards").read(shard))
    end
  end
end)

learned.add(add, accepted, write)

for _, reader in ipairs(M) do
  M[reader.name] = reader
end

local FILE_NAMES = {
  ledger = ".matches.json", table = "input.csv", dataset = "index.json", learner = "model.json", shard = "shard.json",
}

--- The name that a reader's file has to have.
---@param name string
---@return string
function M.file_name(name)
  return FILE_NAMES[name] or "input"
end

--- The readers of these names, or without any all.
---@param names string[]
---@return string[] names
function M.chosen(names)
  local list = {}
  for i, reader in ipairs(M) do
    list[i] = reader.name
  end
  for _, name in ipairs(names) do
    expect(M[name], "no reader is called %s", name)
  end
  return names[1] and names or list
end

--- Gives bytes to a reader. Raises where something does not hold. The traps must be set.
---@param name string
---@param bytes string
---@param path string  a file that holds them
function M.try(name, bytes, path)
  local fine, problem = xpcall(M[name].check, debug.traceback, bytes, path)
  if traps.tried then
    error("nothing read may call " .. traps.tried, 0)
  elseif not fine then
    error(problem, 0)
  end
end

return M
