-- Reports to listen to: one page of HTML with sounds, the patches that match them, and how
-- both sound and look. It needs no network and no other file.
local attempt = require "ym2612ml.attempt"
local base64 = require "ym2612ml.report.base64"
local check = require "ym2612ml.check"
local clips = require "ym2612ml.report.clip"
local core = require "ym2612ml.core"
local files = require "ym2612ml.files"
local page = require "ym2612ml.report.page"
local patches = require "ym2612ml.patch"
local ranking = require "ym2612ml.match.ranking"

local M = {}

-- Of the patches offered where no file is named: the first that holds the patch, but for
-- names.
local FORMATS = { "y12", "wopn" }
local NAMES = { name = true, dumper = true, game = true }

local SLOWEST, FASTEST = 1000, 655350 -- Hz: rates of files and of resampling

local RULES = {
  title = { type = "string", default = "Patches for the YM2612" },
  best = { type = "integer", least = 1 },
  progress = { type = "function" },
}

---@class ym2612ml.ReportMatch
---@field patch ym2612ml.Patch
---@field distance? number  dB
---@field paths? string[]  files of the patch, offered as they are; default: one is made
---@field sound? string|{samples: ym2612ml.Tensor, rate: number}  how the patch sounds, or
---  the path of that; default: it is rendered with the fields below, as ym.render does
---@field note? number
---@field held? number
---@field release? number
---@field velocity? integer
---@field chip? string
---@field onset? number
---@field sensitivity? table  a table like a patch: dB that one step of a register changes

---@class ym2612ml.ReportTarget
---@field name string
---@field sound? string|{samples: ym2612ml.Tensor, rate: number}  or the path of one;
---  nil: there is none to compare with
---@field missing? string  why there is none, for the reader of the page
---@field about? string  what else is to be told, a line
---@field note? number  MIDI; this, held and onset: default those of the first match
---@field held? number  seconds
---@field onset? number  seconds of the sound to leave out; default: those before its note
---@field matches ym2612ml.ReportMatch[]  the closest first, as ym.estimate returns them

