-- ym2612ml convert: patch files of any format into another.
local arguments = require "ym2612ml.cli.arguments"
local console = require "ym2612ml.cli.console"
local loss = require "ym2612ml.cli.loss"
local paths = require "ym2612ml.cli.paths"
local reading = require "ym2612ml.cli.reading"
local ym = require "ym2612ml"

local M = {}

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Turn patch files into those of another program.")
  command:description("Reads patch files of any format (" .. loss.titles() .. "), by their content, and writes them "
    .. "in another. A bank becomes a bank, or one file for each patch where the format holds "
    .. "one. What the format does not hold is told, field by field.")
  command:argument("FILE", "Patch files and banks, or folders of them."):args("+"):target("files")
  command:option("--to", "Format to write: " .. table.concat(loss.written(), ", ") .. "."):argname("FORMAT")
    :choices(loss.written()):count(1)
  command:option("-o --output", "Folder for the files."):argname("DIR"):default(".")
  arguments.add(command, "--version", "NUMBER", arguments.integer(1, 255), "Version of the format, for opni and wopn.")
end

--- Writes one file, unless it is one of those that are read.
---@param target string
---@param list ym2612ml.Patch[]
---@param job table  {format, options, inputs, report, told: true where what the format does
---  not hold has been told}
---@return true? done
---@return string? message
function M.write(target, list, job)
  if job.inputs[paths.identity(target) or false] then
    return nil, ("%s: is one of the files to read, and not overwritten"):format(target)
  end
  if not job.told then
    loss.tell(list, job.format, job.options, target, job.report)
  end
  return ym.patch.write(target, list, job.format.name, job.options)
end

--- Writes patches each into a file of its own.
---@param list ym2612ml.Patch[]
---@param folder string
---@param otherwise string  name of the files of patches without one
---@param job table  as for write, and {unique_stem}
---@return true? done
---@return string? message
function M.write_each(list, folder, otherwise, job)
  for i, patch in ipairs(list) do
    local name = paths.file_name(console.printable(patch.name or ""))
    name = name ~= "" and name or ("%s_%03d"):format(otherwise, i)
    local ending = "." .. job.format.extension
    local done, message = M.write(paths.join(folder, job.unique_stem(name .. ending) .. ending), { patch }, job)
    if not done then
      return nil, message
    end
  end
  return true
end

--- What is needed to write: the format, its options, and the files that are read.
---@param name string  of the format
---@param version integer?
---@param found string[]  paths that are read
---@param command string  for the message when the version is wrong
---@param report table
---@return table job
function M.new_job(name, version, found, command, report)
  local job = {
    format = loss.format(name), options = { version = version }, inputs = {}, report = report,
    unique_stem = paths.unique_stems(),
  }
  for _, path in ipairs(found) do
    job.inputs[paths.identity(path) or path] = true
  end
  local versions = table.concat(job.format.versions or {}, " or ")
  if version and not (" " .. versions .. " "):find((" %d "):format(version), 1, true) then
    arguments.misuse(command, ("option '--version': %d, expected %s"):format(version,
      versions ~= "" and versions or "none for this format"))
  end
  return job
end

local function convert(path, folder, job)
  local list, message = reading.all(path, job.report)
  if not list then
    return nil, message
  elseif #list == 0 then
    return nil, ("%s: holds no patches"):format(path)
  elseif #list > 1 and not job.format.many then
    return M.write_each(list, folder, paths.stem(path), job)
  end
  local name = ("%s.%s"):format(job.unique_stem(path), job.format.extension)
  return M.write(paths.join(folder, name), list, job)
end

--- Runs the command.
---@param options {files: string[], to: string, output: string, version: integer?}
---@param report table
function M.run(options, report)
  local found = paths.expand(options.files, ym.patch.endings(), "patches", report)
  local job = M.new_job(options.to, options.version, found, "ym2612ml convert", report)
  local made, message = paths.make_folder(options.output)
  if not made then
    return report:fail(message)
  end
  for index, path in ipairs(found) do
    report:progress(index - 1, #found, path)
    report:attempt(path, convert, path, options.output, job)
  end
end

return M
