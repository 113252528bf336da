-- Reads the patches of files for commands, and tells what was dropped from them.
local console = require "ym2612ml.cli.console"
local paths = require "ym2612ml.cli.paths"
local ym = require "ym2612ml"

local M = {}

local MOST_TOLD = 5 -- notes of a file

--- Reports what was dropped from a file, but not more than five notes.
---@param path string
---@param notes string[]
---@param report table
function M.tell(path, notes, report)
  for i = 1, math.min(#notes, MOST_TOLD) do
    report:note(("%s: %s"):format(path, console.printable(notes[i])))
  end
  if #notes > MOST_TOLD then
    report:note(("%s: and %d more such notes"):format(path, #notes - MOST_TOLD))
  end
end

--- A patch without what its file carried, or a voice of a DX7, as JSON has it: the operators
--- as a list, all texts in UTF-8.
---@param patch table
---@return table object
function M.plain(patch)
  local object = { operators = { table.unpack(patch) } }
  for key, value in pairs(patch) do
    if type(value) == "string" then
      object[key] = console.printable(value)
    elseif type(key) == "string" and key ~= "carried" then
      object[key] = value
    end
  end
  return object
end

--- The patches of a file, with its notes reported.
---@param path string
---@param report table
---@return ym2612ml.Patch[]? list
---@return string? message
function M.all(path, report)
  local list, notes = ym.patch.read_all(path)
  if not list then
    return nil, notes
  end
  M.tell(path, notes, report)
  return list
end

--- The name of a patch, or else that of its file, with its number where it holds several.
---@param patch ym2612ml.Patch
---@param path string
---@param number integer  in the file
---@param count integer  of patches in the file
---@return string
function M.name(patch, path, number, count)
  if (patch.name or "") ~= "" then
    return patch.name
  end
  return count == 1 and paths.stem(path) or ("%s %d"):format(paths.stem(path), number)
end

-- The rows of a file, its patches without a name of their own named after it.
local function read_rows(path)
  local rows, message = ym.dataset.read_patches(path)
  if not rows then
    return nil, message
  end
  for i, row in ipairs(rows) do
    if row.patch then
      row.patch.name = M.name(row.patch, path, i, #rows)
    end
  end
  return rows
end

--- The patches of all files, tables and folders, each with a name; what cannot be read is
--- reported.
---@param arguments string[]
---@param report table
---@return ym2612ml.Patch[] list
---@return table<string, boolean> inputs  the files, by what `paths.identity` calls them
function M.named(arguments, report)
  local endings, list, inputs = ym.patch.endings(), {}, {}
  endings.csv = true
  for _, path in ipairs(paths.expand(arguments, endings, "patches", report)) do
    inputs[paths.identity(path) or path] = true
    for _, row in ipairs(report:attempt(path, read_rows, path) or {}) do
      if row.patch then
        list[#list + 1] = row.patch
      else
        report:fail(row.message)
      end
    end
  end
  return list, inputs
end

return M
