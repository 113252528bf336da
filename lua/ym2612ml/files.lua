-- Whole files in and out, failures as triples.
local M = {}

--- Reads a whole file.
---@param path string
---@return string? bytes
---@return string? message  names the path
---@return string? kind     "io"
function M.read(path)
  local file, reason = io.open(path, "rb")
  if not file then
    return nil, reason, "io"
  end
  local bytes
  bytes, reason = file:read("a")
  file:close()
  if not bytes then -- a directory opens, but does not read
    return nil, ("%s: %s"):format(path, reason), "io"
  end
  return bytes
end

-- A name beside path that no other writer uses: the address of a fresh table tells
-- writers of one process apart, the clock those of several.
local function temporary_name(path)
  local unique = tostring({}):match("0x(%x+)") or tostring({})
  return ("%s.%s-%x.part"):format(path, unique, os.time())
end

-- Removes the file it names when it is closed, however that comes about.
local function remover(path)
  return setmetatable({}, { __close = function() os.remove(path) end })
end

--- Writes a whole file through a temporary one beside it, so that path holds either
--- what it held before or all of bytes.
---@param path string
---@param bytes string
---@return true? done
---@return string? message  names the path
---@return string? kind     "io"
function M.write(path, bytes)
  local temporary = temporary_name(path)
  local file, reason = io.open(temporary, "wb")
  if not file then
    return nil, ("%s: cannot be written: %s"):format(path, reason), "io"
  end
  local _ <close> = remover(temporary)
  local done, closed, closing
  done, reason = file:write(bytes)
  closed, closing = file:close()
  if done and closed then
    done, reason = os.rename(temporary, path)
  else
    done, reason = nil, reason or closing
  end
  if not done then
    return nil, ("%s: cannot be written: %s"):format(path, reason), "io"
  end
  return true
end

return M
