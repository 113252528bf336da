-- What became of each epoch of a training, as tables and as files.
local check = require "ym2612ml.check"
local files = require "ym2612ml.files"
local json = require "ym2612ml.json"
local numbers = require "ym2612ml.numbers"

local M = {}

---@class ym2612ml.Epoch
---@field epoch integer
---@field step integer  steps taken
---@field loss number  mean over the rows, as they were learned
---@field norm number  mean of the gradient's, before clipping
---@field rate number  of the last step
---@field validation number?
---@field best boolean  whether the loss that is watched was never better
---@field seconds number?  what it took here; unlike all else not the same in every run

-- In the order of the columns. seconds is only written when asked for, so that files of
-- equal trainings are equal.
local COLUMNS = { "epoch", "step", "loss", "norm", "rate", "validation", "best" }

local function columns_of(options)
  local columns = table.move(COLUMNS, 1, #COLUMNS, 1, {})
  if options.seconds then
    columns[#columns + 1] = "seconds"
  end
  return columns
end

-- Raises unless all rows hold what a file can.
local function check_rows(history, columns)
  for epoch, row in ipairs(history) do
    check.no_problem(type(row) ~= "table" and ("epoch %d is %s, expected a table"):format(epoch, type(row)) or nil,
      2, "write_history")
    for _, column in ipairs(columns) do
      local value = row[column]
      local finite = type(value) == "number" and math.abs(value) < math.huge -- false of NaN
      if value ~= nil and type(value) ~= "boolean" and not finite then
        check.no_problem(("epoch %d: %s is %s, expected a finite number"):format(epoch, column, tostring(value)),
          2, "write_history")
      end
    end
  end
end

local function to_csv(history, columns)
  local lines = { table.concat(columns, ",") }
  for _, row in ipairs(history) do
    local values = {}
    for i, column in ipairs(columns) do
      local value = row[column]
      if type(value) == "boolean" then
        value = value and 1 or 0
      end
      values[i] = value and numbers.format("%.9g", value) or ""
    end
    lines[#lines + 1] = table.concat(values, ",")
  end
  return table.concat(lines, "\n") .. "\n"
end

local function to_json(history, columns)
  local lines = {}
  for i, row in ipairs(history) do
    local values = {}
    for _, column in ipairs(columns) do
      values[column] = row[column]
    end
    lines[i] = json.encode(values)
  end
  return "[" .. table.concat(lines, ",\n ") .. "]\n"
end

--- Writes a history as a table, whole or not at all.
---@param path string  ends in .csv or .json
---@param history ym2612ml.Epoch[]
---@param options? {seconds: boolean}  seconds: whether to tell the time each epoch took,
---  default false
---@return true? done
---@return string? message  names the path
---@return string? kind  "io"
function M.write(path, history, options)
  check.type(path, "string", 1, "write_history")
  check.type(history, "table", 2, "write_history")
  options = check.options(options, { seconds = { type = "boolean", default = false } }, 3, "write_history")
  check.no_problem(M.problem(path), 1, "write_history")
  local columns = columns_of(options)
  check_rows(history, columns)
  local write = files.ending(path) == "csv" and to_csv or to_json
  return files.write(path, write(history, columns))
end

--- What is wrong with the path of a history; nil: nothing.
---@param path string
---@return string?
function M.problem(path)
  local ending = files.ending(path)
  if ending ~= "csv" and ending ~= "json" then
    return ("'%s' ends in neither .csv nor .json"):format(path)
  end
end

return M
