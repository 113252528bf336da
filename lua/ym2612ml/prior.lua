-- A prior over patches: statistics of real ones, without any of them in it.
local attempt = require "ym2612ml.attempt"
local check = require "ym2612ml.check"
local files = require "ym2612ml.files"
local json = require "ym2612ml.json"
local numbers = require "ym2612ml.numbers"
local patches = require "ym2612ml.patch"

local M = {}

-- The operator fields a prior describes. AM and SSG-EG are left off: they act on few
-- real patches, and without an LFO AM only attenuates.
local DRAWN = {}
for _, field in ipairs(patches.fields()) do
  if field.operator == 1 and field.name ~= "am" and field.name ~= "ssg" then
    DRAWN[#DRAWN + 1] = field
  end
end
M.fields = DRAWN

--- The role an operator has: what is heard is a carrier.
---@param algorithm integer  0..7
---@param operator integer   1..4
---@return "carrier"|"modulator"
function M.role(algorithm, operator)
  return patches.is_carrier(algorithm, operator) and "carrier" or "modulator"
end

local function add(histogram, value)
  histogram[value + 1] = (histogram[value + 1] or 0) + 1
end

local function new_histogram(field)
  local histogram = {}
  for i = 1, field.maximum - field.minimum + 1 do
    histogram[i] = 0
  end
  return histogram
end

---@class ym2612ml.Prior
---@field count integer  patches it was fitted to
---@field algorithm number[]  how often each of 0..7 occurs, as all that follows but repeats
---@field feedback number[]  0..7
---@field level number[]  total level 0..127 of the loudest carrier
---@field carrier table<string, number[]>  by field name, its values from the minimum on
---@field modulator table<string, number[]>
---@field repeats table<string, number>  0..1, by field name

--- Fits a prior to patches: how often each value of each field occurs on carriers and
--- on modulators (total levels of carriers relative to the loudest), and how often an
--- operator repeats the value of the one before it in the same role. The result is a
--- table of numbers that JSON can hold; it contains no patch.
---@param list ym2612ml.Patch[]
---@return ym2612ml.Prior prior
function M.fit(list)
  patches.check_all(list, 1, "fit")
  local prior = {
    algorithm = {}, feedback = {}, level = {}, carrier = {}, modulator = {}, repeats = {},
    count = #list,
  }
  for value = 0, 7 do
    prior.algorithm[value + 1], prior.feedback[value + 1] = 0, 0
  end
  for value = 1, 128 do
    prior.level[value] = 0
  end
  local pairs_met = {}
  for _, field in ipairs(DRAWN) do
    prior.carrier[field.name] = new_histogram(field)
    prior.modulator[field.name] = new_histogram(field)
    prior.repeats[field.name], pairs_met[field.name] = 0, 0
  end
  for _, patch in ipairs(list) do
    local level, last = patches.carrier_level(patch), {}
    add(prior.algorithm, patch.algorithm)
    add(prior.feedback, patch.feedback)
    add(prior.level, level)
    for o = 1, 4 do
      local role = M.role(patch.algorithm, o)
      for _, field in ipairs(DRAWN) do
        local name, value = field.name, patch[o][field.name]
        if name == "tl" and role == "carrier" then
          value = value - level
        end
        add(prior[role][name], value - field.minimum)
        if last[role] then
          pairs_met[name] = pairs_met[name] + 1
          if last[role][name] == patch[o][name] then
            prior.repeats[name] = prior.repeats[name] + 1
          end
        end
      end
      last[role] = patch[o]
    end
  end
  for name, count in pairs(pairs_met) do
    prior.repeats[name] = count > 0 and prior.repeats[name] / count or 0
  end
  return prior
end

-- The lists of a prior, in the order they are written: path of keys and length.
local function prior_lists()
  local lists = { { { "algorithm" }, 8 }, { { "feedback" }, 8 }, { { "level" }, 128 } }
  for _, role in ipairs { "carrier", "modulator" } do
    for _, field in ipairs(DRAWN) do
      lists[#lists + 1] = { { role, field.name }, field.maximum - field.minimum + 1 }
    end
  end
  return lists
end

local function is_weights(list, length)
  if type(list) ~= "table" or #list ~= length then
    return false
  end
  for _, value in ipairs(list) do
    if type(value) ~= "number" or not (value >= 0 and value < math.huge) then
      return false
    end
  end
  return true
end

--- What is wrong with a prior, in words.
---@param prior any
---@return string? problem  nil when nothing is
function M.problem(prior)
  if type(prior) ~= "table" then
    return "not an object"
  elseif not (type(prior.count) == "number" and math.tointeger(prior.count)) then
    return "count is not a whole number"
  end
  for _, list in ipairs(prior_lists()) do
    local first, second = table.unpack(list[1])
    local found = prior[first]
    if second then
      found = type(found) == "table" and found[second] or nil
    end
    if not is_weights(found, list[2]) then
      return ("%s is not a list of %d weights"):format(table.concat(list[1], "."), list[2])
    end
  end
  for _, field in ipairs(DRAWN) do
    local share = type(prior.repeats) == "table" and prior.repeats[field.name]
    if type(share) ~= "number" or not (share >= 0 and share <= 1) then
      return ("repeats.%s is not a share 0..1"):format(field.name)
    end
  end
  return nil
end

-- Whole numbers without a fraction, whatever their type.
local function list_text(values)
  local texts = {}
  for i, value in ipairs(values) do
    texts[i] = numbers.format("%.17g", value)
  end
  return "[" .. table.concat(texts, ",") .. "]"
end

--- A prior as JSON, the same bytes for the same prior.
---@param prior ym2612ml.Prior
---@return string json
function M.encode(prior)
  check.no_problem(M.problem(prior), 1, "encode")
  local lines, repeats = { ('"count":%d'):format(prior.count) }, {}
  local roles = { carrier = {}, modulator = {} }
  for _, list in ipairs(prior_lists()) do
    local first, second = table.unpack(list[1])
    if second then
      table.insert(roles[first], ('  "%s":%s'):format(second, list_text(prior[first][second])))
    else
      lines[#lines + 1] = ('"%s":%s'):format(first, list_text(prior[first]))
    end
  end
  for _, field in ipairs(DRAWN) do
    repeats[#repeats + 1] = numbers.format('"%s":%.6f', field.name, prior.repeats[field.name])
  end
  lines[#lines + 1] = ('"repeats":{%s}'):format(table.concat(repeats, ","))
  for _, role in ipairs { "carrier", "modulator" } do
    lines[#lines + 1] = ('"%s":{\n%s}'):format(role, table.concat(roles[role], ",\n"))
  end
  return "{" .. table.concat(lines, ",\n") .. "}\n"
end

--- Writes a prior as JSON.
---@param path string
---@param prior ym2612ml.Prior
---@return true? done
---@return string? message
---@return string? kind  "io"
function M.write(path, prior)
  check.type(path, "string", 1, "write")
  check.no_problem(M.problem(prior), 2, "write")
  return files.write(path, M.encode(prior))
end

--- Reads a prior that write wrote.
---@param path string
---@return ym2612ml.Prior? prior
---@return string? message
---@return string? kind  "io" or "format"
function M.read(path)
  check.type(path, "string", 1, "read")
  local bytes, message, kind = files.read(path)
  if not bytes then
    return nil, message, kind
  end
  local fine, prior = attempt(json.decode, bytes)
  local problem = fine and M.problem(prior) or not fine and prior
  if problem then
    return nil, ("%s: is no prior: %s"):format(path, problem), "format"
  end
  return prior
end

return M
