-- The files of one sound: its patches and their auditions, kept as good as the best found
-- so far.
local files = require "ym2612ml.files"
local lfs = require "ym2612ml.filesystem"
local paths = require "ym2612ml.cli.paths"
local ym = require "ym2612ml"

local M = {}

-- Hz of auditions. Those of matches that may yet change have the chip's own rate: to
-- bring a second of sound to another takes 15 ms.
local FINAL_RATE = 44100

-- Endings of the patches, of every format that can be written.
local ENDINGS = {}
for _, format in ipairs(ym.patch.formats()) do
  ENDINGS[format.extension] = format.writes or nil
end

local Outputs = {}
Outputs.__index = Outputs
Outputs.__name = "ym2612ml.outputs"

-- What follows a sound's name in the name of a patch or audition, without its ending.
local RANKED = "_[1-8]_alg[0-7]"

--- Whether a file is an audition that an earlier run wrote: named like one, with its
--- patch beside it.
---@param path string
---@return boolean
function M.is_audition(path)
  local base = path:match("^(.+" .. RANKED .. ")%.wav$")
  for ending in pairs(base and ENDINGS or {}) do
    if lfs.attributes(base .. "." .. ending, "mode") == "file" then
      return true
    end
  end
  return false
end

--- The files of a sound in a folder.
---@param folder string
---@param stem string  what their names begin with
---@param inputs table<string, true>  identities of the sounds to be matched, which are
---  not written over
---@param formats ym2612ml.Format[]  of the patches
---@return table outputs
function M.new(folder, stem, inputs, formats)
  return setmetatable({ folder = folder, stem = stem, inputs = inputs, formats = formats, written = {} }, Outputs)
end

-- Removes the files of this sound that are not among those just written: of an earlier
-- run or state, which had other ranks and algorithms. But no audition that is itself to
-- be matched, nor its patch; and no text, which may be somebody's notes, unless texts are
-- what is written.
local function remove_stale(self, current)
  local there, message = files.list(self.folder)
  if not there then
    return nil, message
  end
  local names, endings = {}, ym.patch.endings()
  endings.wav = true
  for _, format in ipairs(self.formats) do
    endings[format.extension] = true
  end
  for _, name in ipairs(there) do
    local rest = name:sub(1, #self.stem) == self.stem and name:sub(#self.stem + 1) or ""
    local base, ending = rest:match("^(" .. RANKED .. ")%.(%w+)$")
    local kept = base and current[self.stem .. base] or {}
    if endings[ending] and not kept[ending] then
      local audition = paths.identity(paths.join(self.folder, self.stem .. base .. ".wav"))
      local mode = lfs.symlinkattributes(paths.join(self.folder, name), "mode")
      if mode == "file" and not self.inputs[audition or false] then
        names[#names + 1] = name
      end
    end
  end
  for _, name in ipairs(names) do
    local removed, reason = os.remove(paths.join(self.folder, name))
    if not removed then
      return nil, reason
    end
  end
  return true
end

-- Writes one match unless it is there, the patch last, so that none stands without its
-- audition.
local function write_match(self, name, match, rate)
  local content = ("%s%s %s %s %s"):format(ym.patch.pack({ match.patch }):bytes(), match.note, match.held,
    match.release, rate)
  if self.written[name] == content then
    return true
  end
  local audition = paths.join(self.folder, name .. ".wav")
  if self.inputs[paths.identity(audition) or false] then
    return nil, ("%s: is a sound to be matched, and not overwritten"):format(audition)
  end
  match.patch.name = match.patch.name or self.stem
  local samples, native = ym.render(match.patch, {
    note = match.note, held = match.held, release = match.release, chip = match.chip,
    velocity = match.velocity,
  })
  if rate then
    samples = assert(ym.audio.resample(samples, native, rate, { quick = true }))
  end
  local done, message = ym.audio.write(audition, samples, rate or native)
  for _, format in ipairs(done and self.formats or {}) do
    if done then
      local path = paths.join(self.folder, ("%s.%s"):format(name, format.extension))
      done, message = ym.patch.write(path, match.patch, format.name)
    end
  end
  self.written[name] = done and content or nil
  return done, message
end

--- Writes the matches of the sound, to the first that cannot be written; what an earlier
--- state had besides is removed.
---@param matches ym2612ml.Match[]
---@param final boolean  false: they may yet change, and are written quickly
---@return table[] entries  what was written: {rank, algorithm, distance, patch, audition},
---  the last two the names of files in the folder
---@return string? message
function Outputs:write(matches, final)
  local entries, current = {}, {}
  for rank, match in ipairs(matches) do
    local name = ("%s_%d_alg%d"):format(self.stem, rank, match.algorithm)
    local done, message = write_match(self, name, match, final and FINAL_RATE or nil)
    if not done then
      return entries, message
    end
    current[name] = { wav = true }
    for _, format in ipairs(self.formats) do
      current[name][format.extension] = true
    end
    entries[rank] = {
      rank = rank, algorithm = match.algorithm, distance = match.distance,
      patch = ("%s.%s"):format(name, self.formats[1].extension), audition = name .. ".wav",
    }
  end
  local done, message = remove_stale(self, current)
  return entries, not done and message or nil
end

return M
