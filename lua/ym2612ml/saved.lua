-- Objects out of the files and strings they were saved as: what networks, optimisers and
-- principal components share.
local line = require "ym2612ml.line"
local store = require "ym2612ml.store"

local M = {}

-- make's object from what store gave; prefix goes before make's reason for none.
local function settle(make, prefix, tensors, metadata, kind)
  if not tensors then
    return nil, metadata, kind
  end
  local object, message = make(tensors, metadata)
  if object == nil then
    return nil, prefix .. line(message), "format"
  end
  return object
end

--- Makes an object from a safetensors file, which must have our checksum.
---@param path string
---@param make fun(tensors: table<string, ym2612ml.Tensor>, metadata: table<string, string>): any, string?
---  gives the object, or nil and why the file holds none
---@return any object
---@return string? message  names the path
---@return string? kind  "io" or "format"
function M.load(path, make)
  return settle(make, path .. ": ", store.load(path, { checked = true }))
end

--- The same from the bytes of a file.
---@param bytes string
---@param make fun(tensors: table<string, ym2612ml.Tensor>, metadata: table<string, string>): any, string?
---@return any object
---@return string? message
---@return string? kind  "format"
function M.decode(bytes, make)
  return settle(make, "", store.decode(bytes, { checked = true }))
end

return M
