-- What files do not hold of patches, in words.
local console = require "ym2612ml.cli.console"
local files = require "ym2612ml.files"
local ym = require "ym2612ml"

local M = {}

local MOST_TOLD = 10 -- patches of a file

--- The format of a name.
---@param name string
---@return ym2612ml.Format? format  nil: there is none
function M.format(name)
  for _, format in ipairs(ym.patch.formats()) do
    if format.name == name then
      return format
    end
  end
end

--- The names of the formats that can be written.
---@return string[]
function M.written()
  local names = {}
  for _, format in ipairs(ym.patch.formats()) do
    names[#names + 1] = format.writes and format.name or nil
  end
  return names
end

-- The formats of banks that can be written.
local function bank_formats()
  local banks = {}
  for _, format in ipairs(ym.patch.formats()) do
    banks[#banks + 1] = format.writes and format.many and format or nil
  end
  return banks
end

--- The endings of banks that can be written, in words.
---@return string
function M.banks()
  local endings = {}
  for i, format in ipairs(bank_formats()) do
    endings[i] = "." .. format.extension
  end
  return table.concat(endings, ", ")
end

--- The format of a bank, by the ending of its name.
---@param path string
---@return string? name  nil: it cannot be written, or is none of a bank
function M.bank(path)
  local ending = files.ending(path)
  for _, format in ipairs(bank_formats()) do
    for _, extension in ipairs(format.extensions) do
      if extension == ending then
        return format.name
      end
    end
  end
end

--- All formats in words, for help texts.
---@return string
function M.titles()
  local titles = {}
  for i, format in ipairs(ym.patch.formats()) do
    titles[i] = "." .. table.concat(format.extensions, " .")
  end
  return table.concat(titles, " ")
end

local function in_words(loss)
  if loss.field == "patch" then
    return "the patch, which is empty"
  end
  local words = loss.field .. (loss.operator and (" of operator %d"):format(loss.operator) or "")
  local value = type(loss.value) == "string" and ("%q"):format(loss.value) or tostring(loss.value or "off")
  if loss.field == "lfo" or loss.becomes and loss.becomes ~= 0 and loss.becomes ~= "" then
    return ("%s %s (which becomes %s)"):format(words, value, loss.becomes or "off")
  end
  return ("%s %s"):format(words, value)
end

-- What the files of a format do not hold of patches: one file, or one for each.
local function losses_of(list, format, options)
  if format.many or #list == 1 then
    return ym.patch.lossy(list, format.name, options)
  end
  local losses = {}
  for i, patch in ipairs(list) do
    for _, loss in ipairs(ym.patch.lossy({ patch }, format.name, options)) do
      loss.patch = i
      losses[#losses + 1] = loss
    end
  end
  return losses
end

--- Reports what a file of a format does not hold of patches, a note for each patch, but not
--- more than ten. Where the name of a patch is that of its file, and the file has it, that
--- is no loss.
---@param list ym2612ml.Patch[]  of one file, or of a file each where the format holds one
---@param format ym2612ml.Format
---@param options {version: integer?}
---@param target string  path of the file, or of the folder of several
---@param report table
function M.tell(list, format, options, target, report)
  local stem = target:match("([^/]+)%.[^./]*$")
  local by_patch = {}
  for _, loss in ipairs(losses_of(list, format, options)) do
    if not (format.nameless and loss.field == "name" and loss.value == stem) then
      local words = by_patch[loss.patch] or {}
      by_patch[loss.patch] = words
      words[#words + 1] = in_words(loss)
    end
  end
  local told = 0
  for i, patch in ipairs(list) do
    told = told + (by_patch[i] and 1 or 0)
    if by_patch[i] and told <= MOST_TOLD then
      local which = #list > 1 and (" (patch %d, %s)"):format(i, console.printable(patch.name or "")) or ""
      report:note(("%s%s: the format does not hold %s"):format(target, which,
        console.printable(table.concat(by_patch[i], ", "))))
    end
  end
  if told > MOST_TOLD then
    report:note(("%s: nor all of %d more patches"):format(target, told - MOST_TOLD))
  end
end

return M
