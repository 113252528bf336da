-- The command dataset, as a user meets it: killed, run twice at once and on a full disk.
local cjson = require "cjson"
local lfs = require "ym2612ml.filesystem"
local support = require "spec.support"
local ym = require "ym2612ml"

local COMMAND = "lua5.4 lua/ym2612ml/cli.lua dataset "

local assert_same_files, snapshot = support.assert_same_files, support.snapshot
local write = support.write_file

describe("the command dataset", function()
  local folder
  before_each(function() folder = support.new_folder() end)
  after_each(function() support.remove_folder(folder) end)

  local ARGUMENTS = "--count 150 --validation 20 --shard-records 16 --held 0.05 --release 0.02 --seed 3 "

  local function run(command)
    return support.run(command, folder)
  end

  it("makes a data set, and tells what it made", function()
    local text, complaint, status = run(COMMAND .. ARGUMENTS .. "-o @/a/b --shard 1/2 --json")
    assert.equal(0, status, complaint)
    local summary = cjson.decode(text)
    assert.same({ 6, 6 }, { summary.shards, summary.missing })
    assert.is_truthy(text:find('"skipped":[]', 1, true))
    text = run(COMMAND .. ARGUMENTS .. "-o @/a/b")
    assert.matches("/a/b: 170 records in 12 shards; left out: %d+ notes without sound, %d+ repeated\n$", text)
  end)

  it("ends with the same bytes however often it is killed", function()
    local arguments = ARGUMENTS:gsub("150", "800")
    assert.equal(0, select(3, run(COMMAND .. arguments .. "-o @/straight")))
    local seed = os.time()
    local rng, killed = ym.rng.new { seed = seed }, 0
    local function survives()
      local seconds = 0.015 + 0.015 * killed + 0.03 * rng:uniform() -- at first too short for any run
      return select(3, run(("timeout -s KILL %.3f "):format(seconds) .. COMMAND .. arguments .. "-o @/killed")) == 0
    end
    while not survives() do
      killed = killed + 1
      assert.is_true(killed < 100, "seed " .. seed)
    end
    assert.is_true(killed > 0)
    assert_same_files(snapshot(folder .. "/straight"), folder .. "/killed")
  end)

  it("lets only one run make a part", function()
    assert(lfs.mkdir(folder .. "/set"))
    assert(lfs.mkdir(folder .. "/set/.work_all_1_of_1"))
    local lock <close> = assert(io.open(folder .. "/set/.work_all_1_of_1/lock", "w"))
    assert(lfs.lock(lock, "w"))
    local _, complaint, status = run(COMMAND .. ARGUMENTS .. "-o @/set")
    assert.equal(1, status)
    assert.is_truthy(complaint:find("another run is making this part", 1, true), complaint)
  end)

  it("says that the disk is full, and goes on when there is room", function()
    run(COMMAND .. ARGUMENTS .. "-o @/straight")
    run(COMMAND .. ARGUMENTS .. "-o @/full --shard 1/4")
    local made = snapshot(folder .. "/full")
    local _, complaint, status = run("trap \"\" XFSZ; ulimit -f 8; " .. COMMAND .. ARGUMENTS .. "-o @/full")
    assert.equal(1, status)
    assert.matches("features.npy: File too large\n$", complaint)
    assert.equal(1, select(2, complaint:gsub("\n", "")))
    assert_same_files(made, folder .. "/full")
    run(COMMAND .. ARGUMENTS .. "-o @/full")
    assert_same_files(snapshot(folder .. "/straight"), folder .. "/full")
  end)

  it("says in one line what is wrong", function()
    for arguments, expected in pairs {
      ["--notes C5-C4"] = "option '--notes': 'C5-C4': expected the lower first",
      ["--notes 60.5"] = "option '--notes': '60.5' is no whole note",
      ["--notes C4-Q"] = "option '--notes': 'Q' is no note",
      ["--held 0-1"] = "option '--held': '0' is not a time in seconds",
      ["--shard 3/2"] = "option '--shard': '3/2' is no part such as 1/4",
      ["--count 0"] = "option '--count': '0' is not a whole number",
    } do
      local _, complaint, status = run(COMMAND .. arguments .. " -o @/set")
      assert.equal(2, status)
      assert.is_truthy(complaint:find(expected, 1, true), complaint)
    end
    for arguments, expected in pairs {
      ["--real 1 -o @/set"] = "--mutated, --crossed and --real need --patches",
      ["--patches x --real 0.7 --mutated 0.6 --crossed 0 -o @/set"] = "--real 0.7 are more than 1 together",
      ["--count 100000 --shard-records 1 -o @/set"] = "--shard-records 1: 99999 shards of them hold 99999 notes",
      ["-o /dev/null/set"] = "/dev/null: cannot make this folder",
      ["--patches @/none.csv -o @/set"] = "none.csv: No such file or directory",
    } do
      local _, complaint, status = run(COMMAND .. arguments)
      assert.equal(1, status, complaint)
      assert.is_truthy(complaint:find(expected, 1, true), complaint)
      assert.equal(1, select(2, complaint:gsub("\n", "")), complaint)
    end
  end)

  it("writes what NumPy opens", function()
    local python
    for _, found in ipairs { "/usr/bin/python3", "python3" } do
      python = select(3, run(found .. " -c \"import numpy\"")) == 0 and found or python
    end
    if not python then
      return pending("NumPy is not there")
    end
    run(COMMAND .. ARGUMENTS .. "-o @/set")
    write(folder .. "/look.py", [[
import json, sys, zlib
import numpy
folder = sys.argv[1] + "/train_00001/"
info = json.load(open(folder + "shard.json"))
for name in ("patches", "notes", "held", "features"):
    array = numpy.load(folder + name + ".npy", mmap_mode="r")
    assert "%08x" % zlib.crc32(array.tobytes()) == info["arrays"][name]
    print(name, array.dtype, array.shape)
]])
    local text, complaint = run(python .. " @/look.py @/set")
    assert.equal("patches uint8 (16, 49)\nnotes uint8 (16,)\nheld float32 (16,)\nfeatures float16 (16, 1024)\n",
      text, complaint)
  end)
end)
