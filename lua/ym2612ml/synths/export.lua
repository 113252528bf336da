-- A data set of sounds as files for other programs: a WAV of each, and a table of the
-- parameters.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local files = require "ym2612ml.files"
local numbers = require "ym2612ml.numbers"
local soundsets = require "ym2612ml.synths.dataset"
local steps = require "ym2612ml.steps"

local M = {}

local must = steps.must

local BLOCK = 64 -- sounds written in one step

-- The line of a sound in the table: its file, its values, then its classes.
local function line_of(name, values, classes)
  local cells = { name }
  for _, value in ipairs(values) do
    cells[#cells + 1] = numbers.format("%.9g", value)
  end
  for _, class in ipairs(classes) do
    cells[#cells + 1] = ("%d"):format(class)
  end
  return table.concat(cells, ",")
end

local function head_of(synth)
  local cells = { "file" }
  for _, suffix in ipairs { "", "_class" } do
    for _, parameter in ipairs(synth.parameters) do
      cells[#cells + 1] = parameter.name .. suffix
    end
  end
  return table.concat(cells, ",")
end

--- Writes the sounds of a data set as WAV files of floats (train_000001.wav, ...) and
--- meta.csv: file, the value of each parameter and its class. Files of these names that are
--- there, of another data set perhaps, are written over.
---@param set ym2612ml.SoundSet
---@param folder string  which exists
---@return fun(): table|false|nil, string?, string? next  steps {stage, done, total, and
---  with the last one summary = {files}}; nil at the end; or false, message, kind
function M.steps(set, folder)
  check.type(set, "table", 1, "steps")
  check.type(folder, "string", 2, "steps")
  return steps.new(function(report)
    local lines, total, done = { head_of(set.synth) }, 0, 0
    for _, split in pairs(set.splits) do
      total = total + split.rows
    end
    for _, name in ipairs { "train", "valid", "test" } do
      local split = set.splits[name]
      local values, classes = split.values:totable(), set.synth:classes(split.values):totable()
      for first = 1, split.rows, BLOCK do
        local rows = soundsets.numbers(first, math.min(first + BLOCK - 1, split.rows))
        local sounds = must(split:sounds(rows))
        for i, row in ipairs(rows) do
          local file = ("%s_%06d.wav"):format(name, row)
          local path = folder .. "/" .. file
          must(core.audio.write(path, sounds[i], math.floor(set.rate + 0.5), { bits = 32 }))
          lines[#lines + 1] = line_of(file, values[row], classes[row])
        end
        done = done + #rows
        report { stage = "WAV files", done = done, total = total }
      end
    end
    must(files.write(folder .. "/meta.csv", table.concat(lines, "\n") .. "\n"))
    report { stage = "done", done = total, total = total, summary = { files = total } }
  end)
end

return M
