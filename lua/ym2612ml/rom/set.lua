-- The notes of a recorded cartridge as files to learn from: a WAV each, and a table of
-- them with the registers that made them.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local files = require "ym2612ml.files"
local numbers = require "ym2612ml.numbers"
local patches = require "ym2612ml.patch"

local M = {}

local TABLE = "samples.csv"
local BITS = 24 -- hold all of a recording of 16, mixed from two channels
local LONGEST_NAME = 40

local FIELDS = patches.fields()

-- A note's file: its number, what the patch is called, and the note as `ym2612ml match`
-- reads it out of names.
local function file_name(note, digits)
  local name = note.entry.name:gsub("[^%w%-+.#()]+", "_"):gsub("^_+", ""):sub(1, LONGEST_NAME)
  return numbers.format("%0" .. digits .. "d_%s_%g.wav", note.entry.number, name, note.entry.note)
end

local function quoted(text)
  return text:find('[",\r\n]') and '"' .. text:gsub('"', '""'):gsub("[\r\n]+", " ") .. '"' or text
end

local HEAD = { "file", "name", "number", "note", "held", "release", "region" }

local function head()
  local columns = { table.unpack(HEAD) }
  for _, field in ipairs(FIELDS) do
    columns[#columns + 1] = field.operator and ("op%d_%s"):format(field.operator, field.name) or field.name
  end
  return table.concat(columns, ",")
end

-- A note's row: detune as the register holds it, and nothing where a patch says nothing.
local function row(note, file, region)
  local cells = {
    quoted(file), quoted(note.entry.name), note.entry.number, numbers.format("%.6g", note.note),
    numbers.format("%.6f", note.held), numbers.format("%.6f", note.release), region,
  }
  for _, field in ipairs(FIELDS) do
    local value = (field.operator and note.entry.patch[field.operator] or note.entry.patch)[field.name]
    if field.name == "dt" and value < 0 then
      value = 4 - value
    end
    cells[#cells + 1] = value or ""
  end
  return table.concat(cells, ",")
end

--- Writes notes into a folder: each a WAV of one channel and 24 bits, named by number,
--- patch and note; and, once all are there, `samples.csv`, a row each with `file`, `name`,
--- `number`, `note` (MIDI) and the seconds `held` and `release` as the console played
--- them, its `region`, and a column for each field of the patch, as
--- `ym.dataset.read_patches` reads them.
---@param folder string  is made where it is missing; the one above must be there
---@param split ym2612ml.Split
---@return integer? count  of notes
---@return string? message  names the path
---@return string? kind  "io"
function M.write(folder, split)
  check.type(folder, "string", 1, "write_set")
  check.type(split, "table", 2, "write_set")
  local made, message, kind = files.make_folder(folder)
  if not made then
    return nil, message, kind
  end
  local last = split.notes[#split.notes]
  local digits = math.max(3, #tostring(last and last.entry.number or 0))
  local lines = { head() }
  for i, note in ipairs(split.notes) do
    local file = file_name(note, digits)
    made, message, kind = core.audio.write(("%s/%s"):format(folder, file), note.samples, split.rate,
      { format = "wav", bits = BITS })
    if not made then
      return nil, message, kind
    end
    lines[i + 1] = row(note, file, split.region)
  end
  made, message, kind = files.write(("%s/%s"):format(folder, TABLE), table.concat(lines, "\n") .. "\n")
  return made and #split.notes, message, kind
end

return M
