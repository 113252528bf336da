-- The rows of an open .npy file (ym2612ml.store), read a few at a time.
local check = require "ym2612ml.check"

local M = {}

---@class ym2612ml.NpyRows  an open .npy file, read by rows
---@field shape integer[]
---@field type ym2612ml.Type
local NpyRows = {}
NpyRows.__index = NpyRows
NpyRows.__name = "ym2612ml.NpyRows"

-- How many elements a row has.
local function width_of(shape)
  local count = 1
  for axis = 2, #shape do
    count = count * shape[axis]
  end
  return count
end

--- Makes them of a file whose header was read, and which stands at its first element.
---@param path string  for messages
---@param source {file: file*, fill: fun(into: ym2612ml.Tensor): true?, string?, string?}
---@param kind ym2612ml.Type
---@param shape integer[]  one axis or more
---@param bytes integer  of an element
---@return ym2612ml.NpyRows
function M.new(path, source, kind, shape, bytes)
  return setmetatable({
    path = path, source = source, type = kind, shape = shape, first = source.file:seek(),
    row_bytes = bytes * width_of(shape),
  }, NpyRows)
end

--- Reads rows.
---@param into ym2612ml.Tensor  (rows, ...) of the file's type, written from its first row on
---@param indices integer[]  of the file's rows, from 1
---@return true? done
---@return string? message  names the path
---@return string? kind  "io" or "format": the file ends before
function NpyRows:read(into, indices)
  check.tensor(into, 1, "read")
  check.type(indices, "table", 2, "read")
  local shape, width = into:shape(), width_of(self.shape)
  local fits = into:type() == self.type and shape[1] >= #indices and width_of(shape) == width
  check.no_problem(not fits and ("tensor %s (%s), expected %s and %d rows of %d"):format(
    into:type(), table.concat(shape, ", "), self.type, #indices, width) or nil, 1, "read")
  for i, index in ipairs(indices) do
    if not math.tointeger(index) or index < 1 or index > self.shape[1] then
      check.misuse(("bad argument #2 to 'read' (row %s, expected 1..%d)"):format(tostring(index), self.shape[1]))
    end
    self.source.file:seek("set", self.first + (index - 1) * self.row_bytes)
    local filled, message, kind = self.source.fill(into:slice(i, i))
    if not filled then
      return nil, ("%s: %s"):format(self.path, message), kind
    end
  end
  return true
end

--- Closes the file, as the collector does.
function NpyRows:close()
  self.source.file:close()
end

return M
