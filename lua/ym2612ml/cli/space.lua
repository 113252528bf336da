-- What the commands around the learned space of patches share: the space itself, registers
-- that stay, and where the patches go.
local arguments = require "ym2612ml.cli.arguments"
local convert = require "ym2612ml.cli.convert"
local draws = require "ym2612ml.space.draws"
local files = require "ym2612ml.files"
local json = require "ym2612ml.json"
local locks = require "ym2612ml.cli.locks"
local loss = require "ym2612ml.cli.loss"
local paths = require "ym2612ml.cli.paths"
local reading = require "ym2612ml.cli.reading"
local ym = require "ym2612ml"

local M = {}

M.MOST = 1000000 -- patches of a command

--- Adds the option that tells which space it is.
---@param command table argparse command
function M.define_model(command)
  command:option("--model", "Space to use, which `ym2612ml experiment` made. Default: the one that came along.")
    :argname("FILE")
end

--- Adds the option of the seed.
---@param command table argparse command
function M.define_seed(command)
  arguments.add(command, "--seed", "NUMBER", arguments.integer(0, 1 << 53),
    "Start of the random draws: the same number, the same patches.", "1")
end

--- Adds the option of the temperature.
---@param command table argparse command
---@param default string?
---@param more string?  for the help
function M.define_temperature(command, default, more)
  arguments.add(command, "--temperature", "NUMBER", arguments.number(0, 100), "How freely registers are drawn: 0 the "
    .. "most likely, 1 as probable as they are, above it wilder." .. (more and " " .. more or ""), default)
end

--- Adds the options of commands that draw some patches.
---@param command table argparse command
---@param count string  default
function M.define_draw(command, count)
  arguments.add(command, "--count", "COUNT", arguments.integer(1, M.MOST), "Patches to make.", count)
  M.define_seed(command)
  command:flag("--audible", "Only patches that can be heard at A4: others are drawn again.")
end

--- Adds the option that gives registers a value.
---@param command table argparse command
function M.define_lock(command)
  arguments.add(command, "--lock", "LIST", arguments.list(locks.one), "Registers that have a value, such as "
    .. "algorithm=4,op1.mul=3, with which the others go.")
end

--- Adds the option that keeps registers of a patch.
---@param command table argparse command
function M.define_keep(command)
  arguments.add(command, "--keep", "LIST", locks.kept, "Registers or whole operators of the patch that stay, such as "
    .. "op1,op2.tl,algorithm.")
end

--- Adds the options that tell where patches go.
---@param command table argparse command
---@param default string  folder
function M.define_output(command, default)
  command:option("--format", "Format of the files in a folder."):choices(loss.written()):default("y12")
    :argname("FORMAT")
  command:option("-o --output", "Folder for a file of each patch, or a bank, whose ending tells the format: "
    .. loss.banks() .. ". A single patch may also go into a file of any format."):argname("DIR|BANK"):default(default)
  command:flag("--json", "Print one JSON document with all patches.")
end

--- The space that the options ask for.
---@param options {model: string?}
---@return ym2612ml.Space? space
---@return string? message
function M.load(options)
  if options.model then
    return ym.space.load(options.model)
  end
  local path = paths.join(ym.models.folder(), ym.models.files.space)
  if not paths.identity(path) then
    return nil, ("%s: no space came along; make one with `ym2612ml experiment` and name it with --model"):format(path)
  end
  return ym.space.shipped()
end

--- Tells of the files that were passed over, as the first step of a piece of work has them.
---@param report table
---@return fun(step: table)
function M.tell_skipped(report)
  return function(step)
    for _, message in ipairs(step.skipped or {}) do
      report:note(message)
    end
  end
end

--- Takes the steps that judge the space that the options ask for to their end. A failure is
--- reported, and with --json what was found is printed.
---@param options {model: string?, json: boolean?}
---@param start fun(space: ym2612ml.Space): function  makes the steps
---@param label fun(step: table): string
---@param report table
---@return table? found  to be told in words
function M.follow(options, start, label, report)
  local found
  local space, message = M.load(options)
  if space then
    found, message = report:follow(start(space), label, M.tell_skipped(report))
  end
  if message then
    return report:fail(message)
  elseif options.json then
    return print(json.encode(found))
  end
  return found
end

