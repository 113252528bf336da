-- What `match` found and wrote, as a report takes it.
local ledgers = require "ym2612ml.cli.match.ledger"
local paths = require "ym2612ml.cli.paths"
local ym = require "ym2612ml"

local M = {}

-- The sensitivity of a document, whose operators are op1 to op4, like a patch.
local function unnamed(sensitivity)
  local object = {}
  for name, value in pairs(sensitivity) do
    object[tonumber(name:match("^op([1-4])$")) or name] = value
  end
  return object
end

-- The path of the first of the sounds, or why they cannot be compared with.
local function find_sound(list, digest)
  for _, path in ipairs(list) do
    if not paths.identity(path) then
      return nil, ("%s is gone."):format(paths.name(path))
    end
  end
  if ledgers.digest(list) ~= digest then
    return nil, ("%s has changed since it was matched."):format(#list > 1 and "The group" or paths.name(list[1]))
  end
  return list[1]
end

-- The paths of a match's patch: the file it is read from, and those of other formats
-- beside it.
local function files_of(entry, folder)
  local list, base = { paths.join(folder, entry.patch) }, paths.join(folder, paths.stem(entry.patch))
  for _, format in ipairs(ym.patch.formats()) do
    local path = ("%s.%s"):format(base, format.extension)
    if path ~= list[1] and paths.identity(path) then
      list[#list + 1] = path
    end
  end
  return list
end

--- A matched sound with its files. Patches that cannot be read are reported.
---@param item {stem: string, document: table, digest: string, paths: string[]}  of the ledger
---@param folder string  of the files
---@param report table
---@return ym2612ml.ReportTarget
function M.target(item, folder, report)
  local document = item.document
  local sound, missing = find_sound(item.paths, item.digest)
  local target = {
    name = item.stem, sound = sound, missing = missing, note = document.note, held = document.held,
    onset = document.onset, matches = {},
  }
  local first = paths.name(item.paths[1])
  target.about = #item.paths > 1 and ("%d sounds, of which %s is compared"):format(#item.paths, first) or first
  for rank, entry in ipairs(document.matches) do
    local path = paths.join(folder, entry.patch)
    local patch = report:attempt(path, ym.patch.read, path)
    if patch then
      target.matches[#target.matches + 1] = {
        patch = patch, distance = entry.distance, paths = files_of(entry, folder),
        sound = paths.join(folder, entry.audition),
        sensitivity = rank == 1 and document.sensitivity and unnamed(document.sensitivity) or nil,
      }
    end
  end
  return target
end

--- All that was matched into a folder.
---@param folder string
---@param report table
---@return ym2612ml.ReportTarget[] targets  none where nothing was
function M.targets(folder, report)
  local targets = {}
  for i, item in ipairs(ledgers.open(folder):all()) do
    targets[i] = M.target(item, folder, report)
  end
  return targets
end

-- Whether a path is that of a file which the page shows.
local function is_shown(path, targets)
  local identity = paths.identity(path)
  local function is_it(other)
    return type(other) == "string" and paths.identity(other) == identity
  end
  for _, target in ipairs(identity and targets or {}) do
    local found = is_it(target.sound)
    for _, match in ipairs(target.matches) do
      found = found or is_it(match.sound)
      for _, file in ipairs(match.paths or {}) do
        found = found or is_it(file)
      end
    end
    if found then
      return true
    end
  end
  return false
end

--- Writes the page, with a progress bar, over no file that it shows; a failure is reported.
---@param path string
---@param targets ym2612ml.ReportTarget[]
---@param options {title: string?, best: integer?}
---@param report table
function M.write(path, targets, options, report)
  if is_shown(path, targets) then
    return report:fail(("%s: is one of the files to show, and not overwritten"):format(path))
  end
  local written, message = ym.report.write(path, targets, {
    title = options.title, best = options.best,
    progress = function(done, total)
      report:progress(done, total, path)
    end,
  })
  report:clear()
  if not written then
    return report:fail(message)
  end
end

return M
