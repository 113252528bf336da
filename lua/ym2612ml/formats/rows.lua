-- Voices in text: numbers in rows, an operator each, in the order of the diagram.
local core = require "ym2612ml.core"
local layout = require "ym2612ml.formats.layout"

local M = {}

local DIGITS = 9 -- of the longest number
local LONGEST = 4096 -- bytes of a line

local WIDTHS = {} -- bits of each field of an operator
for _, field in ipairs(core.patch.fields()) do
  WIDTHS[field.name] = field.width
end

--- The whole numbers that a text begins with, with commas, spaces or tabs between;
--- hexadecimal after $. A number too long to be one of ours ends them.
---@param text string
---@return integer[]
function M.numbers(text)
  local numbers = {}
  for token in text:gmatch("[^%s,]+") do
    local hex, decimal = token:match("^%$(%x+)$"), token:match("^%-?%d+$")
    if not (hex or decimal) or #token > DIGITS then
      break
    end
    numbers[#numbers + 1] = tonumber(hex or decimal, hex and 16 or 10)
  end
  return numbers
end

--- The value of a field, without the bits that it has no room for, which are noted.
---@param name string
---@param value integer
---@param where string  such as "voice 3, operator 2", for the note
---@param notes string[]
---@return integer
function M.fitted(name, value, where, notes)
  local bits = value
  if name == "dt" and value < 0 then
    bits = layout.detune_bits(math.max(value, -3))
  end
  local kept = bits & (1 << WIDTHS[name]) - 1
  local found = name == "dt" and layout.detune(kept) or kept
  if kept ~= bits or value < 0 and found ~= value then
    notes[#notes + 1] = ("%s: %s is %d, read as %d"):format(where, name, value, found)
  end
  return found
end

--- Sets the fields of an operator from a row of numbers.
---@param operator table
---@param names (string|false)[]  of the columns; false: passed over
---@param numbers integer[]  at least as many
---@param where string
---@param notes string[]
function M.read(operator, names, numbers, where, notes)
  for column, name in ipairs(names) do
    if name then
      operator[name] = M.fitted(name, numbers[column], where, notes)
    end
  end
end

--- The numbers of an operator's row.
---@param operator ym2612ml.Operator
---@param names string[]
---@return integer[]
function M.of(operator, names)
  local numbers = {}
  for column, name in ipairs(names) do
    local value = operator[name] or 0
    numbers[column] = name == "dt" and layout.detune_bits(value) or value
  end
  return numbers
end

--- The lines of a text, whatever ends them, without the ends. What is longer than any
--- line of a voice is an empty one.
---@param text string
---@return fun(): string?
function M.lines(text)
  local next_line = text:gsub("\r\n?", "\n"):gmatch("([^\n]*)\n?")
  return function()
    local line = next_line()
    return line and #line <= LONGEST and line or line and ""
  end
end

--- A text without spaces at its ends.
---@param text string
---@return string
function M.trimmed(text)
  return (text:match("^%s*(.*)$"):reverse():match("^%s*(.*)$"):reverse())
end

--- A name that fits into one line of a text.
---@param name string?
---@return string
function M.one_line(name)
  return M.trimmed(((name or ""):sub(1, LONGEST // 2):gsub("%c+", " ")))
end

--- The patches of voices in text; of those that are not whole, a note.
---@param voices {number: string|integer}[]  as a format reads them
---@param is_whole fun(voice: table): boolean
---@param patch_of fun(voice: table, notes: string[]): ym2612ml.Patch
---@param example string  how a voice begins, for the message where there is none
---@return ym2612ml.Patch[]?
---@return string[]|string  notes, or what is wrong
function M.decoded(voices, is_whole, patch_of, example)
  local list, notes = {}, {}
  for _, voice in ipairs(voices) do
    if is_whole(voice) then
      list[#list + 1] = patch_of(voice, notes)
    else
      notes[#notes + 1] = ("voice %s is not whole, and left out"):format(voice.number)
    end
  end
  if #voices == 0 then
    return nil, ("has no voice: a line such as `%s`"):format(example)
  end
  return list, notes
end

return M
