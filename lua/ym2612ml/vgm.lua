-- VGM files, the register writes of a piece of music with their times: written to
-- audition patches, read, searched for patches, and played on the chip.
local attempt = require "ym2612ml.attempt"
local audition = require "ym2612ml.vgm.audition"
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local files = require "ym2612ml.files"
local mining = require "ym2612ml.vgm.mining"
local patches = require "ym2612ml.patch"
local player = require "ym2612ml.vgm.player"
local vgm = require "ym2612ml.vgm.file"
local writes = require "ym2612ml.vgm.writes"

local M = {}

local TAGS = {}
for _, name in ipairs(vgm.TAGS) do
  TAGS[name] = true
end

local WRITE_RULES = {
  note = { type = { "number", "table" }, default = 60 },
  held = { type = "number", least = 0, most = 600, default = 1 },
  release = { type = "number", least = 0, most = 600, default = 0.5 },
  gap = { type = "number", least = 0.02, most = 600, default = 0.1 },
  clock = { type = "integer", least = vgm.SLOWEST, most = vgm.FASTEST, default = vgm.CLOCK },
  tags = { type = "table", default = {} },
}

local RENDER_RULES = {
  chip = { choices = { "ym2612", "ym3438", "clean" } },
  loops = { type = "integer", least = 1, most = 100, default = 1 },
  longest = { type = "number", least = 0, most = 3600, default = 900 },
  rate = { type = "integer", least = 1000, most = 655350 },
  raw = { type = "boolean", default = false },
}

local MINE_RULES = { keep_levels = { type = "boolean", default = false } }

local function misuse(argument, name, message, ...)
  check.misuse(("bad argument #%d to '%s' (%s)"):format(argument, name, message:format(...)))
end

-- Notes as a list; raises for what is none, or above what the chip plays.
local function check_notes(note, clock, argument, caller)
  local notes = type(note) == "table" and note or { note }
  if #notes == 0 then
    misuse(argument, caller, "option 'note' is an empty list, expected MIDI notes")
  end
  for _, value in ipairs(notes) do
    if type(value) ~= "number" or not attempt(core.pitch_of, value, clock) then
      misuse(argument, caller, "option 'note' is %s, expected MIDI notes that the chip can play", tostring(value))
    end
  end
  return notes
end

local function check_tags(tags, argument, caller)
  for name, text in pairs(tags) do
    if not TAGS[name] then
      misuse(argument, caller, "option 'tags': unknown tag '%s'", tostring(name))
    elseif type(text) ~= "string" or not utf8.len(text) then
      misuse(argument, caller, "option 'tags': %s is %s, expected a string in UTF-8", name, tostring(text))
    end
  end
  return tags
end

local function build(list, options, argument, caller)
  patches.check_all(list, argument, caller)
  local checked = check.options(options, WRITE_RULES, argument + 1, caller)
  checked.notes = check_notes(checked.note, checked.clock, argument + 1, caller)
  local tags = { system = "Sega Mega Drive / Genesis", converter = "ym2612ml" }
  for name, text in pairs(check_tags(checked.tags, argument + 1, caller)) do
    tags[name] = text
  end
  checked.tags = tags
  return audition.build(list, checked)
end

---@class ym2612ml.VgmWriteOptions
---@field note? number|number[]  MIDI, default 60; a list: each patch plays them all
---@field held? number     seconds a key is down, default 1, at most 600
---@field release? number  seconds after it, default 0.5, at most 600
---@field gap? number      seconds of silence after that, at least, default 0.1, 0.02..600
---@field clock? integer   Hz of the chip, default 7670454 (NTSC); PAL 7600489
---@field tags? ym2612ml.VgmTags  in UTF-8; system and converter have defaults

---@class ym2612ml.VgmMark
---@field patch integer  which of them, from 1
---@field note number    MIDI
---@field time number    seconds until the key goes down

--- The bytes of an audition: every patch after the other on channel 1, each note from
--- silence and, for which gaps are made longer by up to a quarter of a second, at the same
--- phase of the envelopes' clock: `ym.vgm.render` gives the samples of `ym.render`, but
--- where the LFO plays.
---@param list ym2612ml.Patch[]
---@param options? ym2612ml.VgmWriteOptions
---@return string? bytes  of a .vgm
---@return ym2612ml.VgmMark[]|string index  or a message
---@return string? kind  "input": they take longer than a VGM can, 27 hours
function M.encode(list, options)
  return build(list, options, 1, "encode")
end

--- Writes an audition, packed when the path ends in .vgz, whole or not at all.
---@param path string
---@param list ym2612ml.Patch[]
---@param options? ym2612ml.VgmWriteOptions
---@return ym2612ml.VgmMark[]? index
---@return string? message  names the path
---@return string? kind     "io", or "input": they take longer than a VGM can, 27 hours
function M.write(path, list, options)
  check.type(path, "string", 1, "write")
  local bytes, index, problem = build(list, options, 2, "write")
  if not bytes then
    return nil, ("%s: %s"):format(path, index), problem
  end
  if files.ending(path) == "vgz" then
    bytes = assert(core.gzip(bytes))
  end
  local done, message, kind = files.write(path, bytes)
  if not done then
    return nil, message, kind
  end
  return index
