-- What files hold beside the fields of patches. A patch, and a list of patches, that was
-- read has it in its field `carried`, a table with the name of the format and whatever
-- that format needs to write the same bytes again; other formats pass over it.
local M = {}

--- What a format carried.
---@param holder table  a patch or a list
---@param format string
---@return table carried  empty where there is none of this format
function M.of(holder, format)
  local carried = holder.carried
  return type(carried) == "table" and carried.format == format and carried or {}
end

--- A name in a field of fixed size, filled up with NUL; what is too long is cut, not
--- within a character of UTF-8.
---@param name string?
---@param size integer
---@return string
function M.padded(name, size)
  name = name or ""
  if #name > size then
    local whole = utf8.len(name) and utf8.offset(name, 0, size + 1) - 1 or size
    name = name:sub(1, whole)
  end
  return name .. ("\0"):rep(size - #name)
end

--- The name in such a field.
---@param bytes string
---@return string
function M.unpadded(bytes)
  return bytes:match("^[^\0]*")
end

return M
