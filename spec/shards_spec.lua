-- Data sets in shards: what is in them, and that no interruption or failure of the world
-- changes a byte of what comes out.
local cjson = require "cjson"
local files = require "ym2612ml.files"
local lfs = require "ym2612ml.filesystem"
local support = require "spec.support"
local ym = require "ym2612ml"

local RECIPE = { { kind = "mel", size = 256, bands = 8, on = { 0.01, 0.05 }, off = { 0.01 } } }

local assert_fails = support.assert_steps_fail
local assert_same_files, snapshot = support.assert_same_files, support.snapshot
local read, write = support.read_file, support.write_file
local finish = support.finish

-- Copies the shards of one data set that have this in their names to another.
local function copy_shards(from, to, wanted)
  lfs.mkdir(to)
  for path, bytes in pairs(snapshot(from)) do
    local shard = path:match("^(/[%w_]+)/") or path
    if shard:find(wanted) then
      if shard ~= path then
        lfs.mkdir(to .. shard)
      end
      write(to .. path, bytes)
    end
  end
end

local function sounding(changes)
  local patch = { algorithm = 7, feedback = 2 }
  for o = 1, 4 do
    patch[o] = { mul = o, dt = 0, tl = 20, rs = 0, ar = 31, dr = 5, sr = 2, rr = 9, sl = 3 }
  end
  for name, value in pairs(changes or {}) do
    patch[name] = value
  end
  return patch
end

local function silent()
  local patch = sounding()
  for o = 1, 4 do
    patch[o].ar, patch[o].tl = 0, 127
  end
  return patch
end

