-- The command's main job, run as a user runs it from a checkout.
local cjson = require "cjson"
local lfs = require "lfs"
local ledgers = require "ym2612ml.cli.match.ledger"
local settings = require "ym2612ml.cli.match.settings"
local support = require "spec.support"
local ym = require "ym2612ml"

local COMMAND = "lua5.4 lua/ym2612ml/cli.lua match "

local read, write = support.read_file, support.write_file

describe("the command match", function()
  local models = lfs.attributes("models/matcher.safetensors", "mode")
  local with_models = models and it or pending
  local folder

  before_each(function() folder = support.new_folder() end)

  after_each(function() support.remove_folder(folder) end)

  -- Runs it; @ in the arguments is the folder.
  local function run(arguments)
    return support.run(COMMAND .. arguments, folder)
  end

  local function assert_runs(arguments)
    local text, complaint, status = run(arguments)
    assert.equal(0, status, complaint)
    assert.equal("", complaint)
    return text
  end

  local function assert_fails(arguments, expected, status)
    support.assert_fails(COMMAND .. arguments, folder, expected, status)
  end

  local function listed(inner)
    return support.listed(folder .. (inner or ""))
  end

  local function sound(name, note)
    local samples, rate = ym.render(support.PATCH, { note = note, held = 0.3, release = 0.1 })
    assert(ym.audio.write(("%s/%s.wav"):format(folder, name), samples, rate))
  end

  -- A WAV of these samples, 32-bit float.
  local function wav(name, samples)
    local data = ""
    for _, sample in ipairs(samples) do
      data = data .. string.pack("<f", sample)
    end
    write(("%s/%s.wav"):format(folder, name), string.pack("<c4I4c4c4I4I2I2I4I4I2I2c4s4", "RIFF",
      36 + #data, "WAVE", "fmt ", 16, 3, 1, 44100, 176400, 4, 32, "data", data))
  end

  describe("on one sound", function()
    with_models("writes ranked patches and how they sound", function()
      sound("tone", 60)
      local text = assert_runs("@/tone.wav -o @/out --renders 64 --note C4")
      assert.is_nil(text:find("\r", 1, true), "a progress bar in a pipe")
      local count = 0
      for rank, algorithm in text:gmatch("\n +(%d) +(%d) +%d+%.%d+  %S+%.y12") do
        local path = ("%s/out/tone_%s_alg%s"):format(folder, rank, algorithm)
        local found = assert(ym.patch.read(path .. ".y12"))
        assert.equal(tonumber(algorithm), found.algorithm)
        assert.equal("tone", found.name)
        local audition = assert(ym.audio.read(path .. ".wav"))
        assert.equal(44100, audition.rate)
        assert.is_true(math.abs(audition.seconds - 0.4) < 0.05)
        count = count + 1
        assert.equal(count, tonumber(rank))
      end
      assert.equal(8, count)
      assert.equal(16, #listed("/out"))
    end)

    with_models("tells what it found as JSON, and which registers are certain", function()
      sound("tone", 60)
      local document = cjson.decode(assert_runs("@/tone.wav -o @/out --renders 2000 --note C4 --json"))
      local file = document.files[1]
      assert.equal(folder .. "/tone.wav", file.file)
      assert.equal(60, file.note)
      assert.is_true(file.pitched)
      assert.equal(8, #file.matches)
      assert.is_true(file.seconds > 0 and file.renders >= 1000)
      assert.near(file.matches[1].distance, file.ranking[1].distance, 1e-9)
      local best = assert(ym.patch.read(file.matches[1].patch))
      assert.equal(best.algorithm, file.ranking[1].registers.algorithm)
      for o = 1, 4 do
        assert.equal(best[o].tl, file.ranking[1].registers["op" .. o].tl)
        assert.is_number(file.sensitivity["op" .. o].mul)
      end
      assert.same({ 1, 0, 0 }, { document.summary.matched, document.summary.before, document.summary.failed })
      local text = run("@/tone.wav -o @/out --renders 2000 --note C4")
      assert.matches("(matched before)", text, 1, true)
      assert.matches("\ncertain: [^\n]*op%d [^\n]*mul", text)
      assert.matches("\nwithout effect: ", text)
      assert.matches("\n   1    %d      %d+%.%d%d  ", text)
    end)

    with_models("keeps to locked registers, and to those of the patch it starts from", function()
      sound("tone", 60)
      local start = support.PATCH
      assert(ym.patch.write(folder .. "/start.y12", start))
      assert_runs("@/tone.wav -o @/out --renders 300 --start @/start.y12 --lock \"op2.mul=7, op1.tl,algorithm\"")
      local names = listed("/out")
      assert.equal(2, #names)
      local found = assert(ym.patch.read(folder .. "/out/tone_1_alg4.y12"))
      assert.same({ 7, start[1].tl }, { found[2].mul, found[1].tl })
    end)

    with_models("can leave it to the networks", function()
      sound("tone", 60)
      local document = cjson.decode(assert_runs("@/tone.wav -o @/out --method networks --renders 64 --json"))
      assert.equal(8, #document.files[1].matches)
      assert.equal(64, document.files[1].renders)
    end)

    with_models("plays the auditions with the velocity given", function()
      sound("tone", 60)
      local best = {}
      for i, velocity in ipairs { 127, 90 } do
        local document = cjson.decode(assert_runs(("@/tone.wav -o @/out%d --renders 8 --method networks --note C4 "
          .. "--held 0.3 --velocity %d --json"):format(i, velocity)))
        local match = document.files[1].matches[1]
        local played, rate = ym.render(assert(ym.patch.read(match.patch)),
          { note = 60, held = 0.3, release = 0.1, velocity = velocity })
        local expected = ym.audio.resample(played, rate, 44100, { quick = true })
        local heard = assert(ym.audio.read(match.audition)).samples
        for k = 1000, 1100 do
          assert.near(expected[k], heard[k], 1e-4)
        end
        best[i] = match.distance
      end
      assert.are_not.equal(best[1], best[2])
    end)

    with_models("replaces what an earlier run wrote for a sound of the same name", function()
      sound("tone", 60)
      lfs.mkdir(folder .. "/out")
      local others = {
        "atone_1_alg0.y12", "tone.y12", "tone-2_1_alg0.y12", "tone_1_alg0.txt", "tone_1_alg0_1_alg0.wav",
        "tone_1_alg8.y12", "tone_1_alg0.y12.bak", "tone_9_alg0.wav",
      }
      for _, name in ipairs(others) do
        write(folder .. "/out/" .. name, "")
      end
      for rank = 1, 8 do
        for algorithm = 0, 7 do
          write(("%s/out/tone_%d_alg%d.y12"):format(folder, rank, algorithm), "")
          write(("%s/out/tone_%d_alg%d.wav"):format(folder, rank, algorithm), "")
        end
      end
      assert_runs("@/tone.wav -o @/out --renders 8 --note C4")
      local ranks, count = {}, 0
      for _, name in ipairs(listed("/out")) do
        local rank = name:match("^tone_([1-8])_alg[0-7]%.y12$")
        if rank then
          assert.is_nil(ranks[rank], name)
          ranks[rank] = true
          assert.is_truthy(ym.audio.read(folder .. "/out/" .. name:gsub("y12$", "wav")))
          count = count + 1
        end
      end
      assert.equal(8, count)
      assert.equal(16 + #others, #listed("/out"))
    end)

    with_models("leaves no patch without its audition", function()
      sound("tone", 60)
      lfs.mkdir(folder .. "/out")
      for algorithm = 0, 7 do
        lfs.mkdir(("%s/out/tone_2_alg%d.wav"):format(folder, algorithm))
      end
      local _, complaint, status = run("@/tone.wav -o @/out --renders 8 --note C4")
      assert.equal(1, status)
      assert.matches("tone_2_alg%d.wav: is not a regular file", complaint)
      local patches = {}
      for _, name in ipairs(listed("/out")) do
        patches[#patches + 1] = name:match("^tone_(%d)_alg%d%.y12$")
      end
      assert.same({ "1" }, patches)
    end)

    with_models("gives the same patches for the same seed", function()
      sound("tone", 60)
      local outputs = {}
      for i, arguments in ipairs { "--seed 5", "--seed 5", "--seed 6" } do
        assert_runs(("@/tone.wav -o @/out%d --renders 160 %s"):format(i, arguments))
        outputs[i] = {}
        for _, name in ipairs(listed("/out" .. i)) do
          outputs[i][name] = read(("%s/out%d/%s"):format(folder, i, name))
        end
      end
      assert.same(outputs[1], outputs[2])
      assert.are_not.same(outputs[1], outputs[3])
    end)

    with_models("keeps the best so far on disk, and at Ctrl-C", function()
      sound("tone", 60)
      -- Sends a signal once a round of the best is whole on disk.
      local function stop(signal)
        local _, _, status = os.execute(([[
          %s '%s/tone.wav' -o '%s/out' --budget best >/dev/null 2>'%s/errors' &
          looks=0
          until [ -e "$(echo '%s'/out/tone_8_alg?.y12)" ] || [ $looks = 600 ]; do
            looks=$((looks + 1))
            sleep 0.1
          done
          kill -%s $!
          wait $!]]):format(COMMAND, folder, folder, folder, folder, signal))
        local names = listed("/out")
        local count = 0
        for _, name in ipairs(names) do
          if name:find("%.y12$") then
            count = count + 1
            assert.is_truthy(ym.patch.read(folder .. "/out/" .. name))
            assert.is_truthy(ym.audio.read(folder .. "/out/" .. name:gsub("y12$", "wav")))
          end
        end
        return status, count, read(folder .. "/errors")
      end
      local status, count, complaint = stop("INT")
      assert.equal(130, status)
      assert.equal(8, count)
      assert.equal(("ym2612ml: interrupted: the best patches so far for %s/tone.wav are in %s/out\n"):format(folder,
        folder), complaint)
      support.remove_folder(folder .. "/out")
      status, count = stop("KILL")
      assert.is_true(status > 128)
      assert.is_true(count >= 8)
    end)
  end)

  describe("on a folder", function()
    with_models("goes on after every kind of bad file", function()
      local nan = 0 / 0
      sound("good", 64)
      lfs.mkdir(folder .. "/other")
      sound("other/good", 60)
      write(folder .. "/text.wav", "no sound")
      write(folder .. "/empty.wav", "")
      wav("none", {})
      wav("single", { 0.5 })
      wav("silent", { 0, 0, 0, 0, 0, 0, 0, 0 })
      wav("nan", { 0.1, nan, 0.2, 0.3 })
      lfs.mkdir(folder .. "/hollow")
      local text, complaint, status = run("@/missing.wav @ @/hollow -o @/out --renders 16 --json")
      assert.equal(1, status)
      local errors, matched, lines = {}, {}, select(2, complaint:gsub("\n", ""))
      local document = cjson.decode(text)
      for _, file in ipairs(document.files) do
        local name = file.file:sub(#folder + 2)
        errors[name] = file.error
        matched[name] = file.matches and file.matches[1].patch:match("[^/]+$"):match("^[^_]+")
      end
      assert.same({ ["good.wav"] = "good", ["other/good.wav"] = "good-2" }, matched)
      for _, name in ipairs { "missing", "text", "empty", "none", "single", "silent", "nan" } do
        name = name .. ".wav"
        assert.is_string(errors[name], name)
        assert.is_truthy(errors[name]:find(name, 1, true), errors[name])
        assert.is_truthy(complaint:find(errors[name], 1, true), complaint)
      end
      assert.is_truthy(complaint:find("hollow: holds no sounds", 1, true), complaint)
      assert.equal(8, lines, complaint)
      assert.equal(32, #listed("/out"))
      assert.same({ 2, 0, 8 }, { document.summary.matched, document.summary.before, document.summary.failed })
    end)

    with_models("sums up, and matches no sound twice", function()
      sound("a", 60)
      sound("b", 64)
      write(folder .. "/c.wav", "no sound")
      local options = "@ -o @/out --renders 16 --lock algorithm=4 "
      local text, complaint, status = run(options)
      assert.equal(1, status, complaint)
      assert.matches("\n2 matched, 1 failed, in %d+ s\nmedian distance %d+%.%d%d dB, %d+ %% of the sounds below 1 dB; "
        .. "patches and auditions: " .. folder .. "/out\n$", text)
      local before = support.snapshot(folder .. "/out")
      os.remove(folder .. "/c.wav")
      assert.matches("\n0 matched, 2 matched before, 0 failed", assert_runs(options))
      support.assert_same_files(before, folder .. "/out")

      sound("b", 67) -- has changed, and one more is new
      sound("d", 60)
      text = assert_runs(options)
      assert.matches("\n2 matched, 1 matched before, 0 failed", text)
      assert.matches("a.wav: note [^\n]*%(matched before%)", text)
      os.remove(folder .. "/out/a_1_alg" .. text:match("a_1_alg(%d)") .. ".wav")
      assert.matches("\n1 matched, 2 matched before, 0 failed", assert_runs(options))
      assert.matches("\n3 matched, 0 failed", assert_runs(options .. "--again"))
      assert.matches("\n3 matched, 0 failed", assert_runs(options .. "--note C4"))
      assert.matches("\n3 matched, 0 failed", assert_runs(options .. "--seed 2"))
      assert.matches("\n3 matched, 0 failed", assert_runs(options)) -- theirs were written over
    end)

    it("trusts no damaged record of earlier runs", function()
      local ledger = ledgers.open(folder)
      write(folder .. "/a_1_alg4.y12", "")
      write(folder .. "/a_1_alg4.wav", "")
      ledger:record("a", "digest", "settings", {
        note = 60, held = 1,
        matches = { { rank = 1, distance = 2, patch = "a_1_alg4.y12", audition = "a_1_alg4.wav" } },
      }, { "a.wav" })
      assert(ledger:save())
      local function find(...)
        return ledgers.open(folder):find(...)
      end
      assert.is_true(find("a", "digest", "settings").before)
      assert.is_nil(find("a", "other", "settings"))
      assert.is_nil(find("a", "digest", "other"))
      assert.is_nil(find("b", "digest", "settings"))
      local all = ledgers.open(folder):all()
      assert.same({ 1, "a", "digest", { lfs.currentdir() .. "/a.wav" } },
        { #all, all[1].stem, all[1].digest, all[1].paths })
      local path = folder .. "/.matches.json"
      local whole = read(path)
      for _, damaged in ipairs {
        "", "{", "[]", "null", "3", whole:sub(1, #whole // 2), (whole:gsub('"version": 1', '"version": 2')),
        (whole:gsub('"patch":"a', '"patch":"b')), (whole:gsub('"distance":', '"distant":')),
        (whole:gsub('"matches":%[.-%]', '"matches":[]')), (whole:gsub('"note":60', '"note":"C4"')),
        '{"version": 1, "sounds": {"a": 3}}', '{"version": 1, "sounds": []}',
        '{"version": 1, "sounds": {"a": {"digest": "digest", "settings": "settings"}}}',
      } do
        assert.are_not.equal(whole, damaged)
        write(path, damaged)
        assert.is_nil(find("a", "digest", "settings"), damaged)
      end
      write(path, whole)
      os.remove(folder .. "/a_1_alg4.wav")
      assert.is_nil(find("a", "digest", "settings"))
    end)

    with_models("goes on after it was killed", function()
      for i = 1, 20 do
        sound(("tone%02d"):format(i), 59 + i)
      end
      -- killed as soon as it has recorded a sound
      local recorded = os.execute(([[
        %s '%s' -o '%s/out' --budget 0.3s >/dev/null 2>&1 & i=0
        until grep -q tone01 '%s/out/.matches.json' 2>/dev/null || [ $i -gt 300 ]; do i=$((i + 1)); sleep 0.1; done
        kill -9 $! && [ $i -le 300 ]
      ]]):format(COMMAND, folder, folder, folder))
      assert.is_true(recorded)
      local text = assert_runs("@/tone01.wav -o @/out --budget 0.3s --json")
      assert.is_true(cjson.decode(text).files[1].before)
    end)

    with_models("does not write over a sound that is to be matched", function()
      sound("tone", 60)
      for algorithm = 0, 7 do
        write(("%s/tone_1_alg%d.wav"):format(folder, algorithm), read(folder .. "/tone.wav"))
      end
      local _, complaint, status = run("@ -o @/../" .. folder:match("[^/]+$") .. " --renders 8 --note C4")
      assert.equal(1, status)
      assert.is_truthy(complaint:find("is a sound to be matched", 1, true), complaint)
      for algorithm = 0, 7 do
        assert.equal(read(folder .. "/tone.wav"), read(("%s/tone_1_alg%d.wav"):format(folder, algorithm)))
      end
    end)

    with_models("stops before the work where it cannot write", function()
      sound("tone", 60)
      write(folder .. "/file", "")
      assert_fails("@/tone.wav -o @/file/out", "/file: cannot make this folder")
      lfs.mkdir(folder .. "/out")
      lfs.mkdir(folder .. "/out/.matches.json")
      assert_fails("@/tone.wav -o @/out --budget best", "out/.matches.json: is not a regular file")
    end)

    with_models("refuses damaged models", function()
      sound("tone", 60)
      lfs.mkdir(folder .. "/models")
      for name in lfs.dir("models") do
        if name:find("%.safetensors$") then
          write(folder .. "/models/" .. name, read("models/" .. name))
        end
      end
      local path = folder .. "/models/registers_3.safetensors"
      local whole = read(path)
      for _, damaged in ipairs {
        whole:sub(1, #whole // 2), "", whole:sub(1, -100) .. string.char(whole:byte(-99) ~ 1)
          .. whole:sub(-98),
      } do
        write(path, damaged)
        assert_fails("@/tone.wav -o @/out --models @/models", "registers_3.safetensors")
      end
      assert_fails("@/tone.wav -o @/out --models @/none", "none")
      assert.is_nil(lfs.attributes(folder .. "/out", "mode"))
    end)
  end)

  describe("on a group", function()
    with_models("finds one patch for all its sounds", function()
      lfs.mkdir(folder .. "/bell")
      sound("bell/Bell_C4", 60)
      sound("bell/Bell_67", 67)
      local document = cjson.decode(assert_runs("--group @/bell -o @/out --renders 64 --json"))
      assert.equal(1, #document.files)
      local group = document.files[1]
      assert.same({ folder .. "/bell/Bell_67.wav", folder .. "/bell/Bell_C4.wav" }, group.group)
      assert.same({ "Bell", 67 }, { group.file, group.note })
      assert.equal(16, #listed("/out"))
      assert.matches("/out/Bell_1_alg%d%.y12$", group.matches[1].patch)
      local text = assert_runs("--group @/bell -o @/out --renders 64")
      assert.matches("Bell: 2 sounds, the first note G4, held %d%.%d%d s %(matched before%)", text)
      assert_fails("--group @/bell @/missing.wav -o @/out", "missing.wav")
    end)

    it("takes as many notes as it has sounds", function()
      sound("a", 60)
      sound("b", 64)
      assert_fails("--group @ --note C4,E4,G4 -o @/out", "option '--note': 3 values for 2 sounds", 2)
      assert_fails("--group @ --velocity 1,2,3 -o @/out", "option '--velocity': 3 values for 2 sounds", 2)
      assert_fails("@ --note C4,E4 -o @/out", "option '--note': 2 values, but without --group", 2)
      local file = folder .. "/a.wav"
      assert_fails("--group -o @/out" .. (" " .. file):rep(65), "option '--group': 65 sounds, expected 64 at most", 2)
      lfs.mkdir(folder .. "/hollow")
      assert_fails("--group @/hollow -o @/out", "hollow: holds no sounds")
    end)

    it("knows notes at the ends of names", function()
      for name, expected in pairs {
        ["piano_C4.wav"] = 60, ["x/piano-F#3.flac"] = 54, ["piano Bb2.wav"] = 46, ["a.b.60.aif"] = 60,
        ["piano_116.wav"] = 116, ["piano_117.wav"] = false, ["C4.wav"] = false, ["pianoC4.wav"] = false,
        ["piano_1.wav"] = false, ["piano_01.wav"] = false, ["piano_C4_soft.wav"] = false, ["piano_H4.wav"] = false,
      } do
        assert.equal(expected, settings.note_in_name(name) or false, name)
      end
      assert.same({ 60, 67 }, settings.notes_in_names { "a_C4.wav", "b_G4.wav" })
      assert.is_nil(settings.notes_in_names { "a_C4.wav", "b.wav" })
      assert.equal("piano", settings.group_name { "piano_C4.wav", "x/piano_C5.wav" })
      assert.equal("grand piano", settings.group_name { "grand piano soft_60.wav", "grand piano hard_60.wav" })
      assert.equal("group", settings.group_name { "kick.wav", "snare.wav" })
    end)
  end)

  describe("says in one line what is wrong with", function()
    it("budgets", function()
      assert.same({ 0.05, 5, 60, 0.2, 90 }, {
        settings.budget("fast"), (settings.budget("default")), (settings.budget("best")), (settings.budget("0.2s")),
        (settings.budget("90s")),
      })
      for _, wrong in ipairs { "5", "s", "0s", "-1s", "nans", "1e9s", "..s", "fastest", "" } do
        local seconds, message = settings.budget(wrong)
        assert.is_nil(seconds, wrong)
        assert.matches("'" .. wrong .. "' is no budget", message, 1, true)
      end
      assert_fails("x.wav --budget 5", "option '--budget': '5' is no budget", 2)
    end)

    it("locks", function()
      for _, wrong in ipairs { "op5.tl=3", "tl=3", "op1=3", "op1.tl=", "op1.tl=x", "algorithm=1.5", "" } do
        assert_fails(("x.wav --lock \"%s\""):format(wrong), ("'%s' locks nothing"):format(wrong), 2)
      end
      assert_fails("x.wav --lock op1.tl=128", "expected op1.tl=0..127", 2)
      assert_fails("x.wav --lock op1.dt=-4", "expected op1.dt=-3..3", 2)
      assert_fails("x.wav --lock algorithm", "'algorithm' has no value", 2)
      assert_fails("x.wav --lock algorithm=1,op1.tl=3,algorithm=2", "'algorithm' has two values", 2)
      assert_fails("x.wav --lock fms=1", "a .y12 file cannot hold 'fms'", 2)
    end)

    it("patches to start from, and other options", function()
      assert_fails("x.wav --start @/none.y12", "none.y12: No such file")
      write(folder .. "/bad.y12", "abc")
      assert_fails("x.wav --start @/bad.y12", "bad.y12")
      assert_fails("x.wav --lfo", "a .y12 file cannot hold vibrato and tremolo", 2)
      assert_fails("x.wav --method guess", "--method", 2)
      assert_fails("x.wav --method networks --lock algorithm=4", "'--lock': only a search keeps to it", 2)
      assert_fails("x.wav --velocity 128", "'128' is not a whole number from 1 to 127", 2)
      assert_fails("x.wav --note C4,", "'' is no note", 2)
    end)
  end)
end)
