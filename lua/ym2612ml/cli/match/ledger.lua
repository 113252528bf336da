-- What has been matched in a folder of patches, in a hidden file there: with it a run
-- that was stopped goes on where it was.
local attempt = require "ym2612ml.attempt"
local files = require "ym2612ml.files"
local json = require "ym2612ml.json"
local lfs = require "ym2612ml.filesystem"
local paths = require "ym2612ml.cli.paths"
local ym = require "ym2612ml"

local M = {}

local NAME = ".matches.json"
local VERSION = 1
local SELDOM = 2 -- seconds between two writings of the file

local Ledger = {}
Ledger.__index = Ledger
Ledger.__name = "ym2612ml.ledger"

--- Reads the ledger of a folder; where there is none that can be read, an empty one.
---@param folder string
---@return table ledger
function M.open(folder)
  local self = setmetatable({ folder = folder, path = paths.join(folder, NAME), sounds = {} }, Ledger)
  local bytes = files.read(self.path)
  local decoded, document = attempt(json.decode, bytes or "")
  if decoded and type(document) == "table" and document.version == VERSION and type(document.sounds) == "table" then
    self.sounds = document.sounds
  end
  return self
end

--- What tells the content of sounds from that of all others.
---@param list string[]  paths
---@return string? digest  nil when one cannot be read
function M.digest(list)
  local sums = {}
  for i, path in ipairs(list) do
    sums[i] = ym.store.sha256_file(path)
    if not sums[i] then
      return nil
    end
  end
  return table.concat(sums, " ")
end

-- Whether a file of this name is in the folder itself: a ledger that came with the folder
-- leads nowhere else.
local function is_there(folder, name)
  return type(name) == "string" and not name:find("/", 1, true)
    and lfs.attributes(paths.join(folder, name), "mode") == "file"
end

-- Whether a document is one that `record` was given, and its files are still there.
local function holds(folder, document)
  if type(document) ~= "table" or type(document.matches) ~= "table" or #document.matches == 0
    or type(document.note) ~= "number" or type(document.held) ~= "number" then
    return false
  end
  for _, entry in ipairs(document.matches) do
    if type(entry) ~= "table" or type(entry.distance) ~= "number" or not is_there(folder, entry.patch)
      or not is_there(folder, entry.audition) then
      return false
    end
  end
  return true
end

--- The document of a sound that was matched before, with the same settings, and whose
--- files are there.
---@param stem string  what the names of its files begin with
---@param digest string  of its content
---@param fingerprint string  of the settings
---@return table? document  a copy, with before = true
function Ledger:find(stem, digest, fingerprint)
  local known = self.sounds[stem]
  local same = type(known) == "table" and known.digest == digest and known.settings == fingerprint
  if not same or not holds(self.folder, known.document) then
    return nil
  end
  local document = { before = true }
  for key, value in pairs(known.document) do
    document[key] = value
  end
  return document
end

-- The paths of a sound's files: as they were recorded, or, by an earlier version, as they
-- were given.
local function paths_of(known)
  local list, found = known.paths, {}
  if type(list) ~= "table" then
    list = type(known.document.group) == "table" and known.document.group or { known.document.file }
  end
  for i, path in ipairs(list) do
    found[i] = tostring(path)
  end
  return found
end

--- All sounds that were matched and whose files are there, by the names of these.
---@return {stem: string, digest: string, document: table, paths: string[]}[]
function Ledger:all()
  local list = {}
  for stem, known in pairs(self.sounds) do
    local found = type(known) == "table" and holds(self.folder, known.document) and paths_of(known)
    if found and found[1] then
      list[#list + 1] = { stem = stem, digest = known.digest, document = known.document, paths = found }
    end
  end
  table.sort(list, function(a, b)
    return a.stem < b.stem
  end)
  return list
end

--- Forgets a sound, whose files are about to change.
---@param stem string
function Ledger:forget(stem)
  self.changed = self.changed or self.sounds[stem] ~= nil
  self.sounds[stem] = nil
end

--- Records a sound that was matched.
---@param stem string
---@param digest string
---@param fingerprint string
---@param document table
---@param list string[]  paths of the sounds, of which a report will want to know
function Ledger:record(stem, digest, fingerprint, document, list)
  local found = {}
  for i, path in ipairs(list) do
    found[i] = paths.absolute(path)
  end
  self.sounds[stem] = { digest = digest, settings = fingerprint, document = document, paths = found }
  self.changed = true
end

--- Writes the ledger, whole or not at all.
---@param now? boolean  false: only if it was not written just now
---@return true? done
---@return string? message
function Ledger:save(now)
  if now == false and (not self.changed or self.saved and ym.clock() - self.saved < SELDOM) then
    return true
  end
  self.changed, self.saved = false, ym.clock()
  return files.write(self.path, json.document { version = VERSION, sounds = next(self.sounds) and self.sounds or nil })
end

return M
