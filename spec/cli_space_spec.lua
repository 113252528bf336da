-- The commands around the learned space of patches, run as a user runs them.
local cjson = require "cjson"
local lfs = require "lfs"
local support = require "spec.support"
local tiny = require "spec.tiny_space"
local ym = require "ym2612ml"

local COMMAND = "lua5.4 lua/ym2612ml/cli.lua "
local MODEL = " --model @/space.safetensors "
local SIZES = " --copies 1 --epochs 2 --batch 16 --width 16 --heads 2 --encoder 1 --decoder 1 --latents 3 --flows 1 "

describe("the command", function()
  local folder

  -- Runs the command; @ in the arguments is the folder.
  local function run_well(arguments)
    local text, complaint, status = support.run(COMMAND .. arguments, folder)
    assert(status == 0, complaint)
    return text, complaint
  end

  local function assert_fails(arguments, expected, status)
    support.assert_fails(COMMAND .. arguments, folder, expected, status)
  end

  local function bank(name)
    return assert(ym.patch.read_all(("%s/%s"):format(folder, name)))
  end

  -- A space, a bank of patches and two of them alone.
  setup(function()
    folder = support.new_folder()
    tiny.train(folder .. "/space.safetensors")
    local list = tiny.patches(30, 3)
    for i, patch in ipairs(list) do
      patch.name = "patch " .. i
    end
    assert(ym.patch.write(folder .. "/bank.wopn", list))
    for i, name in ipairs { "a", "b" } do
      assert(ym.patch.write(("%s/%s.fui"):format(folder, name), list[4 * i]))
    end
    support.write_file(folder .. "/junk.y12", "no patch")
  end)

  teardown(function() support.remove_folder(folder) end)

  describe("generate", function()
    it("writes banks, folders and single patches, the same for the same seed", function()
      local text = run_well("generate --count 5 --seed 2 -o @/new/made.wopn" .. MODEL)
      assert.equal(folder .. "/new/made.wopn: 5 patches\n", text)
      local list = bank("new/made.wopn")
      assert.equal(5, #list)
      assert.equal("generated 005", list[5].name)
      run_well("generate --count 5 --seed 2 --format fui -o @/new/single" .. MODEL)
      assert.equal("generated_001.fui generated_002.fui generated_003.fui generated_004.fui generated_005.fui",
        table.concat(support.listed(folder .. "/new/single"), " "))
      local single = bank("new/single/generated_003.fui")
      assert.equal(tiny.bytes { list[3] }, tiny.bytes(single))
      assert.equal("generated 003", single[1].name)
      run_well("generate --count 1 --seed 2 -o @/new/one.dmp" .. MODEL)
      assert.equal(list[1].algorithm, bank("new/one.dmp")[1].algorithm)
      local space = assert(ym.space.load(folder .. "/space.safetensors"))
      assert.equal(tiny.bytes(list), tiny.bytes((space:generate(5, { seed = 2 }))))
    end)

    it("keeps to registers, to what can be heard and to JSON", function()
      local text = run_well("generate --count 20 --audible --lock algorithm=5,op2.dt=-2,op4.tl=3 -o @/locked.gyb --json"
        .. MODEL)
      local document = cjson.decode(text)
      assert.same({ folder .. "/locked.gyb" }, document.files)
      assert.equal(20, #document.patches)
      for i, patch in ipairs(bank("locked.gyb")) do
        assert.same({ 5, -2, 3 }, { patch.algorithm, patch[2].dt, patch[4].tl })
        assert.equal(patch[1].tl, document.patches[i].operators[1].tl)
        assert.equal(("generated %03d"):format(i), document.patches[i].name)
      end
      local heard = require("ym2612ml.space.hearing").audible(bank("locked.gyb"))
      for i = 1, 20 do
        assert.is_true(heard[i])
      end
      assert_fails("generate --count 2 --audible --lock algorithm=0,op4.tl=127 -o @/silent.wopn" .. MODEL,
        "--audible", 1)
      assert.is_nil(lfs.attributes(folder .. "/silent.wopn"))
    end)

    it("tells once what a format does not hold", function()
      local _, complaint = run_well("generate --count 3 --lock ams=2 -o @/lossy" .. MODEL)
      assert.equal(3, select(2, complaint:gsub("does not hold ams 2", "")))
      assert.is_nil(complaint:find("name", 1, true))
    end)

    it("says what is wrong", function()
      assert_fails("generate --model @/missing.safetensors -o @/x", "missing.safetensors: No such file", 1)
      assert_fails("generate --model @/junk.y12 -o @/x", "junk.y12: is not", 1)
      assert_fails("generate -o @/x.mp3" .. MODEL, "x.mp3", 2)
      assert_fails("generate --count 2 -o @/x.dmp" .. MODEL, "x.dmp", 2)
      assert_fails("generate --count 0" .. MODEL, "--count", 2)
      assert_fails("generate --temperature hot" .. MODEL, "--temperature", 2)
      assert_fails("generate --lock lfo=1" .. MODEL, "lfo", 2)
      assert_fails("generate --lock op1.tl" .. MODEL, "op1.tl", 2)
      assert_fails("generate -o @/junk.y12/x" .. MODEL, "junk.y12", 1)
      if not lfs.attributes(ym.models.folder() .. "/" .. ym.models.files.space) then
        assert_fails("generate -o @/x", "no space came along", 1)
      end
    end)
  end)

  describe("complete and vary", function()
    it("keep registers and operators of a patch", function()
      local patch = bank("a.fui")[1]
      for i, command in ipairs { "complete @/a.fui --count 6 ", "vary @/a.fui --count 6 --strength 0.9 " } do
        local name = ("kept_%d.wopn"):format(i)
        run_well(command .. "--keep algorithm,op1,op3.tl --lock feedback=2 -o @/" .. name .. MODEL)
        local list = bank(name)
        assert.equal(6, #list)
        for _, other in ipairs(list) do
          assert.same({ patch.algorithm, 2, patch[3].tl }, { other.algorithm, other.feedback, other[3].tl })
          assert.same(patch[1], other[1])
        end
        assert.is_true(tiny.bytes { list[1] } ~= tiny.bytes { list[2] })
      end
      run_well("complete --lock algorithm=7 --count 2 -o @/alone.wopn" .. MODEL)
      assert.equal(7, bank("alone.wopn")[2].algorithm)
    end)

    it("give the same patch without strength", function()
      run_well("vary @/b.fui --strength 0 --count 2 -o @/still.wopn" .. MODEL)
      for _, other in ipairs(bank("still.wopn")) do
        assert.equal(tiny.bytes(bank("b.fui")), tiny.bytes { other })
      end
    end)

    it("say what is wrong", function()
      assert_fails("complete -o @/x" .. MODEL, "--lock or --keep", 2)
      assert_fails("complete --keep op1 -o @/x" .. MODEL, "--keep goes with a patch", 2)
      assert_fails("complete @/a.fui --keep op5 -o @/x" .. MODEL, "op5", 2)
      assert_fails("complete @/a.fui --keep op1.tl --lock op1.tl=127,op1.tl=126 -o @/x" .. MODEL, "two values", 2)
      assert_fails("complete @/junk.y12 --keep op1 -o @/x" .. MODEL, "junk.y12", 1)
      assert_fails("vary -o @/x" .. MODEL, "PATCH", 2)
      assert_fails("vary @/missing.y12 -o @/x" .. MODEL, "missing.y12: No such file", 1)
      assert_fails("vary @/a.fui --strength 2 -o @/x" .. MODEL, "--strength", 2)
      assert_fails("vary @/a.fui --count 1 -o @/a.fui" .. MODEL, "is one of the files to read", 1)
    end)
  end)

  describe("interpolate", function()
    it("goes from one patch to another, with a sound of the way", function()
      run_well("interpolate @/a.fui @/b.fui --steps 4 -o @/way.wopn --wav @/way.wav --held 0.2 --release 0.05" .. MODEL)
      local list = bank("way.wopn")
      assert.equal(4, #list)
      assert.equal(tiny.bytes(bank("a.fui")), tiny.bytes { list[1] })
      assert.equal(tiny.bytes(bank("b.fui")), tiny.bytes { list[4] })
      assert.near(4 * 0.25, assert(ym.audio.read(folder .. "/way.wav")).seconds, 0.01)
      run_well("interpolate --from=-1,0,0.5,1 @/b.fui --by space --steps 3 --format fui -o @/way" .. MODEL)
      assert.equal(3, #support.listed(folder .. "/way"))
      assert.equal(tiny.bytes(bank("b.fui")), tiny.bytes(bank("way/interpolated_003.fui")))
    end)

    it("sweeps each latent", function()
      local text = run_well("interpolate --sweep --steps 3 --temperature 1 -o @/sweep --json" .. MODEL)
      local ways = cjson.decode(text).ways
      assert.equal(4, #ways)
      for latent, way in ipairs(ways) do
        assert.same({ 3, 3 }, { #way.files, #way.patches })
        assert.equal(("%s/sweep/latent_%d/latent_%d_003.y12"):format(folder, latent, latent), way.files[3])
        assert.is_truthy(lfs.attributes(way.files[3]))
      end
      run_well("interpolate --sweep @/a.fui --steps 2 -o @/swept.wopn --wav @/swept.flac --held 0.1" .. MODEL)
      assert.equal(2, #bank("swept_latent_4.wopn"))
      assert.is_truthy(ym.audio.read(folder .. "/swept_latent_4.flac"))
    end)

    it("says what is wrong", function()
      assert_fails("interpolate -o @/x" .. MODEL, "two patches are needed", 2)
      assert_fails("interpolate @/a.fui -o @/x" .. MODEL, "two patches are needed", 2)
      assert_fails("interpolate @/a.fui @/b.fui --to 1,2,3,4 -o @/x" .. MODEL, "too many ends", 2)
      assert_fails("interpolate --sweep @/a.fui @/b.fui -o @/x" .. MODEL, "too many ends", 2)
      assert_fails("interpolate --sweep --to 1,2,3,4 -o @/x" .. MODEL, "--to does not go", 2)
      assert_fails("interpolate --from 1,2 --to 1,2,3,4 -o @/x" .. MODEL, "--from", 2)
      assert_fails("interpolate --from 1,a --to 1,2,3,4 -o @/x" .. MODEL, "--from", 2)
      assert_fails("interpolate @/a.fui @/b.fui --temperature 1 -o @/x" .. MODEL, "--temperature goes with", 2)
      assert_fails("interpolate @/a.fui @/b.fui --wav @/x.mp3 -o @/x" .. MODEL, "x.mp3", 1)
      assert_fails("interpolate @/a.fui @/missing.fui -o @/x" .. MODEL, "missing.fui: No such file", 1)
      assert_fails("interpolate @/a.fui @/b.fui --steps 1 -o @/x" .. MODEL, "--steps", 2)
    end)
  end)

  describe("features", function()
    it("tells where patches are, as CSV and for NumPy", function()
      local text, lines = run_well("features @/bank.wopn @/a.fui" .. MODEL), {}
      for line in text:gmatch("[^\n]+") do
        lines[#lines + 1] = line
      end
      assert.equal("name,mean_1,mean_2,mean_3,mean_4,deviation_1,deviation_2,deviation_3,deviation_4", lines[1])
      assert.equal(1 + 31, #lines)
      run_well("features @/bank.wopn -o @/latents.npy" .. MODEL)
      local values = assert(ym.store.read_npy(folder .. "/latents.npy"))
      assert.same({ 30, 8 }, values:shape())
      local space = assert(ym.space.load(folder .. "/space.safetensors"))
      local mean, deviation = space:encode(bank("bank.wopn"))
      assert.near(mean:get(3, 2), values:get(3, 2), 1e-5)
      assert.near(deviation:get(30, 4), values:get(30, 8), 1e-5)
      local name, first = lines[4]:match("^([^,]*),([^,]*),")
      assert.equal("patch 3", name)
      local both = bank("bank.wopn")
      both[31] = bank("a.fui")[1]
      mean = space:encode(both)
      assert.near(mean:get(3, 1), tonumber(first), 1e-5)
    end)

    it("says what is wrong", function()
      assert_fails("features @/bank.wopn -o @/x.txt" .. MODEL, "expected .csv or .npy", 1)
      assert_fails("features @/missing" .. MODEL, "missing", 1)
    end)
  end)

  describe("duplicates and judge", function()
    it("count and compare draws", function()
      local found = cjson.decode((run_well("duplicates --count 40 --patches @/bank.wopn --json" .. MODEL)))
      assert.same({ 40, 40, 25, 0 }, { found.count, found.valid, found.patches, found.copied })
      local text = run_well("duplicates --count 40" .. MODEL)
      assert.is_truthy(text:find("valid patches%s+40%s+100.000 %%"))
      assert.is_nil(text:find("learned from", 1, true))
      found = cjson.decode((run_well("judge @/bank.wopn --count 20 --validation 0.4 --json" .. MODEL)))
      assert.is_true(found.aside <= 12 and found.components == found.aside - 1)
      text = run_well("judge @/bank.wopn --count 20 --validation 0.4" .. MODEL)
      assert.is_truthy(text:find(("draws from the space +%.3f\n"):format(found.space)))
    end)

    it("say what is wrong", function()
      assert_fails("duplicates --count 4 --patches @/missing.csv" .. MODEL, "missing.csv: No such file", 1)
      assert_fails("judge @/missing.csv" .. MODEL, "missing.csv: No such file", 1)
      assert_fails("judge @/a.fui" .. MODEL, "can be heard, expected 2 or more", 1)
      assert_fails("judge" .. MODEL, "PATCHES", 2)
    end)
  end)

  describe("experiment", function()
    it("goes on where Ctrl-C stopped it, to the same bytes", function()
      run_well("experiment --patches @/bank.wopn -o @/straight.safetensors" .. SIZES .. "--epochs 40")
      local command = COMMAND .. "experiment --patches @/bank.wopn -o @/stopped.safetensors" .. SIZES .. "--epochs 40"
      -- stopped as soon as there is a state
      local _, complaint, status = support.run("set -m 2>/dev/null; " .. command .. " & i=0; "
        .. "until [ -e @/.stopped.state ] || [ $i -gt 600 ]; do sleep 0.02; i=$((i + 1)); done; kill -INT $!; wait $!",
        folder)
      assert.equal(130, status)
      assert.equal("ym2612ml: interrupted\n", complaint)
      assert.is_truthy(lfs.attributes(folder .. "/.stopped.state"))
      assert.is_nil(lfs.attributes(folder .. "/stopped.safetensors"))
      local text = run_well(command:sub(#COMMAND + 1))
      assert.is_truthy(text:find("stopped.safetensors: learned from %d+ patches, judged by %d+ set aside"))
      assert.is_truthy(text:find("negative ELBO +%d+%.%d+ nats"))
      assert.is_nil(lfs.attributes(folder .. "/.stopped.state"))
      assert.is_true(support.read_file(folder .. "/straight.safetensors")
        == support.read_file(folder .. "/stopped.safetensors"))
    end)

    it("repeats over seeds and keeps the first", function()
      run_well("experiment --patches @/bank.wopn -o @/first.safetensors --flows 0" .. SIZES)
      local text = run_well("experiment --patches @/bank.wopn -o @/trials/first.safetensors --trials 2 --json --flows 0"
        .. SIZES)
      local summary = cjson.decode(text).summary
      assert.equal(2, #summary.negative_elbo.values)
      assert.is_true(summary.negative_elbo.deviation > 0)
      assert.near(1 - summary.negative_elbo.values[1] / summary.marginals.values[1], summary.less.values[1], 1e-9)
      local names = {}
      for name in lfs.dir(folder .. "/trials") do
        names[#names + 1] = name
      end
      assert.equal(3, #names) -- and the two dots
      assert.is_true(support.read_file(folder .. "/trials/first.safetensors")
        == support.read_file(folder .. "/first.safetensors"))
    end)

    it("says what is wrong", function()
      assert_fails("experiment" .. SIZES, "--patches", 2)
      assert_fails("experiment --patches @/missing.csv -o @/x" .. SIZES, "missing.csv: No such file", 1)
      assert_fails("experiment --patches @/a.fui -o @/x" .. SIZES, "patches to learn from", 1)
      assert_fails("experiment --patches @/bank.wopn -o @/junk.y12/x" .. SIZES, "junk.y12", 1)
      support.write_file(folder .. "/.x.state", "no state")
      assert_fails("experiment --patches @/bank.wopn -o @/x" .. SIZES, ".x.state: is not a", 1)
      assert_fails("experiment --patches @/bank.wopn -o @/x" .. SIZES, "without this file it begins anew", 1)
      os.remove(folder .. "/.x.state")
      assert_fails("experiment --patches @/bank.wopn -o @/x --width 16 --heads 3", "--heads 3", 2)
      assert_fails("experiment --patches @/bank.wopn -o @/x --flows 1.5", "--flows", 2)
      assert_fails("experiment --patches @/bank.wopn -o @/x --dropout 1", "--dropout", 2)
    end)
  end)
end)
