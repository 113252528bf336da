-- Pages to listen to: what is in them, and what they tell of what is missing.
local base64 = require "ym2612ml.report.base64"
local cjson = require "cjson"
local diagram = require "ym2612ml.report.diagram"
local ledgers = require "ym2612ml.cli.match.ledger"
local lfs = require "lfs"
local support = require "spec.support"
local ym = require "ym2612ml"

local COMMAND = "lua5.4 lua/ym2612ml/cli.lua "
local RATE = 44100

local folder

before_each(function() folder = support.new_folder() end)

after_each(function() support.remove_folder(folder) end)

local function in_folder(name)
  return folder .. "/" .. name
end

local function tone(count)
  return { samples = support.fm_tone(440, 1, 2, count), rate = RATE }
end

local function unbase64(text)
  local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  local bits, count, bytes = 0, 0, {}
  for character in text:gmatch("[^=]") do
    bits, count = bits << 6 | alphabet:find(character, 1, true) - 1, count + 6
    if count >= 8 then
      count = count - 8
      bytes[#bytes + 1] = string.char(bits >> count & 255)
    end
  end
  return table.concat(bytes)
end

-- What is in a page: its data, with the bytes of each clip.
local function contents_of(html)
  local data = cjson.decode(html:match('<script id="data" type="application/json">(.-)</script>'))
  for i, clip in ipairs(data.clips) do
    for _, name in ipairs { "picture", "sound" } do
      clip[name] = unbase64(html:match(('<script id="%s%%-%d" type="text/plain">(.-)</script>'):format(name, i - 1)))
    end
  end
  return data
end

local function written(targets, options)
  assert(ym.report.write(in_folder "page.html", targets, options))
  local html = support.read_file(in_folder "page.html")
  return contents_of(html), html
end

-- The samples of a clip.
local function heard(clip)
  support.write_file(in_folder "clip.flac", clip.sound)
  local sound = assert(ym.audio.read(in_folder "clip.flac"))
  assert.equal(RATE, sound.rate)
  return sound.samples
end

local function assert_near(expected, found, tolerance)
  assert.equal(#expected, #found)
  for i = 1, #expected, 97 do
    assert.near(math.max(-1, math.min(1, expected[i])), found[i], tolerance)
  end
end

describe("base64", function()
  it("is that of RFC 4648", function()
    for bytes, text in pairs {
      [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=", foobar = "Zm9vYmFy",
      ["\xFB\xFF\xFE\0"] = "+//+AA==",
    } do
      assert.equal(text, base64.encode(bytes))
    end
    for _, length in ipairs { 1535, 1536, 1537, 1538, 5000 } do
      local bytes = {}
      for i = 1, length do
        bytes[i] = string.char(i * 7919 >> 3 & 255)
      end
      bytes = table.concat(bytes)
      assert.equal(bytes, unbase64(base64.encode(bytes)))
    end
  end)
end)

describe("the drawing of an algorithm", function()
  it("has four operators, a way out of each carrier and one into each other", function()
    local wires = { [0] = 3, 3, 3, 3, 2, 3, 1, 0 }
    for algorithm = 0, 7 do
      local svg = diagram.draw(algorithm)
      assert.equal(4, select(2, svg:gsub("<rect ", "")))
      local carriers = #ym.patch.carriers(algorithm)
      assert.equal(carriers, select(2, svg:gsub('<path class="out"', "")))
      assert.equal(carriers, select(2, svg:gsub('<g class="carrier">', "")))
      assert.equal(wires[algorithm], select(2, svg:gsub('<path class="wire"', "")))
      -- nothing lies outside the picture
      local width, height = svg:match('viewBox="0 0 ([%d.]+) ([%d.]+)"')
      for x, y in svg:gmatch('<rect x="([%d.]+)" y="([%d.]+)"') do
        assert.is_true(tonumber(x) + 84 < tonumber(width) and tonumber(y) + 48 < tonumber(height))
      end
    end
  end)
end)

describe("a report", function()
  it("holds targets and matches: sounds, spectra, patches and their files", function()
    local sound = tone(30000)
    local data, html = written({
      {
        name = "a tone", sound = sound, onset = 0, note = 69.2, held = 0.4,
        matches = {
          {
            patch = support.PATCH, distance = 1.25, note = 69, held = 0.2, release = 0.1, chip = "ym3438",
            sensitivity = { feedback = 0.01, { mul = 5 }, {}, {}, { tl = 0.1 } },
          },
          { patch = support.PLUCK, distance = 3, sound = tone(20000) },
        },
      },
    }, { title = "Two & more" })
    local target = data.targets[1]
    assert.same({ "a tone", 69.2, 0.4, 0 }, { target.name, target.note, target.held, target.clip })
    assert_near(sound.samples, heard(data.clips[1]), 1e-4)
    local first, second = target.matches[1], target.matches[2]
    assert.same({ 4, 1.25, "a tone_1_alg4.y12" }, { first.algorithm, first.distance, first.files[1].name })
    assert.equal(ym.patch.encode(support.PATCH, "y12"), unbase64(first.files[1].bytes))
    assert.equal(support.PATCH[3].tl, first.patch.operators[3].tl)
    assert.same({ { 1, "mul" } }, first.certain)
    assert.same({ { 0, "feedback" } }, first.idle)
    local samples = ym.render(support.PATCH, { note = 69, held = 0.2, release = 0.1, chip = "ym3438", rate = RATE })
    assert_near(samples, heard(data.clips[2]), 1e-4)
    assert.equal("a tone_2_alg4.y12", second.files[1].name)
    assert.is_nil(second.certain)
    assert.near(20000 / RATE, data.clips[3].seconds, 1e-6)
    assert.is_truthy(html:find("<title>Two &amp; more</title>", 1, true))
    for algorithm = 0, 7 do
      assert.is_truthy(html:find(('<svg id="algorithm-%d"'):format(algorithm), 1, true))
    end
  end)

  it("pictures a sine at its frequency, from silence to the loudest", function()
    local count = RATE
    local samples = ym.tensor.new { count }
    for i = count // 2, count do
      samples[i] = 0.5 * math.sin(2 * math.pi * 2000 * i / RATE)
    end
    local data = written { { name = "late", sound = { samples = samples, rate = RATE }, onset = 0, matches = {} } }
    local clip, picture = data.clips[1], data.picture
    local frames = #clip.picture // picture.bands
    assert.near(1, frames * clip.step, 0.02)
    local function mel(hertz)
      return math.log(1 + hertz / 700, 10)
    end
    local place = (mel(2000) - mel(picture.low)) / (mel(picture.high) - mel(picture.low)) * picture.bands
    local frame = { clip.picture:byte(picture.bands * (frames * 3 // 4) + 1, picture.bands * (frames * 3 // 4 + 1)) }
    local loudest = math.max(table.unpack(frame))
    assert.is_true(loudest > 250)
    for band, value in ipairs(frame) do
      if value == loudest then
        assert.near(place, band, 1.5)
      end
    end
    assert.equal(("\0"):rep(picture.bands), clip.picture:sub(1, picture.bands))
  end)

  it("leaves out what is before the note, and all after ten seconds", function()
    local late = ym.tensor.new { RATE }
    for i = RATE // 2, RATE do
      late[i] = math.sin(0.1 * i)
    end
    local data = written {
      { name = "late", sound = { samples = late, rate = RATE }, matches = {} },
      { name = "told", sound = { samples = late, rate = RATE }, onset = 0.75, matches = {} },
      { name = "long", sound = tone(12 * RATE), onset = 0.5, matches = {} },
      { name = "fast", sound = { samples = tone(9600).samples, rate = 96000 }, onset = 0, matches = {} },
    }
    assert.near(0.5, data.clips[1].seconds, 0.02)
    assert.near(0.25, data.clips[2].seconds, 1e-4)
    assert.near(10, data.clips[3].seconds, 1e-4)
    assert.near(0.1, data.clips[4].seconds, 1e-4)
  end)

  it("takes what estimate returns, and shows the best only", function()
    local samples, rate = ym.render(support.PLUCK, { note = 60, held = 0.2, release = 0.1 })
    local found = assert(ym.estimate({ samples = samples, rate = rate }, { note = 60, renders = 64 }))
    local target = { name = "pluck", sound = { samples = samples, rate = rate }, matches = found }
    local data = written({ target }, { best = 2 })
    assert.equal(2, #data.targets[1].matches)
    assert.equal(3, #data.clips)
    assert.equal(60, data.targets[1].note)
  end)

  it("says what is missing, and goes on", function()
    local data = written {
      { name = "gone", sound = in_folder "gone.wav", matches = {
        { patch = support.PATCH, sound = in_folder "away.wav", paths = { in_folder "away.y12" } },
        { patch = support.PLUCK },
      } },
      { name = "none", matches = {} },
      { name = "told", missing = "It was lost.", matches = {} },
      { name = "silent", sound = { samples = ym.tensor.new { 1000 }, rate = RATE }, matches = {} },
      { name = "nothing", sound = { samples = ym.tensor.new { 0 }, rate = RATE }, matches = {} },
    }
    local gone = data.targets[1]
    assert.equal("gone.wav: No such file or directory", gone.missing)
    assert.equal("away.wav: No such file or directory", gone.matches[1].missing)
    assert.equal("gone_1_alg4.y12", gone.matches[1].files[1].name)
    assert.equal(0, gone.matches[2].clip)
    assert.equal("It was lost.", data.targets[3].missing)
    for i = 4, 5 do
      assert.is_string(data.targets[i].missing)
      assert.is_nil(data.targets[i].clip)
    end
    assert.equal(0, #written {}.targets)
  end)

  it("offers patches in a format that holds them", function()
    local patch = { algorithm = 4, feedback = 0, ams = 2, fms = 3, lfo = 5 }
    table.move(support.PATCH, 1, 4, 1, patch)
    local file = written({ { name = "wide", matches = { { patch = patch } } } }).targets[1].matches[1].files[1]
    assert.equal("wide_1_alg4.wopn", file.name)
    local found = assert(ym.patch.decode_all(unbase64(file.bytes)))
    assert.same({ 5, 3 }, { found[1].lfo, found[1].fms })
  end)

  it("takes no name for markup", function()
    local name = [[</script><script>alert("1")</script><!--<script> & $data ' ]] .. "\xFF"
    local patch = { name = name, algorithm = 7, feedback = 0 }
    table.move(support.PATCH, 1, 4, 1, patch)
    local data, html = written({ { name = name, about = name, missing = name, matches = { { patch = patch } } } },
      { title = name })
    assert.equal(name, data.targets[1].name)
    assert.is_nil(html:find("alert(", 1, true) and html:find("<script>alert", 1, true))
    assert.is_nil(html:find("<!--", 1, true))
    -- as many elements as without
    local _, plain = written({ { name = "x", missing = "y", matches = { { patch = patch } } } }, { title = "z" })
    assert.equal(select(2, plain:gsub("</script", "")), select(2, html:gsub("</script", "")))
    assert.equal(select(2, plain:gsub("<", "")), select(2, html:gsub("<", "")))
  end)

  it("is the same for the same", function()
    local targets = { { name = "x", sound = tone(5000), matches = { { patch = support.PATCH } } } }
    local _, first = written(targets)
    collectgarbage()
    assert.equal(first, select(2, written(targets)))
  end)

  it("tells how far it is", function()
    local steps = {}
    written({ { name = "x", matches = {} }, { name = "y", matches = {} } }, {
      progress = function(done, total)
        steps[#steps + 1] = ("%d/%d"):format(done, total)
      end,
    })
    assert.same({ "1/2", "2/2" }, steps)
  end)

  it("returns what the world does wrong, and leaves no half of a page", function()
    local result, message, kind = ym.report.write(in_folder "no/page.html", {})
    assert.is_nil(result)
    assert.equal("io", kind)
    assert.equal(1, (message:find(in_folder "no/page.html", 1, true)))
    assert.same({ nil, "io" }, { (ym.report.write(folder, {})), (select(3, ym.report.write(folder, {}))) })
    assert.same({}, support.listed(folder))
  end)

  it("raises on misuse", function()
    local function raises(message, ...)
      local arguments = table.pack(...)
      local fine, found = pcall(function() ym.report.write(table.unpack(arguments, 1, arguments.n)) end)
      assert.is_false(fine)
      assert.matches("report_spec.lua:%d+: bad argument", found)
      assert.matches(message, found, 1, true)
    end
    local path = in_folder "page.html"
    local broken = { algorithm = 9 }
    raises("string expected", nil, {})
    raises("#2 to 'write' (table expected", path)
    raises("#3 to 'write' (unknown option 'titel')", path, {}, { titel = "x" })
    raises("option 'best' is 0", path, {}, { best = 0 })
    raises("target 1: expected a table, got number", path, { 1 })
    raises("target 1: name is nil, expected a string", path, { { matches = {} } })
    raises("target 2: matches is nil", path, { { name = "a", matches = {} }, { name = "b" } })
    raises("target 1: note is C4, expected a number", path, { { name = "a", note = "C4", matches = {} } })
    raises("target 1: sound: expected a path", path, { { name = "a", sound = {}, matches = {} } })
    raises("target 1: match 1: expected a table, got string", path, { { name = "a", matches = { "x.y12" } } })
    raises("match 1: field 'algorithm'", path, { { name = "a", matches = { { patch = broken } } } })
    local far = { patch = support.PATCH, distance = math.huge }
    raises("match 1: paths is x", path, { { name = "a", matches = { { patch = support.PATCH, paths = "x" } } } })
    raises("match 1: path 1 is 3", path, { { name = "a", matches = { { patch = support.PATCH, paths = { 3 } } } } })
    local high = { patch = support.PATCH, note = 200 }
    raises("target 1: match 1: option 'note' is 200", path, { { name = "b", matches = { high } } })
    local odd = { patch = support.PATCH, sensitivity = 1 }
    raises("match 1: sensitivity is 1", path, { { name = "a", matches = { odd } } })
    local wide = { samples = ym.tensor.new { 2, 2 }, rate = RATE }
    raises("sound: rank is 2", path, { { name = "a", matches = {}, sound = wide } })
    local slow = { samples = tone(9).samples, rate = 10 }
    raises("sound: rate is 10 Hz", path, { { name = "a", matches = {}, sound = slow } })
    raises("target 1: about is 5, expected a string", path, { { name = "a", about = 5, matches = {} } })
    raises("target 1: onset is -1, expected 0 or more", path, { { name = "a", onset = -1, matches = {} } })
    local named = { patch = support.PATCH, sound = tone(99), note = "C4" }
    raises("match 1: note is C4, expected a number", path, { { name = "a", matches = { named } } })
    raises("match 1: distance is inf", path, { { name = "a", matches = { far } } })
    assert.same({}, support.listed(folder))
  end)
end)

describe("the command report", function()
  local function run(arguments)
    return support.run(COMMAND .. arguments, folder)
  end

  -- A folder as `match` leaves it, of sounds with two matches each.
  local function matched(names)
    lfs.mkdir(in_folder "out")
    local ledger = ledgers.open(in_folder "out")
    for i, name in ipairs(names) do
      local sound = in_folder(name .. ".wav")
      assert(ym.audio.write(sound, tone(10000 + 100 * i).samples, RATE))
      local matches = {}
      for rank, patch in ipairs { support.PATCH, support.PLUCK } do
        local stem = ("%s_%d_alg4"):format(name, rank)
        assert(ym.audio.write(in_folder("out/" .. stem .. ".wav"), tone(5000 * rank).samples, RATE))
        assert(ym.patch.write(in_folder("out/" .. stem .. ".y12"), patch))
        matches[rank] = {
          rank = rank, algorithm = 4, distance = rank + i / 10, patch = stem .. ".y12", audition = stem .. ".wav",
        }
      end
      ledger:record(name, ledgers.digest { sound }, "settings", {
        file = sound, note = 60, held = 0.1, matches = matches, sensitivity = { feedback = 0.5, op2 = { tl = 0.001 } },
      }, { sound })
    end
    assert(ledger:save())
  end

  local function page()
    return contents_of(support.read_file(in_folder "page.html"))
  end

  it("makes a page of what was matched", function()
    matched { "bell", "bass" }
    assert(ym.patch.write(in_folder "out/bell_1_alg4.tfi", support.PATCH))
    local text, complaint, status = run("report @/out -o @/page.html --title Mine")
    assert.same({ "", "", 0 }, { text, complaint, status })
    local data = page()
    assert.same({ "bass", "bell" }, { data.targets[1].name, data.targets[2].name })
    local bell = data.targets[2]
    assert.near(10100 / RATE, data.clips[bell.clip + 1].seconds, 0.01)
    assert.same({ 1.1, 2.1 }, { bell.matches[1].distance, bell.matches[2].distance })
    assert.equal("bell_1_alg4.y12", bell.matches[1].files[1].name)
    assert.equal(support.read_file(in_folder "out/bell_1_alg4.tfi"), unbase64(bell.matches[1].files[2].bytes))
    assert.equal(1, #bell.matches[2].files)
    assert.near(10000 / RATE, data.clips[bell.matches[2].clip + 1].seconds, 1e-4)
    assert.same({ { 0, "feedback" } }, bell.matches[1].certain)
    assert.same({ { 2, "tl" } }, bell.matches[1].idle)
    run("report @/out -o @/page.html --best 1")
    assert.equal(1, #page().targets[1].matches)
  end)

  it("says in the page which sounds are gone or have changed", function()
    matched { "bell", "bass", "drum" }
    os.remove(in_folder "bell.wav")
    assert(ym.audio.write(in_folder "bass.wav", tone(3000).samples, RATE))
    local _, complaint, status = run("report @/out -o @/page.html")
    assert.same({ "", 0 }, { complaint, status })
    local targets = page().targets
    assert.equal("bass.wav has changed since it was matched.", targets[1].missing)
    assert.equal("bell.wav is gone.", targets[2].missing)
    assert.same({ nil, nil }, { targets[1].clip, targets[2].clip })
    assert.is_not_nil(targets[3].clip)
    assert.is_nil(support.read_file(in_folder "page.html"):find(folder, 1, true)) -- it is passed on
  end)

  it("is not led out of the folder by what is written there", function()
    matched { "bell" }
    local path = in_folder "out/.matches.json"
    assert(ym.audio.write(in_folder "private.wav", tone(3000).samples, RATE))
    support.write_file(path, (support.read_file(path):gsub('"bell_1_alg4.wav"', '"../private.wav"')))
    assert.same({}, ledgers.open(in_folder "out"):all())
  end)

  it("makes a page of patches that match nothing", function()
    assert(ym.patch.write(in_folder "lead.y12", support.PATCH))
    lfs.mkdir(in_folder "more")
    assert(ym.patch.write(in_folder "more/pluck.y12", support.PLUCK))
    local _, complaint, status = run("report @/lead.y12 @/more -o @/page.html --note A4 --held 0.2 --release 0.1")
    assert.same({ "", 0 }, { complaint, status })
    local data = page()
    assert.same({ "lead", "pluck" }, { data.targets[1].name, data.targets[2].name })
    assert.is_nil(data.targets[1].clip)
    local samples = ym.render(support.PLUCK, { note = 69, held = 0.2, release = 0.1, rate = RATE })
    assert_near(samples, heard(data.clips[2]), 1e-4)
    assert.equal("pluck.y12", data.targets[2].matches[1].files[1].name)
  end)

  it("reports what cannot be shown", function()
    support.assert_fails(COMMAND .. "report @/none -o @/page.html", folder, "none")
    lfs.mkdir(in_folder "empty")
    support.assert_fails(COMMAND .. "report @/empty -o @/page.html", folder, "empty: holds no matches and no patches")
    support.write_file(in_folder "bad.y12", "")
    support.assert_fails(COMMAND .. "report @/bad.y12 -o @/page.html", folder, "bad.y12: ")
    assert.is_nil(lfs.attributes(in_folder "page.html"))
    assert(ym.patch.write(in_folder "lead.y12", support.PATCH))
    support.assert_fails(COMMAND .. "report @/lead.y12 -o @/no/page.html", folder, "no/page.html: ")
    support.assert_fails(COMMAND .. "report @/lead.y12 -o @/lead.y12", folder, "lead.y12: is one of the files to show")
    assert(ym.patch.read(in_folder "lead.y12"))
    support.assert_fails(COMMAND .. "report @/lead.y12 --best 0", folder, "option '--best': '0' is not", 2)
  end)

  local models = lfs.attributes("models/matcher.safetensors", "mode");
  (models and it or pending)("is what match --report does", function()
    local samples, rate = ym.render(support.PATCH, { note = 60, held = 0.3, release = 0.1 })
    assert(ym.audio.write(in_folder "tone.wav", samples, rate))
    local arguments = "match @/tone.wav -o @/out --renders 8 --note C4 --report @/page.html"
    for _ = 1, 2 do -- the second time from what was matched before
      local _, complaint, status = run(arguments)
      assert.same({ "", 0 }, { complaint, status })
      local target = page().targets[1]
      assert.equal("tone", target.name)
      assert.is_not_nil(target.clip)
      assert.equal(#support.listed(in_folder "out") // 2, #target.matches)
    end
    support.assert_fails(COMMAND .. "match @/tone.wav -o @/out --report @/no/page.html", folder, "no such folder")
    local direct = support.read_file(in_folder "page.html")
    run("report @/out -o @/page.html")
    assert.equal(direct, support.read_file(in_folder "page.html"))
    support.write_file(in_folder "empty.wav", "")
    support.assert_fails(COMMAND .. "match @/empty.wav -o @/out --report @/page.html", folder, "empty.wav")
    assert.equal(direct, support.read_file(in_folder "page.html"))
  end)
end)
