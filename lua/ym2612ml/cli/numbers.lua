-- Tables of numbers that commands write: CSV on the screen or in a file, or NumPy's .npy.
local files = require "ym2612ml.files"
local ym = require "ym2612ml"

local M = {}

--- Adds the option that tells where the table goes.
---@param command table argparse command
---@param name string  what stands before the numbers of a row
function M.define(command, name)
  command:option("-o --output", ("Table to write: .csv (a head line, then %s and its numbers) or .npy (the numbers "
    .. "alone). Default: CSV on the screen."):format(name)):argname("TABLE")
end

--- What is wrong with the name of a table.
---@param path string?
---@return string? problem  nil when nothing is
function M.problem(path)
  local ending = path and files.ending(path)
  if ending and ending ~= "csv" and ending ~= "npy" then
    return ("%s: expected .csv or .npy"):format(path)
  end
end

-- The rows as CSV text; a name with a quote, comma or line break is quoted.
local function csv(names, rows, head)
  local lines = { table.concat(head, ",") }
  for index, row in ipairs(rows) do
    local name = names[index]
    if name:find('[",\n]') then
      name = '"' .. name:gsub('"', '""') .. '"'
    end
    local cells = { name }
    for column, number in ipairs(row) do
      cells[column + 1] = ("%.7g"):format(number)
    end
    lines[#lines + 1] = table.concat(cells, ",")
  end
  return table.concat(lines, "\n") .. "\n"
end

--- Writes a table.
---@param path string?  .csv or .npy; nil: CSV on the screen
---@param names string[]  of the rows
---@param rows number[][]
---@param head string[]  of all columns, that of the names first
---@return true? done
---@return string? message
function M.write(path, names, rows, head)
  if not path then
    io.write(csv(names, rows, head))
    return true
  elseif files.ending(path) == "npy" then
    return ym.store.write_npy(path, ym.tensor.from(rows))
  end
  return files.write(path, csv(names, rows, head))
end

return M
