-- Results on disk, a JSON object a line, one for each target and method, so that a stopped
-- evaluation goes on where it was. The first line holds what they depend on.
local attempt = require "ym2612ml.attempt"
local files = require "ym2612ml.files"
local json = require "ym2612ml.json"
local steps = require "ym2612ml.steps"
local work = require "ym2612ml.ranks.work"

local M = {}

local NAME = "results.jsonl"

local Results = {}
Results.__index = Results

local function key_of(result)
  return ("%s %d %s"):format(result.set, result.number, result.method)
end

-- The objects of the whole lines; or nil, message, kind. What follows the last line break
-- was cut off by a stop.
local function read_lines(path, bytes)
  local list = {}
  for line in bytes:gmatch("([^\n]*)\n") do
    local fine, object = attempt(json.decode, line)
    if not fine or type(object) ~= "table" then
      return nil, ("%s: line %d is no JSON object"):format(path, #list + 1), "format"
    end
    list[#list + 1] = object
  end
  return list
end

-- Reads what is there, or begins the file.
local function take_up(self, identity)
  local head = json.encode(identity)
  local bytes = files.read(self.path)
  local lines, message, kind
  if not bytes then
    return files.write(self.path, head .. "\n")
  end
  lines, message, kind = read_lines(self.path, bytes)
  if not lines then
    return nil, message, kind
  elseif not lines[1] or json.encode(lines[1]) ~= head then
    return nil, self.path .. ": was begun with other settings; choose another work folder", "input"
  end
  for i = 2, #lines do
    local result = lines[i]
    if type(result.set) ~= "string" or not math.tointeger(result.number) or type(result.method) ~= "string" then
      return nil, ("%s: line %d is no result"):format(self.path, i), "format"
    end
    self.known[key_of(result)] = result
  end
  if bytes:sub(-1) ~= "\n" then
    return files.write(self.path, bytes:match("^(.*\n)") or head .. "\n")
  end
  return true
end

--- Opens the results in a folder, which is made where it is missing.
---@param folder? string  nil: they are kept in memory
---@param identity table  what results depend on: that of earlier ones must be equal
---@return table? results  with methods get and add
---@return string? message
---@return string? kind  "io", "format", or "input": begun with other settings
function M.open(folder, identity)
  local self = setmetatable({ path = folder and folder .. "/" .. NAME, known = {} }, Results)
  if folder then
    local fine, message, kind = files.make_folder(folder)
    if fine then
      fine, message, kind = take_up(self, identity)
    end
    if not fine then
      return nil, message, kind
    end
  end
  return self
end

--- Opens the results for ranks: rank 0 has the file, and all know what is in it. Raises as
--- steps.fail does.
---@param group ym2612ml.Ranks?
---@param folder? string
---@param identity table
---@return table results
function M.shared(group, folder, identity)
  local self = work.once(group, function()
    return steps.must(M.open(folder, identity))
  end)
  local known = work.shared(group, self and self.known)
  return self or setmetatable({ known = known }, Results)
end

-- The result of a target and method, if there is one.
function Results:get(set, number, method)
  return self.known[key_of { set = set, number = number, method = method }]
end

-- Adds a result with set, number and method. Returns true; or nil, message, "io".
function Results:add(result)
  self.known[key_of(result)] = result
  if not self.path then
    return true
  end
  local file, reason = io.open(self.path, "ab")
  local written = file
  if file then
    written, reason = file:write(json.encode(result), "\n")
    local closed, problem = file:close()
    written, reason = written and closed, reason or problem
  end
  if not written then
    return nil, ("%s: cannot be added to: %s"):format(self.path, reason), "io"
  end
  return true
end

return M
