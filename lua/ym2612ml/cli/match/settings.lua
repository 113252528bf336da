-- What the options of `match` ask for: their converters, and the settings made of them.
local arguments = require "ym2612ml.cli.arguments"
local estimate = require "ym2612ml.estimate"
local files = require "ym2612ml.files"
local json = require "ym2612ml.json"
local locks = require "ym2612ml.cli.locks"
local loss = require "ym2612ml.cli.loss"
local paths = require "ym2612ml.cli.paths"
local ym = require "ym2612ml"

local M = {}

M.COMMAND = "ym2612ml match" -- for what is wrong with its options together

local SHORTEST, LONGEST = 0.01, 86400 -- seconds

--- A budget: fast, default, best, or seconds such as 0.2s.
---@param text string
---@return number? seconds
---@return string? message
function M.budget(text)
  local seconds = estimate.BUDGETS[text] or tonumber(text:match("^([%d.]+)s$"))
  if not seconds or seconds < SHORTEST or seconds > LONGEST then
    return nil, ("'%s' is no budget: expected fast, default, best, or seconds such as 5s, from %gs to %gs"):format(
      text, SHORTEST, LONGEST)
  end
  return seconds
end

--- A format that can be written.
---@param text string
---@return ym2612ml.Format? format
---@return string? message
function M.format(text)
  local format = loss.format(text)
  if not format or not format.writes then
    return nil, ("'%s' is no format that can be written: expected %s"):format(text, table.concat(loss.written(), ", "))
  end
  return format
end

--- The formats that hold how much the LFO acts, in words.
---@return string
function M.holding_lfo()
  local names = {}
  for _, name in ipairs(loss.written()) do
    local format = loss.format(name)
    names[#names + 1] = format.depths and name .. (format.lfo and "" or " (but not its speed)") or nil
  end
  return table.concat(names, ", ")
end

-- The first of the formats whose files do not hold how much the LFO acts.
local function without_lfo(list)
  for _, format in ipairs(list) do
    if not format.depths then
      return format
    end
  end
end

-- Fields of a patch as a whole that only the LFO gives a meaning.
local OF_LFO = { ams = true, fms = true, lfo = true }

-- Raises where a register is to be locked that the files do not hold.
local function check_held(list, formats)
  for _, item in ipairs(list or {}) do
    if not item.field.operator and OF_LFO[item.field.name] and without_lfo(formats) then
      arguments.misuse(M.COMMAND, ("option '--lock': a .%s file cannot hold '%s'"):format(
        without_lfo(formats).extension, item.name))
    end
  end
end

-- The one value of a list, unless the sounds are a group and it is the list that counts.
local function one_or_list(list, options, name)
  if not list or options.group and #list > 1 then
    return list
  elseif #list > 1 then
    arguments.misuse(M.COMMAND, ("option '--%s': %d values, but without --group each sound is matched alone"):format(
      name, #list))
  end
  return list[1]
end

-- The formats for the fingerprint; nil where it is the one that there was at first.
local function formats_in_words(list)
  local names = {}
  for i, format in ipairs(list) do
    names[i] = format.name
  end
  local words = table.concat(names, ",")
  return words ~= "y12" and words or nil
end

---@class ym2612ml.MatchSettings
---@field estimate table  options of ym.estimate, without note, velocity and models
---@field note? number|number[]  MIDI
---@field velocity? integer|integer[]
---@field fingerprint string  the same for the same settings

--- The settings that the options ask for. Raises, as for any wrong usage, where they
--- contradict each other.
---@param options table  of the command line
---@return ym2612ml.MatchSettings? settings
---@return string? message
function M.new(options)
  if options.lfo and without_lfo(options.format) then
    arguments.misuse(M.COMMAND, ("option '--lfo': a .%s file cannot hold vibrato and tremolo"):format(
      without_lfo(options.format).extension))
  end
  for _, name in ipairs { "lock", "start" } do
    if options[name] and options.method ~= "search" then
      arguments.misuse(M.COMMAND, ("option '--%s': only a search keeps to it, not --method %s"):format(name,
        options.method))
    end
  end
  local start, digest, message
  if options.start then
    start, message = ym.patch.read(options.start)
    if not start then
      return nil, message
    end
    digest = ym.store.sha256(assert(files.read(options.start)))
  end
  local lock, words = locks.values(options.lock, start, M.COMMAND, "--start")
  check_held(options.lock, options.format)
  local self = {
    note = one_or_list(options.note, options, "note"),
    velocity = one_or_list(options.velocity, options, "velocity"),
    estimate = {
      held = options.held, release = options.release, chip = options.chip, seed = options.seed,
      renders = options.renders, budget = options.budget, method = options.method, lock = lock, start = start,
      lfo = options.lfo,
    },
  }
  self.fingerprint = json.encode {
    held = options.held, release = options.release, chip = options.chip, seed = options.seed,
    renders = options.renders, budget = options.budget, method = options.method, lfo = options.lfo,
    lock = words, start = digest, models = options.models, group = options.group, note = options.note,
    velocity = options.velocity, formats = formats_in_words(options.format),
  }
  return self
end

-- Without the separators at its end.
local function trimmed(name)
  return (name:gsub("[_%-%s.]+$", ""))
end

--- The note at the end of a file's name, after one of "_", "-", "." and a space: a name
--- such as C4, F#3 or Bb2, or a MIDI number from 10 on.
---@param path string
---@return number? note  MIDI
---@return string? rest  of the name, without the note
function M.note_in_name(path)
  local rest, text = paths.stem(path):match("^(.*[_%-%s.])([^_%-%s.]+)$")
  if text and (text:find("^%a[#b]?%d$") or text:find("^[1-9]%d%d?$")) then
    local note = arguments.note(text)
    return note, note and trimmed(rest)
  end
end

--- The notes of a group by the names of its files.
---@param list string[]  paths
---@return number[]? notes  MIDI; nil where a name has none
function M.notes_in_names(list)
  local notes = {}
  for i, path in ipairs(list) do
    notes[i] = M.note_in_name(path)
    if not notes[i] then
      return nil
    end
  end
  return notes
end

--- The name of a group: what its files' names begin with, their notes left out.
---@param list string[]  paths
---@return string
function M.group_name(list)
  local common
  for _, path in ipairs(list) do
    local _, rest = M.note_in_name(path)
    rest = rest or paths.stem(path)
    common = common or rest
    while common ~= rest:sub(1, #common) do
      common = common:sub(1, -2)
    end
  end
  common = trimmed(common)
  return common ~= "" and common or "group"
end

return M
