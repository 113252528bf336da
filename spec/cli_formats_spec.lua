-- The commands that turn patch files into others, run as a user runs them from a checkout.
local cjson = require "cjson"
local lfs = require "lfs"
local support = require "spec.support"
local ym = require "ym2612ml"

local COMMAND = "lua5.4 lua/ym2612ml/cli.lua "

describe("the command", function()
  local with_models = lfs.attributes("models/matcher.safetensors", "mode") and it or pending
  local folder

  before_each(function() folder = support.new_folder() end)

  after_each(function() support.remove_folder(folder) end)

  -- Runs the command; @ in the arguments is the folder.
  local function run(arguments)
    local text, complaint, status = support.run(COMMAND .. arguments, folder)
    assert.equal(0, status, complaint)
    return text, complaint
  end

  local function assert_fails(arguments, expected, status)
    support.assert_fails(COMMAND .. arguments, folder, expected, status)
  end

  local function patch(name, changes)
    local made = { name = name, algorithm = 4, feedback = 5 }
    for i = 1, 4 do
      made[i] = { mul = i, dt = -1, tl = 10 * i, rs = 0, ar = 31, am = 0, dr = 8, sr = 2, rr = 9, sl = 3 }
    end
    for key, value in pairs(changes or {}) do
      made[key] = value
    end
    return made
  end

  -- Writes a file of patches.
  local function given(path, list, format)
    assert(ym.patch.write(folder .. "/" .. path, list, format))
  end

  local function read_all(path)
    return assert(ym.patch.read_all(folder .. "/" .. path))
  end

  describe("convert", function()
    it("writes another format, and tells what it does not hold", function()
      given("lead.fui", patch("lead", { ams = 2, fms = 3 }))
      local text, complaint = run("convert @/lead.fui --to tfi -o @/out/deep")
      assert.equal("", text)
      assert.matches("out/deep/lead.tfi: the format does not hold ams 2, fms 3\n", complaint, 1, true)
      assert.same({ "lead.tfi" }, support.listed(folder .. "/out/deep"))
      assert.equal(20, read_all("out/deep/lead.tfi")[1][2].tl)
      local _, nothing = run("convert @/lead.fui --to opni --version 1 -o @/out")
      assert.equal("", nothing)
      assert.equal(77, #support.read_file(folder .. "/out/lead.opni"))
    end)

    it("makes a bank of a bank, and files of their own where the format holds one patch", function()
      given("bank.opm", { patch("Piano/1"), patch(""), patch("Piano/1") })
      run("convert @/bank.opm --to wopn -o @/out")
      assert.equal(3, #read_all("out/bank.wopn"))
      run("convert @/bank.opm --to dmp -o @/out")
      assert.same({ "Piano_1-2.dmp", "Piano_1.dmp", "bank.wopn", "bank_002.dmp" }, support.listed(folder .. "/out"))
      given("far.opm", { patch("../../away"), patch("x" .. ("é"):rep(70)) })
      run("convert @/far.opm --to eif -o @/far")
      assert.same({ "away.eif", "x" .. ("é"):rep(49) .. ".eif" }, support.listed(folder .. "/far"))
    end)

    it("goes on after a bad file, and overwrites none that it reads", function()
      given("a.tfi", patch("a"))
      support.write_file(folder .. "/b.tfi", "no patch")
      local _, complaint, status = support.run(COMMAND .. "convert @/b.tfi @/a.tfi --to y12 -o @", folder)
      assert.equal(1, status)
      assert.matches("b.tfi: a TFI has 42 bytes, this has 8", complaint, 1, true)
      assert.equal(10, read_all("a.y12")[1][1].tl)
      assert_fails("convert @/a.tfi --to tfi -o @", "is one of the files to read")
    end)

    it("says what is wrong with its arguments", function()
      assert_fails("convert x --to bamboo", "--to", 2)
      assert_fails("convert x", "missing option '--to'", 2)
      assert_fails("convert x --to wopn --version 3", "option '--version': 3, expected 1 or 2", 2)
      assert_fails("convert x --to tfi --version 1", "option '--version': 1, expected none", 2)
      assert_fails("convert @ --to tfi", "holds no patches")
    end)
  end)

  describe("bank", function()
    local function bank()
      given("bank.wopn", { patch("one"), patch("two", { feedback = 0 }), patch("three") })
    end

    it("lists patches, and voices of a DX7", function()
      bank()
      support.write_file(folder .. "/voices.syx", "\xF0\x43\0\0\1\x1B" .. ("\5"):rep(145) .. "BRASS  1  \0\xF7")
      local text, complaint = run("bank list @")
      assert.matches("voices.syx: has a wrong checksum", complaint, 1, true)
      assert.matches("bank.wopn: 3 patches\nnumber  name", text)
      assert.matches("\n +2  two +4 +0  10 20%* 30 40%* +0 0 off +melodic 0:1\n", text)
      assert.matches("BRASS  1 +6 +5", text)
      local files = cjson.decode((run("bank list --json @"))).files
      assert.equal("three", files[1].patches[3].name)
      assert.equal(40, files[1].patches[3].operators[4].tl)
      assert.equal(6, #files[2].voices[1].operators)
    end)

    it("prints no bytes of a name that a terminal would obey", function()
      given("bank.opni", patch("\x1B[2J\xFC"))
      local text = run("bank list @/bank.opni")
      assert.matches("?[2J\u{FC}", text, 1, true)
      given("named.y12", patch("x", { game = "\xFC" }))
      assert.equal("\u{FC}", cjson.decode((run("bank list --json @/named.y12"))).files[1].patches[1].game)
      support.write_file(folder .. "/bad.txt", "ym2612ml patches\nname: x\nalgorithm: \27[2J\n")
      assert_fails("bank list @/bad.txt", "algorithm is \\27[2J, expected 0..7")
    end)

    it("extracts all patches or some", function()
      bank()
      run("bank extract @/bank.wopn -o @/out")
      assert.same({ "one.y12", "three.y12", "two.y12" }, support.listed(folder .. "/out"))
      run("bank extract @/bank.wopn --select 2-3 --to eif -o @/some")
      assert.same({ "three.eif", "two.eif" }, support.listed(folder .. "/some"))
      assert_fails("bank extract @/bank.wopn --select 9 -o @/none", "no patch was chosen of 3")
      assert_fails("bank extract @/bank.wopn --select 3-1", "is no list of numbers", 2)
      assert_fails("bank extract @/bank.wopn --select 1-99999999999999999999", "is no list of numbers", 2)
      given("more.opm", { patch("four"), patch("five") })
      run("bank extract @/bank.wopn @/more.opm --select 2 -o @/each")
      assert.same({ "five.y12", "two.y12" }, support.listed(folder .. "/each"))
    end)

    it("builds one of files, banks and folders", function()
      lfs.mkdir(folder .. "/in")
      given("in/a.tfi", patch("a"))
      given("in/b.opm", { patch("b"), patch("c") })
      local _, complaint = run("bank build @/in -o @/out.gyb")
      assert.equal("", complaint)
      local names = {}
      for i, found in ipairs(read_all("out.gyb")) do
        names[i] = found.name
      end
      assert.same({ "a", "b", "c" }, names)
      assert_fails("bank build @/in -o @/out.tfi", "is no bank", 2)
      assert_fails("bank build @/in/b.opm -o @/in/b.opm", "is one of the files to read")
      assert_fails("bank build @/in", "missing option '-o'", 2)
      assert_fails("bank", "a command is required", 2)
    end)

    it("finds patches that sound the same, and keeps one of each", function()
      given("bank.opm", { patch("one"), patch("two", { feedback = 0 }), patch("other name for one") })
      local text = run("bank dedupe @/bank.opm -o @/out.txt")
      assert.matches("other name for one +%S+bank.opm +one +%S+bank.opm", text)
      assert.matches("3 patches, 2 of them unlike each other", text)
      assert.equal(2, #read_all("out.txt"))
    end)
  end)

  it("render, info and table take banks", function()
    given("bank.gyb", { patch("one"), patch("two") })
    run("render @/bank.gyb -o @/out --held 0.01 --release 0")
    assert.same({ "bank_001.wav", "bank_002.wav" }, support.listed(folder .. "/out"))
    assert_fails("render @/bank.gyb -o @/one.wav", "holds 2 patches")
    local text = run("info @/bank.gyb")
    assert.is_truthy(text:find("(one)", 1, true) and text:find("(two)", 1, true))
    local shown = cjson.decode((run("info --json @/bank.gyb"))).patches
    assert.is_nil(shown[2].carried)
    assert.matches("bank.gyb:2,4,5,", run("table @/bank.gyb"), 1, true)
  end)

  describe("match", function()
    with_models("writes the formats it is asked for, and replaces those of an earlier run", function()
      local samples, rate = ym.render(support.PATCH, { note = 60, held = 0.3, release = 0.1 })
      assert(ym.audio.write(folder .. "/tone.wav", samples, rate))
      run("match @/tone.wav -o @/out --renders 8 --note C4 --format fui,tfi")
      local counts = {}
      local function count()
        counts = {}
        for _, name in ipairs(support.listed(folder .. "/out")) do
          local ending = name:match("%w+$")
          counts[ending] = (counts[ending] or 0) + 1
        end
      end
      count()
      assert.same({ fui = 8, tfi = 8, wav = 8 }, counts)
      for _, name in ipairs(support.listed(folder .. "/out")) do
        if name:find("%.fui$") then
          local one = assert(ym.patch.read(("%s/out/%s"):format(folder, name)))
          local other = assert(ym.patch.read(("%s/out/%s"):format(folder, name:gsub("fui$", "tfi"))))
          assert.same(ym.patch.canonical(one), ym.patch.canonical(other))
        end
      end
      run("match @/tone.wav -o @/out --renders 8 --note C4 --format wopn --lfo")
      count()
      assert.same({ wopn = 8, wav = 8 }, counts)
    end)

    it("says which formats cannot do what is asked", function()
      assert_fails("match x --format xyz", "'xyz' is no format that can be written", 2)
      assert_fails("match x --format bamboo", "'bamboo' is no format", 2)
      assert_fails("match x --lfo --format wopn,tfi", "option '--lfo': a .tfi file cannot hold", 2)
      assert_fails("match x --lock fms=3", "option '--lock': a .y12 file cannot hold 'fms'", 2)
    end)
  end)
end)
