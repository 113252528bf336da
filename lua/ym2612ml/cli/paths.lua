-- Paths for the command: what a folder holds, and names that do not collide.
local lfs = require "ym2612ml.filesystem"

local M = {}

--- The endings, in lower case, by which a sound is known in a folder.
M.SOUNDS = {
  wav = true, flac = true, aif = true, aiff = true, aifc = true, ogg = true, oga = true,
  opus = true, mp3 = true, au = true, snd = true, caf = true, w64 = true, rf64 = true,
}

--- What follows the last dot of a file's name, in lower case.
---@param path string
---@return string ending "" when there is none
function M.ending(path)
  return (path:match("[^/]%.([^./]+)$") or ""):lower()
end

--- A file's name without folder and ending.
---@param path string
---@return string
function M.stem(path)
  local name = path:gsub("/+$", ""):match("([^/]+)$") or path
  return name:match("^(.+)%.[^.]+$") or name
end

---@param folder string
---@param name string
---@return string path
function M.join(folder, name)
  return folder:sub(-1) == "/" and folder .. name or folder .. "/" .. name
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

local function add_folder(folder, endings, found)
  local names = {}
  for name in lfs.dir(folder) do
    if name:sub(1, 1) ~= "." then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local path = M.join(folder, name)
    if lfs.symlinkattributes(path, "mode") == "directory" then
      add_folder(path, endings, found)
    elseif endings[M.ending(name)] and not M.is_folder(path) then
      found[#found + 1] = path
    end
  end
  return true
end

--- The files that the arguments mean: a file itself, and of a folder all files with one
--- of the endings, folders within included, by name. A folder without any is reported.
---@param arguments string[]
---@param endings table<string, boolean>
---@param what string such as "sounds", for the report
---@param report table
---@return string[] paths
function M.expand(arguments, endings, what, report)
  local paths = {}
  for _, argument in ipairs(arguments) do
    if M.is_folder(argument) then
      local before = #paths
      local read = report:attempt(argument, add_folder, argument, endings, paths)
      if read and #paths == before then
        report:fail(("%s: no %s in this folder"):format(argument, what))
      end
    else
      paths[#paths + 1] = argument
    end
  end
  return paths
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
  local made, message = lfs.mkdir(path)
  if not made and not M.is_folder(path) then
    return nil, ("%s: cannot make this folder: %s"):format(path, message)
  end
  return true
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
