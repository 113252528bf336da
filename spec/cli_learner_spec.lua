-- The commands around synthesizers and published networks, run as a user runs them.
local cjson = require "cjson"
local lfs = require "lfs"
local support = require "spec.support"
local ym = require "ym2612ml"

local COMMAND = "lua5.4 lua/ym2612ml/cli.lua "

describe("the command", function()
  local folder

  -- Runs the command; @ in the arguments is the folder.
  local function run(arguments)
    return support.run(COMMAND .. arguments, folder)
  end

  local function run_well(arguments)
    local text, complaint, status = run(arguments)
    assert(status == 0, complaint)
    return text, complaint
  end

  local function assert_fails(arguments, expected, status)
    support.assert_fails(COMMAND .. arguments, folder, expected, status)
  end

  local function document(path)
    return cjson.decode(support.read_file(folder .. path))
  end

  -- A folder with data of a synthesizer and a model of it.
  setup(function()
    folder = support.new_folder()
    run_well("dataset --synth simple_fm --rate 4000 --length 0.25 --count 64 --validation 8 --test 12 -o @/data")
    run_well("train --model conv1 --data @/data --epochs 1 -o @/model")
  end)

  teardown(function() support.remove_folder(folder) end)

  describe("dataset --synth", function()
    it("writes sounds, and WAV files with a table", function()
      local text = run_well("dataset --synth simple_fm --rate 4000 --length 0.1 --count 5 --test 2 --classes 4 "
        .. "--fix attack=0 --out @/wavs --wav @/wavs/files")
      assert.matches("7 sounds in 2 shards", text)
      assert.matches("7 WAV files", text)
      local set = assert(ym.synths.open(folder .. "/wavs"))
      local lines = {}
      for line in support.read_file(folder .. "/wavs/files/meta.csv"):gmatch("[^\n]+") do
        lines[#lines + 1] = line
      end
      assert.equal(1 + 7, #lines)
      assert.matches("^file,carrier,.*,carrier_class,", lines[1])
      local file, carrier = lines[3]:match("^([^,]*),([^,]*),")
      assert.equal("train_000002.wav", file)
      assert.near(set.splits.train.values:get(2, 1), tonumber(carrier), 1e-3)
      local sound = assert(ym.audio.read(folder .. "/wavs/files/" .. file))
      local known = assert(set.splits.train:sounds { 2 })
      assert.equal(400, #sound.samples)
      assert.near(known:get(1, 200), sound.samples[200], 1e-6)
      for row = 1, 5 do
        assert.equal(0, set.splits.train.values:get(row, set.synth.by_name.attack.index))
      end
    end)

    it("says what is wrong", function()
      assert_fails("dataset --synth nothing -o @/x", "'nothing'", 1)
      assert_fails("dataset --synth simple_fm --fix attack=7 -o @/x", "attack is 7", 1)
      assert_fails("dataset --synth simple_fm --fix attack -o @/x", "--fix", 2)
      assert_fails("dataset --synth simple_fm --patches bank -o @/x", "--patches goes with", 1)
      assert_fails("dataset --synth opn2 --held 0.5-1 -o @/x", "equally long", 1)
      assert_fails("dataset --synth opn2 --mutated 0.5 -o @/x", "--mutated does not go", 1)
      assert_fails("dataset --classes 3 -o @/x", "--classes goes with --synth", 1)
      assert_fails("dataset --synth @/missing.lua -o @/x", "missing.lua", 1)
      assert_fails("dataset --synth simple_fm --length 60 --shard-records 8192 -o @/x", "--shard-records 8192", 1)
    end)
  end)

  describe("train --model", function()
    it("goes on where it is, and tells what was left out", function()
      local text = run_well("train --model conv1 --data @/data --epochs 1 -o @/model")
      assert.matches("InverSynth Conv1, %d+ parameters, learned from 64 sounds in 1 epochs", text)
      assert.matches("told: carrier, modulator", text)
    end)

    it("repeats with other seeds", function()
      local text = run_well("train --model fc_linear --data @/data --epochs 1 --trials 2 --sizes components=4 "
        .. "-o @/trials")
      assert.matches("2 trials of fc_linear", text)
      assert.matches("\nmae_normalised +0%.%d+ +0%.%d+", text)
      local other = cjson.decode((run_well("train --model fc_linear --data @/data --epochs 1 --trials 2 "
        .. "--sizes components=4 --json -o @/trials")))
      assert.equal(2, #other.summary.mpr.values)
      assert.is_true(other.summary.mpr.values[1] ~= other.summary.mpr.values[2])
    end)

    it("takes another picture of the sound", function()
      run_well("train --model conv1 --data @/data --epochs 1 --front kind=mel,size=128,bands=12 --batch 32 -o @/mel")
      assert.equal("mel", document("/mel/model.json").front.kind)
    end)

    it("takes sizes of several layers", function()
      run_well("train --model antithesis_mel --data @/data --epochs 1 --sizes filters=4:8,dense=8 "
        .. "--front size=128,hop=125,frames=8,bands=8 -o @/layers")
      assert.same({ 4, 8 }, document("/layers/model.json").options.filters)
    end)

    it("says what is wrong", function()
      assert_fails("train --model conv1 --data @/data --sizes hidden=4:x -o @/x", "hidden is '4:x'", 2)
      run_well("dataset --synth simple_fm --rate 4000 --length 0.1 --count 4 -o @/untested")
      assert_fails("train --model conv1 --data @/untested --trials 2 -o @/x", "no sounds to judge by", 1)
      assert_fails("train --model conv1 -o @/x", "--model needs --data", 1)
      assert_fails("train --model conv9 --data @/data -o @/x", "conv9", 1)
      assert_fails("train --model conv1 --data @/none -o @/x", "/none/index.json", 1)
      assert_fails("train --model conv1 --data @/data --sizes width=3 -o @/x", "ym2612ml: unknown option 'width'", 1)
      assert_fails("train --model conv1 --data @/data --front bands=3 -o @/x", "bands", 1)
      assert_fails("train --model conv1 --data @/data --epochs 2 -o @/model", "begun with other settings", 1)
    end)
  end)

  describe("compare", function()
    it("lets all answer the same notes", function()
      local fixed = { "algorithm=7" } -- few registers, to be quick: of each it is asked whether it is heard
      for operator = 1, 4 do
        for _, register in ipairs { "rs", "dt", "sr", "sl", "dr", "rr" } do
          fixed[#fixed + 1] = ("op%d.%s=%d"):format(operator, register, register == "rr" and 8 or 0)
        end
      end
      local command = "compare -o @/compared --models fc_linear --seconds 1 --count 12 --targets 2 --searched 1 "
        .. "--budget 64 --rate 8000 --fix " .. table.concat(fixed, ",")
      local text = run_well(command .. " --json @/compared.json")
      assert.matches("\nfc_linear +%d+ +%d+", text)
      assert.matches("\nmatcher +%- +%-", text)
      local result = document "/compared.json"
      assert.equal(2, #result.figures)
      local methods = result.card.sets.notes.methods
      assert.equal(2, methods.fc_linear.count)
      assert.equal(1, methods["search 64"].count)
      for _, name in ipairs { "fc_linear", "matcher", "search 64", "networks 64" } do
        assert.is_true(methods[name].distance.mean > 0 and methods[name].distance.mean < 60, name)
      end
      assert.equal(text, (run_well(command)))
    end)

    it("says what is wrong", function()
      assert_fails("compare --models nothing -o @/x", "'nothing' is none of", 1)
      assert_fails("compare --budget 1 -o @/x", "--budget", 2)
      assert_fails("compare --fix note=3 --count 8 -o @/x", "note", 1)
    end)
  end)

  describe("evaluate --model", function()
    it("prints what a model tells, and writes it", function()
      local text = run_well("evaluate --model @/model --data @/data --csv @/figures.csv --sounds @/sounds.csv "
        .. "--json @/result.json --wav @/a/wav --examples 2")
      assert.matches("on 12 sounds %(test%)", text)
      assert.matches("\nparameter +classes +exact %% +within 1 %% +top 1 %%", text)
      assert.matches("\ncarrier +16 +%d+%.%d +%d+%.%d", text)
      assert.matches("\nPCC of the spectrograms, x 100 +%-?%d+%.%d%d +%-?%d+%.%d%d", text)
      assert.matches("\nlog%-spectral distance, dB +%d+%.%d", text)
      local result = document "/result.json"
      assert.equal(12, result.count)
      assert.equal("conv1", result.model.name)
      assert.equal(5, #result.means.top)
      local shown = tonumber(text:match("\nmean +(%d+%.%d)"))
      assert.near(100 * result.means.exact, shown, 0.0501)
      assert.near(result.sounds.lsd.median, tonumber(text:match("distance, dB +%d+%.%d +(%d+%.%d)")), 0.0501)
      assert.equal(1 + #result.parameters + 1, select(2, support.read_file(folder .. "/figures.csv"):gsub("\n", "")))
      assert.equal(1 + 12, select(2, support.read_file(folder .. "/sounds.csv"):gsub("\n", "")))
      assert.equal(6, #support.listed(folder .. "/a/wav"))
    end)

    it("takes a split, and some of its sounds", function()
      local text = run_well("evaluate --model @/model --data @/data --split train --count 5")
      assert.matches("on 5 sounds %(train%)", text)
    end)

    it("says what is wrong", function()
      assert_fails("evaluate --model @/model", "--model needs --data", 2)
      assert_fails("evaluate --model @/model --data @/data --sets prior", "option '--sets' does not go with --model", 2)
      assert_fails("evaluate --model @/model --data @/data --pitch-unknown",
        "option '--pitch-unknown' does not go with --model", 2)
      assert_fails("evaluate --csv x.csv", "option '--csv' goes with --model", 2)
      assert_fails("evaluate --model @/none --data @/data", "/none/model.json")
      assert_fails("evaluate --model @/model --data @/none", "/none")
      run_well("dataset --synth simple_fm --rate 8000 --length 0.1 --count 4 --test 2 -o @/other")
      assert_fails("evaluate --model @/model --data @/other",
        "the model hears 0.25 s at 4000 Hz, and the data set has 0.1 s at 8000 Hz")
      assert_fails("evaluate --model @/model --data @/data --wav @/model/model.json", "model.json")
      local _, complaint, status = run("evaluate --model @/model --data @/data --csv @/none/x.csv")
      assert.equal(1, status)
      assert.matches("/none/x.csv", complaint)
    end)
  end)

  describe("sample", function()
    it("makes a sound of given parameters and random ones", function()
      local text = run_well("sample --synth simple_fm --set attack=#3,carrier=440 --fix depth=0.5 --seed 4 "
        .. "--rate 8000 --length 0.5 -o @/one/sound.wav")
      assert.matches("\nattack +0%.2 +s +#3 +fixed", text)
      assert.matches("\ncarrier +440 +Hz +#0 +fixed", text)
      assert.matches("\ndepth +0%.5 +#5 +fixed", text)
      assert.matches("\nrelease +%S+ +s +#%d+ +random", text)
      local sound = assert(ym.audio.read(folder .. "/one/sound.wav"))
      assert.equal(8000, sound.rate)
      assert.equal(4000, #sound.samples)
      assert.equal(text, (run_well("sample --synth simple_fm --set attack=#3,carrier=440 --fix depth=0.5 --seed 4 "
        .. "--rate 8000 --length 0.5 -o @/one/sound.wav")))
    end)

    it("makes what the parameters that it tells make", function()
      local told = cjson.decode((run_well("sample --synth inversynth --seed 9 --length 0.2 --json -o @/it.wav")))
      local values = {}
      for name, parameter in pairs(told.sounds[1].parameters) do
        values[name] = parameter.value
      end
      local synth = ym.synths.get "inversynth"
      local expected = assert(synth:render(synth:row(values), { rate = told.rate, length = told.length }))[1]
      local sound = assert(ym.audio.read(told.sounds[1].file))
      assert.equal(#expected, #sound.samples)
      for i = 1, #expected, 37 do
        assert.near(expected[i], sound.samples[i], 1e-6)
      end
    end)

    it("makes several sounds, of one that a user wrote too", function()
      support.write_file(folder .. "/mine.lua", [[return { name = "mine", rate = 8000, length = 0.01,
        parameters = { { name = "level", kind = "continuous", least = 0, most = 3 } },
        render = function(values, rate, length)
          local samples = {}
          for i = 1, math.floor(rate * length) do samples[i] = values.level * (i % 2) end
          return samples
        end }]])
      run_well("dataset --synth @/mine.lua --count 6 --validation 2 -o @/mine")
      assert_fails("train --model fc_linear --data @/mine -o @/net", "mine.lua' when it was used: option 'synth'", 1)
      local told = cjson.decode((run_well("sample --synth @/mine.lua --count 70 --json -o @/many")))
      assert.equal(70, #support.listed(folder .. "/many"))
      for _, i in ipairs { 1, 64, 65, 70 } do
        assert.equal(("%s/many/sample_%03d.wav"):format(folder, i), told.sounds[i].file)
        local level = told.sounds[i].parameters.level.value
        if level > 0 then -- beyond full scale, too
          assert.near(level, assert(ym.audio.read(told.sounds[i].file)).samples[1], 1e-6)
        end
      end
    end)

    it("makes a patch heard whose every parameter is given", function()
      local fields = {}
      for _, field in ipairs(ym.patch.fields()) do
        local name = field.operator and ("op%d.%s"):format(field.operator, field.name) or field.name
        fields[#fields + 1] = ("%s=%d"):format(name, field.name == "ar" and 31 or field.name == "tl" and 127
          or math.max(field.minimum, 0))
      end
      local text = run_well("sample --synth opn2 --note C3 --held 0.1 --length 0.2 --rate 16000 -o @/soft.wav --set "
        .. table.concat(fields, ","))
      assert.is_nil(text:find("random", 1, true))
      assert.is_true(lfs.attributes(folder .. "/soft.wav", "size") > 4 * 3200) -- floats, heard or not
    end)

    it("says what is wrong with its arguments", function()
      assert_fails("sample", "--synth is missing", 2)
      assert_fails("sample --synth nope", "'nope', expected inversynth, opn2, simple_fm")
      assert_fails("sample --synth @/none.lua", "/none.lua")
      assert_fails("sample --synth simple_fm --set attak=1", "simple_fm has no parameter 'attak'", 2)
      assert_fails("sample --synth simple_fm --set attack=2", "attack is '2', expected 0..1", 2)
      assert_fails("sample --synth simple_fm --set attack=#16", "attack is '#16', expected #0..#15", 2)
      assert_fails("sample --synth simple_fm --set attack=x", "attack is 'x', expected 0..1", 2)
      assert_fails("sample --synth simple_fm --set attack", "'attack' is no list such as name=1,other=2", 2)
      assert_fails("sample --synth simple_fm --set attack=1 --fix attack=1", "'attack' is in --set and in --fix", 2)
      assert_fails("sample --synth simple_fm --note C4", "--note goes with --synth opn2", 2)
      assert_fails("sample --synth simple_fm -o @/x.flac", "x.flac: expected .wav or a folder")
      assert_fails("sample --synth simple_fm --count 2 -o @/x.wav", "x.wav: expected a folder, for several sounds")
    end)
  end)

  describe("reconstruct", function()
    it("tells the parameters of any sound, and goes on after a bad one", function()
      lfs.mkdir(folder .. "/in")
      local stereo, short = ym.tensor.new { 30000, 2 }, ym.tensor.new { 300 }
      for i = 1, 30000 do
        stereo:set(i, 1, math.sin(i / 20))
        stereo:set(i, 2, math.sin(i / 15))
      end
      for i = 1, 300 do
        short[i] = math.sin(i / 3)
      end
      assert(ym.audio.write(folder .. "/in/stereo.wav", stereo, 48000))
      assert(ym.audio.write(folder .. "/in/short.flac", short, 11025, { format = "flac" }))
      assert(ym.audio.write(folder .. "/in/silent.wav", ym.tensor.new { 100 }, 8000))
      -- a WAV of 8 bits
      local bytes = {}
      for i = 1, 2000 do
        bytes[i] = string.char(math.floor(128 + 100 * math.sin(i / 4)))
      end
      support.write_file(folder .. "/in/eight.wav", "RIFF" .. ("<I4"):pack(36 + 2000) .. "WAVEfmt "
        .. ("<I4I2I2I4I4I2I2"):pack(16, 1, 1, 8000, 8000, 1, 8) .. "data" .. ("<I4"):pack(2000) .. table.concat(bytes))
      support.write_file(folder .. "/in/empty.wav", "")
      local text, complaint, status = run("reconstruct @/in --model @/model -o @/out/deep")
      assert.equal(1, status)
      assert.matches("empty.wav: is empty\n", complaint)
      assert.matches("silent.wav: is silent", complaint)
      assert.equal(2, select(2, complaint:gsub("\n", "")))
      assert.matches("stereo.wav: %S+stereo_reconstruction.wav\n", text)
      assert.matches("\ncarrier +%S+ +Hz +#%d+ +%d+ %%", text)
      assert.matches("PCC of the spectrograms %-?%d%.%d+, of the whole spectra %-?%d%.%d+; log%-spectral", text)
      local expected = {}
      for _, stem in ipairs { "eight", "short", "stereo" } do
        local names = { stem .. ".json", stem .. "_heard.wav", stem .. "_reconstruction.wav" }
        table.move(names, 1, 3, #expected + 1, expected)
      end
      assert.same(expected, support.listed(folder .. "/out/deep"))
      for _, stem in ipairs { "eight", "short", "stereo" } do
        for _, part in ipairs { "heard", "reconstruction" } do
          local sound = ym.audio.read(("%s/out/deep/%s_%s.wav"):format(folder, stem, part))
          if sound then -- what a network tells may be silent
            assert.equal(4000, sound.rate)
            assert.equal(1000, #sound.samples)
          end
        end
        local told = document("/out/deep/" .. stem .. ".json")
        assert.equal("number", type(told.parameters.attack.value))
        assert.is_true(told.parameters.attack.share > 0 and told.parameters.attack.share <= 1)
      end
    end)

    it("prints one document", function()
      run_well("sample --synth simple_fm --set amplitude=1,attack=0 --rate 4000 --length 0.25 -o @/given.wav")
      local told = cjson.decode((run_well("reconstruct @/given.wav --model @/model --json -o @/json --trim")))
      assert.equal(1, #told.files)
      assert.equal(folder .. "/given.wav", told.files[1].file)
      for _, parameter in ipairs(ym.synths.get("simple_fm").parameters) do
        assert.equal("number", type(told.files[1].parameters[parameter.name].class), parameter.name)
      end
    end)

    it("writes over no sound that it is to tell", function()
      local sound = ym.tensor.new { 1000 }
      sound:fill(0.5)
      sound[1] = 0
      assert(ym.audio.write(folder .. "/x.wav", sound, 4000))
      assert(ym.audio.write(folder .. "/x_heard.wav", sound, 4000))
      local before = support.read_file(folder .. "/x_heard.wav")
      local _, complaint, status = run("reconstruct @/x.wav @/x_heard.wav --model @/model -o @")
      assert.equal(1, status)
      assert.matches("x_heard.wav: is a sound to be told, and not overwritten", complaint)
      assert.equal(before, support.read_file(folder .. "/x_heard.wav"))
    end)

    it("writes the patch of the chip", function()
      run_well("dataset --synth opn2 --fix algorithm=4 --rate 8000 --length 0.2 --held 0.1 --count 24 --validation 4 "
        .. "-o @/chip_data")
      run_well("train --model conv1 --data @/chip_data --epochs 1 -o @/chip_model")
      run_well("sample --synth opn2 --set algorithm=4 --held 0.1 --rate 8000 --length 0.2 -o @/note.wav")
      local text = run_well("reconstruct @/note.wav --model @/chip_model -o @/chip")
      assert.matches("\nalgorithm +4 +#4 +fixed", text)
      assert.matches("; D %d+%.%d%d dB", text)
      local patch = assert(ym.patch.read(folder .. "/chip/note.y12"))
      local told = document "/chip/note.json"
      assert.equal(4, patch.algorithm)
      assert.equal("note", patch.name)
      assert.equal(told.parameters["op2.tl"].value, patch[2].tl)
      assert.equal(told.parameters["op3.dt"].value, patch[3].dt)
      assert.equal(folder .. "/chip/note.y12", told.patch)
      assert.is_true(told.distance >= 0)
    end)

    it("says what is wrong with its arguments", function()
      assert_fails("reconstruct @/x.wav", "missing option '--model'", 2)
      assert_fails("reconstruct --model @/model", "missing argument 'FILE'", 2)
      assert_fails("reconstruct @/none.wav --model @/model -o @/none_out", "/none.wav")
      assert_fails("reconstruct @/none.wav --model @/none -o @/none_out", "/none/model.json")
      support.write_file(folder .. "/text.wav", "no sound")
      assert_fails("reconstruct @/text.wav --model @/model -o @/none_out", "text.wav")
    end)
  end)
end)
