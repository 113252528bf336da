-- Paths for the command: what its arguments mean, and names that do not collide.
local files = require "ym2612ml.files"
local lfs = require "ym2612ml.filesystem"

local M = {}

local LONGEST = 100 -- bytes of a file's name that is made of that of a patch

--- A file's name without folder.
---@param path string
---@return string
function M.name(path)
  return path:match("([^/]+)/*$") or path
end

--- A file's name without folder and ending.
---@param path string
---@return string
function M.stem(path)
  local name = M.name(path)
  return name:match("^(.+)%.[^.]+$") or name
end

---@param folder string
---@param name string
---@return string path
function M.join(folder, name)
  return (folder == "" or folder:sub(-1) == "/") and folder .. name or folder .. "/" .. name
end

--- The path from the root of the file system.
---@param path string
---@return string
function M.absolute(path)
  return path:sub(1, 1) == "/" and path or M.join(lfs.currentdir(), path)
end

---@param path string
---@return boolean
function M.is_folder(path)
  return lfs.attributes(path, "mode") == "directory"
end

--- What tells an existing file from all others, by whatever path it is reached.
---@param path string
---@return string? identity nil when there is no such file
function M.identity(path)
  local found = lfs.attributes(path)
  return found and ("%d:%d"):format(found.dev, found.ino)
end

--- The files that the arguments mean, as in files.expand. A folder without any is
--- reported, and one that cannot be read.
---@param arguments string[]
---@param endings table<string, boolean>
---@param what string such as "sounds", for the report
---@param report table
---@return string[] paths
function M.expand(arguments, endings, what, report)
  local list, failures = files.expand(arguments, endings, what)
  local found = {}
  for _, path in ipairs(list) do
    if failures[path] then
      report:fail(failures[path].message)
    else
      found[#found + 1] = path
    end
  end
  return found
end

--- Makes a folder and those above it where they are missing.
---@param path string
---@return boolean? made
---@return string? message
function M.make_folder(path)
  if path == "" or M.is_folder(path) then
    return true
  end
  local above = path:match("^(.*[^/])/+[^/]+/*$")
  if above then
    local made, message = M.make_folder(above)
    if not made then
      return nil, message
    end
  end
  return files.make_folder(path)
end

--- A name as that of a file: without what file systems do not take, "" when nothing is
--- left.
---@param name string
---@return string
function M.file_name(name)
  name = name:gsub("[%c/\\:*?\"<>|]+", "_"):gsub("^[%s._]+", "")
  local last = #name > LONGEST and utf8.len(name) and utf8.offset(name, 0, LONGEST + 1) - 1 or LONGEST
  return (name:sub(1, last):gsub("[%s._]+$", ""))
end

--- Makes a function that gives each file a name of its own: a second file of the same
--- stem gets "-2" added, and so on.
---@return fun(path: string): string
function M.unique_stems()
  local taken = {}
  return function(path)
    local stem = M.stem(path)
    local name, count = stem, 1
    while taken[name:lower()] do
      count = count + 1
      name = ("%s-%d"):format(stem, count)
    end
    taken[name:lower()] = true
    return name
  end
end

return M
