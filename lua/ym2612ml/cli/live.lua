-- ym2612ml live: the chip as an instrument, its patches out of a learned space.
local arguments = require "ym2612ml.cli.arguments"
local attempt = require "ym2612ml.attempt"
local common = require "ym2612ml.cli.space"
local console = require "ym2612ml.cli.console"
local ym = require "ym2612ml"

local M = {}

local PATIENCE = 0.1 -- seconds that it waits for controllers and input at a time

local COMMANDS = {
  "s [FILE]  save the patch", "u  undo", "y  redo", "r  a new point of the space", "l FILE  go to a patch",
  "t VALUE  temperature", "n  no notes", "i  how it is going", "q  end",
}

-- Numbers of controllers with commas between them.
local function controllers(text)
  local list = {}
  for part in (text .. ","):gmatch("%s*([^,]-)%s*,") do
    local number = math.tointeger(tonumber(part))
    if not number then
      return nil, ("'%s' is no number of a controller"):format(part)
    end
    list[#list + 1] = number
  end
  return list
end

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Play the chip from a keyboard, through JACK.")
  command:description("Joins a running JACK server as an instrument of six voices, whose patches come out of a "
    .. "learned space: knobs (controllers) move through it. While it runs, it takes lines: "
    .. table.concat(COMMANDS, "; ") .. ".")
  arguments.add(command, "--controllers", "LIST", controllers, "Controllers that move latents 1, 2 ..., such as "
    .. "20,21,22. Without it, the first that are moved.")
  arguments.add(command, "--temperature", "VALUE", arguments.number(1e-6, 10),
    "How far registers may be from the most likely ones.", "0.5")
  command:option("--patch", "Patch file to begin with."):argname("FILE")
  common.define_model(command)
  arguments.add_chip(command, "ym2612")
  command:option("--server", "Name of the JACK server, if not JACK's own."):argname("NAME")
  command:option("--name", "Name as a client of the server."):argname("NAME"):default("ym2612ml")
  arguments.add(command, "--bend", "SEMITONES", arguments.number(0, 24), "Reach of the pitch wheel.", "2")
  arguments.add(command, "--gain", "FACTOR", arguments.number(0, 100),
    "Loudness; at 1, six channels at their largest are full scale.", "1")
  arguments.add(command, "--send", "CHANNELS", arguments.integer(0, 6), "On how many MIDI channels the patch is "
    .. "sent to a real console's chip, as controllers of genMDM.", "1")
  arguments.add(command, "--seed", "NUMBER", arguments.integer(0, math.maxinteger), "Draw the registers at each "
    .. "point with this seed. Without it, they are in the middle of what the point says.")
  arguments.add(command, "--seconds", "SECONDS", arguments.number(0, 1e9, "a time in seconds"),
    "End after so long.")
  command:flag("--alone", "Connect no ports; otherwise all MIDI sources and the first two outputs of the machine.")
  command:option("-o --output", "Folder for saved patches."):argname("DIR"):default(".")
end

-- Tells what the instrument did of itself.
local function tell(news)
  for number, latent in pairs(news.learned) do
    print(("controller %d moves latent %d"):format(number, latent))
  end
  if news.program then
    print(("program %d"):format(news.program))
  end
end

local function tell_status(instrument)
  local status = instrument:status()
  local counts = status.counts
  print(("%s: %d Hz, periods of %d; %d notes (%d lost), %d patches, %d xruns"):format(status.name, status.rate,
    status.period, counts.started, counts.lost, counts.patches, counts.xruns))
  for latent, value in ipairs(status.latents or {}) do
    local number = status.controllers[latent]
    print(("latent %d %+.3f%s"):format(latent, value, number and ("  controller %d"):format(number) or ""))
  end
end

local actions = {}

function actions.s(instrument, path, report)
  local saved, message = instrument:save(path ~= "" and path or nil)
  if not saved then
    return report:fail(message)
  end
  print("saved " .. saved)
end

function actions.u(instrument)
  print(instrument:undo() and "undone" or "nothing to undo")
end

function actions.y(instrument)
  print(instrument:redo() and "redone" or "nothing to redo")
end

function actions.r(instrument)
  instrument:random()
end

function actions.l(instrument, path, report)
  local patch, message = ym.patch.read(path)
  if not patch then
    return report:fail(message)
  end
  instrument:load(patch)
end

function actions.t(instrument, text, report)
  local value, message = arguments.number(1e-6, 10)(text)
  if not value then
    return report:fail(message)
  end
  instrument:temperature(value)
end

function actions.n(instrument)
  instrument:silence()
end

function actions.i(instrument)
  tell_status(instrument)
end

-- Does what a line says; true when that is to end.
local function obey(line, instrument, report)
  local letter, rest = line:match("^%s*(%a)%s*(.-)%s*$")
  if letter == "q" then
    return true
  elseif not actions[letter] then
    print("lines: " .. table.concat(COMMANDS, "; "))
  elseif (letter == "r" or letter == "t") and not instrument:status().latents then
    report:fail("that needs a learned space of patches")
  else
    actions[letter](instrument, rest, report)
  end
  return false
end

-- Plays until the server goes, or q is typed, or the time is over.
local function play(instrument, input, options, report)
  local over = options.seconds and ym.clock() + options.seconds or math.huge
  local typed, listening = "", true
  while ym.clock() < over do
    local news, message = instrument:poll()
    if not news then
      return report:fail(message)
    end
    tell(news)
    io.stdout:flush()
    if not news.patch then
      instrument:wait(math.max(0, math.min(PATIENCE, over - ym.clock())), listening)
    end
    if listening then
      local more = input()
      listening = more ~= nil
      typed = typed .. (more or typed ~= "" and "\n" or "") -- the end of the input ends a line
    end
    for line in typed:gmatch("([^\n]*)\n") do
      if obey(line, instrument, report) then
        return
      end
    end
    typed = typed:match("[^\n]*$")
  end
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  local there, live = attempt(require, "ym2612ml.live")
  if not there then
    return report:fail(live)
  end
  local patch, space, message
  if options.patch then
    patch, message = common.read_patch(options.patch, report)
    if not patch then
      return report:fail(message)
    end
  end
  space, message = common.load(options)
  if not space and (options.model or not patch) then
    return report:fail(message)
  elseif not space and options.controllers then
    return report:fail("--controllers needs a learned space of patches: " .. message)
  end
  local instrument
  instrument, message = live.open {
    space = space, patch = patch, controllers = options.controllers, temperature = options.temperature,
    chip = options.chip, server = options.server, name = options.name, bend = options.bend, gain = options.gain,
    send = options.send, seed = options.seed, connect = not options.alone, output = options.output,
  }
  if not instrument then
    return report:fail(message)
  end
  local open <close> = instrument
  print(("%s plays; a line of `?` tells what can be typed"):format(open:status().name))
  local ended, problem = pcall(play, instrument, live.input, options, report)
  if not ended and not console.is_interrupt(problem) then
    error(problem, 0)
  end
end

return M
