-- The options of commands that tell a synthesizer.
local arguments = require "ym2612ml.cli.arguments"
local attempt = require "ym2612ml.attempt"
local ym = require "ym2612ml"

local M = {}

--- A converter of NAME=VALUE,NAME=VALUE to a table of texts by name.
---@param text string
---@return table<string, string>? values
---@return string? message
function M.assignments(text)
  local values = {}
  for part in (text .. ","):gmatch("([^,]*),") do
    local name, value = part:match("^%s*([%w_.]+)%s*=%s*(.-)%s*$")
    if not name or value == "" or values[name] then
      return nil, ("'%s' is no list such as name=1,other=2"):format(text)
    end
    values[name] = value
  end
  return values
end

-- Makes a converter of assignments whose values convert changes.
local function converted(convert, expected)
  return function(text)
    local values, message = M.assignments(text)
    for name, value in pairs(values or {}) do
      values[name] = convert(value)
      if values[name] == nil then
        return nil, ("%s is '%s', expected %s"):format(name, value, expected)
      end
    end
    return values, message
  end
end

--- A converter of NAME=VALUE,... to numbers by name.
M.numbers = converted(function(text)
  return math.tointeger(tonumber(text)) or tonumber(text)
end, "a number")

--- The same to numbers, or lists of them with colons between.
M.sizes = converted(function(text)
  if not text:find(":", 1, true) then
    return math.tointeger(tonumber(text)) or tonumber(text)
  end
  local list = {}
  for part in (text:gsub(":$", "") .. ":"):gmatch("([^:]*):") do
    list[#list + 1] = math.tointeger(tonumber(part))
    if #list == 0 or tonumber(part) ~= list[#list] then
      return nil
    end
  end
  return list
end, "a number, or some such as 16:32:64")

--- The same to numbers, or texts where they are none.
M.settings = converted(function(text)
  return math.tointeger(tonumber(text)) or tonumber(text) or text
end, "a value")

--- Adds the options to an argparse command.
---@param command table
---@param what string  what --synth makes of the command, for its help
function M.define(command, what)
  command:option("--synth", ("%s: %s, or a Lua file that returns one (examples/09_synthesizer.lua)."):format(
    what, table.concat(ym.synths.names, ", "))):argname("NAME|FILE")
  arguments.add(command, "--fix", "NAME=VALUE,...", M.numbers,
    "Parameters of the synthesizer that always have this value, such as algorithm=4.")
  arguments.add(command, "--classes", "COUNT", arguments.integer(0, 1024),
    "Evenly spaced values that continuous parameters take; 0: any value. Default: 16.")
  arguments.add(command, "--rate", "HERTZ", arguments.number(1000, 192000, "a rate in Hz"),
    "Samples a second. Default: the synthesizer's.")
  arguments.add(command, "--length", "SECONDS", arguments.number(0.001, 60, "a time in seconds"),
    "Length of a sound. Default: the synthesizer's.")
end

--- Adds the option that tells the code of a user's synthesizer, which no file is trusted with.
---@param command table
---@param before? string  what has to be there for it, for its help
function M.define_code(command, before)
  command:option("--synth", (before or "") .. "Lua file of the synthesizer, where it is not one of the module's: it "
    .. "is run."):argname("FILE")
end

--- The synthesizer that the options tell.
---@param options table  as defined above; of opn2 also note, held, chip, patches and prior
---@return ym2612ml.Synth? synth
---@return string? message
function M.read(options)
  local chosen = { fixed = options.fix, classes = options.classes }
  if options.synth == "opn2" then
    for _, name in ipairs { "note", "held", "chip", "patches", "prior" } do
      chosen[name] = options[name]
    end
  end
  local fine, synth, message = attempt(ym.synths.get, options.synth, chosen)
  if not fine then
    return nil, "--synth: " .. (tostring(synth):match("%((.*)%)$") or tostring(synth))
  end
  return synth, message
end

return M
