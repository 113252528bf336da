-- Recordings of a cartridge cut into notes: what recorders do to them, and what is lost.
local cjson = require "cjson"
local console = require "spec.console"
local support = require "spec.support"
local ym = require "ym2612ml"

local COMMAND = "lua5.4 lua/ym2612ml/cli.lua "
local RATE = support.RATE
local PAL_RATE = 7600489 / 144

-- Seven short notes, and the recording of them: as played, with the samples before each
-- note and click, and as a console of the other region plays them.
local PATCHES = {}
for i = 1, 7 do
  PATCHES[i] = i % 2 == 1 and support.PATCH or support.PLUCK
end
local BYTES, INDEX = ym.rom.build(PATCHES, { held = 0.1, release = 0.08, note = 57 })
local PLAYED, KEY_ONS, CLICKS = console.play(BYTES)

-- A copy of the samples from one on, changed by a function of value and number from 1.
local function changed(samples, change, first, last)
  local list = samples:slice(first or 1, last or #samples):totable()
  for i, value in ipairs(list) do
    list[i] = change(value, i)
  end
  return ym.tensor.from(list)
end

local function split(samples, rate, index)
  return assert(ym.rom.split({ samples = samples, rate = rate or RATE }, index or INDEX))
end

-- Asserts that these notes are there, at their places to within a limit in seconds;
-- scale: samples of the recording in one of the chip.
local function assert_notes(found, numbers, limit, scale, offset)
  local listed = {}
  for i, note in ipairs(found.notes) do
    listed[i] = note.entry.number
    local expected = (KEY_ONS[note.entry.number] * (scale or 1) - (offset or 0)) / found.rate
    assert.is_true(math.abs(note.time - expected) < limit,
      ("note %d is at %.6f, expected %.6f"):format(note.entry.number, note.time, expected))
    local wanted = (note.entry.held + note.entry.release) * RATE * (scale or 1)
    assert.is_true(math.abs(#note.samples - wanted) < 2 + 0.001 * wanted)
  end
  assert.same(numbers, listed)
end

local ALL = { 1, 2, 3, 4, 5, 6, 7 }
local EXACT = 2e-5 -- seconds, about a sample

describe("a recording of a cartridge", function()
  it("is cut where the notes are", function()
    local found = split(PLAYED)
    assert_notes(found, ALL, EXACT)
    assert.same({}, found.missing)
    assert.same({ "NTSC", 8 }, { found.region, found.clicks })
    assert.is_true(math.abs(found.drift) < 2e-6)
    for i, note in ipairs(found.notes) do
      assert.is_true(note.clicked)
      assert.equal(57, note.note)
      local expected = ym.render(PATCHES[i], { note = 57, held = note.held, release = note.release })
      local shift = math.floor(note.time * RATE + 0.5) - KEY_ONS[i]
      for k = 10, #expected - 10, 7 do
        assert.is_true(math.abs(note.samples[k - shift] - expected[k]) < 1e-5)
      end
    end
  end)

  it("may have any rate, level, polarity and offset", function()
    for rate, level in pairs { [44100] = 0.02, [48000] = -0.9, [96000] = 1, [22050] = -0.1 } do
      local samples = assert(ym.audio.resample(PLAYED, RATE, rate, { quick = true }))
      samples = changed(samples, function(value) return 0.05 + level * value end)
      assert_notes(split(samples, rate), ALL, 5e-5, rate / RATE)
    end
  end)

  it("may hum, hiss and be dull", function()
    local rng, state = ym.rng.new { seed = 4 }, 0
    local samples = changed(PLAYED, function(value, i)
      state = state + 0.25 * (value - state) -- about 2.5 kHz
      return state + 0.7 * math.sin(2 * math.pi * 50 * i / RATE) + 0.3 * math.sin(2 * math.pi * 150 * i / RATE)
        + rng:normal(0, 0.2)
    end)
    assert_notes(split(samples), ALL, 2e-4)
  end)

  it("tells the recorder's clock and the console's region", function()
    local fast = assert(ym.audio.resample(PLAYED, 50000, 50015, { quick = true }))
    local found = split(fast)
    assert_notes(found, ALL, 2 * EXACT, 1.0003)
    assert.is_true(math.abs(found.drift - 3e-4) < 1e-5, tostring(found.drift))
    found = split(PLAYED, PAL_RATE) -- the chip's samples at a PAL console's speed
    assert_notes(found, ALL, 2 * EXACT)
    assert.equal("PAL", found.region)
    assert.is_true(math.abs(found.drift) < 2e-5)
    assert.is_true(math.abs(found.notes[1].note - (57 - 0.15864)) < 1e-4)
    assert.is_true(math.abs(found.notes[1].held - INDEX.entries[1].held * RATE / PAL_RATE) < 1e-9)
    local bytes, index = ym.rom.build(PATCHES, { held = 0.1, release = 0.08, note = 57, pal = true })
    assert.equal("PAL", split(console.play(bytes), PAL_RATE, index).region)
    assert.equal("NTSC", split(console.play(bytes), RATE, index).region)
  end)

  it("may begin late and end early", function()
    local function missing(found)
      local list = {}
      for i, note in ipairs(found.missing) do
        list[i] = ("%d %s"):format(note.number, note.reason)
      end
      return table.concat(list, ", ")
    end
    local from = KEY_ONS[2] + 10
    local found = split(PLAYED:slice(from + 1), RATE)
    assert_notes(found, { 3, 4, 5, 6, 7 }, EXACT, 1, from)
    assert.equal("1 the recording begins after it, 2 the recording begins after it", missing(found))
    from = CLICKS[2] + 1000 -- the note is whole, its click is not
    found = split(PLAYED:slice(from + 1), RATE)
    assert_notes(found, { 2, 3, 4, 5, 6, 7 }, EXACT, 1, from)
    assert.is_false(found.notes[1].clicked)
    found = split(PLAYED:slice(1, KEY_ONS[6] + 4000))
    assert_notes(found, { 1, 2, 3, 4, 5 }, EXACT)
    assert.equal("6 the recording ends before it, 7 the recording ends before it", missing(found))
    found = split(PLAYED:slice(CLICKS[4], CLICKS[5] - 100)) -- a single click
    assert.same({ 4 }, { found.notes[1].entry.number })
    assert.equal(6, #found.missing)
  end)

  it("may lack clicks, and have some that are none", function()
    local function without(value, i)
      for _, number in ipairs { 2, 3, 6 } do
        if i > CLICKS[number] and i < CLICKS[number] + 3600 then
          return 0.3 * math.sin(i / 9)
        end
      end
      return value
    end
    local found = split(changed(PLAYED, without))
    assert_notes(found, ALL, EXACT)
    assert.equal(5, found.clicks)
    assert.same({ true, false, false, true }, {
      found.notes[1].clicked, found.notes[2].clicked, found.notes[3].clicked, found.notes[4].clicked })
    local false_click = PLAYED:slice(CLICKS[7], CLICKS[7] + 3552):totable()
    found = split(changed(PLAYED, function(value, i) return false_click[i - KEY_ONS[2]] or value end))
    assert_notes(found, ALL, EXACT)
    assert.equal(8, found.clicks)
  end)

  it("is cut rightly after a jump, and the notes around it are left out", function()
    local skip, repeated = KEY_ONS[3] + 2000, KEY_ONS[5] + 3000
    local samples = ym.tensor.new { #PLAYED - 700 + 500 }
    local first, second = skip, repeated - skip - 700
    samples:slice(1, first):copy(PLAYED:slice(1, first))
    samples:slice(first + 1, first + second):copy(PLAYED:slice(skip + 701, repeated))
    samples:slice(first + second + 1):copy(PLAYED:slice(repeated - 500 + 1))
    local found = split(samples)
    local listed = {}
    for i, note in ipairs(found.notes) do
      local number = note.entry.number
      local moved = number > 5 and -200 or number > 3 and -700 or 0
      listed[i] = number
      assert.is_true(math.abs(note.time * RATE - KEY_ONS[number] - moved) < 1.1)
    end
    assert.same({ 1, 2, 4, 6, 7 }, listed)
    assert.matches("^the recording skips 13%.[12] ms around it$", found.missing[1].reason)
    assert.matches("^the recording repeats 9%.[34] ms around it$", found.missing[2].reason)
  end)

  it("is taken from where the console was reset last, if that is longest", function()
    local before = CLICKS[4] + 300
    local samples = ym.tensor.new { before + #PLAYED }
    samples:slice(1, before):copy(PLAYED:slice(1, before))
    samples:slice(before + 1):copy(PLAYED)
    assert_notes(split(samples), ALL, EXACT, 1, -before)
  end)

  it("without any click of the cartridge is said to be so", function()
    local rng = ym.rng.new { seed = 2 }
    for _, samples in ipairs {
      ym.tensor.new { 50000 }, ym.tensor.new { 1 }, PLAYED:slice(KEY_ONS[1], CLICKS[2]),
      changed(ym.tensor.new { 100000 }, function() return rng:normal() end),
    } do
      local found, message, kind = ym.rom.split({ samples = samples, rate = RATE }, INDEX)
      assert.is_nil(found)
      assert.equal("no click of this cartridge is in the recording", message)
      assert.equal("input", kind)
    end
  end)

  it("is checked, as is the index", function()
    for expected, arguments in pairs {
      ["bad argument #1 to 'split' (table expected, got nil)"] = {},
      ["field 'samples': tensor expected, got nil"] = { {}, INDEX },
      ["field 'rate' is 1, expected 4000..1000000"] = { { samples = PLAYED, rate = 1 }, INDEX },
      ["bad argument #2 to 'split' (table expected, got nil)"] = { { samples = PLAYED, rate = RATE } },
      ["expected an index of a cartridge"] = { { samples = PLAYED, rate = RATE }, { region = "NTSC" } },
    } do
      local fine, message = pcall(ym.rom.split, table.unpack(arguments))
      assert.is_false(fine)
      assert.is_truthy(message:find(expected, 1, true), message)
    end
  end)
end)

describe("the notes of a recording", function()
  local folder
  before_each(function() folder = support.new_folder() end)
  after_each(function() support.remove_folder(folder) end)

  it("are written with a table that is read as patches", function()
    local patches = { support.random_patch(ym.rng.new { seed = 7 }), support.PLUCK }
    patches[1].name, patches[1].lfo = 'An "odd" /name, 2', 3
    local bytes, index = ym.rom.build(patches, { held = 0.05, release = 0.02, note = { 60, 67 } })
    local found = split(console.play(bytes), RATE, index)
    assert.equal(4, ym.rom.write_set(folder .. "/set", found))
    local names = support.listed(folder .. "/set")
    assert.same({ "001_An_odd_name_2_60.wav", "002_An_odd_name_2_67.wav", "003_patch_2_60.wav", "004_patch_2_67.wav",
      "samples.csv" }, names)
    local rows = assert(ym.dataset.read_patches(folder .. "/set/samples.csv"))
    assert.equal(4, #rows)
    assert.same(ym.patch.canonical(patches[1]), ym.patch.canonical(rows[2].patch))
    local sound = assert(ym.audio.read(folder .. "/set/" .. names[3]))
    assert.equal(#found.notes[3].samples, #sound.samples)
    for k = 1, #sound.samples, 100 do
      assert.is_true(math.abs(sound.samples[k] - found.notes[3].samples[k]) < 1e-6)
    end
    local done, message, kind = ym.rom.write_set("/dev/null/set", found)
    assert.is_nil(done)
    assert.equal("io", kind, message)
    assert.has_error(function() ym.rom.write_set(folder) end,
      "bad argument #2 to 'write_set' (table expected, got nil)")
  end)

  it("are what the command makes of a recording", function()
    for i, name in ipairs { "lead", "bass", "bell" } do
      assert(ym.patch.write(("%s/%s.y12"):format(folder, name), PATCHES[i]))
    end
    assert.equal(0, select(3, support.run(COMMAND
      .. "rom @/lead.y12 @/bass.y12 @/bell.y12 -o @/rom.bin --held 0.05 --release 0.02", folder)))
    local played, key_ons = console.play(support.read_file(folder .. "/rom.bin"))
    local recorded = assert(ym.audio.resample(played, RATE, 48000, { quick = true }))
    assert(ym.audio.write(folder .. "/all.wav", recorded, 48000))
    local text, complaint, status = support.run(COMMAND .. "split @/all.wav @/rom.json -o @/set", folder)
    assert.equal(0, status, complaint)
    assert.matches("set: 3 of 3 notes, from an NTSC console; the recorder's clock is %d+ ppm %a+\n$", text)
    assert.equal(4, #support.listed(folder .. "/set"))
    assert(ym.audio.write(folder .. "/part.wav", played:slice(key_ons[1] + 100), 53267))
    text, complaint, status = support.run(COMMAND .. "split @/part.wav @/rom.json -o @/set2 --json",
      folder)
    assert.equal(1, status)
    assert.equal("ym2612ml: note 1 (lead) is missing: the recording begins after it\n", complaint)
    local summary = cjson.decode(text)
    assert.same({ 2, 1, "NTSC" }, { summary.notes, #summary.missing, summary.region })
    assert(ym.audio.write(folder .. "/none.wav", played:slice(1, key_ons[1] - 8000), 53267))
    support.assert_fails(COMMAND .. "split @/none.wav @/rom.json -o @/set3", folder, "none.wav: ")
    support.assert_fails(COMMAND .. "split @/all.wav @/rom.bin -o @/set3", folder, "rom.bin: not an index")
    support.assert_fails(COMMAND .. "split @/all.wav @/nope.json -o @/set3", folder, "nope.json: No such file")
    support.assert_fails(COMMAND .. "split @/all.wav @/rom.json -o /dev/null/x", folder, "/dev/null")
  end)
end)
