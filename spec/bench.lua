-- Speed, as ratios against named references measured in the same run: make bench.
package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local ym = require "ym2612ml"
local support = require "spec.support"

local PATCH = support.PATCH
local HELD, RELEASE = 1.0, 0.5

-- Median over five runs of the seconds of processor time one call takes.
local function time(calls, f)
  local times = {}
  for run = 1, 5 do
    local start = os.clock()
    for _ = 1, calls do
      f()
    end
    times[run] = (os.clock() - start) / calls
  end
  table.sort(times)
  return times[3]
end

local function row(name, seconds, reference)
  local speed = (HELD + RELEASE) / seconds
  print(("%-44s %8.0f x real time %8.2f x the reference"):format(name, speed, reference / seconds))
end

-- A VGM of `notes` repetitions of the benchmark's note on channel 1.
local function vgm(notes)
  local commands = {}
  local function write(reg, value)
    commands[#commands + 1] = string.char(0x52, reg, value)
  end
  local function wait(seconds)
    local left = math.floor(seconds * 44100)
    while left > 0 do
      local step = math.min(left, 65535)
      commands[#commands + 1] = string.pack("<I1I2", 0x61, step)
      left = left - step
    end
  end
  for _, w in ipairs(ym.patch.registers(PATCH)) do
    write(w[2], w[3])
  end
  local block, fnum = ym.pitch_of(69)
  write(0xA4, block << 3 | fnum >> 8)
  write(0xA0, fnum & 255)
  for _ = 1, notes do
    write(0x28, 0xF0)
    wait(HELD)
    write(0x28, 0x00)
    wait(RELEASE)
  end
  local data = table.concat(commands) .. "\x66"
  local total = math.floor(notes * (HELD + RELEASE) * 44100)
  local header = "Vgm " .. string.pack("<I4I4I4I4I4I4I4I4I4I2BBI4I4I4I4I4",
    0x40 + #data - 4, 0x150, 0, 0, 0, total, 0, 0, 60, 0, 0, 0, 7670454, 0, 0x0C, 0, 0)
  return header .. data
end

-- Seconds libgme takes for one note, or nil where it cannot be run.
local function libgme(player)
  local notes, path = 20, os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(vgm(notes))
  file:close()
  local run = io.popen(("%s %s %.3f"):format(player, path, notes * (HELD + RELEASE)))
  local seconds = tonumber(run:read("l"))
  run:close()
  os.remove(path)
  return seconds and seconds / notes
end

print("One patch on one channel, A4, 1.0 s + 0.5 s, native rate, one thread (processor time)")
local reference = arg[1] and libgme(arg[1])
if reference then
  row("libgme (all six channels): the reference", reference, reference)
else
  print("libgme cannot be run here: ratios are to the six-channel core")
end
local frames = { block = 4, fnum = 1083, held = 53267, release = 26634, chip = "ym2612" }
local core = time(4, function() support.on_chip(PATCH, frames) end)
reference = reference or core
row("ym.chip (all six channels)", core, reference)
row("ym.render, raw", time(200, function() ym.render(PATCH, { raw = true }) end), reference)
row("ym.render", time(200, function() ym.render(PATCH) end), reference)
local target = assert(ym.target.new((ym.render(PATCH))))
local samples = ym.render(PATCH)
row("D of a rendered note", time(100, function() target:distance(samples) end), reference)

-- Patches as they are used: a table of real ones where there is one, else draws from the
-- statistics of real ones.
local function patches(count)
  local path = arg[2] or "../shared/data/patches/real_patches.csv"
  local list, rows = {}, ym.dataset.read_patches(path)
  if rows then
    for i = 1, count do
      list[i] = rows[(i - 1) % #rows + 1].patch
    end
    return ym.patch.pack(list), path
  end
  local prior = assert(ym.prior.read(ym.models.folder() .. "/" .. ym.models.files.prior))
  return ym.dataset.sampler({ prior = prior }):draw(count), "draws from the shipped prior"
end

-- Seconds a patch takes, of processor time with one thread, else by the clock; the median
-- over five runs.
local function each_takes(threads, count, f)
  local clock, times = threads == 1 and os.clock or ym.clock, {}
  ym.threads(threads)
  for run = 1, 5 do
    local start = clock()
    f()
    times[run] = (clock() - start) / count
    collectgarbage()
  end
  table.sort(times)
  return times[3]
end

local COUNT = 1024
local packed, source = patches(COUNT)
print()
print(("Batches of %d patches (%s), A4, 1.0 s + 0.5 s; one thread: processor time, two: the clock"):format(
  COUNT, source))
for _, level in ipairs(support.levels()) do
  ym.simd(level)
  local scales = ym.features.new(ym.recipes.three_scales(HELD, RELEASE))
  local heard = ym.target.new(samples)
  local kinds = {
    { "raw samples", function() ym.render_batch(packed, { raw = true }) end },
    { "three-scale log-mel", function() ym.batch.features(packed, scales) end },
    { "D to a target", function() ym.batch.distances(packed, heard) end },
  }
  for _, kind in ipairs(kinds) do
    local one, two = each_takes(1, COUNT, kind[2]), each_takes(2, COUNT, kind[2])
    row(("%s, %s"):format(level, kind[1]), one, reference)
    print(("%-44s %8.0f patches a second; two threads %.2f x one"):format("", 1 / one, one / two))
  end
end