end

-- Writes, header and tags of a file.
local function read(source)
  local all, notes, kind = writes.all(source)
  if not all then
    return nil, notes, kind
  end
  source.header.notes = notes
  return all, source.header, source.tags
end

--- The writes to the YM2612 in the bytes of a .vgm or .vgz. What of it is read although
--- it is not as it should be is in header.notes.
---@param bytes string
---@return ym2612ml.Tensor? writes  i32 (writes, 4): time in 44100ths of a second, port 0
---  or 1, register, value, in order of time; what a loop repeats is there once
---@return ym2612ml.VgmHeader|string header  or the message
---@return ym2612ml.VgmTags|string tags      or the kind: "format"
function M.decode(bytes)
  check.type(bytes, "string", 1, "decode")
  local source, message, kind = vgm.parse(bytes)
  if not source then
    return nil, message, kind
  end
  return read(source)
end

--- The writes to the YM2612 in a .vgm or .vgz file, as `decode` gives them.
---@param path string
---@return ym2612ml.Tensor? writes  i32 (writes, 4): time in 44100ths of a second, port,
---  register, value
---@return ym2612ml.VgmHeader|string header  or the message, which names the path
---@return ym2612ml.VgmTags|string tags      or the kind: "io" or "format"
function M.read(path)
  check.type(path, "string", 1, "read")
  local source, message, kind = vgm.load(path)
  if not source then
    return nil, message, kind
  end
  local all, header, tags = read(source)
  if not all then
    return nil, ("%s: %s"):format(path, header), tags
  end
  return all, header, tags
end

--- The patches that a piece of music plays: what a channel is set to whenever a key goes
--- down. Patches that differ only in how loud they are played are one, as loud as it was
--- played, as are those that cannot be told apart by ear (`ym.patch.canonical`). Of a list
--- of files, all are searched as one.
---@param path string|string[]  .vgm or .vgz files
---@param options? {keep_levels: boolean?}  whether patches that differ only in how loud
---  they are played stay apart
---@return ym2612ml.VgmPatch[]? found  in the order in which they are first heard
---@return string? message  names the path
---@return string? kind     "io", "format", or "input": no key ever goes down
function M.mine(path, options)
  if type(path) ~= "table" then
    check.type(path, "string", 1, "mine")
  end
  local checked = check.options(options, MINE_RULES, 2, "mine")
  local list = type(path) == "table" and path or { path }
  for i, name in ipairs(list) do
    if type(name) ~= "string" then
      misuse(1, "mine", "path %d is %s, expected a string", i, type(name))
    end
  end
  local miner = mining.new()
  for _, name in ipairs(list) do
    local source, message, kind = vgm.load(name)
    if not source then
      return nil, message, kind
    end
    miner:add(source, name)
  end
  local found = miner:finish(checked.keep_levels)
  if #found == 0 then
    return nil, ("%s: no note is played on a YM2612"):format(#list > 0 and table.concat(list, ", ") or "no file"),
      "input"
  end
  return found
end

---@class ym2612ml.VgmRenderOptions
---@field chip? ym2612ml.Chip  default: the one that the file names
---@field loops? integer    how often the part to repeat is played, default 1, at most 100
---@field longest? number   seconds after which the rest is left out, default 900, at most
---  3600
---@field rate? integer     Hz of the result, default the chip's: clock / 144 = 53267
---@field raw? boolean      the chip's integers (i32) at its own rate

--- Plays a .vgm or .vgz file on the chip. Of writes at one time, each takes effect a
--- sample after the other, in their order, as fast as the chip takes them. Other chips, such
--- as the PSG, are not played.
---@param path string
---@param options? ym2612ml.VgmRenderOptions
---@return ym2612ml.Tensor? samples  f32 (samples, 2), left and right, -1..1 of the largest
---  swing of all six channels: a sixth of what `ym.render` makes of one
---@return integer|string rate  Hz, rounded; or the message, which names the path
---@return string[]|string notes  what was passed over; or the kind: "io", "format" or
---  "input" (no sound of a YM2612)
function M.render(path, options)
  check.type(path, "string", 1, "render")
  local checked = check.options(options, RENDER_RULES, 2, "render")
  if checked.raw and checked.rate then
    misuse(2, "render", "options 'raw' and 'rate' exclude each other")
  end
  local source, message, kind = vgm.load(path)
  if not source then
    return nil, message, kind
  end
  local samples, rate, notes = player.play(source, checked)
  if not samples then
    return nil, ("%s: %s"):format(path, rate), notes
  end
  return samples, rate, notes
end

return M
