-- Cartridges: their header, what they play and when, and the program in them.
local cjson = require "cjson"
local console = require "spec.console"
local support = require "spec.support"
local ym = require "ym2612ml"

local COMMAND = "lua5.4 lua/ym2612ml/cli.lua "

-- Short notes of two patches.
local function build(options)
  options = options or {}
  options.held, options.release = options.held or 0.1, options.release or 0.05
  return ym.rom.build({ support.PATCH, support.PLUCK }, options)
end

describe("a cartridge", function()
  it("has a header with right sums", function()
    for _, pad in ipairs { false, true } do
      local bytes = build { pad = pad, title = "Two\tpatches" }
      assert.equal(0, #bytes % 2)
      assert.equal(pad and 128 << 10 or #bytes, #bytes)
      assert.equal("SEGA MEGA DRIVE ", bytes:sub(0x101, 0x110))
      assert.equal(("%-48s"):format("Two?patches"), bytes:sub(0x121, 0x150))
      assert.equal(bytes:sub(0x121, 0x150), bytes:sub(0x151, 0x180))
      assert.equal(#bytes - 1, (">I4"):unpack(bytes, 0x1A5))
      assert.equal("JUE", bytes:sub(0x1F1, 0x1F3))
      local sum = 0
      for position = 0x201, #bytes, 2 do
        sum = sum + (">I2"):unpack(bytes, position)
      end
      assert.equal(sum & 0xFFFF, (">I2"):unpack(bytes, 0x18F))
    end
  end)

  it("plays every note when its index says", function()
    for _, options in ipairs { { note = { 60, 71.5 }, gap = 0.13 }, { pal = true, held = 0.2, gap = 0.3 } } do
      local clock = options.pal and 7600489 or 7670454
      local bytes, index = build(options)
      local _, key_ons, clicks, busiest = console.play(bytes)
      assert.equal(#index.entries, #key_ons)
      assert.equal(#index.entries + 1, #clicks)
      for i, entry in ipairs(index.entries) do
        assert.is_true(math.abs(entry.start * clock / 144 - (key_ons[i] - clicks[1])) < 1e-6)
        assert.is_true(math.abs(entry.click * clock / 144 - (clicks[i] - clicks[1])) < 1e-6)
        assert.is_true(math.abs(entry.held - options.held) < 0.0005)
        local before = clicks[i + 1] - key_ons[i] - (entry.held + entry.release) * clock / 144
        assert.is_true(before * 144 / clock > (options.gap or 0.15) - 0.001)
      end
      assert.is_true(math.abs(index.finish * clock / 144 - (clicks[#clicks] - clicks[1])) < 1e-6)
      assert.is_true(busiest <= 12, "more writes than fit into a tick: " .. busiest)
    end
  end)

  it("sounds as ym.render does, sample by sample", function()
    local patches = { support.PATCH, support.PLUCK }
    local rng = ym.rng.new { seed = 3 }
    for i = 3, 12 do
      patches[i] = support.random_patch(rng)
    end
    local bytes, index = ym.rom.build(patches, { note = 64, held = 0.15, release = 0.1 })
    local samples, key_ons = console.play(bytes)
    for i, entry in ipairs(index.entries) do
      local expected = ym.render(patches[i], { note = 64, held = entry.held, release = entry.release })
      local worst = 0
      for k = 1, #expected do
        worst = math.max(worst, math.abs(samples[key_ons[i] + k] - expected[k]))
      end
      -- The LFO runs in steps of its own from the reset on: 0x22 is written after it.
      assert.is_true(worst < (patches[i].lfo and 0.5 or 1e-6), ("patch %d: %g"):format(i, worst))
    end
  end)

  it("plays each patch at all notes, and keeps names", function()
    local _, index = build { note = { 48, 60, 72 } }
    local notes, names = {}, {}
    for i, entry in ipairs(index.entries) do
      assert.equal(i, entry.number)
      notes[i], names[i] = entry.note, entry.name
    end
    assert.same({ 48, 60, 72, 48, 60, 72 }, notes)
    assert.same({ "patch 1", "patch 1", "patch 1", "patch 2", "patch 2", "patch 2" }, names)
  end)

  it("raises for what is wrong", function()
    local function fails(expected, ...)
      local fine, message = pcall(ym.rom.build, ...)
      assert.is_false(fine)
      assert.is_truthy(message:find(expected, 1, true), message)
    end
    local list = { support.PATCH }
    fails("bad argument #1 to 'build' (an empty list", {})
    fails("bad argument #1 to 'build' (table expected, got nil)")
    fails("bad argument #1 to 'build' (patch 1: ", { { algorithm = 9 } })
    fails("unknown option 'notes'", list, { notes = 60 })
    fails("option 'held' is 0, expected number 0.001..60", list, { held = 0 })
    fails("option 'gap' is 11", list, { gap = 11 })
    fails("option 'note': it is 120", list, { note = 120 })
    fails("option 'note': element 2 is x", list, { note = { 60, "x" } })
    fails("option 'note': an empty list", list, { note = {} })
    fails("option 'pal' is 1, expected boolean", list, { pal = 1 })
  end)

  it("says when it would be too large", function()
    local list, notes = {}, {}
    for i = 1, 300 do
      list[i], notes[i] = support.PATCH, 60
    end
    local bytes, message, kind = ym.rom.build(list, { note = notes })
    assert.is_nil(bytes)
    assert.is_truthy(message:find("90000 notes are more than a cartridge can number", 1, true), message)
    assert.equal("input", kind)
    notes = table.move(notes, 1, 150, 1, {})
    bytes, message, kind = ym.rom.build(list, { note = notes })
    assert.is_nil(bytes)
    assert.is_truthy(message:find("make a cartridge of", 1, true), message)
    assert.equal("input", kind)
  end)

  it("has the program that its source assembles to", function()
    local found = select(3, support.run("command -v m68k-linux-gnu-as m68k-linux-gnu-ld m68k-linux-gnu-objcopy", "."))
    if found ~= 0 then
      return pending("the assembler is not there")
    end
    local _, complaint, status = support.run("make -s .build/rom/player.lua", ".")
    assert.equal(0, status, complaint)
    assert.equal(support.read_file(".build/rom/player.lua"), support.read_file("lua/ym2612ml/rom/player.lua"))
  end)
end)

describe("the index of a cartridge", function()
  it("reads back as it was written", function()
    local patch = support.random_patch(ym.rng.new { seed = 5 })
    patch.name, patch.lfo = 'A "name", with\nall', 7
    local _, index = ym.rom.build({ patch, support.PATCH }, { pal = true, note = 60.25 })
    local text = ym.rom.encode_index(index)
    local again = assert(ym.rom.decode_index(text))
    assert.equal(text, ym.rom.encode_index(again))
    assert.equal(patch.name, again.entries[1].name)
    for i, entry in ipairs(again.entries) do
      assert.same(ym.patch.canonical(index.entries[i].patch), ym.patch.canonical(entry.patch))
    end
    assert.equal(2, #cjson.decode(text).entries)
  end)

  it("is JSON in UTF-8 whatever the names are", function()
    local patch = { name = "caf\xE9", table.unpack(support.PATCH) }
    patch.algorithm, patch.feedback = 4, 5
    local _, index = ym.rom.build { patch }
    assert.equal("café", assert(ym.rom.decode_index(ym.rom.encode_index(index))).entries[1].name)
  end)

  it("is refused where it is damaged", function()
    local _, index = build()
    local text = ym.rom.encode_index(index)
    local function refused(expected, from, to)
      local damaged, count = text:gsub(from, to, 1)
      assert.equal(1, count)
      local decoded, message, kind = ym.rom.decode_index(damaged)
      assert.is_nil(decoded)
      assert.is_truthy(message:find(expected, 1, true), message)
      assert.equal("format", kind)
    end
    refused("not an index of a cartridge", "ym2612ml cartridge 1", "another")
    refused("not an index of a cartridge", "NTSC", "SECAM")
    refused("not an index of a cartridge", "}\n$", "")
    refused("entry 2 has not this number", '"number":2', '"number":3')
    refused("entry 1 'held' is -1", '"held":[%d.]+', '"held":-1')
    refused("entry 1 'start' is nil", '"start"', '"stop"')
    refused("entry 1 patch: field 'tl' of operator 1 is 300", '"tl":%d+', '"tl":300')
    refused("entry 1 has no patch", '"operators"', '"others"')
    refused("entry 1 'click' is false", '"click":0', '"click":false')
    refused("end is before them", '"finish": [%d.]+', '"finish": 0.1')
    refused("end is before them", '"finish": [%d.]+', '"finish": NaN')
    refused("without entries", '"entries": %[.*%]', '"entries": []')
    for length = 0, #text - 3, 7 do
      assert.is_nil((ym.rom.decode_index(text:sub(1, length))))
    end
    assert.has_error(function() ym.rom.decode_index() end)
    local _, message, kind = ym.rom.read_index("/none.json")
    assert.same({ "/none.json: No such file or directory", "io" }, { message, kind })
  end)
end)

describe("the command rom", function()
  local folder
  before_each(function() folder = support.new_folder() end)
  after_each(function() support.remove_folder(folder) end)

  it("makes a cartridge of files and tables, and its index", function()
    assert(ym.patch.write(folder .. "/lead.y12", support.PATCH))
    assert(ym.patch.write(folder .. "/bass.y12", support.PLUCK))
    local text, complaint, status = support.run(COMMAND
      .. "rom @/lead.y12 @/bass.y12 -o @/made/two.bin --note C3,F#4 --held 0.2 --release 0.1 --pal", folder)
    assert.equal(0, status, complaint)
    assert.is_truthy(text:find("two.bin: 4 notes, 0:0", 1, true), text)
    local index = assert(ym.rom.read_index(folder .. "/made/two.json"))
    assert.equal("PAL", index.region)
    assert.same({ "lead", 48 }, { index.entries[1].name, index.entries[1].note })
    assert.same({ "bass", 66 }, { index.entries[4].name, index.entries[4].note })
    local bytes = ym.rom.build({ support.PATCH, support.PLUCK },
      { note = { 48, 66 }, held = 0.2, release = 0.1, pal = true })
    assert.equal(bytes, support.read_file(folder .. "/made/two.bin"))
  end)

  it("says in one line what is wrong", function()
    assert(ym.patch.write(folder .. "/lead.y12", support.PATCH))
    support.assert_fails(COMMAND .. "rom @/none.y12 -o @/a.bin", folder, "none.y12: No such file")
    support.assert_fails(COMMAND .. "rom @/lead.y12 -o @/lead.y12", folder, "is one of the files to read")
    support.assert_fails(COMMAND .. "rom @/lead.y12 -o @/a.json", folder, "is the name of the index")
    support.assert_fails(COMMAND .. "rom @/lead.y12 --note C4,H2", folder, "'H2' is no note", 2)
    support.assert_fails(COMMAND .. "rom @/lead.y12 --gap 20", folder, "option '--gap'", 2)
    support.assert_fails(COMMAND .. "rom @/lead.y12 -o /dev/null/a.bin", folder, "/dev/null: cannot make this folder")
  end)
end)
