-- How our audition VGM sounds in other players: D between ym.render and each note as MAME
-- and libgme play it, after level and start are aligned, for some patches of a table.
--   lua5.4 spec/bench/players.lua TABLE LIBGME [MAME]
-- where LIBGME is .build/libgme (make .build/libgme) and MAME the program, default
-- /usr/games/mame. MAME's player asks for ROMs of chips that are not used: files of the
-- right size do.
package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local support = require "spec.support"
local ym = require "ym2612ml"

local table_path, libgme, mame = arg[1], arg[2], arg[3] or "/usr/games/mame"
local COUNT, NOTE, HELD, RELEASE = 20, 57, 1, 0.5
local RATE = 53267
local EARLIEST, LATEST = -200, 800 -- samples, of a player's start against the file's times
local HEAD = 12000 -- samples by which the start is found
local EPOCH = 4000 -- samples: some other phase of the envelopes' clock

local ROMS = {
  ["ym2413/ym2413_instruments.bin"] = 144, ["ym2608/ym2608_adpcm_rom.bin"] = 8192, ["qsound/dl-1425.bin"] = 24576,
}

local folder = support.new_folder()
local patches = {}
local rows = assert(ym.dataset.read_patches(table_path))
for i = 1, #rows, #rows // COUNT do
  patches[#patches + 1] = #patches < COUNT and rows[i].patch or nil
end

local path = folder .. "/audition.vgm"
local index = assert(ym.vgm.write(path, patches, { note = NOTE, held = HELD, release = RELEASE, gap = 0.3 }))
local seconds = math.ceil(index[#index].time + HELD + RELEASE + 1)

local function run(command, ...)
  assert(os.execute(command:format(...)), command)
end

-- One side of what libgme plays.
local function play_libgme()
  run("%s %s %d %s/raw >/dev/null", libgme, path, seconds, folder)
  local bytes = support.read_file(folder .. "/raw")
  local head = "RIFF" .. string.pack("<I4", 36 + #bytes) .. "WAVEfmt "
    .. string.pack("<I4I2I2I4I4I2I2", 16, 1, 2, RATE, 4 * RATE, 4, 16) .. "data" .. string.pack("<I4", #bytes)
  support.write_file(folder .. "/libgme.wav", head .. bytes)
  return assert(ym.audio.read(folder .. "/libgme.wav")).samples
end

local function play_mame()
  for name, size in pairs(ROMS) do
    run("mkdir -p %s/roms/%s", folder, name:match("^[^/]+"))
    support.write_file(folder .. "/roms/" .. name, ("\0"):rep(size))
  end
  run("cd %s && SDL_VIDEODRIVER=dummy SDL_AUDIODRIVER=dummy %s vgmplay -rompath roms -quik %s -video none -sound none "
    .. "-wavwrite mame.wav -seconds_to_run %d -nothrottle -samplerate %d >/dev/null 2>&1", folder, mame, path, seconds,
    RATE)
  return assert(ym.audio.read(folder .. "/mame.wav")).samples
end

local function part(samples, first, count)
  first = math.max(1, first)
  return samples:slice(first, math.min(#samples, first + count - 1))
end

-- D of a note in a recording, and the cents by which its pitch differs.
local function compare(expected, samples, first)
  local head, best, least = part(expected, 1, HEAD), 0, math.huge
  local function try(shift)
    local distance = ym.distance(head, part(samples, first + shift, HEAD)) or math.huge
    if distance < least then
      best, least = shift, distance
    end
  end
  for shift = EARLIEST, LATEST, 40 do
    try(shift)
  end
  for shift = best - 40, best + 40, 8 do
    try(shift)
  end
  local found = part(samples, first + best, #expected)
  local here, there = ym.pitch(expected), ym.pitch(found)
  return ym.distance(expected, found), here and there and 1200 * math.log(there / here, 2) or 0 / 0
end

-- The note on the chip at another phase of the envelopes' clock, as far as that goes what
-- every player has.
local function another_phase(patch, stage)
  local chip = ym.chip.new { chip = stage }
  for _, write in ipairs(ym.patch.registers(patch)) do
    chip:write(table.unpack(write))
  end
  local block, fnum = ym.pitch_of(NOTE)
  chip:write(0, 0xA4, block << 3 | fnum >> 8)
  chip:write(0, 0xA0, fnum & 255)
  chip:run(EPOCH)
  chip:write(0, 0x28, 0xF0)
  local held = chip:run(HELD * RATE)
  chip:write(0, 0x28, 0)
  local samples, rest = ym.tensor.new { #held + math.floor(RELEASE * RATE) }, chip:run(math.floor(RELEASE * RATE))
  samples:slice(1, #held):copy(held)
  samples:slice(#held + 1):copy(rest)
  return samples
end

local players = {
  { name = "MAME", stage = "ym2612", samples = play_mame() },
  { name = "libgme", stage = "clean", samples = play_libgme() }, -- it has an ideal converter
}
for _, player in ipairs(players) do
  local distances, near = {}, 0
  print(("%s against ym.render, chip = %s: D, of it at another phase of the chip's clock; cents"):format(
    player.name, player.stage))
  for i, patch in ipairs(patches) do
    local expected = ym.render(patch, { note = NOTE, held = HELD, release = RELEASE, chip = player.stage })
    local distance, cents = compare(expected, player.samples, math.floor(index[i].time * RATE) + 1)
    local phase = ym.distance(expected, another_phase(patch, player.stage):slice(4))
    print(("  %2d  algorithm %d  feedback %d  D %6.2f  phase %6.2f  cents %7.1f"):format(i, patch.algorithm,
      patch.feedback, distance, phase, cents))
    distances[i], near = distance, near + (distance < 1 and 1 or 0)
  end
  table.sort(distances)
  print(("  %s: %d of %d below 1, median %.2f, largest %.2f"):format(player.name, near, #distances,
    distances[(#distances + 1) // 2], distances[#distances]))
end
support.remove_folder(folder)
