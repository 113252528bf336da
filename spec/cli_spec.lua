-- The command, run as a user runs it from a checkout.
local cjson = require "cjson"
local lfs = require "lfs"
local support = require "spec.support"
local ym = require "ym2612ml"

local COMMAND = "lua5.4 lua/ym2612ml/cli.lua "

local read, write = support.read_file, support.write_file

describe("the command", function()
  local folder

  before_each(function() folder = support.new_folder() end)

  after_each(function() support.remove_folder(folder) end)

  -- Runs the command; @ in the arguments is the folder.
  local function run(arguments)
    return support.run(COMMAND .. arguments, folder)
  end

  local function assert_fails(arguments, expected, status)
    support.assert_fails(COMMAND .. arguments, folder, expected, status)
  end

  local function patch(name)
    local made = { algorithm = 4, feedback = 5, name = name }
    for i = 1, 4 do
      made[i] = { mul = i, dt = -1, tl = 10 * i, rs = 0, ar = 31, dr = 8, sr = 2, rr = 9, sl = 3 }
    end
    assert(ym.patch.write(("%s/%s.y12"):format(folder, name), made))
    return made
  end

  local function listed(inner)
    return support.listed(folder .. (inner or ""))
  end

  describe("itself", function()
    it("tells what it can do", function()
      local text, complaint, status = run("--help")
      assert.equal(0, status)
      assert.equal("", complaint)
      for _, name in ipairs {
        "match", "render", "report", "info", "convert", "bank", "vgm", "mine", "rom", "split", "table", "dataset",
        "train", "evaluate", "compare", "sample", "reconstruct", "live", "verify", "generate", "complete", "vary",
        "interpolate", "features", "experiment", "duplicates", "judge",
      } do
        assert.is_truthy(text:find("\n%s+" .. name .. " "), name)
        local help, _, inner = run(name .. " --help")
        assert.equal(0, inner)
        assert.is_truthy(help:find("Usage: ym2612ml " .. name, 1, true), name)
      end
    end)

    it("tells the defaults that the library has", function()
      local function default_of(module, option)
        local pattern = ("\n  %s = {[^\n]- default = (%%d+) }"):format(option)
        return assert(read(("lua/ym2612ml/%s.lua"):format(module)):match(pattern), option)
      end
      local help = run("train --help")
      for _, option in ipairs { "records", "epochs" } do
        local default = default_of("training", option)
        assert.matches(("--%s COUNT [^-]*%%sDefault:%%s+%s[.;]"):format(option, default), help)
      end
      local budgets = require "ym2612ml.estimate".BUDGETS
      local words = ("fast %%(%.0f ms%%), default %%(%d s%%), best %%(%d s%%)"):format(1000 * budgets.fast,
        budgets.default, budgets.best)
      for _, command in ipairs { "match", "evaluate" } do
        assert.matches(words, (run(command .. " --help"):gsub("%s+", " ")))
      end
    end)

    it("says in one line what is wrong with its arguments", function()
      assert_fails("", "a command is required", 2)
      assert_fails("frobnicate", "unknown command 'frobnicate'", 2)
      assert_fails("info", "missing argument 'FILE'", 2)
      assert_fails("render x.y12 --note H9", "option '--note': 'H9' is no note", 2)
      assert_fails("render x.y12 --held=-1", "option '--held': '-1' is not a time in seconds", 2)
      assert_fails("render x.y12 --held nan", "not a time in seconds", 2)
      assert_fails("table x.wav --size 33", "option '--size': '33' is not an even number", 2)
      assert_fails("render x.y12 --chip opl3", "--chip", 2)
      assert_fails("render x.y12 --loud", "unknown option '--loud'", 2)
    end)

    it("runs from any folder", function()
      local here = lfs.currentdir()
      local pipe = io.popen(("cd / && lua5.4 '%s/lua/ym2612ml/cli.lua' info --help"):format(here))
      assert.is_truthy(pipe:read("a"):find("Usage", 1, true))
      assert.is_true(pipe:close())
      pipe = io.popen("cd lua/ym2612ml && lua5.4 cli.lua info --help")
      assert.is_truthy(pipe:read("a"):find("Usage", 1, true))
      assert.is_true(pipe:close())
    end)
  end)

  describe("info", function()
    it("prints every field of a patch", function()
      patch("lead")
      local text, complaint, status = run("info @/lead.y12")
      assert.equal(0, status, complaint)
      assert.is_truthy(text:find("(lead)", 1, true))
      assert.is_truthy(text:find("algorithm 4: (1 > 2) + (3 > 4)", 1, true))
      assert.is_truthy(text:find("op 1  op 2*  op 3  op 4*", 1, true))
      assert.is_truthy(text:find("tl +10 +20 +30 +40"))
    end)

    it("prints JSON, and goes on after a bad file", function()
      local made = patch("lead")
      write(folder .. "/short.y12", "abc")
      local text, complaint, status = run("info --json @/short.y12 @/lead.y12 @/none.y12")
      assert.equal(1, status)
      local patches = cjson.decode(text).patches
      assert.equal(1, #patches)
      assert.equal(made[3].tl, patches[1].operators[3].tl)
      assert.is_truthy(complaint:find("short.y12", 1, true), complaint)
      assert.is_truthy(complaint:find("none.y12", 1, true), complaint)
    end)

    it("refuses what is no patch", function()
      write(folder .. "/short.y12", ("x"):rep(127))
      assert_fails("info @/short.y12", "short.y12")
      assert_fails("info @", folder)
      assert_fails("info @/none.y12", "none.y12")
    end)
  end)

  describe("render", function()
    it("plays a patch into a file, like ym.render", function()
      local made = patch("lead")
      local _, complaint, status = run("render @/lead.y12 -o @/lead.wav --note A4 --held 0.2 "
        .. "--release 0.1 --chip clean --rate 48000")
      assert.equal(0, status, complaint)
      local sound = assert(ym.audio.read(folder .. "/lead.wav"))
      local samples = ym.render(made,
        { note = 69, held = 0.2, release = 0.1, chip = "clean", rate = 48000 })
      assert.equal(48000, sound.rate)
      assert.equal(#samples, #sound.samples)
      for i = 1, #samples, 97 do
        local expected = math.max(-1, math.min(1, samples[i]))
        assert.is_true(math.abs(expected - sound.samples[i]) < 1e-4)
      end
      assert.same({ "lead.wav", "lead.y12" }, listed())
    end)

    it("plays folders, and keeps files of one name apart", function()
      lfs.mkdir(folder .. "/in")
      lfs.mkdir(folder .. "/in/a")
      patch("in/a/lead")
      patch("in/lead")
      local _, complaint, status = run("render @/in -o @/out/deep --held 0.01 --release 0")
      assert.equal(0, status, complaint)
      assert.same({ "lead-2.wav", "lead.wav" }, listed("/out/deep"))
    end)

    it("reports a bad patch and plays the others", function()
      patch("good")
      write(folder .. "/bad.y12", ("\255"):rep(128))
      local _, complaint, status = run("render @/bad.y12 @/good.y12 -o @/out --held 0.01")
      assert.equal(1, status)
      assert.is_truthy(complaint:find("bad.y12", 1, true), complaint)
      assert.same({ "good.wav" }, listed("/out"))
    end)

    it("says where it cannot write", function()
      patch("lead")
      write(folder .. "/file", "")
      assert_fails("render @/lead.y12 -o @/file/out.wav", folder .. "/file")
      assert_fails("render @/empty -o @/x.wav", "empty")
      lfs.mkdir(folder .. "/hollow")
      assert_fails("render @/hollow -o @/out", "hollow: holds no patches")
      assert.same({ "file", "hollow", "lead.y12" }, listed())
    end)

    it("takes for its output a sound file or a folder, and nothing else", function()
      patch("one")
      patch("two")
      local short = " --held 0.01 --release 0"
      assert_fails("render @/one.y12 -o @/a.mp3" .. short, "a.mp3: expected .wav, .flac or a folder")
      assert_fails("render @/one.y12 @/two.y12 -o @/two.wav" .. short,
        "two.wav: expected a folder, for several patches")
      assert_fails("render @ -o @/all.flac" .. short, "all.flac: expected a folder, for several patches")
      assert.same({ "one.y12", "two.y12" }, listed())
      for _, output in ipairs { "a.FLAC", "b", "c.d/", "e/f.wav" } do
        local _, complaint, status = run("render @/one.y12 -o @/" .. output .. short)
        assert.equal(0, status, complaint)
      end
      assert.same({ "a.FLAC", "b", "c.d", "e", "one.y12", "two.y12" }, listed())
      assert.equal("fLaC", read(folder .. "/a.FLAC"):sub(1, 4))
      assert.same({ "one.wav" }, listed("/b"))
      assert.same({ "one.wav" }, listed("/c.d"))
      assert.same({ "f.wav" }, listed("/e"))
    end)
  end)

  describe("train", function()
    it("makes models that match can use", function()
      local out = run("train -o @/models --records 400 --epochs 1 --json")
      local summary = cjson.decode(out)
      assert.is_true(summary.records > 300 and summary.records <= 400)
      local _, _, status = run("match examples/samples/marimba_A4.flac --models @/models --renders 8 -o @/out")
      assert.equal(0, status)
    end)

    it("tells the time left", function()
      local script = [[
        local ym = require "ym2612ml"
        local list = {
          { stage = "a", done = 1, total = 2, loss = 0.5, eta = 61.7 },
          { stage = "b", done = 1, total = 1, summary = { records = 1 } },
        }
        ym.training.steps = function() return function() return table.remove(list, 1) end end
        local report = require "ym2612ml.cli.console".new()
        function report:progress(_, _, label) io.write(label, "\n") end
        require "ym2612ml.cli.train".run({ output = arg[1], json = true }, report)
      ]]
      local path = folder .. "/script.lua"
      local file = assert(io.open(path, "w"))
      file:write(script)
      file:close()
      local pipe = assert(io.popen(
        ("LUA_PATH='./lua/?.lua;./lua/?/init.lua;;' LUA_CPATH='%s' lua5.4 '%s' '%s/m' 2>&1"):format(package.cpath,
          path, folder)))
      local text = pipe:read("a")
      pipe:close()
      assert.matches("a, loss 0.500, 62 s left", text, 1, true)
    end)

    it("refuses what it cannot learn from", function()
      assert_fails("train -o @/out --patches @/none.csv", "none.csv")
      assert_fails("train -o @/out --records 3", "--records", 2)
      write(folder .. "/file", "")
      assert_fails("train -o @/file/out --patches @/none.csv", "/file: cannot make this folder")
    end)

    it("keeps what it needs to go on in the folder for the models, hidden", function()
      assert_fails("train -o @/a/models --patches @/none.csv", "none.csv")
      assert.same({ "a" }, listed())
      assert.same({ "models" }, listed("/a"))
      assert.equal("directory", lfs.attributes(folder .. "/a/models/.work", "mode"))
      assert_fails("train -o @/b --work @/c/d --patches @/none.csv", "none.csv")
      assert.equal("directory", lfs.attributes(folder .. "/c/d", "mode"))
      assert.is_nil(lfs.attributes(folder .. "/b/.work", "mode"))
    end)
  end)

  describe("table", function()
    it("writes the registers of patches as CSV", function()
      patch("lead")
      patch('a "b", c')
      local text, complaint, status = run("table @")
      assert.equal(0, status, complaint)
      local lines = {}
      for line in text:gmatch("[^\n]+") do
        lines[#lines + 1] = line
      end
      assert.equal(3, #lines)
      assert.is_truthy(lines[1]:find("^file,algorithm,feedback,.*,op1_mul,.*op4_ssg$"))
      assert.is_truthy(lines[2]:find('/a ""b"", c.y12",4,5,', 1, true), lines[2])
      assert.equal(select(2, lines[1]:gsub(",", "")), select(2, lines[3]:gsub(",", "")))
    end)

    it("writes sounds of any length as rows of one length", function()
      for seconds = 1, 2 do
        local samples = ym.render(patch("tone" .. seconds), { note = 69, held = seconds / 10 })
        assert(ym.audio.write(("%s/%d.wav"):format(folder, seconds), samples, 53267))
      end
      local _, complaint, status = run("table @/1.wav @/2.wav --kind samples --rate 8000 "
        .. "--seconds 0.8 -o @/x.npy")
      assert.equal(0, status, complaint)
      assert.same({ 2, 6400 }, assert(ym.store.read_npy(folder .. "/x.npy")):shape())
      for _, kind in ipairs { "mel", "spectrogram" } do
        _, complaint, status = run("table @/1.wav @/2.wav --rate 8000 --seconds 0.4 --bands 20 "
          .. "--size 256 --hop 128 --kind " .. kind .. " -o @/x.csv")
        assert.equal(0, status, complaint)
        local commas = {}
        for line in read(folder .. "/x.csv"):gmatch("[^\n]+") do
          commas[#commas + 1] = select(2, line:gsub(",", ""))
        end
        assert.same({ commas[1], commas[1], commas[1] }, commas)
      end
    end)

    it("shows silence as -60 with --db, and what is above as it is", function()
      local samples = ym.tensor.new { 4000 }
      for i = 1, 2000 do
        samples[i] = 0.5 * math.sin(2 * math.pi * i / 8)
      end
      assert(ym.audio.write(folder .. "/x.wav", samples, 8000))
      for _, kind in ipairs { "spectrogram", "mel" } do
        local _, complaint, status = run("table @/x.wav --rate 8000 --seconds 0.5 --size 256 --hop 256 "
          .. "--bands 8 --db -o @/x.npy --kind " .. kind)
        assert.equal(0, status, complaint)
        local row, least, most = ym.store.read_npy(folder .. "/x.npy")[1]:totable(), 0, -100
        for _, value in ipairs(row) do
          least, most = math.min(least, value), math.max(most, value)
        end
        assert.near(-60, least, 1e-3)
        assert.near(-60, row[#row], 1e-3) -- the last frame is silent
        assert.near(-6, most, 2)
      end
    end)

    it("writes no table of another kind", function()
      patch("lead")
      for _, name in ipairs { "x.txt", "x", "x.csv.gz" } do
        assert_fails("table @/lead.y12 -o @/" .. name, name .. ": expected .csv or .npy")
      end
      assert.same({ "lead.y12" }, listed())
    end)

    it("leaves out and reports what it cannot read", function()
      patch("lead")
      write(folder .. "/bad.y12", "abc")
      local text, complaint, status = run("table @")
      assert.equal(1, status)
      assert.is_truthy(complaint:find("bad.y12", 1, true))
      assert.equal(2, select(2, text:gsub("\n", "")))
      assert_fails("table @/none.wav", "none.wav")
    end)
  end)

  describe("verify", function()
    -- A set of one case, made by the chip itself.
    local function make_set(change)
      local chip, writes = ym.chip.new { chip = "ym3438" }, {}
      for _, register in ipairs(ym.patch.registers(patch("set"))) do
        writes[#writes + 1] = { #writes, register[1], register[2], register[3] }
      end
      for _, register in ipairs { { 0, 0xA4, 0x22 }, { 0, 0xA0, 0x69 }, { 0, 0x28, 0xF0 } } do
        writes[#writes + 1] = { #writes, table.unpack(register) }
      end
      for _, register in ipairs(writes) do
        chip:write(register[2], register[3], register[4])
      end
      local left, right = chip:run(2000)
      left, right = left:to("i16"):bytes(), right:to("i16"):bytes()
      local case = {
        id = 7, chip = "ym3438", total = 2000, writes = writes,
        crc32_l = ("%08x"):format(ym.crc32(left)), crc32_r = ("%08x"):format(ym.crc32(right)),
        windows = { { start = 100, count = 50, offset = 4, side = "L" } },
      }
      local samples = "...." .. left:sub(201, 300)
      if change then
        samples = change(case, samples) or samples
      end
      write(folder .. "/index.json", cjson.encode { cases = { case } })
      write(folder .. "/samples.bin", samples)
    end

    it("counts exact cases", function()
      make_set()
      local text, complaint, status = run("verify @")
      assert.equal(0, status, complaint)
      assert.equal("exact 1 of 1\n", text)
    end)

    it("finds one wrong sample, and a wrong checksum outside the windows", function()
      make_set(function(_, samples)
        return samples:sub(1, 84) .. "\127\127" .. samples:sub(87)
      end)
      local text, complaint, status = run("verify @")
      assert.equal(1, status)
      assert.equal("exact 0 of 1\n", text)
      assert.is_truthy(complaint:find("case 7 differs at frame 140, side L", 1, true), complaint)
      make_set(function(case)
        case.crc32_r = "00000000"
      end)
      text, complaint, status = run("verify @")
      assert.equal(1, status)
      assert.equal("exact 0 of 1\n", text)
      assert.is_truthy(complaint:find("on side R, expected 00000000", 1, true), complaint)
    end)

    it("refuses malformed sets", function()
      assert_fails("verify @/none", "index.json")
      write(folder .. "/samples.bin", "")
      write(folder .. "/index.json", "{")
      assert_fails("verify @", "index.json: expected an object with a list 'cases'")
      for _, change in ipairs {
        function(case) case.total = "many" end,
        function(case) case.writes = 3 end,
        function(case) case.writes = { { 5, 0, 0x28 } } end,
        function(case) case.writes = { { 5, 7, 0x28, 0 } } end,
        function(case) case.writes = { { 5, 0, 0x28, 0 }, { 4, 0, 0x28, 0 } } end,
        function(case) case.windows[1].start = 1990 end,
        function(case) case.windows[1].offset = 1000 end,
        function(case) case.chip = "opl" end,
      } do
        make_set(change)
        local text, complaint, status = run("verify @")
        assert.equal(1, status)
        assert.equal("exact 0 of 1\n", text)
        assert.is_truthy(complaint:find("index.json: case 7", 1, true), complaint)
      end
    end)

    local shared = "../shared/data/vectors/multi"
    local with_vectors = lfs.attributes(shared, "mode") and it or pending
    with_vectors("replays the reference vectors", function()
      assert.equal("exact 32 of 32\n", (run("verify " .. shared)))
    end)
  end)
end)
