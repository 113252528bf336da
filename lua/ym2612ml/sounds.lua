-- Sound files by name: which endings are known, and the files that a list of files and
-- folders means.
local files = require "ym2612ml.files"

local M = {}

--- The endings, in lower case, by which a sound is known in a folder.
M.endings = {
  wav = true, flac = true, aif = true, aiff = true, aifc = true, ogg = true, oga = true,
  opus = true, mp3 = true, au = true, snd = true, caf = true, w64 = true, rf64 = true,
}

--- The sound files that paths mean: a file itself, whatever its ending, and of a folder
--- all sounds, folders within included, by name. A folder without any stands in the list
--- itself, as does one that cannot be read: both have a failure.
---@param paths string[]
---@param caller? string  the function to blame when paths is no list of strings
---@return string[] list
---@return table<string, {message: string, kind: string}> failures  by path in the list;
---  kind "input" or "io"
function M.expand(paths, caller)
  return files.expand(paths, M.endings, "sounds", caller)
end

return M
