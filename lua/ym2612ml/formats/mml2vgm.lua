-- Voices in MML for mml2vgm: `'@ N 1 "name"`, a row for each operator, and one with
-- algorithm and feedback.
local layout = require "ym2612ml.formats.layout"
local rows = require "ym2612ml.formats.rows"

local COLUMNS = {
  N = { "ar", "dr", "sr", "rr", "sl", "tl", "rs", "mul", "dt", "am", "ssg" },
  M = { "ar", "dr", "sr", "rr", "sl", "tl", "rs", "mul", "dt", false, "am" }, -- with the YM2151's DT2
}
local SECOND_DETUNE = 10
local ROWS = 5

local M = {
  name = "mml2vgm", extensions = { "gwi" }, title = "mml2vgm voices", many = true,
}

--- How sure it is that bytes are of this format.
---@param bytes string
---@return integer certainty
function M.detect(bytes)
  return bytes:find("'@%s*[NM]%s*%d") and 2 or 0
end

-- The voices: {kind, number, name, rows...}.
local function read_voices(text)
  local voices, voice = {}, nil
  for line in rows.lines(text) do
    local rest = line:match("^%s*'@(.*)$")
    local kind, number, name = (rest or ""):match("^%s*(%u)%s*(%d+)%s*,?(.*)$")
    if kind then
      voice = nil
      if COLUMNS[kind] then
        name = rows.trimmed(name)
        voice = { kind = kind, number = number, name = name:match('^"(.-)"') or name }
        voices[#voices + 1] = voice
      end
    elseif rest and voice and #voice < ROWS then
      voice[#voice + 1] = rows.numbers(rest)
    end
  end
  return voices
end

local function is_whole(voice)
  for i = 1, ROWS do
    if not voice[i] or #voice[i] < (i < ROWS and #COLUMNS[voice.kind] or 2) then
      return false
    end
  end
  return true
end

local function patch_of(voice, notes)
  local patch, where = layout.blank(), ("voice %s"):format(voice.number)
  patch.name = voice.name
  for operator = 1, 4 do
    local place = ("%s, operator %d"):format(where, operator)
    rows.read(patch[operator], COLUMNS[voice.kind], voice[operator], place, notes)
    local second = voice.kind == "M" and voice[operator][SECOND_DETUNE] or 0
    if second ~= 0 then
      notes[#notes + 1] = ("%s: DT2 is %d, which the YM2612 does not have"):format(place, second)
    end
  end
  patch.algorithm = rows.fitted("algorithm", voice[ROWS][1], where, notes)
  patch.feedback = rows.fitted("feedback", voice[ROWS][2], where, notes)
  return patch
end

--- The patches in a file.
---@param bytes string
---@return ym2612ml.Patch[]?
---@return string[]|string  notes, or what is wrong
function M.decode(bytes)
  return rows.decoded(read_voices(bytes), is_whole, patch_of, "'@ N 1")
end

--- A file of patches, numbered from 0.
---@param list ym2612ml.Patch[]
---@return string
function M.encode(list)
  local lines = {}
  for i, patch in ipairs(list) do
    local name = rows.one_line(patch.name):gsub('"', "'")
    lines[#lines + 1] = ("'@ N %03d%s"):format(i - 1, name ~= "" and (' "%s"'):format(name) or "")
    lines[#lines + 1] = "   AR  DR  SR  RR  SL  TL  KS  ML  DT  AM  SSG-EG"
    for operator = 1, 4 do
      local numbers = rows.of(patch[operator], COLUMNS.N)
      lines[#lines + 1] = "'@ " .. ("%03d" .. (",%03d"):rep(#numbers - 1)):format(table.unpack(numbers))
    end
    lines[#lines + 1] = "   AL  FB"
    lines[#lines + 1] = ("'@ %03d,%03d\n"):format(patch.algorithm, patch.feedback)
  end
  return table.concat(lines, "\n")
end

return M
