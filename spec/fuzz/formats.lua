-- Feeds damaged and random bytes to every reader of patches: each must read them as
-- patches that are whole, or refuse them with a message and a kind, within bounds of time
-- and memory.   lua5.4 spec/fuzz/formats.lua [inputs per reader] [seed] [core]
package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = (arg[3] or "./lua/?.so") .. ";" .. package.cpath
local support = require "spec.support"
local ym = require "ym2612ml"

local count, seed = tonumber(arg[1] or 2000), tonumber(arg[2] or 1)
local SLOWEST = 2 -- seconds of processor time for one input
local LARGEST = 64 -- MB in use after one input
local rng = ym.rng.new { seed = seed }

-- Numbers that hostile files have for counts, sizes and offsets.
local NUMBERS = { "\0", "\1", "\x7F", "\x80", "\xFF", "\xFF\xFF", "\0\0\0\0", "\xFF\xFF\xFF\xFF", "\xFF\xFF\xFF\x7F",
  "\0\0\0\x80", "9", "-1", "999999999999999999999", "\n", "\0\xFF\xFF" }

local function named(name)
  local made = support.random_patch(rng)
  made.name = name
  return made
end

-- Files to begin with: of what is written here, a small and a larger one of each format;
-- of what is only read, one put together.
local function seeds_of(format)
  if format.writes then
    local list = { named("one") }
    local seeds = { ym.patch.encode(list, format.name) }
    for i = 2, format.many and 5 or 0 do
      list[i] = named("number " .. i)
    end
    seeds[2] = ym.patch.encode(list, format.name, format.versions and { version = format.versions[1] })
    return seeds
  end
  local envelope = "\0\26" .. ("\x33"):rep(25)
  return {
    "BambooTrackerIst" .. ("\0"):rep(8) .. "INSTRMNT\14\0\0\0\4\0\0\0lead\0\0INSTPROP" .. "\36\0\0\0" .. envelope
      .. "\1\4\x53\xA2\30",
    "BambooTrackerBnk" .. ("\0"):rep(8) .. "INSTRMNT\17\0\0\0\1" .. "\0\11\0\0\0\0\0\0\0\0\0\0" .. "INSTPROP"
      .. "\33\0\0\0\0\1\0\26" .. ("\x33"):rep(25),
  }
end

local readers = {
  { "dx7", {
    "\xF0\x43\0\9\x20\0" .. ("\x20"):rep(4096) .. "\0\xF7", "\xF0\x43\0\0\1\x1B" .. ("\x20"):rep(155) .. "\0\xF7",
  }, function(bytes) return ym.dx7.decode(bytes) end },
}
local all = {}
for _, format in ipairs(ym.patch.formats()) do
  local seeds = seeds_of(format)
  table.move(seeds, 1, #seeds, #all + 1, all)
  readers[#readers + 1] = { format.name, seeds, function(bytes)
    return ym.patch.decode_all(bytes, format.name)
  end }
end
-- By content, whatever it is: an old instrument of Furnace and a GYB of version 2, too.
all[#all + 1] = "-Furnace instr.-" .. string.pack("<I2I2I4I8", 120, 0, 32, 0) .. "INST" .. string.pack("<I4I2BB", 0,
  120, 1, 0) .. "lead\0" .. ("\1"):rep(140)
all[#all + 1] = "\26\12\2\1\1" .. ("\xFF"):rep(256) .. "\13" .. ("\x11"):rep(64) .. "\4lead\3hat????"
readers[#readers + 1] = { "by content", all, function(bytes) return ym.patch.decode_all(bytes) end }

local function random_bytes(size)
  local bytes = {}
  for i = 1, size do
    bytes[i] = string.char(rng:integer(0, 255))
  end
  return table.concat(bytes)
end

-- Cut short, grown, with bytes, bits or numbers changed, doubled, or nothing but chance.
local function damaged(bytes)
  local kind = rng:uniform()
  if kind < 0.15 then
    return bytes:sub(1, rng:integer(0, #bytes))
  elseif kind < 0.2 then
    return bytes .. random_bytes(rng:integer(1, 100))
  elseif kind < 0.25 then
    return bytes:sub(1, rng:integer(0, math.min(#bytes, 40))) .. random_bytes(rng:integer(0, 300))
  elseif kind < 0.3 then
    local first = rng:integer(1, #bytes)
    local last = rng:integer(first, math.min(#bytes, first + 500))
    return bytes:sub(1, last) .. bytes:sub(first)
  end
  for _ = 1, rng:integer(1, 8) do
    local at = rng:integer(1, rng:uniform() < 0.5 and math.min(#bytes, 64) or #bytes)
    local how = rng:uniform()
    local new = how < 0.4 and string.char(bytes:byte(at) ~ 1 << rng:integer(0, 7))
      or how < 0.7 and string.char(rng:integer(0, 255)) or NUMBERS[rng:integer(1, #NUMBERS)]
    bytes = bytes:sub(1, at - 1) .. new .. bytes:sub(at + #new)
    bytes = #bytes > 0 and bytes or "\0"
  end
  return bytes
end

-- Reads one input, and writes what was read in the format it came from.
local function try(name, bytes, read)
  local before = os.clock()
  local list, notes, kind = read(bytes)
  assert(os.clock() - before < SLOWEST, name .. ": takes too long")
  if not list then
    assert(type(notes) == "string" and kind == "format", name .. ": refused without a reason")
    return false
  end
  assert(type(notes) == "table", name .. ": read without notes")
  if name ~= "dx7" then
    ym.patch.check_all(list)
    local format = list[1] and list[1].carried and list[1].carried.format
    if format then
      local again = assert(ym.patch.decode_all(ym.patch.encode(#list > 1 and list or list[1], format), format))
      assert(#again <= #list, name .. ": more patches than there were")
    end
  end
  return true
end

for _, reader in ipairs(readers) do
  local name, seeds, read = table.unpack(reader)
  local accepted = 0
  for _, bytes in ipairs(seeds) do
    for size = 0, #bytes, #bytes > 2000 and 61 or 1 do
      try(name, bytes:sub(1, size), read)
    end
  end
  for case = 1, count do
    local bytes = damaged(seeds[(case - 1) % #seeds + 1])
    local fine, result = pcall(try, name, bytes, read)
    if not fine then
      error(("%s, input %d of seed %d: %s\n%q"):format(name, case, seed, result, bytes:sub(1, 2000)))
    end
    accepted = accepted + (result and 1 or 0)
    if case % 500 == 0 then
      collectgarbage()
      assert(collectgarbage("count") < LARGEST * 1024, name .. ": memory grows")
    end
  end
  print(("formats: %-10s %d damaged files, seed %d: %d read, %d refused"):format(name, count, seed, accepted,
    count - accepted))
end
