-- ym2612ml bank: what is in banks of patches, and banks made of patches.
local arguments = require "ym2612ml.cli.arguments"
local console = require "ym2612ml.cli.console"
local convert = require "ym2612ml.cli.convert"
local files = require "ym2612ml.files"
local json = require "ym2612ml.json"
local loss = require "ym2612ml.cli.loss"
local paths = require "ym2612ml.cli.paths"
local reading = require "ym2612ml.cli.reading"
local ym = require "ym2612ml"

local M = {}

local COMMAND = "ym2612ml bank"
local VOICES = { syx = true, dx7 = true } -- endings of files of DX7 voices

-- A list of numbers and ranges, such as 1,4-7.
local function numbers(text)
  local set = {}
  for part in (text .. ","):gmatch("%s*([^,]-)%s*,") do
    local first, last = part:match("^(%d+)%-?(%d*)$")
    first, last = math.tointeger(tonumber(first)), math.tointeger(tonumber(last ~= "" and last or first))
    if not first or not last or last < first or last > 10 ^ 6 then
      return nil, ("'%s' is no list of numbers such as 1,4-7"):format(text)
    end
    for number = first, last do
      set[number] = true
    end
  end
  return set
end

local function define_files(action)
  action:argument("FILE", "Patch files and banks, or folders of them."):args("+"):target("files")
end

local function define_output(action, needed)
  local option = action:option("-o --output", "Bank to write, whose ending tells the format: "
    .. loss.banks() .. "."):argname("BANK")
  option:count(needed and 1 or "?")
  arguments.add(action, "--version", "NUMBER", arguments.integer(1, 255), "Version of the format, for wopn.")
end

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("List, take apart, build and tidy banks of patches.")
  command:description("Works on files with one patch or many, of every format that is read ("
    .. loss.titles() .. ").")
  command:command_target("action"):require_command(true)
  local list = command:command("list"):summary("Show the patches in files, and the voices in DX7 SysEx files.")
  define_files(list)
  list:flag("--json", "Print one JSON document with every field instead.")
  local extract = command:command("extract"):summary("Write each patch of banks into a file of its own.")
  define_files(extract)
  extract:option("--to", "Format of the files."):choices(loss.written()):default("y12"):argname("FORMAT")
  extract:option("-o --output", "Folder for the files."):argname("DIR"):default(".")
  arguments.add(extract, "--select", "LIST", numbers, "Which patches of each file, by their number in "
    .. "`list`: 1,4-7.")
  local build = command:command("build"):summary("Put patches into one bank.")
  define_files(build)
  define_output(build, true)
  local dedupe = command:command("dedupe"):summary("Find patches that sound the same; with -o, write one of each.")
  define_files(dedupe)
  define_output(dedupe, false)
end

