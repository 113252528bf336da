-- Reads, mines and plays VGM files of random commands, many of them damaged, and packed
-- ones: each must be read, or refused with a message and a kind.
--   lua5.4 spec/fuzz/vgm.lua [count] [seed]
package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = (arg[3] or "./lua/?.so") .. ";" .. package.cpath
local support = require "spec.support"
local ym = require "ym2612ml"

local count, seed = tonumber(arg[1] or 4000), tonumber(arg[2] or 1)
local rng = ym.rng.new { seed = seed }
local path = os.tmpname()

local function random_bytes(length)
  local bytes = {}
  for i = 1, length do
    bytes[i] = string.char(rng:integer(0, 255))
  end
  return table.concat(bytes)
end

-- A number of which the extremes are frequent.
local function number(bits)
  local most = (1 << bits) - 1
  return rng:uniform() < 0.2 and ({ 0, 1, most, most - 1, 1 << bits - 1 })[rng:integer(1, 5)]
    or rng:integer(0, rng:uniform() < 0.7 and math.min(most, 40) or most)
end

local REGISTERS = { 0x22, 0x27, 0x28, 0x28, 0x28, 0x2A, 0x2B, 0x30, 0x40, 0x4C, 0x50, 0xA0, 0xA4, 0xB0, 0xB4 }

-- A random command: most are ones that do something.
local makers = {
  function() return string.char(rng:integer(0x52, 0x53), REGISTERS[rng:integer(1, #REGISTERS)], number(8)) end,
  function() return string.char(rng:integer(0x52, 0x53), number(8), number(8)) end,
  function() return string.char(rng:integer(0x70, 0x8F)) end,
  function() return string.pack("<BI2", 0x61, number(16)) end,
  function()
    local size = rng:integer(0, 30)
    local told = rng:uniform() < 0.1 and number(32) or size
    return string.pack("<BBBI4", 0x67, 0x66, number(8), told) .. random_bytes(size)
  end,
  function() return string.char(0x90, number(2), rng:uniform() < 0.8 and 2 or number(8), number(1), 0x2A) end,
  function() return string.char(0x91, number(2), number(2), number(8), number(8)) end,
  function() return string.pack("<BBI4", 0x92, number(2), number(32)) end,
  function() return string.pack("<BBI4BI4", 0x93, number(2), number(32), number(8), number(32)) end,
  function() return string.char(0x94, number(8)) end,
  function() return string.pack("<BBI2B", 0x95, number(2), number(16), number(8)) end,
  function() return string.pack("<BI4", 0xE0, number(32)) end,
  function() return "\x62\x63" end,
  function() return rng:uniform() < 0.1 and "\x66" or "\x50\x9F" end,
  function() return rng:uniform() < 0.1 and random_bytes(3) or "\xC0\1\2\3" end,
}

local FIELDS = { 0x04, 0x08, 0x10, 0x14, 0x18, 0x1C, 0x20, 0x2C, 0x34 }

local function random_file()
  local parts = {}
  for i = 1, rng:integer(1, 60) do
    parts[i] = makers[rng:integer(1, #makers)]()
  end
  local fields = { [0x08] = 0x151, [0x2C] = 7670454, [0x34] = 0x0C, [0x1C] = rng:integer(0x20, 0x80) }
  while rng:uniform() < 0.3 do
    fields[FIELDS[rng:integer(1, #FIELDS)]] = number(32)
  end
  local head = { "Vgm " }
  for offset = 4, 0x3C, 4 do
    head[#head + 1] = string.pack("<I4", fields[offset] or 0)
  end
  local bytes = table.concat(head) .. table.concat(parts) .. "\x66Gd3 \0\1\0\0" .. random_bytes(20)
  if rng:uniform() < 0.2 then
    bytes = bytes:sub(1, rng:integer(0, #bytes))
  end
  if rng:uniform() < 0.2 then
    bytes = ym.gzip(bytes)
    local at = rng:integer(1, #bytes)
    bytes = rng:uniform() < 0.5 and bytes or bytes:sub(1, at - 1) .. random_bytes(1) .. bytes:sub(at + 1)
  end
  return bytes
end

local accepted, refused = 0, 0

local function judge(result, message, kind)
  if result then
    accepted = accepted + 1
  else
    refused = refused + 1
    assert(type(message) == "string" and (kind == "format" or kind == "input"), "refused without a reason")
  end
end

local function options()
  return { loops = rng:integer(1, 3), longest = rng:uniform() * 0.1, raw = rng:uniform() < 0.5 }
end

for _ = 1, count do
  local bytes = random_file()
  support.write_file(path, bytes)
  judge(ym.gunzip(bytes, 1 << 20))
  judge(ym.vgm.mine(path, { keep_levels = rng:uniform() < 0.5 }))
  judge(ym.vgm.render(path, options()))
  local started = os.clock()
  judge(ym.vgm.decode(bytes))
  if os.clock() - started > 20 then
    print(("vgm: took %.0f s to decode a file of %d bytes"):format(os.clock() - started, #bytes))
    os.exit(1)
  end
end
os.remove(path)
print(("vgm: %d files, seed %d: %d results, %d refusals"):format(count, seed, accepted, refused))
