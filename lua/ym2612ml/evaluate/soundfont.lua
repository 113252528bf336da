-- General MIDI notes as other synthesizers play them: fluidsynth and a soundfont, where
-- they are installed. All notes are one MIDI file and one run of the program.
local core = require "ym2612ml.core"
local lfs = require "ym2612ml.filesystem"

local M = {}

local RATE = 48000 -- Hz: seconds are whole blocks of fluidsynth's, so that notes begin exactly
local TICKS = 1000 -- of a second, which is a quarter note
local SPACING = 3 -- seconds from note to note
local VELOCITY = 100
local DRUMS = 9 -- the channel of drums, from 0

--- Seconds a note is held, and that it is heard after that.
M.HELD, M.RELEASE = 1.0, 0.5

-- Where distributions put a General MIDI soundfont.
local PLACES = {
  "/usr/share/sounds/sf2/FluidR3_GM.sf2", "/usr/share/sounds/sf2/default-GM.sf2",
  "/usr/share/sounds/sf3/default-GM.sf3", "/usr/share/soundfonts/FluidR3_GM.sf2",
  "/usr/share/soundfonts/default.sf2", "/usr/local/share/soundfonts/default.sf2",
}

--- The first soundfont that is installed.
---@return string? path
function M.find()
  for _, path in ipairs(PLACES) do
    if lfs.attributes(path, "mode") == "file" then
      return path
    end
  end
end

-- A number as MIDI files write it: seven bits a byte, the top bit set in all but the last.
local function variable_length(value)
  local bytes = string.char(value & 127)
  while value > 127 do
    value = value >> 7
    bytes = string.char(value & 127 | 128) .. bytes
  end
  return bytes
end

-- A Standard MIDI File of format 0.
local function midi_file(notes)
  local events, last = {}, 0
  local function at(time, ...)
    events[#events + 1] = variable_length(time - last) .. string.char(...)
    last = time
  end
  at(0, 0xFF, 0x51, 3, 0x0F, 0x42, 0x40) -- 1,000,000 microseconds a quarter note
  for i, note in ipairs(notes) do
    local start, channel = (i - 1) * SPACING * TICKS, note.program and 0 or DRUMS
    if note.program then
      at(start, 0xC0, note.program)
    end
    at(start, 0x90 | channel, note.key, VELOCITY)
    at(start + math.floor(M.HELD * TICKS), 0x80 | channel, note.key, 0)
    at(start + (SPACING - 1) * TICKS, 0xB0 | channel, 120, 0) -- all sound off
  end
  at(#notes * SPACING * TICKS, 0xFF, 0x2F, 0)
  local track = table.concat(events)
  return "MThd" .. string.pack(">I4 I2 I2 I2", 6, 0, 1, TICKS) .. "MTrk" .. string.pack(">s4", track)
end

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- Whether a file is a soundfont. Of one that is none, fluidsynth says nothing, and plays
-- the system's own.
local function is_soundfont(path)
  local file <close> = io.open(path, "rb")
  local head = file and file:read(12)
  return head ~= nil and head:sub(1, 4) == "RIFF" and head:sub(9) == "sfbk"
end

-- Plays the notes into the file at wave; or nil, message, kind.
local function play(notes, soundfont, midi, wave)
  local file <close> = assert(io.open(midi, "wb"))
  file:write(midi_file(notes))
  file:close()
  local fine = os.execute(("fluidsynth -ni -q -R 0 -C 0 -g 0.5 -r %d -O float -T wav -F %s %s %s "
    .. "</dev/null >/dev/null 2>&1"):format(RATE, quoted(wave), quoted(soundfont), quoted(midi)))
  if not fine then
    return nil, soundfont .. ": fluidsynth cannot play it, or is not installed", "io"
  end
  return core.audio.read(wave)
end

--- Plays notes, each 1.0 s held and 0.5 s released, without reverberation and chorus.
---@param notes {key: integer, program: integer?}[]  MIDI; program 0..127, nil: a drum
---@param soundfont string  path
---@return ym2612ml.Tensor[]? samples  of each
---@return number|string rate  Hz, or a message
---@return string? kind  "io" or "format"
function M.render(notes, soundfont)
  if lfs.attributes(soundfont, "mode") ~= "file" then
    return nil, soundfont .. ": is no file", "io"
  elseif not is_soundfont(soundfont) then
    return nil, soundfont .. ": is no soundfont", "format"
  end
  local base = os.tmpname()
  local midi, wave = base .. ".mid", base .. ".wav"
  local sound, message, kind = play(notes, soundfont, midi, wave)
  for _, path in ipairs { base, midi, wave } do
    os.remove(path)
  end
  if not sound then
    return nil, message, kind
  end
  local list, length = {}, math.floor((M.HELD + M.RELEASE) * RATE)
  for i = 1, #notes do
    local first = (i - 1) * SPACING * RATE
    if first + length > #sound.samples then
      return nil, soundfont .. ": fluidsynth ended too early", "io"
    end
    list[i] = sound.samples:slice(first + 1, first + length)
  end
  return list, RATE
end

return M
