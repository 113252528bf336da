-- Whole files in and out, failures as triples; and the files that a list of files and
-- folders means.
local attempt = require "ym2612ml.attempt"
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local lfs = require "ym2612ml.filesystem"

local M = {}

local PIECE = 1 << 16 -- bytes read at a time where there is a limit

-- All bytes of an open file; nil and why not, if there is a reason. Where there is a
-- limit, no more are read.
local function read_all(file, most)
  if not most then
    return file:read("a")
  end
  local pieces, size = {}, 0
  repeat
    local piece, reason = file:read(PIECE)
    if reason then
      return nil, reason
    end
    pieces[#pieces + 1] = piece
    size = size + #(piece or "")
  until not piece or size > most
  if size > most then
    return nil, ("is larger than %d bytes"):format(most)
  end
  return table.concat(pieces)
end

--- Reads a whole file.
---@param path string
---@param most? integer  bytes; a larger file is not read
---@return string? bytes
---@return string? message  names the path
---@return string? kind     "io"
function M.read(path, most)
  local file, reason = io.open(path, "rb")
  if not file then
    return nil, reason, "io"
  end
  local bytes
  bytes, reason = read_all(file, most)
  file:close()
  if not bytes then -- a directory opens, but does not read
    return nil, ("%s: %s"):format(path, reason), "io"
  end
  return bytes
end

--- Writes a whole file through a temporary one beside it, so that path holds either
--- what it held before or all of bytes. Only a regular file is replaced: a folder, a
--- device, a pipe and a symbolic link, whatever it leads to, are refused and stay as they
--- are. So does everything here that writes files (src/replace.h).
---@param path string
---@param bytes string
---@return true? done
---@return string? message  names the path
---@return string? kind     "io"
function M.write(path, bytes)
  return core.store.write(path, bytes, {})
end

--- Gives a file or folder another name. The message of os.rename names no path.
---@param from string
---@param to string  what is there is replaced
---@return true? done
---@return string? message  names the new path
---@return string? kind     "io"
function M.rename(from, to)
  local done, reason = os.rename(from, to)
  if not done then
    return nil, ("%s: %s"):format(to, reason), "io"
  end
  return true
end

--- What follows the last dot of a file's name, in lower case.
---@param path string
---@return string ending  "" when there is none
function M.ending(path)
  return (path:match("[^/]%.([^./]+)$") or ""):lower()
end

--- Makes a folder, unless it is there.
---@param path string
---@return true? done
---@return string? message  names the path
---@return string? kind     "io"
function M.make_folder(path)
  local made, reason = lfs.mkdir(path)
  if not made and lfs.attributes(path, "mode") ~= "directory" then
    return nil, ("%s: cannot make this folder: %s"):format(path, reason), "io"
  end
  return true
end

--- What is in a folder.
---@param folder string
---@return string[]? names  in order, without "." and ".."
---@return string? message  names the path
---@return string? kind     "io"
function M.list(folder)
  local opened, next_name, state = attempt(lfs.dir, folder)
  if not opened then
    local reason = tostring(next_name):match(": ([^:]*)$") or tostring(next_name)
    return nil, ("%s: %s"):format(folder, reason), "io"
  end
  local names = {}
  for name in next_name, state do
    if name ~= "." and name ~= ".." then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

-- Adds what is in a folder and the folders within, by name. Hidden names are passed over,
-- and links to folders, which may lead in circles. A folder that cannot be read is in
-- the list itself, with its failure.
local function add_folder(folder, endings, list, failures)
  local names, message, kind = M.list(folder)
  if not names then
    list[#list + 1] = folder
    failures[folder] = { message = message, kind = kind }
    return
  end
  for _, name in ipairs(names) do
    local path = folder:gsub("/+$", "") .. "/" .. name
    local hidden = name:sub(1, 1) == "."
    if not hidden and lfs.symlinkattributes(path, "mode") == "directory" then
      add_folder(path, endings, list, failures)
    elseif not hidden and endings[M.ending(name)] and lfs.attributes(path, "mode") ~= "directory" then
      list[#list + 1] = path
    end
  end
end

--- The files that paths mean: a file itself, whatever its ending, and of a folder all
--- files with one of the endings, folders within included, by name. A folder without any
--- stands in the list itself, as does one that cannot be read: both have a failure.
---@param paths string[]
---@param endings table<string, boolean>  in lower case, without dot
---@param what string  such as "sounds", for messages
---@param caller? string  the function to blame when paths is no list of strings
---@return string[] list
---@return table<string, {message: string, kind: string}> failures  by path in the list;
---  kind "input": there are no such files, or "io"
function M.expand(paths, endings, what, caller)
  check.type(paths, "table", 1, caller or "expand")
  local list, failures = {}, {}
  for i, path in ipairs(paths) do
    if type(path) ~= "string" then
      check.misuse(("bad argument #1 to '%s' (path %d is %s, expected a string)"):format(
        caller or "expand", i, type(path)))
    end
    local before = #list
    if lfs.attributes(path, "mode") == "directory" then
      add_folder(path, endings, list, failures)
      if #list == before then
        failures[path] = { message = ("%s: holds no %s"):format(path, what), kind = "input" }
      end
    end
    if #list == before then
      list[#list + 1] = path
    end
  end
  return list, failures
end

return M
