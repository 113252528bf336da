-- The patch formats, each from bytes put together here by its layout.
local support = require "spec.support"
local ym = require "ym2612ml"

local function bytes_of(hex)
  return (hex:gsub("%s+", ""):gsub("%x%x", function(pair)
    return string.char(tonumber(pair, 16))
  end))
end

-- A patch with other values in every operator.
local function patch(changes)
  local made = {
    name = "lead", algorithm = 4, feedback = 5, ams = 2, fms = 3,
    { mul = 1, dt = 0, tl = 30, rs = 0, ar = 31, am = 0, dr = 10, sr = 3, rr = 7, sl = 4, ssg = 0 },
    { mul = 1, dt = 3, tl = 10, rs = 1, ar = 25, am = 1, dr = 8, sr = 2, rr = 6, sl = 3, ssg = 9 },
    { mul = 2, dt = -3, tl = 25, rs = 2, ar = 20, am = 0, dr = 12, sr = 4, rr = 8, sl = 5, ssg = 0 },
    { mul = 15, dt = -1, tl = 20, rs = 3, ar = 1, am = 1, dr = 31, sr = 31, rr = 15, sl = 15, ssg = 15 },
  }
  for name, value in pairs(changes or {}) do
    made[name] = value
  end
  return made
end

-- The same patch without what a format lacks.
local function without(...)
  local made = patch()
  for _, name in ipairs { ... } do
    if made[name] then
      made[name] = name == "name" and "" or 0
    end
    for _, operator in ipairs(made) do
      operator[name] = operator[name] and 0
    end
  end
  return made
end

-- The registers of the patch above, operators in the chip's order 1, 3, 2, 4: a row for
-- each operator, from 0x30 to 0x90.
local ROWS = { "01 1E 1F 0A 03 47 00", "72 19 94 0C 04 58 00", "31 0A 59 88 02 36 09", "5F 14 C1 9F 1F FF 0F" }
local MAJOR = "01 72 31 5F 1E 19 0A 14 1F 94 59 C1 0A 0C 88 9F 03 04 02 1F 47 58 36 FF 00 00 09 0F"
local NAME = "lead" .. ("\0"):rep(28)
local ENTRY = NAME .. "\0\0\0" .. bytes_of("2C 23" .. table.concat(ROWS))
local BANK = ("\0"):rep(32) .. "\0\0"
local DELAYS = "\x9C\x40\1\x2C" -- 40 s and 0.3 s: with none, other programs take it for an empty slot
local FM = bytes_of([[F4 45 13 20 31 1E 1F 0A 03 47 00 00 02 19 94 0C 04 58 00 00
  61 0A 59 88 02 36 09 00 2F 14 C1 9F 1F FF 0F 00]])

-- A program or percussion bank of WOPN with one instrument in it.
local function bank_of(entry, slot, size)
  return ("\0"):rep(slot * size) .. entry .. ("\0"):rep((127 - slot) * size)
end

local function gyb_map(mark)
  return "\1\0\0\0" .. string.pack("<I2", mark)
end

local OPM_HEAD = "//LFO: LFRQ AMD PMD WF NFRQ\n//@:[Num] [Name]\n//CH: PAN FL CON AMS PMS SLOT NE\n"
  .. "//[OPname]: AR D1R D2R RR D1L TL KS MUL DT1 DT2 AMS-EN\n\n"