-- What is wrong with a sound, or nil.
local function sound_problem(sound)
  if sound == nil or type(sound) == "string" then
    return nil
  elseif type(sound) ~= "table" or not check.is_tensor(sound.samples) or type(sound.rate) ~= "number" then
    return "sound: expected a path or {samples = tensor, rate = Hz}"
  elseif #sound.samples:shape() ~= 1 then
    return ("sound: rank is %d, expected 1"):format(#sound.samples:shape())
  elseif not (sound.rate >= SLOWEST and sound.rate <= FASTEST) then
    return ("sound: rate is %s Hz, expected %d..%d"):format(sound.rate, SLOWEST, FASTEST)
  end
end

local function is_finite(value)
  return type(value) == "number" and value > -math.huge and value < math.huge
end

-- What is wrong with those fields of a target or match that are numbers, where it has them.
local function number_problem(owner, names)
  for _, name in ipairs(names) do
    if owner[name] ~= nil and not is_finite(owner[name]) then
      return ("%s is %s, expected a number"):format(name, tostring(owner[name]))
    end
  end
  if owner.onset and owner.onset < 0 then
    return ("onset is %s, expected 0 or more"):format(owner.onset)
  end
end

local function match_problem(match)
  if type(match) ~= "table" then
    return ("expected a table, got %s"):format(type(match))
  elseif match.paths ~= nil and type(match.paths) ~= "table" then
    return ("paths is %s, expected a list"):format(tostring(match.paths))
  end
  local problem = number_problem(match, { "distance", "onset", "note", "held" })
  if problem then
    return problem
  end
  if match.sensitivity ~= nil and type(match.sensitivity) ~= "table" then
    return ("sensitivity is %s, expected a table"):format(tostring(match.sensitivity))
  end
  for i, path in ipairs(match.paths or {}) do
    if type(path) ~= "string" then
      return ("path %d is %s, expected a string"):format(i, tostring(path))
    end
  end
  return patches.problem(match.patch) or sound_problem(match.sound)
end

local function target_problem(target)
  if type(target) ~= "table" then
    return ("expected a table, got %s"):format(type(target))
  elseif type(target.name) ~= "string" then
    return ("name is %s, expected a string"):format(tostring(target.name))
  elseif type(target.matches) ~= "table" then
    return ("matches is %s, expected a list"):format(tostring(target.matches))
  end
  for _, key in ipairs { "about", "missing" } do
    if target[key] ~= nil and type(target[key]) ~= "string" then
      return ("%s is %s, expected a string"):format(key, tostring(target[key]))
    end
  end
  local wrong = number_problem(target, { "note", "held", "onset" })
  if wrong then
    return wrong
  end
  for rank, match in ipairs(target.matches) do
    local problem = match_problem(match)
    if problem then
      return ("match %d: %s"):format(rank, problem)
    end
  end
  return sound_problem(target.sound)
end

-- Seconds of a sound before its note; 0 where none is heard.
local function onset_of(sound)
  local trimmed, onset = core.audio.trim(sound.samples, sound.rate)
  return trimmed and onset or 0
end

local function name_of(path)
  return path:match("([^/]+)/*$") or path
end

-- Puts a sound into the page, from its onset on. What cannot be read is told there, and
-- hinders nothing else. A page is passed on, and names no folders.
---@return integer? index  of the clip, from 0
---@return string? message
local function add_clip(content, sound, onset)
  local path = type(sound) == "string" and sound
  local clip, message
  if path then
    sound, message = core.audio.read(path)
  end
  if sound then
    clip, message = clips.new(sound, onset or onset_of(sound))
  elseif message:sub(1, #path) == path then
    message = name_of(path) .. message:sub(#path + 1)
  end
  if not clip then
    return nil, message
  end
  content.clips[#content.clips + 1] = clip
  return #content.clips - 1
end

-- A match as it sounds; raises, as a wrong argument, what ym.render does not take.
local function render(match, number, rank)
  local fine, samples, rate = attempt(core.render, match.patch, {
    note = match.note, held = match.held, release = match.release, velocity = match.velocity, chip = match.chip,
    rate = clips.RATE,
  })
  if not fine then
    local reason = samples:match("^[^(]*render' %((.*)%)$")
    if not reason then
      error(samples, 0)
    end
    check.no_problem(("target %d: match %d: %s"):format(number, rank, reason), 2, "write")
  end
  return { samples = samples, rate = rate }
end

-- The registers of which one step changes so many dB as a test says, as {operator, name},
-- 0 for those of the whole patch.
local function registers_where(sensitivity, test)
  local list = {}
  for _, field in ipairs(patches.fields()) do
    local change = (field.operator and sensitivity[field.operator] or sensitivity)[field.name]
    if change and test(change) then
      list[#list + 1] = { field.operator or 0, field.name }
    end
  end
  return list
end

-- A patch's fields in the order of the table, without names.
local function fields_of(patch)
  local fields = { operators = { {}, {}, {}, {} } }
  for _, field in ipairs(patches.fields()) do
    local into = field.operator and fields.operators[field.operator] or fields
    into[field.name] = (field.operator and patch[field.operator] or patch)[field.name]
  end
  return fields
end

-- What the names of a target's files begin with.
local function stem_of(target)
  local name = name_of(target.name)
  return name:match("^(.+)%.%w+$") or name
end

-- The format of the file that is made of a patch.
local function format_for(patch)
  for _, name in ipairs(FORMATS) do
    local fits = true
    for _, loss in ipairs(patches.lossy(patch, name)) do
      fits = fits and NAMES[loss.field]
    end
    if fits then
      return name
    end
  end
  return FORMATS[1]
end

-- The files of a match, as a page offers them. Those that cannot be read are left out.
local function files_of(match, target, rank)
  local list = {}
  for _, path in ipairs(match.paths or {}) do
    local bytes = files.read(path)
    list[#list + 1] = bytes and { name = name_of(path), bytes = base64.encode(bytes) }
  end
  if #list == 0 then
    local format = format_for(match.patch)
    list[1] = {
      name = ("%s_%d_alg%d.%s"):format(stem_of(target), rank, match.patch.algorithm, format),
      bytes = base64.encode(patches.encode(match.patch, format)),
    }
  end
  return list
end

local function add_match(content, match, target, rank)
  local clip, missing = add_clip(content, match.sound or render(match, #content.targets + 1, rank), 0)
  local sensitivity = match.sensitivity
  return {
    algorithm = match.patch.algorithm, distance = match.distance, patch = fields_of(match.patch),
    files = files_of(match, target, rank), clip = clip, missing = missing,
    certain = sensitivity and registers_where(sensitivity, function(change)
      return change > ranking.CERTAIN
    end),
    idle = sensitivity and registers_where(sensitivity, function(change)
      return change < ranking.IDLE
    end),
  }
end

local function add_target(content, target, best)
  local first = target.matches[1] or {}
  local clip, missing
  if target.sound then
    clip, missing = add_clip(content, target.sound, target.onset or first.onset)
  end
  local entry = {
    name = target.name, stem = stem_of(target), about = target.about, note = target.note or first.note,
    held = target.held or first.held, clip = clip, missing = missing or target.missing, matches = {},
  }
  for rank = 1, math.min(#target.matches, best or math.huge) do
    entry.matches[rank] = add_match(content, target.matches[rank], target, rank)
  end
  content.targets[#content.targets + 1] = entry
end

-- The fields of patches, those of operators once, for the page's table.
local function described_fields()
  local list = {}
  for _, field in ipairs(patches.fields()) do
    if not field.operator or field.operator == 1 then
      list[#list + 1] = { name = field.name, meaning = field.meaning, of_operator = field.operator ~= nil }
    end
  end
  return list
end

--- Writes a page with targets and their matches: players, spectrograms, patches, and every
--- file to be downloaded. Sounds are cut to ten seconds, those of targets from their onset
--- on. A sound that cannot be read is told of in the page.
---@param path string  of the page, .html
---@param targets ym2612ml.ReportTarget[]
---@param options? table  title: of the page; best: how many matches of each target are
---  shown, default all; progress: a function called with the targets done and their
---  number
---@return true? done
---@return string? message
---@return string? kind  "io"
function M.write(path, targets, options)
  check.type(path, "string", 1, "write")
  check.type(targets, "table", 2, "write")
  options = check.options(options, RULES, 3, "write")
  for i, target in ipairs(targets) do
    local problem = target_problem(target)
    check.no_problem(problem and ("target %d: %s"):format(i, problem), 2, "write")
  end
  local content = { title = options.title, fields = described_fields(), targets = {}, clips = {} }
  for i, target in ipairs(targets) do
    add_target(content, target, options.best)
    if options.progress then
      options.progress(i, #targets)
    end
  end
  return files.write(path, page.html(content))
end

return M
