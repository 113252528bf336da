-- ym2612ml sample: sounds of a synthesizer from parameters that are given, and random
-- ones for the rest.
local arguments = require "ym2612ml.cli.arguments"
local files = require "ym2612ml.files"
local json = require "ym2612ml.json"
local parameters = require "ym2612ml.synths.parameters"
local paths = require "ym2612ml.cli.paths"
local synth_options = require "ym2612ml.cli.synth"
local values_of = require "ym2612ml.cli.values"
local ym = require "ym2612ml"

local M = {}

local COMMAND = "ym2612ml sample"
local BLOCK = 64 -- sounds rendered at once

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Make a sound of a synthesizer.")
  command:description("Renders sounds of a synthesizer, from the parameters that --set gives and random ones for "
    .. "the rest, and tells them all. `reconstruct` goes the other way.")
  synth_options.define(command, "The synthesizer")
  arguments.add(command, "--set", "NAME=VALUE,...", synth_options.assignments,
    "Parameters of the sound; VALUE may be #CLASS, the number of a class from 0, such as attack=#3.")
  arguments.add(command, "--note", "NOTE", arguments.note, "Of opn2: the note. Default: C4.")
  arguments.add(command, "--held", "SECONDS", arguments.number(0.001, 60, "a time in seconds"),
    "Of opn2: seconds the key is held down. Default: 1.")
  arguments.add_chip(command)
  command:option("--patches", "Of opn2: real patches that the random ones come from.")
    :argname("FILE|DIR")
  arguments.add(command, "--seed", "NUMBER", arguments.integer(0, 1 << 53),
    "Start of the random draws: the same number, the same sounds.", "1")
  arguments.add(command, "--count", "COUNT", arguments.integer(1, 100000), "Sounds to make.", "1")
  command:option("-o --output", "WAV file of floats to write; of several sounds, or where it is no file's name, the "
    .. "folder for sample_001.wav and so on."):argname("WAV|DIR"):default("sample.wav")
  command:flag("--json", "Print one JSON document instead of tables.")
end

-- Numbers of the values given, those of classes by the synthesizer; ends the command for
-- what is none.
local function read_values(synth, texts)
  local values = {}
  for name, text in pairs(texts) do
    local parameter = synth.by_name[name]
    local class = math.tointeger(tonumber(text:match("^#(%d+)$")))
    local value, problem = tonumber(text), nil
    if not parameter then
      problem = ("%s has no parameter '%s'"):format(synth.name, name)
    elseif class and class >= parameter.classes then
      problem = ("%s is '%s', expected #0..#%d"):format(name, text, parameter.classes - 1)
    elseif class then
      value = synth:class_value(parameter, class)
    else
      local expected = parameters.expected(parameter, value)
      problem = expected and ("%s is '%s', expected %s"):format(name, text, expected)
    end
    if problem then
      arguments.misuse(COMMAND, "option '--set': " .. problem)
    end
    values[name] = value
  end
  return values
end

-- The synthesizer with all that is given fixed; or nil, message.
local function read_synth(options)
  if not options.synth then
    arguments.misuse(COMMAND, "--synth is missing: " .. table.concat(ym.synths.names, ", "))
  end
  for _, name in ipairs { "note", "held", "chip", "patches" } do
    if options[name] and options.synth ~= "opn2" then
      arguments.misuse(COMMAND, ("--%s goes with --synth opn2"):format(name))
    end
  end
  local synth, message = synth_options.read(options)
  if not synth or not options.set then
    return synth, message
  end
  local fixed = read_values(synth, options.set)
  for name, value in pairs(options.fix or {}) do
    if fixed[name] then
      arguments.misuse(COMMAND, ("'%s' is in --set and in --fix"):format(name))
    end
    fixed[name] = value
  end
  options.fix = fixed
  return synth_options.read(options)
end

-- Values of the sounds; or nil, message.
local function draw(synth, options)
  for _, parameter in ipairs(synth.parameters) do
    if not parameter.fixed then
      return synth:draw(options.count, { seed = options.seed })
    end
  end
  -- all are given: even a sound that a draw would pass over
  local rows, row = {}, synth:row {}
  for i = 1, options.count do
    rows[i] = 1
  end
  return row:rows(rows)
end

-- What is told of a sound.
local function describe(synth, values, path)
  local list, classes = {}, synth:classes(values)
  for i, parameter in ipairs(synth.parameters) do
    list[i] = {
      name = parameter.name, value = values:get(1, i), class = classes:get(1, i), unit = parameter.unit,
      fixed = parameter.fixed ~= nil or nil,
    }
  end
  return { file = path, parameters = list }
end

local function tell(sound, report)
  report:clear()
  print(sound.file)
  local rows = {}
  for i, parameter in ipairs(sound.parameters) do
    rows[i] = {
      parameter.name, values_of.text(parameter.value), parameter.unit or "", "#" .. parameter.class,
      parameter.fixed and "fixed" or "random",
    }
  end
  report:columns({ "parameter", "value", "", "class", "" }, rows)
  print()
end

-- A function that gives the path of each sound, whose folder is there; or nil, message.
local function targets(options)
  local folder, ending = options.output, files.ending(options.output)
  local is_folder = paths.is_folder(folder)
  local single = options.count == 1 and not is_folder and ending == "wav"
  if not (single or is_folder or ending == "") then
    return nil, ("%s: expected %s"):format(folder, options.count == 1 and ".wav or a folder"
      or "a folder, for several sounds")
  end
  local made, message = paths.make_folder(single and folder:match("^(.*)/") or single and "" or folder)
  return made and function(number)
    return single and folder or paths.join(folder, ("sample_%03d.wav"):format(number))
  end, message
end

-- Renders a block of sounds and writes them; the documents of these go to the end of told.
-- Nil, message where that fails.
local function write_block(synth, values, options, path_of, told)
  local sounds, message = synth:render(values, { rate = options.rate, length = options.length })
  local rate = math.floor((options.rate or synth.rate) + 0.5)
  for i = 1, sounds and #sounds or 0 do
    local path = path_of(#told + 1)
    local written
    written, message = ym.audio.write(path, sounds[i], rate, { bits = 32 })
    if not written then
      return nil, message
    end
    told[#told + 1] = describe(synth, values:slice(i, i), path)
  end
  return sounds and true, message
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  local synth, values, path_of, message
  synth, message = read_synth(options)
  if synth then
    values, message = draw(synth, options)
  end
  if values then
    path_of, message = targets(options)
  end
  if not path_of then
    return report:fail(message)
  end
  local told = {}
  for first = 1, #values, BLOCK do
    report:progress(first - 1, #values, path_of(first))
    local before, last = #told, math.min(first + BLOCK - 1, #values)
    local done, reason = write_block(synth, values:slice(first, last), options, path_of, told)
    for i = before + 1, options.json and 0 or #told do
      tell(told[i], report)
    end
    if not done then
      return report:fail(reason)
    end
  end
  if options.json then
    for _, sound in ipairs(told) do
      sound.parameters = values_of.by_name(sound.parameters)
    end
    report:clear()
    print(json.encode {
      synth = { name = synth.name, title = synth.title }, rate = options.rate or synth.rate,
      length = options.length or synth.length, seed = options.seed, sounds = told,
    })
  end
end

return M
