-- Plays a cartridge of real patches in MAME, Mednafen and BlastEm, splits the recordings and
-- compares every note with our own chip's. To be run from the root of the repository:
--
--   lua5.4 spec/bench/cartridge.lua PATCHES COUNT FOLDER [mame] [mednafen] [blastem]
--
-- The emulators are Debian's packages of these names, xvfb with BlastEm. Mednafen and
-- BlastEm take as long as the cartridge plays. BlastEm's recording is of channel 6 alone,
-- before all mixing and filters.
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local support = require "spec.support"
local ym = require "ym2612ml"

local source, count, folder = arg[1], tonumber(arg[2]), arg[3]
if not folder then
  io.stderr:write("usage: cartridge.lua PATCHES COUNT FOLDER [mame] [mednafen] [blastem]\n")
  os.exit(2)
end

local HELD, RELEASE = 0.5, 0.3
local START = 20 -- seconds for an emulator to start, and for a busy machine
local PLAYERS = { -- commands in FOLDER with the seconds to play, and what they record
  mame = {
    "mame genesis -cart c.bin -video none -sound none -wavwrite mame.wav -seconds_to_run %d"
      .. " -nothrottle -skip_gameinfo", "mame.wav" },
  mednafen = {
    "HOME=$PWD timeout -s INT %d mednafen -sound 1 -sound.driver sdl -video.driver softfb"
      .. " -soundrecord mednafen.wav -force_module md c.bin", "mednafen.wav" },
  blastem = { "env -u SDL_VIDEODRIVER xvfb-run -a timeout -s INT %d blastem -g -y c.bin", "ym_channel_5.wav" },
}

local LAGS = 12 -- samples to either side

-- The correlation of two lists of samples, the second shifted, from one sample on.
local function correlation(one, other, shift, from, to)
  local n, x, y, xx, yy, xy = 0, 0, 0, 0, 0, 0
  for i = math.max(from, 1 + shift), math.min(to, #one, #other + shift) do
    local a, b = one[i], other[i - shift]
    n, x, y, xx, yy, xy = n + 1, x + a, y + b, xx + a * a, yy + b * b, xy + a * b
  end
  local spread = (xx - x * x / n) * (yy - y * y / n)
  return spread > 0 and (xy - x * y / n) / math.sqrt(spread) or 0
end

-- The best correlation, and the samples by which the first comes later.
local function align(recorded, played)
  local best, lag = -2, 0
  for shift = -LAGS, LAGS do
    local value = correlation(recorded, played, shift, 1, 8192)
    if value > best then
      best, lag = value, shift
    end
  end
  best = -2
  for shift = lag - 1, lag + 1 do
    best = math.max(best, correlation(recorded, played, shift, 1, math.huge))
  end
  return best, lag
end

-- A note on our chip whose operators all start with the same sample, as emulators have it.
-- On the chip that ym.render is exact for, operator 1 starts one sample after the others.
local function played_at_once(entry)
  local chip = ym.chip.new()
  local block, fnum = ym.pitch_of(entry.note)
  for _, write in ipairs(ym.patch.registers(entry.patch)) do
    chip:write(table.unpack(write))
  end
  chip:write(0, 0xA4, block << 3 | fnum >> 8)
  chip:write(0, 0xA0, fnum & 255)
  chip:run(support.KEY_FRAME)
  chip:write(0, 0x28, 0x10)
  chip:write(0, 0x28, 0xF0)
  chip:run(4)
  local held = math.floor(entry.held * support.RATE + 0.5)
  local list = chip:run(held - 4):totable()
  chip:write(0, 0x28, 0xE0)
  chip:write(0, 0x28, 0)
  local rest = chip:run(math.floor(entry.release * support.RATE + 0.5)):totable()
  return table.move(rest, 1, #rest, #list + 1, list)
end

local function report(name, what, values)
  local close, very = 0, 0
  for _, value in ipairs(values) do
    close, very = close + (value >= 0.99 and 1 or 0), very + (value >= 0.999 and 1 or 0)
  end
  table.sort(values)
  print(("%s: %s: %.1f %% of notes at 0.99 or more, %.1f %% at 0.999, median %.5f"):format(name, what,
    100 * close / #values, 100 * very / #values, values[#values // 2 + 1]))
end

local function compare(name, found)
  local rendered, at_once, farthest = {}, {}, 0
  for i, note in ipairs(found.notes) do
    local entry = note.entry
    local recorded = note.samples:totable()
    local expected = ym.render(entry.patch, { note = entry.note, held = entry.held, release = entry.release })
    if math.abs(found.rate - support.RATE) > 1 then
      expected = assert(ym.audio.resample(expected, support.RATE, found.rate, { quick = true }))
    end
    local lag
    rendered[i], lag = align(recorded, expected:totable())
    if rendered[i] > 0.9 then
      farthest = math.max(farthest, math.abs(lag) / found.rate)
    end
    if name == "blastem" then
      at_once[i] = align(recorded, played_at_once(entry))
      if at_once[i] < 0.99 then
        print(("  %3d %-30.30s %.4f with ym.render, %.4f at once"):format(entry.number, entry.name, rendered[i],
          at_once[i]))
      end
    end
  end
  print(("%s: notes that correlate at 0.9 or more begin within %.2f ms of their cut"):format(name, 1000 * farthest))
  report(name, "with ym.render", rendered)
  if #at_once > 0 then
    report(name, "with operator 1 at once with the others", at_once)
  end
end

local patches = {}
for _, row in ipairs(assert(ym.dataset.read_patches(source))) do
  if row.patch and row.split ~= "train" and #patches < count then
    patches[#patches + 1] = row.patch
  end
end
local bytes, index = assert(ym.rom.build(patches, { held = HELD, release = RELEASE }))
support.write_file(folder .. "/c.bin", bytes)
support.write_file(folder .. "/c.json", ym.rom.encode_index(index))
for i = 4, #arg do
  local command, recording = table.unpack(PLAYERS[arg[i]])
  local seconds = math.ceil(index.finish + START)
  os.execute(("cd '%s' && export PATH=$PATH:/usr/games SDL_VIDEODRIVER=dummy SDL_AUDIODRIVER=dummy && %s >%s.log 2>&1")
    :format(folder, command:format(seconds), arg[i]))
  local sound = assert(ym.audio.read(folder .. "/" .. recording))
  local found = assert(ym.rom.split(sound, index))
  print(("%s: %d of %d notes, %d clicks, clock %+.1f ppm"):format(arg[i], #found.notes, #index.entries, found.clicks,
    found.drift * 1e6))
  compare(arg[i], found)
end
