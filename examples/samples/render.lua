-- Makes the notes of this folder again from the FluidR3 sound font:
--   apt-get install fluidsynth fluid-soundfont-gm
--   make && LUA_PATH="lua/?.lua;lua/?/init.lua;;" LUA_CPATH="lua/?.so;;" \
--     lua5.4 examples/samples/render.lua
-- Each note is held for one second at velocity 100, without reverb or chorus, and kept
-- until its release has fallen 60 dB below the loudest sample (one second at most).
local ym = require "ym2612ml"

local FONT = "/usr/share/sounds/sf2/FluidR3_GM.sf2"
local RATE = 44100
local HELD = 1.0

-- file name, General MIDI program (0..127), MIDI note
local NOTES = {
  { "electric_piano_C4", 4, 60 },
  { "marimba_A4", 12, 69 },
  { "nylon_guitar_E3", 24, 52 },
  { "slap_bass_E2", 36, 40 },
  { "strings_A3", 48, 57 },
  { "trumpet_G4", 56, 67 },
  { "clarinet_D4", 71, 62 },
  { "flute_C5", 73, 72 },
}

--- A MIDI file of one note: 960 ticks are one second.
---@param program integer 0..127
---@param note integer 0..127
---@return string bytes
local function midi_file(program, note)
  local function delay(ticks)
    return string.char(0x80 | ticks >> 7, ticks & 0x7F)
  end
  local track = table.concat {
    "\0\xC0", string.char(program),
    "\0\x90", string.char(note, 100),
    delay(math.floor(960 * HELD)), "\x80", string.char(note, 0),
    delay(960), "\xFF\x2F\0",
  }
  return string.pack(">c4I4I2I2I2", "MThd", 6, 0, 1, 480)
    .. string.pack(">c4s4", "MTrk", track)
end

--- The samples up to where the release has died away, faded over the last 10 ms.
---@param samples userdata tensor, mono
---@return userdata samples
local function trim_release(samples)
  local values = samples:totable()
  local peak = 0
  for _, value in ipairs(values) do
    peak = math.max(peak, math.abs(value))
  end
  local last = #values
  while last > HELD * RATE and math.abs(values[last]) < peak / 1000 do
    last = last - 1
  end
  local fade = RATE // 100
  for i = last - fade + 1, last do
    values[i] = values[i] * (last - i) / fade
  end
  return ym.tensor.from(table.move(values, 1, last, 1, {}))
end

local folder = arg[0]:match("^(.*)/") or "."
local midi, wav = os.tmpname(), os.tmpname()
for _, entry in ipairs(NOTES) do
  local name, program, note = table.unpack(entry)
  local file <close> = assert(io.open(midi, "wb"))
  file:write(midi_file(program, note))
  file:close()
  assert(os.execute(("fluidsynth -ni -q -R 0 -C 0 -g 2.0 -r %d -O s16 -T wav -F %s %s %s")
    :format(RATE, wav, FONT, midi)))
  local sound = assert(ym.audio.read(wav))
  local path = ("%s/%s.flac"):format(folder, name)
  assert(ym.audio.write(path, trim_release(sound.samples), RATE, { format = "flac" }))
  print(path)
end
os.remove(midi)
os.remove(wav)
