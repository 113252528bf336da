-- The patch formats: one entry each, from which reading, writing, help and documents are
-- made. An entry has
--   name         as given to ym.patch.read and friends
--   extensions   of its files, lower case, no dot; the first is that of what is written
--   title        for help texts
--   depths       whether its files hold how much the LFO acts: AMS, FMS and AM
--   lfo          whether they hold its speed, too, and so `depths`
--   many         whether a file holds several patches; `most`: how many, if there is a limit
--   nameless     whether a patch's name is that of its file
--   common       whether files of other kinds often have such names
--   versions     those that can be written, if it can be chosen
--   detect(bytes) -> how sure it is that bytes are of this format: 0 no, 1 by its size and
--                values, 2 by what is in it, 3 by its magic number
--   decode(bytes) -> list of patches, notes: in words, what was dropped or changed; or nil,
--                message: what is wrong, without the path
--   encode(list, options) -> bytes; nil: the format is only read
--   order(list)  -> where it is not the list's own: the order in which `decode` gives what
--                `encode` wrote, as indices in the list
-- What a file holds beside patches is in their field `carried` (carry.lua).
local M = {}

--- All formats.
M.list = { (require "ym2612ml.formats.y12") }
table.move(require "ym2612ml.formats.tfi", 1, 2, #M.list + 1, M.list)
for _, name in ipairs {
  "eif", "dmp", "opni", "wopn", "fui", "gyb", "opm", "ctrmml", "mml2vgm", "bamboo", "c", "text",
} do
  M.list[#M.list + 1] = require("ym2612ml.formats." .. name)
end

M.by_name, M.by_extension = {}, {}
for _, format in ipairs(M.list) do
  M.by_name[format.name] = format
  for _, extension in ipairs(format.extensions) do
    M.by_extension[extension] = format
  end
end

--- The format of a file, by its content. Of several that are as likely the extension
--- decides, and it does where none is likely.
---@param bytes string
---@param extension string  in lower case, without dot
---@return table? format
function M.detect(bytes, extension)
  local by_extension = M.by_extension[extension]
  local best, certainty = by_extension, by_extension and by_extension.detect(bytes) or 0
  for _, format in ipairs(M.list) do
    local found = format.detect(bytes)
    if found > certainty then
      best, certainty = format, found
    end
  end
  return best
end

return M