describe("a data set in shards #c", function()
  local folder
  before_each(function() folder = support.new_folder() end)
  after_each(function() support.remove_folder(folder) end)

  -- A small data set; name: of its folder.
  local function steps(name, changes)
    local options = {
      output = folder .. "/" .. name, count = 100, validation = 30, shard_records = 32, recipe = RECIPE,
      held = { 0.06, 0.06 }, release = 0.02, seed = 5,
    }
    for key, value in pairs(changes or {}) do
      options[key] = value
    end
    return ym.dataset.steps(options)
  end

  -- Writes a table of patches, with further columns.
  local function write_table(rows)
    local names, lines = { "split", "family" }, {}
    for _, field in ipairs(ym.patch.fields()) do
      names[#names + 1] = field.operator and ("op%d_%s"):format(field.operator, field.name) or field.name
    end
    lines[1] = table.concat(names, ",")
    for _, row in ipairs(rows) do
      local cells = { row.split or "", row.family or "" }
      for _, field in ipairs(ym.patch.fields()) do
        local owner = field.operator and row.patch[field.operator] or row.patch
        cells[#cells + 1] = owner[field.name] or math.max(field.minimum, 0)
      end
      lines[#lines + 1] = table.concat(cells, ",")
    end
    write(folder .. "/table.csv", table.concat(lines, "\n") .. "\n")
    return folder .. "/table.csv"
  end

  -- All records: patch bytes, notes and the rest, in the order of the shards of a split.
  local function records(name, split)
    local list = {}
    for _, shard in ipairs(assert(ym.dataset.open(folder .. "/" .. name)).shards) do
      if shard.split == split then
        local arrays = assert(ym.dataset.read(shard))
        for i = 1, shard.records do
          list[#list + 1] = { patch = ym.patch.unpack(arrays.patches:rows { i })[1], note = arrays.notes[i] }
        end
      end
    end
    return list
  end

  it("has the records asked for, each what the chip plays", function()
    local summary = finish(steps("set"))
    assert.same({ records = 130, shards = 5, missing = 0, skipped = {}, dropped = summary.dropped }, summary)
    local set = assert(ym.dataset.open(folder .. "/set"))
    assert.same({ 5, 0 }, { #set.shards, #set.missing })
    local features = ym.features.new(set.recipe)
    local counts, draws = {}, 0
    for _, shard in ipairs(set.shards) do
      local arrays, dropped = assert(ym.dataset.read(shard))
      counts[#counts + 1] = #arrays.features
      draws = draws + dropped.silent + dropped.duplicate
      local again, audible = ym.batch.features(arrays.patches, features,
        { note = arrays.notes, held = arrays.held, release = 0.02 })
      assert.is_true(again:bytes() == arrays.features:bytes())
      local canonical, seen = ym.patch.canonical(arrays.patches):bytes(), {}
      for i = 1, #arrays.notes do
        local key = canonical:sub(49 * i - 48, 49 * i) .. arrays.notes[i]
        assert.is_nil(seen[key])
        seen[key] = true
        assert.equal(1, audible[i])
        assert.is_true(arrays.notes[i] >= 21 and arrays.notes[i] <= 108)
        assert.near(0.06, arrays.held[i], 1e-8)
      end
    end
    assert.same({ 32, 32, 32, 4, 30 }, counts)
    assert.equal(draws, summary.dropped.silent + summary.dropped.duplicate)
    assert.is_true(draws > 0)
    local index = cjson.decode(read(folder .. "/set/index.json"))
    assert.same(cjson.decode(cjson.encode(ym.patch.fields()[6].minimum)), index.fields[6].minimum)
    assert.equal(24, index.features.values)
    assert.equal("ym2612", index.chip)
  end)

  it("takes the times of its features as tensors, too", function()
    finish(steps("tensor", { count = 8, validation = 0, recipe = {
      { kind = "mel", size = 256, bands = 8, on = ym.tensor.from({ 0.25, 0.5 }), off = { 0.01 } },
    } }))
    assert.same({ 0.25, 0.5 }, assert(ym.dataset.open(folder .. "/tensor")).recipe[1].on)
  end)

  it("tells how far it is, and comes to as many as it says", function()
    local before = 0
    for step in steps("set") do
      if step.stage == "records" then
        assert.is_true(step.done > before and step.done <= step.total)
        assert.is_true(step.rate > 0 and step.eta >= 0)
        before = step.done
      end
    end
    assert.equal(130, before)
    for step in steps("set") do
      assert.is_true(step.stage == "check" or step.stage == "done")
      assert.is_nil(step.rate)
    end
  end)

  it("draws notes and held times where told", function()
    finish(steps("set", { notes = { 60, 62 }, held = { 0.02, 0.08 }, validation = 0 }))
    local notes, shortest, longest = {}, 1, 0
    for _, shard in ipairs(assert(ym.dataset.open(folder .. "/set")).shards) do
      local arrays = assert(ym.dataset.read(shard))
      for i = 1, shard.records do
        notes[arrays.notes[i]] = true
        shortest, longest = math.min(shortest, arrays.held[i]), math.max(longest, arrays.held[i])
      end
    end
    assert.same({ [60] = true, [61] = true, [62] = true }, notes)
    assert.is_true(shortest >= 0.0199 and shortest < 0.025 and longest > 0.07 and longest <= 0.0801)
  end)

  it("has the same bytes with any number of threads, and others of another seed", function()
    local before = ym.threads()
    finally(function() ym.threads(before) end)
    ym.threads(1)
    finish(steps("one"))
    ym.threads(3)
    finish(steps("three"))
    assert_same_files(snapshot(folder .. "/one"), folder .. "/three")
    finish(steps("other", { seed = 6 }))
    assert.is_false(read(folder .. "/one/train_00001/patches.npy") == read(folder .. "/other/train_00001/patches.npy"))
  end)

  it("goes on where it was stopped, to the same bytes", function()
    finish(steps("straight"))
    for stop = 1, 9 do
      local next_step = steps("stopped")
      for _ = 1, stop do
        next_step()
      end
      next_step = nil -- luacheck: ignore
      collectgarbage()
    end
    finish(steps("stopped"))
    assert_same_files(snapshot(folder .. "/straight"), folder .. "/stopped")
  end)

  it("may be made in parts, in any order and place", function()
    finish(steps("whole"))
    local summary = finish(steps("parts", { shard = { 2, 3 } }))
    assert.same({ 2, 3 }, { summary.shards, summary.missing })
    local set = assert(ym.dataset.open(folder .. "/parts"))
    assert.same({ 2, 3 }, { #set.shards, #set.missing })
    finish(steps("elsewhere", { shard = { 3, 3 } }))
    finish(steps("parts", { shard = { 1, 3 }, split = "valid" }))
    finish(steps("parts", { shard = { 1, 3 }, split = "train" }))
    copy_shards(folder .. "/elsewhere", folder .. "/parts", "")
    assert_same_files(snapshot(folder .. "/whole"), folder .. "/parts")
    assert.equal(0, finish(steps("parts")).missing)
  end)

  it("leaves out what cannot be heard, and repetitions", function()
    local path = write_table { { patch = sounding(), split = "train" }, { patch = silent(), split = "train" } }
    local summary = finish(steps("set", {
      patches = path, mix = { real = 1 }, notes = { 40, 79 }, count = 32, validation = 0,
    }))
    assert.is_true(summary.dropped.silent > 5 and summary.dropped.duplicate > 5)
    local plain = ym.dataset.plain(sounding())
    for _, record in ipairs(records("set", "train")) do
      assert.same(ym.patch.pack { plain }:bytes(), ym.patch.pack { record.patch }:bytes())
    end
  end)

  it("gives up when there is nothing more to hear", function()
    local path = write_table { { patch = sounding(), split = "train" } }
    local message = assert_fails(steps("few", {
      patches = path, mix = { real = 1 }, notes = { 60, 62 }, validation = 0,
    }), "input", "has 3 of 32 records")
    assert.is_truthy(message:find(folder .. "/few/train_00001", 1, true))
    path = write_table { { patch = silent(), split = "train" } }
    assert_fails(steps("none", {
      patches = path, mix = { real = 1 }, notes = { 60, 60 }, validation = 0,
    }), "input", "has 0 of 32 records")
  end)

  it("keeps the families of the table apart", function()
    local rows = {}
    for i = 0, 7 do
      rows[#rows + 1] = { patch = sounding { feedback = i }, split = i < 6 and "train" or i == 6 and "valid" or "test" }
    end
    local function found(name, split)
      local set, list = {}, {}
      for _, record in ipairs(records(name, split)) do
        set[record.patch.feedback] = true
      end
      for i in pairs(set) do
        list[#list + 1] = i
      end
      table.sort(list)
      return list
    end
    finish(steps("named", { patches = write_table(rows), mix = { real = 1 } }))
    assert.same({ 0, 1, 2, 3, 4, 5 }, found("named", "train"))
    assert.same({ 6 }, found("named", "valid"))
    for i, row in ipairs(rows) do
      row.split, row.family = nil, "f" .. (i + 1) // 2
    end
    finish(steps("drawn", { patches = write_table(rows), mix = { real = 1 }, aside = 0.5 }))
    local train, valid = found("drawn", "train"), found("drawn", "valid")
    assert.same({ 4, 4 }, { #train, #valid })
    for i = 1, 4, 2 do -- a family is 0, 1 or 2, 3 or ...
      assert.same({ train[i] & ~1, train[i] + 1 }, { train[i], train[i + 1] })
      assert.same({ valid[i] & ~1, valid[i] + 1 }, { valid[i], valid[i + 1] })
    end
    finish(steps("all", { patches = write_table(rows), mix = { real = 1 }, validation = 0 }))
    assert.equal(8, #found("all", "train"))
    rows = { { patch = sounding(), split = "valid" } }
    assert_fails(steps("wrong", { patches = write_table(rows) }), "input", "holds no patch for the training set")
    rows = { { patch = sounding(), split = "train" } }
    assert_fails(steps("wrong", { patches = write_table(rows) }), "input", "holds no patch for the validation set")
    assert.is_nil(lfs.attributes(folder .. "/wrong"))
  end)

  it("passes over files that hold no patch, and says so", function()
    assert(lfs.mkdir(folder .. "/patches"))
    assert(ym.patch.write(folder .. "/patches/a.y12", sounding()))
    write(folder .. "/patches/b.y12", "short")
    local summary = finish(steps("set", { patches = folder .. "/patches", validation = 0 }))
    assert.equal(1, #summary.skipped)
    assert.is_truthy(summary.skipped[1]:find("b.y12", 1, true))
    assert_fails(steps("set", { patches = folder .. "/nowhere" }), "io", folder .. "/nowhere")
    write(folder .. "/prior.json", "{}")
    assert_fails(steps("set", { prior = folder .. "/prior.json" }), "format", "prior.json: is no prior")
  end)

  it("refuses other settings, and changes nothing", function()
    finish(steps("set"))
    local before = snapshot(folder .. "/set")
    for expected, changes in pairs {
      ["seed is 5 there and 6 now"] = { seed = 6 },
      ["count is 100 there and 101 now"] = { count = 101 },
      ["features differs"] = { recipe = { { kind = "mel", size = 128, bands = 24, on = { 0 } } } },
      ['chip is "ym2612" there and "clean" now'] = { chip = "clean" },
      ["held is [0.06,0.06] there and [0.05,0.06] now"] = { held = { 0.05, 0.06 } },
    } do
      local message = assert_fails(steps("set", changes), "input", expected)
      assert.is_truthy(message:find(folder .. "/set/index.json", 1, true))
    end
    assert_same_files(before, folder .. "/set")
  end)

  it("finds damage, names it, and heals when the shard is removed", function()
    finish(steps("set"))
    local before = snapshot(folder .. "/set")
    local shard = folder .. "/set/train_00002"
    local function damaged(name, change)
      write(shard .. "/" .. name, change(read(shard .. "/" .. name)))
      return shard .. "/" .. name
    end
    local cases = {
      { "features.npy", "is damaged (its checksum is wrong)", function(bytes)
        return bytes:sub(1, 300) .. string.char(bytes:byte(301) ~ 1) .. bytes:sub(302)
      end },
      { "patches.npy", "has a shape that does not suit its size", function(bytes) return bytes:sub(1, -2) end },
      { "features.npy", "is damaged (its header is not as it was written)", function(bytes)
        return (bytes:gsub("  \n", " !\n", 1))
      end },
      { "notes.npy", "is damaged (its shape or type is wrong)", function()
        return read(shard .. "/held.npy")
      end },
      { "shard.json", "is damaged (its checksum is wrong)", function(bytes) return (bytes:gsub("32", "33")) end },
      { "shard.json", "is damaged (it is not JSON)", function(bytes) return bytes:sub(1, 40) end },
      { "shard.json", "is damaged (its checksum is wrong)", function() return "{}" end },
    }
    for _, case in ipairs(cases) do
      local path = damaged(case[1], case[3])
      local message = assert_fails(steps("set"), "format", path .. ": " .. case[2])
      assert.is_truthy(message:find("remove the folder " .. shard, 1, true))
      write(path, before["/train_00002/" .. case[1]])
    end
    os.remove(shard .. "/held.npy")
    assert_fails(steps("set"), "io", shard .. "/held.npy")
    support.remove_folder(shard)
    finish(steps("set"))
    assert_same_files(before, folder .. "/set")
    copy_shards(folder .. "/set", folder .. "/other", "")
    finish(steps("foreign", { seed = 6 }))
    copy_shards(folder .. "/foreign", folder .. "/other", "train_00002")
    assert_fails(steps("other"), "format", "belongs to a data set with other settings")
    write(folder .. "/set/index.json", before["/index.json"]:sub(1, 99))
    assert_fails(steps("set"), "format", "index.json: is damaged (it is not JSON); choose another folder, or remove")
    write(folder .. "/set/index.json", "{\"name\": \"of another program\"}")
    assert_fails(steps("set"), "format",
      "index.json: is no index of a data set of ym2612ml; choose another folder, or remove")
    os.remove(folder .. "/set/index.json")
    finish(steps("set"))
    assert_same_files(before, folder .. "/set")
  end)

  it("says which folder cannot be written", function()
    write(folder .. "/file", "")
    assert_fails(steps("file"), "io", folder .. "/file: cannot make this folder")
    assert_fails(steps("no/such"), "io", folder .. "/no/such: cannot make this folder")
    assert(lfs.mkdir(folder .. "/set"))
    write(folder .. "/set/.work_all_1_of_1", "")
    assert_fails(steps("set"), "io", folder .. "/set/.work_all_1_of_1: cannot make this folder")
  end)

  it("refuses the same patches parted in another way, and a prior that differs a little", function()
    local rows = {}
    for i = 0, 3 do
      rows[i + 1] = { patch = sounding { feedback = i }, split = i < 2 and "train" or "valid" }
    end
    finish(steps("set", { patches = write_table(rows) }))
    rows[2].split = "valid"
    assert_fails(steps("set", { patches = write_table(rows) }), "input", "patches_sha256 differs")
    local prior = assert(ym.prior.read(ym.models.folder() .. "/prior.json"))
    finish(steps("prior"))
    prior.repeats.mul = prior.repeats.mul + 1e-9
    write(folder .. "/prior.json", cjson.encode(prior))
    assert_fails(steps("prior", { prior = folder .. "/prior.json" }), "input", "prior_sha256 differs")
  end)

  it("keeps a shard that a run of other parts has made meanwhile", function()
    local first, second = steps("set", { validation = 0 }), steps("set", { validation = 0, shard = { 1, 2 } })
    assert(first())
    assert(second())
    finish(first)
    local before = snapshot(folder .. "/set")
    assert.equal(2, finish(second).shards)
    before["/.work_all_1_of_2/lock"] = nil
    assert_same_files(before, folder .. "/set")
  end)

  it("is whole where its folder vanishes as it goes on", function()
    finish(steps("set", { count = 40, validation = 0 }))
    local before, make_folder = snapshot(folder .. "/set"), files.make_folder
    finally(function() files.make_folder = make_folder end)
    function files.make_folder(path)
      files.make_folder = make_folder
      support.remove_folder(folder .. "/set")
      return make_folder(path)
    end
    finish(steps("set", { count = 40, validation = 0 }))
    assert_same_files(before, folder .. "/set")
  end)

  it("is not opened when it is none, or damaged", function()
    local function assert_not_opened(kind, expected)
      local set, message, found = ym.dataset.open(folder)
      assert.is_nil(set)
      assert.equal(kind, found)
      assert.is_truthy(message:find(folder .. "/index.json", 1, true))
      assert.is_truthy(message:find(expected, 1, true), message)
    end
    assert_not_opened("io", "No such file")
    finish(steps("set"))
    local text = read(folder .. "/set/index.json")
    for expected, bytes in pairs {
      ["is damaged (it is not JSON)"] = text:sub(1, 50),
      ["is no index of a data set of ym2612ml"] = "{}",
      ["is of another version than 1"] = text:gsub('"version": 1', '"version": 2'),
      ["is damaged (it does not say how many"] = text:gsub('"count": 100', '"count": 1e18'),
      ["is damaged (it does not say how"] = text:gsub('"shard_records": 32', '"shard_records": 0'),
      ["is damaged (it does not say what"] = text:gsub('"fields"', '"meadows"'),
    } do
      write(folder .. "/index.json", bytes)
      assert_not_opened("format", expected)
    end
  end)

  it("raises misuse at the caller's line", function()
    for expected, changes in pairs {
      ["option 'count' is 0, expected integer 1.."] = { count = 0 },
      ["option 'chip' is opl3, expected one of"] = { chip = "opl3" },
      ["option 'notes': expected {lowest, highest} in 0..116"] = { notes = { 60 } },
      ["option 'held': expected {shortest, longest} in 0.001..60"] = { held = { 2, 1 } },
      ["option 'shard': expected {i, n} in 1..99999"] = { shard = { 3, 2 } },
      ["option 'mix': expected shares of 0 or more"] = { patches = "x", mix = { rael = 1 } },
      ["option 'mix': only draws from the prior"] = { mix = { real = 1 } },
      ["option 'recipe': 0 blocks given, expected 1..16"] = { recipe = {} },
      ["option 'recipe': its rate is 44100 Hz, expected 53267"] = { recipe = { rate = 44100, ym.dataset.recipe[1] } },
      ["option 'shard_records' is 1, too few for 100000 records"] = { count = 100000, shard_records = 1 },
      ["and 288 bytes each exceed 256 MiB"] = { shard_records = 1 << 20,
        recipe = { { kind = "mel", size = 256, bands = 24, on = { 0, 0.01, 0.02, 0.03, 0.04, 0.05 } } } },
      ["unknown option 'records'"] = { records = 1 },
      ["option 'output' is 5, expected string"] = { output = 5 },
    } do
      local fine, message = pcall(steps, "set", changes)
      assert.is_false(fine, expected)
      assert.matches("^spec/shards_spec.lua:%d+: bad argument #1 to 'steps' %(", message)
      assert.is_truthy(message:find(expected, 1, true), message)
    end
    assert.has_error(function() ym.dataset.open() end, "bad argument #1 to 'open' (string expected, got nil)")
    assert.has_error(function() ym.dataset.read() end, "bad argument #1 to 'read' (table expected, got nil)")
    assert.is_nil(lfs.attributes(folder .. "/set"))
  end)
end)
