-- Voices in MML for ctrmml and MDSDRV: `@1 fm ALG FB ; name`, and a row for each operator.
local carry = require "ym2612ml.formats.carry"
local layout = require "ym2612ml.formats.layout"
local rows = require "ym2612ml.formats.rows"

local NAME = "ctrmml"
local COLUMNS = { "ar", "dr", "sr", "rr", "sl", "tl", "rs", "mul", "dt", "ssg" }
local SSG = 10 -- of the columns, to which
local TREMOLO = 100 -- is added where an operator has AM
local NUMBERS = 2 + 4 * #COLUMNS -- of a voice; one more transposes it

local M = {
  name = NAME, extensions = { "mml" }, title = "ctrmml voices", many = true,
}

--- How sure it is that bytes are of this format.
---@param bytes string
---@return integer certainty
function M.detect(bytes)
  local text = "\n" .. bytes
  for _, kind in ipairs { "fm", "psg", "pcm" } do
    if text:find("[\r\n]@%d+%s+" .. kind .. "%f[%A]") then
      return 2
    end
  end
  return 0
end

-- The FM voices: {number, name, numbers...}; a voice goes on in lines that begin with a
-- space.
local function read_voices(text)
  local voices, voice = {}, nil
  for line in rows.lines(text) do
    local code, comment = line:match("^([^;]*);?(.*)$")
    local number, first = code:match("^@(%d+)%s+fm%f[%A](.*)$")
    if number then
      voice = { number = number, name = rows.trimmed(comment) }
      voices[#voices + 1] = voice
    elseif not code:find("^%s") and code ~= "" then
      voice = nil
    end
    for _, value in ipairs(voice and rows.numbers(first or code) or {}) do
      voice[#voice + 1] = value
    end
  end
  return voices
end

local function patch_of(voice, notes)
  local patch, where = layout.blank(), ("voice %s"):format(voice.number)
  patch.name = voice.name
  patch.algorithm = rows.fitted("algorithm", voice[1], where, notes)
  patch.feedback = rows.fitted("feedback", voice[2], where, notes)
  for operator = 1, 4 do
    local first = 3 + (operator - 1) * #COLUMNS
    local numbers = { table.unpack(voice, first, first + #COLUMNS - 1) }
    local tremolo = numbers[SSG] >= TREMOLO
    numbers[SSG] = numbers[SSG] - (tremolo and TREMOLO or 0)
    rows.read(patch[operator], COLUMNS, numbers, ("%s, operator %d"):format(where, operator), notes)
    patch[operator].am = tremolo and 1 or 0
  end
  patch.carried = { format = NAME, transpose = voice[NUMBERS + 1] }
  return patch
end

--- The patches in a file. A piece of music without FM voices has none.
---@param bytes string
---@return ym2612ml.Patch[]?
---@return string[]|string  notes, or what is wrong
function M.decode(bytes)
  if M.detect(bytes) == 0 then
    return nil, "has no voice: a line such as `@1 fm 4 5`"
  end
  local list, notes = {}, {}
  for _, voice in ipairs(read_voices(bytes)) do
    if #voice >= NUMBERS then
      list[#list + 1] = patch_of(voice, notes)
    else
      notes[#notes + 1] = ("voice %s has %d numbers, expected %d: left out"):format(voice.number, #voice, NUMBERS)
    end
  end
  return list, notes
end

--- A file of patches, numbered from 1.
---@param list ym2612ml.Patch[]
---@return string
function M.encode(list)
  local lines = {}
  for i, patch in ipairs(list) do
    local name = rows.one_line(patch.name)
    name = name ~= "" and " ; " .. name or ""
    lines[#lines + 1] = ("@%d fm %d %d%s"):format(i, patch.algorithm, patch.feedback, name)
    lines[#lines + 1] = "; AR  DR  SR  RR  SL  TL  KS  ML  DT SSG"
    for operator = 1, 4 do
      local numbers = rows.of(patch[operator], COLUMNS)
      numbers[SSG] = numbers[SSG] + (patch[operator].am == 1 and TREMOLO or 0)
      lines[#lines + 1] = (" %3d" .. (" %3d"):rep(#COLUMNS - 1)):format(table.unpack(numbers))
    end
    local transpose = carry.of(patch, NAME).transpose
    lines[#lines + 1] = transpose and (" %3d\n"):format(transpose) or ""
  end
  return table.concat(lines, "\n")
end

return M
