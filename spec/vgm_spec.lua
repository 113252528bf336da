local handmade = require "spec.handmade"
local support = require "spec.support"
local ym = require "ym2612ml"

local CLOCK = handmade.CLOCK
local PER_TICK = CLOCK / 144 / 44100 -- samples of the chip

local file_of, to, wait, block, copy = handmade.file_of, handmade.to, handmade.wait, handmade.block, handmade.copy

local function rows(writes)
  return #writes > 0 and writes:totable() or {}
end

describe("chip:play #c", function()
  local writes = {}
  for i, write in ipairs(ym.patch.registers(support.PATCH)) do
    writes[i] = { 5, table.unpack(write) }
  end
  writes[#writes + 1] = { 60, 0, 0xA4, 0x22 }
  writes[#writes + 1] = { 60, 0, 0xA0, 0x69 }
  writes[#writes + 1] = { 100, 0, 0x28, 0xF0 }
  writes[#writes + 1] = { 900, 0, 0xB4, 0x80 }
  local tensor = ym.tensor.from(writes, "i32")

  it("is what writing and running is", function()
    local chip = ym.chip.new()
    local sides, frame = { {}, {} }, 0
    local function run(count)
      local left, right = chip:run(count)
      table.move(left:totable(), 1, count, #sides[1] + 1, sides[1])
      table.move(right:totable(), 1, count, #sides[2] + 1, sides[2])
      frame = frame + count
    end
    for _, write in ipairs(writes) do
      if write[1] > frame then
        run(write[1] - frame)
      end
      chip:write(table.unpack(write, 2))
    end
    run(1500 - frame)
    local other = ym.chip.new()
    local samples = other:play(tensor, 1500, true)
    collectgarbage()
    assert.same({ 1500, 2 }, samples:shape())
    for i = 1, 1500 do
      assert.equal(sides[1][i], samples:get(i, 1))
      assert.equal(sides[2][i], samples:get(i, 2))
    end
    assert.equal(chip:save(), other:save())
    local scaled = ym.chip.new():play(tensor, 1500)
    for i = 1, 1500, 7 do
      assert.is_true(math.abs(scaled:get(i, 1) - (sides[1][i] - 72) / (6 * 789)) < 1e-6)
    end
  end)

  it("takes longer when there is more to write than the chip takes", function()
    local many = {}
    for i = 1, 3000 do
      many[i] = { 10, 0, 0x2A, i & 255 }
    end
    local chip = ym.chip.new()
    assert.equal(10 + 3000 - 1024, #chip:play(ym.tensor.from(many, "i32"), 20))
    chip:run(1)
    chip:write(0, 0x2A, 0)
    assert.has_error(function() chip:write(0, 0x2A, 0) end)
  end)

  it("raises for wrong writes, and runs nothing then", function()
    local chip = ym.chip.new()
    local before = chip:save()
    for _, row in ipairs { { -1, 0, 0, 0 }, { 11, 0, 0, 0 }, { 0, 2, 0, 0 }, { 0, 0, 256, 0 }, { 0, 0, 0, -1 } } do
      assert.has_error(function() chip:play(ym.tensor.from({ { 0, 0, 0, 0 }, row }, "i32"), 10) end)
    end
    local backwards = ym.tensor.from({ { 3, 0, 0, 0 }, { 2, 0, 0, 0 } }, "i32")
    assert.has_error(function() chip:play(backwards, 10) end)
    assert.has_error(function() chip:play(ym.tensor.from { { 0, 0, 0, 0 } }, 10) end)
    assert.has_error(function() chip:play(ym.tensor.from({ { 0, 0, 0 } }, "i32"), 10) end)
    assert.has_error(function() chip:play(tensor, -1) end)
    assert.has_error(function() chip:play({}, 10) end)
    assert.equal(before, chip:save())
    assert.equal(0, #chip:play(ym.tensor.new({ 0, 4 }, "i32"), 0))
  end)
end)

describe("vgm", function()
  local folder, path

  setup(function()
    folder = support.new_folder()
    path = folder .. "/a.vgm"
  end)

  teardown(function()
    support.remove_folder(folder)
  end)

  -- Writes a file and hands its path on.
  local function written(bytes)
    support.write_file(path, bytes)
    return path
  end

  describe("write", function()
    it("makes a file that says what it is", function()
      local tags = { track = "Zwölf Töne 𝄞", author = "Me", notes = "one\ntwo" }
      local bytes, index = ym.vgm.encode({ support.PATCH, support.PLUCK }, { note = { 60, 72 }, tags = tags })
      local magic, ending, version = string.unpack("<c4I4I4", bytes)
      assert.equal("Vgm ", magic)
      assert.equal(#bytes - 4, ending)
      assert.is_true(version >= 0x150)
      assert.equal(CLOCK, (string.unpack("<I4", bytes, 0x2C + 1)))
      local total = string.unpack("<I4", bytes, 0x18 + 1)
      local gd3 = 0x14 + string.unpack("<I4", bytes, 0x14 + 1)
      assert.equal("\x66Gd3 ", bytes:sub(gd3, gd3 + 4))
      assert.equal(#bytes, gd3 + 12 + string.unpack("<I4", bytes, gd3 + 9))
      assert.is_truthy(bytes:find("Z\0w\0\xF6\0l\0f\0 \0T\0\xF6\0n\0e\0 \0\x34\xD8\x1E\xDD\0\0", 1, true))
      assert.equal(4, #index)
      for i, expected in ipairs { { 1, 60 }, { 1, 72 }, { 2, 60 }, { 2, 72 } } do
        assert.same(expected, { index[i].patch, index[i].note })
        assert.is_true(index[i].time > (i == 1 and 0 or index[i - 1].time + 1.6))
      end
      local writes, header, found = assert(ym.vgm.decode(bytes))
      assert.equal(total, header.ticks)
      assert.same({}, header.notes)
      assert.equal("ym2612", header.chip)
      assert.equal(CLOCK, header.clock)
      assert.same({
        track = tags.track, author = "Me", notes = tags.notes, system = "Sega Mega Drive / Genesis",
        converter = "ym2612ml",
      }, found)
      local presses = {}
      for _, row in ipairs(rows(writes)) do
        if row[3] == 0x28 and row[4] == 0xF0 then
          presses[#presses + 1] = row[1] / 44100
        end
      end
      for i, mark in ipairs(index) do
        assert.is_true(math.abs(presses[i] - mark.time) < 1e-9)
      end
    end)

    it("plays every note as ym.render does, sample for sample", function()
      local list = handmade.patches(6, 3)
      for _, patch in ipairs(list) do
        patch.lfo = nil -- its divider runs on
      end
      local index = assert(ym.vgm.write(path, list, { note = 57, held = 0.3, release = 0.2 }))
      local samples = assert(ym.vgm.render(path, { raw = true }))
      local function frame(tick)
        return math.floor(tick * PER_TICK)
      end
      for i, mark in ipairs(index) do
        local tick = math.floor(mark.time * 44100 + 0.5)
        local first, last = frame(tick), frame(tick + 13230)
        local stop = frame(tick + 13230 + 8820)
        local expected = ym.render(list[mark.patch], {
          note = 57, held = (last - first) / support.RATE, release = (stop - last) / support.RATE, raw = true,
        })
        for at = 1, #expected - 3 do
          assert.equal(expected[at], samples:get(first + 3 + at, 1), ("patch %d, sample %d"):format(i, at))
        end
      end
    end)

    it("packs a .vgz", function()
      local packed = folder .. "/b.vgz"
      assert(ym.vgm.write(packed, { support.PATCH }))
      local bytes = support.read_file(packed)
      assert.equal("\x1F\x8B", bytes:sub(1, 2))
      assert.equal(ym.vgm.encode({ support.PATCH }), ym.gunzip(bytes))
      assert.equal(1, #assert(ym.vgm.mine(packed)))
    end)

    it("raises for wrong patches and options", function()
      local list = { support.PATCH }
      local wrong = copy(support.PATCH)
      wrong[3].tl = 200
      assert.error_matches(function() ym.vgm.write(path, { support.PATCH, wrong }) end, "patch 2: .*'tl' of operator 3")
      assert.error_matches(function() ym.vgm.write(path, support.PATCH) end, "patch 1")
      assert.error_matches(function() ym.vgm.write(7, list) end, "string expected")
      for _, options in ipairs {
        { velocity = 3 }, { note = "C4" }, { note = 127 }, { note = {} }, { note = { 60, -1 } }, { gap = 0 },
        { held = -1 }, { held = 0 / 0 }, { clock = 5 }, { tags = { title = "x" } }, { tags = { track = 5 } },
        { tags = { track = "\xFF" } },
      } do
        local ok, message = pcall(ym.vgm.encode, list, options)
        assert.is_false(ok)
        assert.is_truthy(message:find("bad argument #2 to 'encode'", 1, true), message)
      end
      assert.error_matches(function() ym.vgm.write(path, list, { gap = 0 }) end, "bad argument #3 to 'write'")
    end)

    it("comes to an end at clocks of which no tick meets the envelopes' clock", function()
      local _, index = ym.vgm.encode({ support.PATCH, support.PLUCK }, { clock = 15876000, held = 0.1, release = 0.1 })
      assert.is_true(index[2].time < 2)
    end)

    it("fails where it would take longer than a file can tell", function()
      local list = {}
      for i = 1, 100 do
        list[i] = support.PATCH
      end
      local index, message, kind = ym.vgm.write(path, list, { held = 600, release = 600 })
      assert.is_nil(index)
      assert.equal(path .. ": 100 patches take longer than a VGM can, 27 hours", message)
      assert.equal("input", kind)
    end)

    it("fails where nothing can be written", function()
      local index, message, kind = ym.vgm.write(folder .. "/none/a.vgm", { support.PATCH })
      assert.is_nil(index)
      assert.is_truthy(message:find("none/a.vgm", 1, true))
      assert.equal("io", kind)
    end)
  end)

  describe("read", function()
    it("gives writes their times", function()
      local writes, header, tags = assert(ym.vgm.decode(file_of(to(0, 0x22, 8) .. "\x62" .. to(1, 0x30, 0x71)
        .. "\x63" .. to(0, 0x28, 0xF0) .. wait(1000) .. "\x7F" .. to(0, 0x28, 0) .. "\x70\x66")))
      assert.same({
        { 0, 0, 0x22, 8 }, { 735, 1, 0x30, 0x71 }, { 1617, 0, 0x28, 0xF0 }, { 2633, 0, 0x28, 0 },
      }, rows(writes))
      assert.same({}, header.notes)
      assert.same({}, tags)
      assert.equal("1.51", header.version)
    end)

    it("plays samples out of the data bank", function()
      local commands = block(0, "\1\2\3") .. block(1, "zzz") .. block(0, "\4\5") .. "\x81\x80\x82"
        .. "\xE0" .. string.pack("<I4", 2) .. "\x81\x81\x81\x81\x66"
      local writes, header = assert(ym.vgm.decode(file_of(commands)))
      assert.same({
        { 0, 0, 0x2A, 1 }, { 1, 0, 0x2A, 2 }, { 1, 0, 0x2A, 3 }, { 3, 0, 0x2A, 3 }, { 4, 0, 0x2A, 4 },
        { 5, 0, 0x2A, 5 },
      }, rows(writes))
      assert.same({}, header.notes)
    end)

    -- A stream of register 0x2A on bank 0, 4,410 Hz.
    local STREAM = block(0, "\10\11\12\13") .. block(0, "\20\21") .. "\x90\1\2\0\x2A" .. "\x91\1\0\1\0" .. "\x92\1"
      .. string.pack("<I4", 4410)

    local function streamed(commands)
      local times, values = {}, {}
      for i, row in ipairs(rows((assert(ym.vgm.decode(file_of(STREAM .. commands .. "\x66")))))) do
        assert.same({ 0, 0x2A }, { row[2], row[3] })
        times[i], values[i] = row[1], row[4]
      end
      return values, times
    end

    it("plays streams", function()
      local values, times = streamed("\x95\1\0\0\0" .. wait(25) .. "\x7F" .. wait(100))
      assert.same({ 10, 11, 12, 13 }, values)
      assert.same({ 0, 10, 20, 30 }, times)
      assert.same({ 20, 21 }, (streamed("\x95\1\1\0\0" .. wait(100))))
      assert.same({ 21, 20 }, (streamed("\x95\1\1\0\x10" .. wait(100))))
      assert.same({ 20, 21, 20, 21, 20 }, (streamed("\x95\1\1\0\1" .. wait(45) .. "\x94\1" .. wait(100))))
      assert.same({ 11, 12 }, (streamed("\x93\1" .. string.pack("<I4BI4", 1, 1, 2) .. wait(100))))
      assert.same({ 11, 12, 13, 20, 21 }, (streamed("\x93\1" .. string.pack("<I4BI4", 1, 3, 0) .. wait(100))))
      assert.same({ 10, 11, 12, 13 }, (streamed("\x93\1" .. string.pack("<I4BI4", 0, 2, 1) .. wait(100))))
      assert.same({ 13, 12 }, (streamed("\x93\1" .. string.pack("<I4BI4", 2, 0x11, 2) .. wait(100))))
      assert.same({ 10, 12 }, (streamed("\x91\1\0\2\0\x93\1" .. string.pack("<I4BI4", 0, 1, 2) .. wait(100))))
      assert.same({ 11, 13 }, (streamed("\x91\1\0\2\1\x95\1\0\0\0" .. wait(100))))
      assert.same({ 10, 11 }, (streamed("\x95\1\0\0\0" .. wait(15) .. "\x94\xFF" .. wait(100))))
      assert.same({}, (streamed("\x95\1\9\0\0" .. "\x95\2\0\0\0" .. wait(100))))
      assert.same({}, (streamed("\x92\1\0\0\0\0\x95\1\0\0\0" .. wait(100))))
    end)

    it("writes no more than a sample a tick", function()
      local values, times = streamed("\x92\1\xFF\xFF\xFF\xFF\x95\1\0\0\1" .. wait(6))
      assert.same({ 0, 1, 2, 3, 4, 5 }, times)
      assert.same({ 10, 11, 12, 13, 10, 11 }, values)
    end)

    it("reads any number of writes at one time, in order", function()
      local count = 300000
      local writes = assert(ym.vgm.decode(file_of((to(0, 0x30, 1) .. to(0, 0x30, 2)):rep(count // 2) .. "\x66")))
      assert.equal(count, #writes)
      assert.same({ 0, 0, 0x30, 2 }, rows(writes:slice(count, count))[1])
    end)

    it("passes over what is not for the chip, and says so", function()
      local commands = { "\x50\x9F", "\x4F\xFF", "\x30\1", "\x51\1\2", "\x54\1\2", "\xA0\1\2", "\xB5\1\2", "\xC0\1\2\3",
        "\xD6\1\2\3", "\xE1\1\2\3\4", "\x40\1\2", "\x64\x62\0\1", "\x68\x66\0\0\0\0\0\0\0\0\0\0", "\xA2\x28\xF0",
        block(0x80, "rom"), block(0x40, "packed") }
      local writes, header = assert(ym.vgm.decode(file_of(table.concat(commands) .. to(0, 0x28, 0xF0) .. "\x66",
        { [0x08] = 0x171 })))
      assert.same({ { 0, 0, 0x28, 0xF0 } }, rows(writes))
      table.sort(header.notes)
      assert.same({
        "other chips are not played", "packed samples are not played", "the PSG is not played",
        "the second YM2612 is not played",
      }, header.notes)
    end)

    it("knows the heads of old and of unusual files", function()
      local old = file_of(to(0, 0x28, 0xF0) .. "\x40\1\x66",
        { [0x08] = 0x101, [0x10] = 7600489, [0x2C] = 0, [0x34] = 99 })
      local writes, header = assert(ym.vgm.decode(old))
      assert.same({ 1, "1.01", 7600489 }, { #writes, header.version, header.clock })
      local long = file_of(to(0, 0x28, 0xF0) .. "\x66", { [0x2C] = CLOCK | 1 << 31 | 1 << 30 }, 0x100)
      writes, header = assert(ym.vgm.decode(long))
      assert.same({ 1, "ym3438", CLOCK }, { #writes, header.chip, header.clock })
      assert.same({ "the second YM2612 is not played" }, header.notes)
      assert.is_nil(select(2, ym.vgm.decode(file_of("\x66", { [0x2C] = 0 }))).clock)
    end)

    it("makes the best of files that are damaged", function()
      local function notes_of(commands, head)
        local writes, header = assert(ym.vgm.decode(file_of(commands, head)))
        assert.equal(1, #writes)
        return table.concat(header.notes, "; ")
      end
      local one = to(0, 0x28, 0xF0)
      assert.equal("the file ends before its commands do", notes_of(one))
      assert.equal("the file ends before its commands do", notes_of(one .. "\x52\x28"))
      assert.equal("the file ends before its commands do", notes_of(one .. "\x61\1"))
      assert.equal("the file ends before its commands do", notes_of(one .. "\x67\x66\0\xFF\xFF\xFF\xFF123"))
      assert.equal("no data block at byte 67", notes_of(one .. "\x67\1\0\0\0\0\0" .. one))
      assert.equal("command 0x00 at byte 67 is not known", notes_of(one .. "\0" .. one))
      assert.equal("the point to repeat from is outside the file", notes_of(one .. "\x66", { [0x1C] = 0xFFFFFFFF }))
      assert.equal("the tags are missing", notes_of(one .. "\x66", { [0x14] = 0xFFFFFFF0 }))
    end)

    it("refuses what is no VGM", function()
      local good = file_of("\x66")
      for bytes, expected in pairs {
        [""] = "not a VGM", ["Vgm "] = "not a VGM", [good:sub(1, 63)] = "not a VGM",
        [("x"):rep(100)] = "not a VGM", ["\x1F\x8Bxxxx"] = "packed data",
        [ym.gzip("Vgm")] = "not a VGM", [ym.gzip(good):sub(1, -9)] = "packed data",
        [file_of("\x66", { [0x34] = 0xFFFFFFFF })] = "no commands",
        [file_of("\x66", { [0x2C] = 77 })] = "a clock of 77 Hz",
      } do
        local writes, message, kind = ym.vgm.decode(bytes)
        assert.is_nil(writes)
        assert.is_truthy(message:find(expected, 1, true), message)
        assert.equal("format", kind)
      end
      for _, read in pairs { ym.vgm.read, ym.vgm.mine, ym.vgm.render } do
        local result, message, kind = read(written("x"))
        assert.is_nil(result)
        assert.equal(path .. ": not a VGM", message)
        assert.equal("format", kind)
        result, message, kind = read(folder .. "/none.vgm")
        assert.is_nil(result)
        assert.is_truthy(message:find("none.vgm", 1, true))
        assert.equal("io", kind)
        assert.has_error(function() read() end)
      end
      assert.has_error(function() ym.vgm.decode(5) end)
    end)

    it("ends wherever a file is cut", function()
      local bytes = ym.vgm.encode({ support.PATCH }, { held = 0.01, release = 0.01 })
      for length = 0, #bytes do
        local writes, header = ym.vgm.decode(bytes:sub(1, length))
        assert.is_true(writes ~= nil or type(header) == "string")
      end
    end)
  end)
end)
