-- ym2612ml mine: the patches that VGM files play, as patch files.
local arguments = require "ym2612ml.cli.arguments"
local console = require "ym2612ml.cli.console"
local convert = require "ym2612ml.cli.convert"
local loss = require "ym2612ml.cli.loss"
local mining = require "ym2612ml.vgm.mining"
local paths = require "ym2612ml.cli.paths"
local vgm = require "ym2612ml.vgm.file"

local M = {}

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Find the patches that VGM files play.")
  command:description("Goes through the register logs of music and writes every patch that a note is played with, "
    .. "once: patches that differ only in how loud they are played are one. Prints where each is heard first.")
  command:argument("FILE", "VGM files (.vgm, .vgz), or folders of them."):args("+"):target("files")
  command:option("-o --output", "Folder for the patches."):argname("DIR"):default(".")
  command:option("--to", "Format to write: " .. table.concat(loss.written(), ", ") .. "."):argname("FORMAT")
    :choices(loss.written()):default("y12")
  command:flag("--keep-levels", "Keep patches apart that differ only in how loud they are played.")
end

local function clock(seconds)
  local hundredths = math.floor(100 * seconds + 0.5)
  return ("%d:%02d.%02d"):format(hundredths // 6000, hundredths // 100 % 60, hundredths % 100)
end

-- Goes through one file.
local function add(path, miner, games, report)
  local source, message = vgm.load(path)
  if not source then
    return nil, message
  end
  games[path] = source.tags.game
  for _, note in ipairs(miner:add(source, path)) do
    report:note(("%s: %s"):format(path, note))
  end
  return true
end

-- Names patches after the files in which they are heard first, and counts them there.
local function name_patches(found, games)
  local counts, list = {}, {}
  for i, entry in ipairs(found) do
    local path = entry.heard[1].path
    counts[path] = (counts[path] or 0) + 1
    entry.patch.name = ("%s_%02d"):format(paths.stem(path), counts[path])
    entry.patch.game = games[path]
    list[i] = entry.patch
  end
  return list
end

local function print_found(found, report)
  local rows = {}
  for i, entry in ipairs(found) do
    local first = entry.heard[1]
    rows[i] = {
      console.printable(entry.patch.name), entry.patch.algorithm, clock(first.time), first.channel,
      first.note and first.note >= 0 and arguments.note_name(math.floor(first.note + 0.5)) or "-", #entry.heard,
    }
  end
  report:columns({ "patch", "algorithm", "first at", "channel", "note", "notes" }, rows)
end

-- Writes the patches, into one bank where the format has room for many.
local function write(list, options, found, report)
  local job = convert.new_job(options.to, nil, found, "ym2612ml mine", report)
  local made, message = paths.make_folder(options.output)
  if not made then
    return report:fail(message)
  end
  if job.format.many then
    local target = paths.join(options.output, ("%s.%s"):format(paths.stem(found[1]), job.format.extension))
    return report:attempt(target, convert.write, target, list, job)
  end
  return report:attempt(options.output, convert.write_each, list, options.output, "patch", job)
end

--- Runs the command.
---@param options {files: string[], output: string, to: string, keep_levels: boolean?}
---@param report table
function M.run(options, report)
  local found = paths.expand(options.files, { vgm = true, vgz = true }, "VGM files", report)
  local miner, games, read = mining.new(), {}, {}
  for index, path in ipairs(found) do
    report:progress(index - 1, #found, path)
    if report:attempt(path, add, path, miner, games, report) then
      read[#read + 1] = path
    end
  end
  local mined = miner:finish(options.keep_levels)
  if #mined == 0 then
    if #read > 0 then
      report:fail(("%s: no note is played on a YM2612"):format(table.concat(read, ", ")))
    end
    return
  end
  if write(name_patches(mined, games), options, read, report) then
    print_found(mined, report)
  end
end

return M
