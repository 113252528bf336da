-- Reads the bytes of a file one after another, never beyond their end.
local M = {}

local Cursor = {}
Cursor.__index = Cursor
Cursor.__name = "ym2612ml.cursor"

--- A cursor at the first byte.
---@param bytes string
---@return table cursor
function M.new(bytes)
  return setmetatable({ bytes = bytes, at = 1 }, Cursor)
end

--- Gives up decoding, in a function that `guarded` made.
---@param message string  without the path
function M.malformed(message)
  error({ malformed = message }, 0)
end

--- Makes a decoder that answers nil, message where `malformed` was called.
---@param decode fun(bytes: string): ...
---@return fun(bytes: string): ...
function M.guarded(decode)
  return function(bytes)
    local results = table.pack(pcall(decode, bytes))
    if results[1] then
      return table.unpack(results, 2, results.n)
    elseif type(results[2]) == "table" and results[2].malformed then
      return nil, results[2].malformed
    end
    error(results[2], 0)
  end
end

--- Bytes that are left.
---@return integer
function Cursor:left()
  return #self.bytes - self.at + 1
end

--- Gives up unless so many bytes are left.
---@param count integer
---@param what string  for the message
function Cursor:need(count, what)
  if count < 0 or count > self:left() then
    M.malformed(("%s at offset %d needs %d bytes, %d are left"):format(what, self.at - 1, count, self:left()))
  end
end

--- The next bytes.
---@param count integer
---@param what string
---@return string
function Cursor:take(count, what)
  self:need(count, what)
  local bytes = self.bytes:sub(self.at, self.at + count - 1)
  self.at = self.at + count
  return bytes
end

--- The next number.
---@param format string  of string.unpack, of one whole number
---@param what string
---@return integer
function Cursor:number(format, what)
  return (string.unpack(format, self:take(string.packsize(format), what)))
end

--- Moves to an offset, counted from 0.
---@param offset integer
---@param what string
function Cursor:go(offset, what)
  if offset < 0 or offset > #self.bytes then
    M.malformed(("%s is said to be at offset %d of %d bytes"):format(what, offset, #self.bytes))
  end
  self.at = offset + 1
end

--- The bytes up to the next NUL, which is passed over.
---@param what string
---@return string
function Cursor:text(what)
  local stop = self.bytes:find("\0", self.at, true)
  if not stop then
    M.malformed(("%s at offset %d has no end"):format(what, self.at - 1))
  end
  local text = self.bytes:sub(self.at, stop - 1)
  self.at = stop + 1
  return text
end

return M
