-- Arguments as a musician writes them: notes by name or number, seconds, counts.
-- A converter answers nil, message when the text is no such thing, as argparse expects.
local M = {}

local STEPS = { C = 0, D = 2, E = 4, F = 5, G = 7, A = 9, B = 11 }
local NAMES = { "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B" }
local ACCIDENTALS = { [""] = 0, ["#"] = 1, b = -1 }

M.HIGHEST_NOTE = 116 -- of the chip

--- A note: a MIDI number, fractions allowed, or a name such as C4 (60), F#3 or Bb2.
---@param text string
---@return number? note MIDI, 0..116, the highest the chip plays
---@return string? message
function M.note(text)
  local number = tonumber(text)
  local letter, accidental, octave = text:match("^(%a)([#b]?)(%-?%d)$")
  local step = letter and STEPS[letter:upper()]
  if not number and step then
    number = 12 * (tonumber(octave) + 1) + step + ACCIDENTALS[accidental]
  end
  if not number or not (number >= 0 and number <= M.HIGHEST_NOTE) then
    return nil, ("'%s' is no note: expected a name such as C4 or F#3, or 0..%d"):format(
      text, M.HIGHEST_NOTE)
  end
  return number
end

--- Makes a converter of values with commas between.
---@param convert fun(text: string): any, string?  of one
---@return fun(text: string): any[]?, string?
function M.list(convert)
  return function(text)
    local list = {}
    for part in (text .. ","):gmatch("%s*([^,]-)%s*,") do
      local value, message = convert(part)
      if value == nil then
        return nil, message
      end
      list[#list + 1] = value
    end
    return list
  end
end

--- Notes with commas between them: a converter of MIDI numbers.
M.notes = M.list(M.note)

--- The name of the nearest note, with the distance to it when that is a cent or more.
---@param note number MIDI
---@return string name such as "A4" or "A4 +12c"
function M.note_name(note)
  local nearest = math.floor(note + 0.5)
  local cents = math.floor((note - nearest) * 100 + 0.5)
  local name = NAMES[nearest % 12 + 1] .. nearest // 12 - 1
  return cents == 0 and name or ("%s %+dc"):format(name, cents)
end

--- Makes a converter of numbers in a range.
---@param minimum number
---@param maximum number
---@param what string? unit or meaning for the message
---@return fun(text: string): number?, string?
function M.number(minimum, maximum, what)
  return function(text)
    local number = tonumber(text)
    if not number or not (number >= minimum and number <= maximum) then
      return nil, ("'%s' is not %s from %g to %g"):format(text, what or "a number", minimum,
        maximum)
    end
    return number
  end
end

--- Makes a converter of whole numbers in a range.
---@param minimum integer
---@param maximum integer
---@return fun(text: string): integer?, string?
function M.integer(minimum, maximum)
  return function(text)
    local number = math.tointeger(tonumber(text))
    if not number or number < minimum or number > maximum then
      return nil, ("'%s' is not a whole number from %d to %d"):format(text, minimum, maximum)
    end
    return number
  end
end

--- Adds an option with a value, whose message for a wrong one names it.
---@param command table argparse command
---@param name string such as "--held"
---@param argname string for the help
---@param convert fun(text: string): any, string?
---@param help string
---@param default string? as a user would write it
function M.add(command, name, argname, convert, help, default)
  command:option(name, help):argname(argname):default(default):convert(function(text)
    local value, message = convert(text)
    if value == nil then
      return nil, ("option '%s': %s"):format(name, message)
    end
    return value
  end)
end

--- Adds the option that tells the output stage.
---@param command table argparse command
---@param default string? as a user would write it
function M.add_chip(command, default)
  command:option("--chip", "Output stage: ym2612 (as in the first consoles, with its steps "
    .. "near silence), ym3438 (later consoles) or clean (without a converter).")
    :choices({ "ym2612", "ym3438", "clean" }):default(default)
end

--- Adds the options that say how long a note is: held, release.
---@param command table argparse command
---@param defaults table<string, string> by option, as a user would write them
---@param otherwise string? for the help: what happens without the option
function M.add_times(command, defaults, otherwise)
  otherwise = otherwise and " " .. otherwise or ""
  M.add(command, "--held", "SECONDS", M.number(0.001, 60, "a time in seconds"),
    "Seconds the key is held down." .. otherwise, defaults.held)
  M.add(command, "--release", "SECONDS", M.number(0, 60, "a time in seconds"),
    "Seconds that sound on after the key is let go." .. otherwise, defaults.release)
end

--- Adds the options that say how a note is played: note, held, release, chip.
---@param command table argparse command
---@param defaults table<string, string> by option, as a user would write them
function M.add_playing(command, defaults)
  M.add(command, "--note", "NOTE", M.note,
    "Note: a name such as C4 or F#3, or a MIDI number.", defaults.note)
  M.add_times(command, defaults)
  M.add_chip(command, defaults.chip)
end

--- Ends the command as one that was used wrongly, for what its arguments are together.
---@param command string such as "ym2612ml match"
---@param message string
function M.misuse(command, message)
  error({ usage = message, command = command })
end

return M