-- Format, the bytes of its file, the patch in it, and the version if it is not the default.
local CASES = {
  { "tfi", bytes_of([[04 05 01 03 1E 00 1F 0A 03 07 04 00 02 00 19 02 14 0C 04 08 05 00
    01 06 0A 01 19 08 02 06 03 09 0F 02 14 03 01 1F 1F 0F 0F 0F]]), without("am", "ams", "fms", "name") },
  { "vgi", bytes_of([[04 05 23 01 03 1E 00 1F 0A 03 07 04 00 02 00 19 02 14 0C 04 08 05 00
    01 06 0A 01 19 88 02 06 03 09 0F 02 14 03 01 9F 1F 0F 0F 0F]]), without("name") },
  { "eif", bytes_of("2C" .. MAJOR), without("ams", "fms", "name") },
  { "dmp", bytes_of([[0B 02 01 03 05 04 02 01 1E 1F 0A 04 07 00 00 03 03 00 02 19 14 0C 05 08 00 02 00 04 00
    01 0A 19 08 03 06 01 01 06 02 09 0F 14 01 1F 0F 0F 01 03 02 1F 0F]]), without("name") },
  { "opni", "WOPN2-INST\0\0" .. ENTRY, patch(), 1 },
  { "opni", "WOPN2-IN2T\0\2\0\0" .. ENTRY .. DELAYS, patch(), 2 },
  { "wopn", "WOPN2-BANK\0\0\1\0\1\0" .. bank_of(ENTRY, 0, 65) .. ("\0"):rep(128 * 65), patch(), 1 },
  { "wopn", "WOPN2-B2NK\0\2\0\0\1\0\1\0" .. BANK:rep(2) .. bank_of(ENTRY .. DELAYS, 0, 69)
    .. ("\0"):rep(128 * 69), patch(), 2 },
  { "fui", "FINS\x8F\0\1\0NA\5\0lead\0FM\x24\0" .. FM, patch() },
  { "gyb", "\26\12\3\0" .. string.pack("<I4I4I4", 575, 532, 16) .. gyb_map(0) .. ("\0\0"):rep(255)
    .. "\1\0" .. "\39\0" .. bytes_of(MAJOR .. "2C 23 00 00") .. "\4lead" .. "\0\0", patch() },
  { "opm", OPM_HEAD .. [[
@:0 lead
LFO: 0 127 127 2 0
CH: 64 5 4 2 3 120 0
M1:  31  10   3   7   4  30   0   1   0   0   0
C1:  25   8   2   6   3  10   1   1   3   0 128
M2:  20  12   4   8   5  25   2   2   7   0   0
C2:   1  31  31  15  15  20   3  15   5   0 128
]], without("ssg") },
  { "ctrmml", [[
@1 fm 4 5 ; lead
; AR  DR  SR  RR  SL  TL  KS  ML  DT SSG
  31  10   3   7   4  30   0   1   0   0
  25   8   2   6   3  10   1   1   3 109
  20  12   4   8   5  25   2   2   7   0
   1  31  31  15  15  20   3  15   5 115
]], without("ams", "fms") },
  { "mml2vgm", [[
'@ N 000 "lead"
   AR  DR  SR  RR  SL  TL  KS  ML  DT  AM  SSG-EG
'@ 031,010,003,007,004,030,000,001,000,000,000
'@ 025,008,002,006,003,010,001,001,003,001,009
'@ 020,012,004,008,005,025,002,002,007,000,000
'@ 001,031,031,015,015,020,003,015,005,001,015
   AL  FB
'@ 004,005
]], without("ams", "fms") },
  { "text", [[
ym2612ml patches

name: lead
algorithm: 4
feedback: 5
ams: 2
fms: 3
lfo: off
op mul  dt  tl  rs  ar  am  dr  sr  rr  sl ssg
 1   1   0  30   0  31   0  10   3   7   4   0
 2   1   3  10   1  25   1   8   2   6   3   9
 3   2  -3  25   2  20   0  12   4   8   5   0
 4  15  -1  20   3   1   1  31  31  15  15  15
]], patch() },
}

-- The fields of a patch, without what it carries.
local function plain(found)
  local copy = { name = found.name or "" }
  for _, field in ipairs(ym.patch.fields()) do
    local into, from = copy, found
    if field.operator then
      copy[field.operator] = copy[field.operator] or {}
      into, from = copy[field.operator], found[field.operator]
    end
    into[field.name] = from[field.name] or field.name ~= "lfo" and 0 or nil
  end
  return copy
end

