-- ym2612ml verify: replays reference vectors on the chip and compares every sample.
local attempt = require "ym2612ml.attempt"
local files = require "ym2612ml.files"
local json = require "ym2612ml.json"
local paths = require "ym2612ml.cli.paths"
local console = require "ym2612ml.cli.console"
local ym = require "ym2612ml"

local M = {}

local MOST_SHOWN = 10

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Check the chip against reference recordings of its output.")
  command:description("Replays the register writes of every case in DIR/index.json on the "
    .. "chip, compares the samples with DIR/samples.bin and their checksums, and prints "
    .. "`exact N of M`. The exit status is 0 when all are exact.")
  command:argument("DIR", "Folder with index.json and samples.bin."):target("folder")
end

--- A whole number out of a part of the index; raises a message without position.
local function whole(part, key)
  local number = type(part) == "table" and math.tointeger(part[key])
  if not number or number < 0 then
    error(("has no whole number '%s'"):format(key), 0)
  end
  return number
end

local function list(case, key)
  if type(case) ~= "table" or type(case[key]) ~= "table" then
    error(("has no list '%s'"):format(key), 0)
  end
  return case[key]
end

--- Plays the writes of a case.
---@param case table
---@return string left all samples as 16 bit, low byte first
---@return string right
local function replay(case)
  local total = whole(case, "total")
  local chip = ym.chip.new { chip = case.chip }
  local left, right, frame = {}, {}, 0
  local function run_to(target)
    if target < frame then
      error("has writes that are not in the order of their frames", 0)
    elseif target > frame then
      local one, other = chip:run(target - frame)
      left[#left + 1], right[#right + 1] = one:to("i16"):bytes(), other:to("i16"):bytes()
      frame = target
    end
  end
  for _, write in ipairs(list(case, "writes")) do
    local at = whole(write, 1)
    if at < total then
      run_to(at)
      chip:write(whole(write, 2), whole(write, 3), whole(write, 4))
    end
  end
  run_to(total)
  return table.concat(left), table.concat(right)
end

--- The first sample of a window that differs, in words; nil when all are equal.
local function window_difference(window, samples, found)
  local start, count = whole(window, "start"), whole(window, "count")
  local offset = whole(window, "offset")
  local expected = samples:sub(offset + 1, offset + 2 * count)
  found = found:sub(2 * start + 1, 2 * (start + count))
  if #expected < 2 * count or #found < 2 * count then
    error("has a window beyond the end of the samples", 0)
  end
  for i = 1, found ~= expected and 2 * count or 0, 2 do
    local is, should = string.unpack("<i2", found, i), string.unpack("<i2", expected, i)
    if is ~= should then
      return ("differs at frame %d, side %s: %d, expected %d"):format(start + i // 2,
        window.side, is, should)
    end
  end
  return nil
end

--- Compares one case; nil when every sample is right, else what is wrong with it.
--- Raises where the case itself is malformed.
local function difference(case, samples)
  local left, right = replay(case)
  for _, window in ipairs(list(case, "windows")) do
    local problem = window_difference(window, samples, window.side == "R" and right or left)
    if problem then
      return problem
    end
  end
  for side, bytes in pairs { l = left, r = right } do
    local found = ("%08x"):format(ym.crc32(bytes))
    if found ~= case["crc32_" .. side] then
      return ("has checksum %s on side %s, expected %s"):format(found, side:upper(),
        tostring(case["crc32_" .. side]))
    end
  end
  return nil
end

--- Runs the command.
---@param options {folder: string}
---@param report table
function M.run(options, report)
  local index_path = paths.join(options.folder, "index.json")
  local text, samples, message
  text, message = files.read(index_path)
  if text then
    samples, message = files.read(paths.join(options.folder, "samples.bin"))
  end
  if not samples then
    return report:fail(message)
  end
  local ok, index = attempt(json.decode, text)
  if not ok or type(index) ~= "table" or type(index.cases) ~= "table" then
    return report:fail(("%s: expected an object with a list 'cases'%s"):format(index_path,
      ok and "" or ": " .. index))
  end
  local exact = 0
  for number, case in ipairs(index.cases) do
    report:progress(number - 1, #index.cases, options.folder)
    local done, problem = pcall(difference, case, samples)
    if not done and console.is_interrupt(problem) then
      error(problem, 0)
    elseif not problem then
      exact = exact + 1
    elseif number - exact <= MOST_SHOWN then
      report:fail(("%s: case %s %s"):format(index_path,
        type(case) == "table" and math.tointeger(case.id) or number, problem))
    end
  end
  report:clear()
  print(("exact %d of %d"):format(exact, #index.cases))
  if exact < #index.cases or exact == 0 then
    report:fail(("%s: not every case is exact"):format(options.folder))
  end
end

return M