--- The registers that --lock and --keep ask for, as `lock` options of functions take them.
---@param options {lock: table?, keep: table?}
---@param patch ym2612ml.Patch?  whose values are kept
---@param command string  for messages
---@return table lock
function M.lock(options, patch, command)
  local items = {}
  for _, list in ipairs { options.lock or {}, options.keep or {} } do
    table.move(list, 1, #list, #items + 1, items)
  end
  for _, item in ipairs(items) do
    if item.name == "lfo" then
      arguments.misuse(command, "the space does not tell 'lfo', the speed that all channels share")
    end
  end
  return (locks.values(items, patch, command, "patch"))
end

--- Reads one patch; what was dropped from its file is told.
---@param path string
---@param report table
---@return ym2612ml.Patch? patch
---@return string? message
function M.read_patch(path, report)
  local patch, note = ym.patch.read(path)
  if not patch then
    return nil, note
  end
  reading.tell(path, { note }, report)
  return patch
end

---@class ym2612ml.CliTarget
---@field job table  of cli/convert.lua
---@field folder? string  for a file of each patch
---@field file? string  for all of them

--- Where patches are to go, found before there are any. Ends the command, as for any wrong
--- usage, for a name that is neither.
---@param options {output: string, format: string}
---@param single boolean  whether it is one patch
---@param inputs string[]  files that are read, which are not overwritten
---@param command string  for messages
---@param report table
---@return ym2612ml.CliTarget
function M.target(options, single, inputs, command, report)
  local output, format = options.output, nil
  local into_folder = paths.is_folder(output) or files.ending(output) == ""
  if not into_folder then
    format = loss.bank(output)
    for _, name in ipairs(single and not format and loss.written() or {}) do
      format = loss.format(name).extension == files.ending(output) and name or format
    end
    if not format then
      arguments.misuse(command, ("option '--output': '%s' is neither a folder nor a bank: expected one of %s"):format(
        output, loss.banks()))
    end
  end
  return {
    job = convert.new_job(format or options.format, nil, inputs, command, report),
    folder = into_folder and output or nil, file = not into_folder and output or nil,
  }
end

--- The same target for a part of the patches: a folder within, or a bank beside.
---@param target ym2612ml.CliTarget
---@param part string  its name
---@return ym2612ml.CliTarget
function M.part(target, part)
  local stem, ending = (target.file or ""):match("^(.*)(%.[^./]+)$")
  return {
    job = target.job, folder = target.folder and paths.join(target.folder, part),
    file = target.file and ("%s_%s%s"):format(stem, part, ending),
  }
end

-- Copies of patches with the names that they are to have; nil: without.
local function named(list, name)
  local copies = {}
  for i, patch in ipairs(list) do
    copies[i] = { name = name and ("%s %03d"):format(name, i) }
    for key, value in pairs(patch) do
      copies[i][key] = key ~= "name" and value or copies[i][key]
    end
  end
  return copies
end

-- Writes a file of each patch. What the format does not hold is told of all of them together,
-- but not that of the names, which are those of the files.
local function write_each(list, target, name)
  local format, written = target.job.format, {}
  local made, message = paths.make_folder(target.folder)
  if not made then
    return nil, message
  end
  list = format.nameless and named(list, nil) or list
  loss.tell(list, format, {}, target.folder, target.job.report)
  target.job.told = true
  for i, patch in ipairs(list) do
    written[i] = paths.join(target.folder, ("%s_%03d.%s"):format((name:gsub(" ", "_")), i, format.extension))
    made, message = convert.write(written[i], { patch }, target.job)
    if not made then
      return nil, message
    end
  end
  return written
end

--- Writes patches.
---@param list ym2612ml.Patch[]
---@param target ym2612ml.CliTarget
---@param name string  of the patches, before their number
---@return string[]? files
---@return ym2612ml.Patch[]|string list  with their names; or a message
function M.write(list, target, name)
  list = named(list, name)
  if target.folder then
    local written, message = write_each(list, target, name)
    return written, written and list or message
  end
  local made, message = paths.make_folder(target.file:match("^(.*)/") or "")
  if made then
    made, message = convert.write(target.file, list, target.job)
  end
  return made and { target.file }, made and list or message
end

--- Tells what was written.
---@param list ym2612ml.Patch[]
---@param written string[]  files
---@param options {json: boolean?}
---@param report table
function M.tell(list, written, options, report)
  report:clear()
  if options.json then
    local plain = {}
    for i, patch in ipairs(list) do
      plain[i] = reading.plain(patch)
    end
    print(json.encode { files = written, patches = plain })
  elseif #written == 1 then
    print(("%s: %d patch%s"):format(written[1], #list, #list == 1 and "" or "es"))
  else
    print(("%s to %s: %d patches"):format(written[1], paths.name(written[#written]), #list))
  end
end

--- Draws patches with the progress bar, writes them and tells of it.
---@param draw fun(count: integer, seed: integer): ym2612ml.Patch[]
---@param target ym2612ml.CliTarget
---@param name string  of the patches, before their number
---@param options {count: integer, seed: integer, audible: boolean?, json: boolean?}
---@param report table
function M.make(draw, target, name, options, report)
  local list = {}
  report:progress(0, options.count, name)
  for part in draws.blocks(draw, options.count, options.seed, options.audible) do
    table.move(part, 1, #part, #list + 1, list)
    report:progress(#list, options.count, name)
  end
  report:clear()
  if #list < options.count then
    return report:fail(("--audible: of the patches drawn so far %d can be heard, and then none of 4096"):format(#list))
  end
  local written, named_list = M.write(list, target, name)
  if not written then
    return report:fail(named_list)
  end
  M.tell(named_list, written, options, report)
end

return M