describe("a patch format #c", function()
  for _, case in ipairs(CASES) do
    local name, bytes, expected, version = table.unpack(case, 1, 4)
    local options = { version = version }

    it(("%s%s is read as its layout says, by its content"):format(name, version or ""), function()
      for _, format in ipairs { name, false } do
        local found, note = ym.patch.decode(bytes, format or nil)
        assert.is_nil(note)
        assert.same(plain(expected), plain(found))
      end
      assert.equal(name, ym.patch.detect(bytes))
    end)

    it(("%s%s is written as its layout says, and again as it was read"):format(name, version or ""), function()
      assert.equal(bytes, ym.patch.encode(patch(), name, options))
      assert.equal(bytes, ym.patch.encode(assert(ym.patch.decode(bytes)), name))
      assert.equal(bytes, ym.patch.encode(assert(ym.patch.decode_all(bytes)), name))
    end)

    it(("%s%s cut short anywhere is refused, or read with what is left"):format(name, version or ""), function()
      for size = 0, #bytes - 1, #bytes > 1000 and 37 or 1 do
        local list, message, kind = ym.patch.decode_all(bytes:sub(1, size), name)
        if list then
          assert.is_table(message)
          ym.patch.check_all(list)
        else
          assert.is_string(message)
          assert.equal("format", kind)
        end
      end
    end)
  end

  it("has a case here, unless it is only read or made of C", function()
    local known = { y12 = true, c = true }
    for _, case in ipairs(CASES) do
      known[case[1]] = true
    end
    for _, format in ipairs(ym.patch.formats()) do
      assert.is_true(known[format.name] or not format.writes, format.name)
    end
  end)

  it("tells what it does not hold, field by field", function()
    local sets = {
      y12 = "ams fms", tfi = "ams fms am2 am4 name", vgi = "name", eif = "ams fms name", dmp = "name", opni = "",
      wopn = "", fui = "", gyb = "", opm = "ssg2 ssg4", ctrmml = "ams fms", mml2vgm = "ams fms", c = "", text = "",
    }
    for name, expected in pairs(sets) do
      local lost = {}
      for _, loss in ipairs(ym.patch.lossy(patch(), name)) do
        assert.equal(1, loss.patch)
        assert.is_truthy(loss.value ~= loss.becomes)
        lost[loss.field .. (loss.operator or "")] = true
      end
      local count = 0
      for word in expected:gmatch("%S+") do
        assert.is_true(lost[word], name .. " " .. word)
        count = count + 1
      end
      for word in pairs(lost) do
        count = count - 1
        assert.is_truthy((" " .. expected .. " "):find(" " .. word .. " ", 1, true), name .. " " .. word)
      end
      assert.equal(0, count, name)
    end
  end)

  it("says truly whether it holds vibrato and tremolo, and their speed", function()
    for _, format in ipairs(ym.patch.formats()) do
      local lost = {}
      for _, loss in ipairs(format.writes and ym.patch.lossy(patch { lfo = 5 }, format.name) or {}) do
        lost[loss.field] = true
      end
      if format.writes then
        assert.equal(format.lfo, not lost.lfo, format.name)
        assert.equal(format.depths, not (lost.ams or lost.fms or lost.am), format.name)
      end
    end
  end)

  it("keeps every patch through every other, but for what it tells", function()
    local rng, names = ym.rng.new { seed = 5 }, {}
    for _, format in ipairs(ym.patch.formats()) do
      names[#names + 1] = format.writes and format.name or nil
    end
    local function key(p)
      return ym.patch.pack({ ym.patch.canonical(p) }):bytes()
    end
    for _ = 1, 4 do
      local first = support.random_patch(rng)
      for _, name in ipairs(names) do
        local from = assert(ym.patch.decode(ym.patch.encode(first, name), name))
        for _, other in ipairs(names) do
          local back, lost = assert(ym.patch.decode(ym.patch.encode(from, other), other)), false
          for _, loss in ipairs(ym.patch.lossy(from, other)) do
            lost = lost or loss.field ~= "name"
          end
          assert.is_true(lost or key(from) == key(back), name .. " to " .. other)
        end
      end
    end
  end)
end)

describe("what files hold beside patches #c", function()
  local function again(bytes, name, options)
    return ym.patch.encode(assert(ym.patch.decode_all(bytes, name)), name, options)
  end

  it("is written again: minus nothing as detune", function()
    for _, case in ipairs(CASES) do
      local name, bytes = case[1], case[2]
      local at = ({ eif = 2, tfi = 4, dmp = 16 })[name]
      if at then
        local odd = bytes:sub(1, at - 1) .. (name == "eif" and "\x41" or "\7") .. bytes:sub(at + 1)
        assert.equal(0, ym.patch.decode(odd, name)[1].dt)
        assert.equal(odd, again(odd, name))
        local changed = ym.patch.decode(odd, name)
        changed[1].dt = 2
        assert.equal(2, ym.patch.decode(ym.patch.encode(changed, name), name)[1].dt)
      end
    end
  end)

  it("is written again: note offset, percussion key and delays of an instrument", function()
    local entry = NAME .. "\xFF\xF4\x23" .. ENTRY:sub(36) .. "\1\2\3\4"
    local bytes = "WOPN2-IN2T\0\2\0\1" .. entry
    assert.equal(bytes, again(bytes, "opni"))
    assert.equal("WOPN2-INST\0\1" .. entry:sub(1, 65), again(bytes, "opni", { version = 1 }))
    local renamed = ym.patch.decode(bytes)
    renamed.name, renamed[1].tl = "bass", 31
    local back = ym.patch.encode(renamed, "opni")
    assert.equal("bass" .. ("\0"):rep(28) .. "\xFF\xF4\x23", back:sub(15, 49))
    assert.equal("\1\2\3\4", back:sub(-4))
    assert.equal(31, ym.patch.decode(back)[1].tl)
  end)

  it("is written again: the slots, names and numbers of banks", function()
    local drum = "drum" .. ENTRY:sub(5) .. "\0\1\0\2"
    local empty = "nobody" .. ("\0"):rep(63)
    local about = "Bells" .. ("\0"):rep(27) .. "\3\7"
    local bytes = "WOPN2-B2NK\0\2\0\0\1\0\1\x1B" .. about .. BANK .. bank_of(empty, 5, 69) .. bank_of(drum, 36, 69)
    local list = assert(ym.patch.decode_all(bytes))
    assert.equal(1, #list)
    assert.equal(3, list[1].lfo)
    assert.equal(bytes, ym.patch.encode(list, "wopn"))
    table.insert(list, patch { lfo = 3 }) -- goes where there is room
    local longer = assert(ym.patch.decode_all(ym.patch.encode(list, "wopn")))
    assert.same({ "lead", "drum" }, { longer[1].name, longer[2].name })
    assert.equal(#bytes, #ym.patch.encode(list, "wopn"))
    assert.same({}, ym.patch.lossy(list, "wopn"))
    list[2].lfo = 6 -- one speed for all
    assert.equal("lfo", ym.patch.lossy(list, "wopn")[1].field)
  end)

  it("is written again: features of Furnace that are not read", function()
    local features = "NA\5\0lead\0" .. "FM\x24\0" .. FM .. "MA\3\0\1\2\3" .. "ZZ\2\0hi" .. "EN" .. "tail"
    local bytes = "FINS\xDF\0\1\0" .. features -- the last version without a byte for the block
    local found, note = ym.patch.decode(bytes)
    assert.matches("macros", note)
    assert.equal(bytes, ym.patch.encode(found, "fui"))
    found[2].tl = 77
    local back = ym.patch.encode(found, "fui")
    assert.equal(#bytes, #back)
    assert.equal(77, ym.patch.decode(back)[2].tl)
    assert.equal(bytes:sub(-15), back:sub(-15))
  end)

  it("is not taken over by other formats", function()
    local found = ym.patch.decode("WOPN2-IN2T\0\2\0\1" .. ENTRY .. "\1\2\3\4")
    assert.equal(CASES[2][2], ym.patch.encode(found, "vgi"))
    assert.equal(ym.patch.encode(patch(), "fui"), ym.patch.encode(found, "fui"))
    ym.patch.check(found)
    assert.is_nil(ym.patch.canonical(found).carried)
  end)
end)

describe("older and foreign files #c", function()
  it("of DefleMask are read in every version", function()
    local operators = CASES[4][2]:sub(8)
    for header, fms in pairs {
      ["\0\4\5\4\2"] = 0, ["\1\4\5\4\2"] = 0, ["\8\1\4\3\5\4\2"] = 3, ["\9\1\4\3\5\4\2"] = 3, ["\10\1\3\5\4\2"] = 3,
      ["\11\9\1\3\5\4\2"] = 3,
    } do
      local found, note = ym.patch.decode(header .. operators)
      assert.is_nil(note)
      assert.equal(fms, found.fms)
      found.fms = 3
      assert.same(plain(without("name")), plain(found))
    end
    for _, wrong in ipairs { "\12\2\1", "\11\4\1", "\11\2\0", "\10\0\0" } do
      assert.is_nil(ym.patch.decode(wrong .. "\3\5\4\2" .. operators, "dmp"))
    end
    assert.matches("1 byte", select(2, ym.patch.decode(CASES[4][2] .. "\0")))
  end)

  it("of Furnace before version 127 are read, and operators that are off are silent", function()
    local rows = { -- am ar dr mul rr sl tl dt2 rs dt sr ssg
      "00 1F 0A 01 07 04 1E 00 00 03 03 00", "00 14 0C 02 08 05 19 00 02 00 04 00",
      "01 19 08 01 06 03 0A 00 01 06 02 09", "01 01 1F 0F 0F 0F 14 00 03 02 1F 0F",
    }
    local body = bytes_of("04 05 03 02 04 00 00 00")
    for i, row in ipairs(rows) do
      body = body .. bytes_of(row) .. ("\0"):rep(8) .. (i == 3 and "\0" or "\1") .. ("\0"):rep(11)
    end
    local head = "-Furnace instr.-" .. string.pack("<I2I2I4I8", 120, 0, 32, 0)
    local bytes = head .. "INST" .. string.pack("<I4I2BB", 0, 120, 1, 0) .. "lead\0" .. body .. "anything"
    local found, note = ym.patch.decode(bytes)
    local expected = patch()
    expected[2].tl = 127
    assert.same(plain(expected), plain(found))
    assert.matches("operator 2 is switched off", note)
    assert.equal("FINS", ym.patch.encode(found, "fui"):sub(1, 4))
  end)

  it("of Furnace for other chips are refused", function()
    assert.matches("type 4", select(2, ym.patch.decode("FINS\x8F\0\4\0")))
    assert.matches("no FM", select(2, ym.patch.decode("FINS\x8F\0\1\0NA\5\0lead\0")))
    assert.is_nil(ym.patch.decode("FINB\x8F\0\1\0"))
  end)

  it("of GYB 1 and 2 are read", function()
    local map = ("\xFF"):rep(14) .. "\0\0" .. ("\xFF"):rep(240) -- both are the eighth program and key
    for version, data in pairs { [1] = MAJOR .. "2C 07", [2] = MAJOR .. "2C 23 07 00" } do
      local speed = version == 2 and "\x0D" or ""
      local bytes = "\26\12" .. string.char(version, 1, 1) .. map .. speed .. bytes_of(data .. data)
        .. "\4lead\3hat????"
      local list, notes = ym.patch.decode_all(bytes)
      assert.same({}, notes)
      local expected = version == 2 and patch { lfo = 5 } or without("ams", "fms")
      assert.same(plain(expected), plain(list[1]))
      assert.equal("hat", list[2].name)
      local written = ym.patch.encode(list, "gyb")
      local again = assert(ym.patch.decode_all(written))
      assert.equal(("\0\0"):rep(7) .. gyb_map(0) .. ("\0\0"):rep(127) .. gyb_map(0x8000) .. ("\0\0"):rep(120),
        written:sub(17, 16 + 2 * 254 + 2 * 6))
      assert.same({ "percussion", 7 }, { again[2].carried.kind, again[2].carried.transpose })
      assert.same(plain(list[2]), plain(again[2]))
    end
  end)

  it("of BambooTracker are read, instruments and banks", function()
    local envelope = bytes_of("45 3F 0A 03 47 1E 81 39 28 62 36 0A 11 34 4C E4 58 19 82 21 7F BF FF 14 7F")
    local lfo = "\x53\xA2"
    local expected = patch { lfo = 5 }
    local single = "BambooTrackerIst" .. string.pack("<I4I4", 0, 0x10501) .. "INSTRMNT" .. "\14\0\0\0\4\0\0\0lead\0\0"
      .. "INSTPROP" .. string.pack("<I4", 4 + 27 + 5) .. "\0\26" .. envelope .. "\1\4" .. lfo .. "\30"
    assert.same(plain(expected), plain(assert(ym.patch.decode(single))))
    local function instrument(number, kind, name, properties)
      local body = string.pack("<s4B", name, kind) .. properties
      return string.char(number) .. string.pack("<I4", #body + 4) .. body
    end
    local instruments = "\3" .. instrument(0, 0, "lead", "\2\1") .. instrument(1, 0, "dry", "\2\x81")
      .. instrument(2, 1, "square", "\0\0")
    local properties = "\0\1\2\26" .. envelope .. "\1\1\1\4" .. lfo .. "\30" .. "\2\1????"
    local bank = "BambooTrackerBnk" .. string.pack("<I4I4", 0, 0x10301) .. "INSTRMNT"
      .. string.pack("<I4", #instruments + 4) .. instruments .. "INSTPROP" .. string.pack("<I4", #properties + 4)
      .. properties
    local list, notes = ym.patch.decode_all(bank)
    assert.matches("1 instrument", notes[1])
    assert.same(plain(expected), plain(list[1]))
    assert.same({ "dry", nil, 0 }, { list[2].name, list[2].lfo, list[2].ams })
    assert.has_error(function() ym.patch.encode(list, "bamboo") end)
  end)

  it("of VOPM are read with other spaces and endings, and voices that are not whole left out", function()
    local voice = CASES[11][2]:match("@:0.*")
    local text = "// anything\r\n" .. voice:gsub(": +", ":\t"):gsub("\n", "  // so\r\n") .. "@:1 half\nCH: 64 5 4\n"
    local list, notes = ym.patch.decode_all(text)
    assert.equal(1, #list)
    assert.same(plain(without("ssg")), plain(list[1]))
    assert.matches("voice 1 is not whole", notes[1])
    local dry = ym.patch.decode((voice:gsub("LFO: 0 127 127", "LFO: 0 0 0"))) -- no depth: the LFO does nothing
    assert.same({ 0, 0, nil }, { dry.ams, dry.fms, dry.lfo })
    local off, note = ym.patch.decode((voice:gsub("120 0", "64 0")))
    assert.same({ 127, 127, 127, 20 }, { off[1].tl, off[2].tl, off[3].tl, off[4].tl })
    assert.matches("switched off", note)
  end)

  it("in MML are read among music", function()
    local voice = CASES[12][2]:gsub(" ; lead", ";lead\n; a comment\n")
    local text = "#title x\n@5 psg 15>10:5\n" .. voice .. "A t120 @1 o4c\n"
    assert.same(plain(without("ams", "fms")), plain(assert(ym.patch.decode(text))))
    assert.same({}, (ym.patch.decode_all("@5 psg 15>10:5\nG @5c\n"))) -- music without FM voices
    local odd, notes = ym.patch.decode_all((voice:gsub("  3 109", " -5 109")), "ctrmml")
    assert.equal(-3, odd[1][2].dt)
    assert.matches("voice 1, operator 2: dt is %-5, read as %-3", notes[1])
    local gwi = "'{\n}\n" .. CASES[13][2]:gsub('"lead"', "lead") .. "'A1 T120\n'A1 @0 cdef\n"
    assert.same(plain(without("ams", "fms")), plain(assert(ym.patch.decode(gwi))))
  end)

  it("of text may begin with a byte order mark", function()
    assert.same(plain(patch()), plain(assert(ym.patch.decode("\xEF\xBB\xBF" .. CASES[#CASES][2]))))
  end)

  it("with sizes below nothing are refused", function()
    local head = "\26\12\3\0" .. string.pack("<I4I4I4", 575, 16, 16) .. "\1\0"
    assert.matches("needs %-2 bytes", select(2, ym.patch.decode(head .. "\0\0" .. ("\0"):rep(600), "gyb")))
  end)

  it("with bits outside the fields are read without them, and say so", function()
    local eif = bytes_of("6C" .. MAJOR)
    local found, note = ym.patch.decode(eif, "eif")
    assert.matches("1 byte%(s%), first at offset 0: 108 read as 44", note)
    assert.equal(CASES[3][2], ym.patch.encode(found, "eif"))
    assert.is_nil(ym.patch.detect(eif))
  end)
end)

describe("C source #c", function()
  it("has every register, and is read again", function()
    local list = { patch { lfo = 5 }, patch { name = "a */ /* b" }, patch { name = "" }, patch { name = "pad 0x1F" } }
    local text = ym.patch.encode(list, "c")
    local numbers = text:match("patch_lead%[31%] = {(.-)}"):gsub("0x", ""):gsub(",", "")
    assert.equal(bytes_of("0D" .. MAJOR .. "2C E3"), bytes_of(numbers))
    local back = assert(ym.patch.decode_all(text))
    assert.same(plain(list[1]), plain(back[1]))
    assert.equal("a * / / * b", back[2].name)
    assert.same(plain(list[4]), plain(back[4]))
    assert.equal(4, #back)
  end)

  local compiler = os.execute("gcc --version >/dev/null 2>&1") and it or pending
  compiler("is C that a compiler takes without a word", function()
    local folder = support.new_folder()
    finally(function() support.remove_folder(folder) end)
    support.write_file(folder .. "/genesis.h", "typedef unsigned char u8; typedef unsigned short u16;\n"
      .. "void YM2612_writeReg(const u16 part, const u8 reg, const u8 data);\n")
    support.write_file(folder .. "/use.c", ym.patch.encode({ patch(), patch { name = "lead/*" } }, "c")
      .. "void use(void) { ym2612_set_patch(3, patch_lead); ym2612_set_patch(4, patch_lead_2); }\n")
    local _, complaint, status = support.run("gcc -std=gnu11 -Wall -Wextra -Werror -I@ -c @/use.c -o @/use.o", folder)
    assert.equal(0, status, complaint)
  end)
end)