-- The patches of all files, each with the file it is from; of a single bank, with what it
-- carries.
local function read_patches(found, report)
  local list, sources = {}, {}
  for index, path in ipairs(found) do
    report:progress(index - 1, #found, path)
    local patches = report:attempt(path, reading.all, path, report)
    for i, patch in ipairs(patches or {}) do
      patch.name = reading.name(patch, path, i, #patches)
      list[#list + 1], sources[#sources + 1] = patch, path
    end
    list.carried = #found == 1 and patches and patches.carried or nil
  end
  report:clear()
  return list, sources
end

-- Whether a file is one of DX7 voices: by its ending, or since it begins like one.
local function is_voices(path)
  local file <close> = io.open(path, "rb")
  return VOICES[files.ending(path)] or file and ym.dx7.is_message(file:read(2) or "")
end

local function list_voices(path, voices, report)
  print(("%s: %d DX7 voices"):format(path, #voices))
  local rows = {}
  for i, voice in ipairs(voices) do
    local row = { i, console.printable(voice.name), voice.algorithm, voice.feedback, voice.transpose }
    for operator = 1, 6 do
      local own = voice[operator]
      row[#row + 1] = ("%d:%d.%02d%s"):format(own.output_level, own.coarse, own.fine, own.fixed_frequency == 1 and "f"
        or "")
    end
    rows[i] = row
  end
  report:columns({ "number", "name", "algorithm", "feedback", "transpose", "op 1 level:frequency", "op 2", "op 3",
    "op 4", "op 5", "op 6" }, rows)
end

local function list_patches(path, patches, report)
  print(("%s: %d patch%s"):format(path, #patches, #patches == 1 and "" or "es"))
  local rows = {}
  for i, patch in ipairs(patches) do
    local levels = {}
    for operator = 1, 4 do
      levels[operator] = ("%d%s"):format(patch[operator].tl, ym.patch.is_carrier(patch.algorithm, operator) and "*"
        or "")
    end
    local place = patch.carried and patch.carried.kind or ""
    if patch.carried and patch.carried.slot then
      place = ("%s %d:%d"):format(place, patch.carried.slot // 128, patch.carried.slot % 128)
    end
    rows[i] = {
      i, console.printable(patch.name or ""), patch.algorithm, patch.feedback, table.concat(levels, " "),
      ("%d %d %s"):format(patch.ams or 0, patch.fms or 0, patch.lfo or "off"), place,
    }
  end
  report:columns({ "number", "name", "algorithm", "feedback", "tl", "ams fms lfo", "" }, rows)
end

local ACTIONS = {}

function ACTIONS.list(options, report)
  local documents = {}
  local endings = ym.patch.endings()
  for ending in pairs(VOICES) do
    endings[ending] = true
  end
  for _, path in ipairs(paths.expand(options.files, endings, "patches", report)) do
    local voices = is_voices(path)
    local found, notes = report:attempt(path, voices and ym.dx7.read or reading.all, path, report)
    if found and voices then
      reading.tell(path, notes, report)
    end
    if found and options.json then
      local items = {}
      for i, item in ipairs(found) do
        items[i] = json.encode(reading.plain(item))
      end
      documents[#documents + 1] = ('{"file":%s,"%s":[%s]}'):format(json.encode(path), voices and "voices" or "patches",
        table.concat(items, ","))
    elseif found then
      local tell = voices and list_voices or list_patches
      tell(path, found, report)
    end
  end
  if options.json then
    print('{"files":[' .. table.concat(documents, ",") .. "]}")
  end
end

function ACTIONS.extract(options, report)
  local found = paths.expand(options.files, ym.patch.endings(), "patches", report)
  local job = convert.new_job(options.to, nil, found, COMMAND .. " extract", report)
  local list, sources = read_patches(found, report)
  local chosen, number = {}, 0
  for i, patch in ipairs(list) do
    number = sources[i] == sources[i - 1] and number + 1 or 1
    chosen[#chosen + 1] = (not options.select or options.select[number]) and patch or nil
  end
  local made, message = paths.make_folder(options.output)
  if made then
    made, message = convert.write_each(chosen, options.output, "patch", job)
  end
  if not made then
    report:fail(message)
  elseif #chosen == 0 then
    report:fail(("%s: no patch was chosen of %d"):format(found[1] or "", #list))
  end
end

local function format_of_bank(path)
  return loss.bank(path) or arguments.misuse(COMMAND, ("option '--output': '%s' is no bank: expected one of %s"):format(
    path, loss.banks()))
end

local function write_bank(list, options, found, report)
  local job = convert.new_job(format_of_bank(options.output), options.version, found, COMMAND, report)
  if #list == 0 then
    return report:fail(("%s: there are no patches to write"):format(options.output))
  end
  report:attempt(options.output, convert.write, options.output, list, job)
end

function ACTIONS.build(options, report)
  format_of_bank(options.output)
  local found = paths.expand(options.files, ym.patch.endings(), "patches", report)
  write_bank(read_patches(found, report), options, found, report)
end

function ACTIONS.dedupe(options, report)
  if options.output then
    format_of_bank(options.output)
  end
  local found = paths.expand(options.files, ym.patch.endings(), "patches", report)
  local list, sources = read_patches(found, report)
  local unique, first_of, rows = { carried = list.carried }, {}, {}
  for i, patch in ipairs(list) do
    local key = ym.patch.pack({ ym.patch.canonical(patch) }):bytes()
    local first = first_of[key]
    if first then
      local other = list[first]
      rows[#rows + 1] = { console.printable(patch.name), sources[i], console.printable(other.name), sources[first] }
    else
      first_of[key] = i
      unique[#unique + 1] = patch
    end
  end
  if #rows > 0 then
    report:columns({ "patch", "in", "sounds like", "in" }, rows)
  end
  print(("%d patches, %d of them unlike each other"):format(#list, #unique))
  if options.output then
    write_bank(unique, options, found, report)
  end
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  ACTIONS[options.action](options, report)
end

return M
