-- Several processes on Open MPI: the same bytes as one, and what happens when one fails.
-- What takes longer is in spec/mpi: kills.lua and namespaces.sh.
local cjson = require "cjson"
local lfs = require "ym2612ml.filesystem"
local ranks = require "ym2612ml.ranks"
local support = require "spec.support"
local work = require "ym2612ml.ranks.work"

local CLI = "lua5.4 lua/ym2612ml/cli.lua "
local BUILT = pcall(require, "ym2612ml.mpi.core")
local THERE = BUILT and os.execute("command -v mpirun >/dev/null 2>&1") == true

local assert_same_files, snapshot = support.assert_same_files, support.snapshot

-- A test that needs ranks.
local function on_ranks(name, test)
  it(name, function()
    if not THERE then
      return pending("there is no mpirun, or ym2612ml was built without Open MPI")
    end
    test()
  end)
end

describe("work in items", function()
  it("is done in order by a process alone", function()
    local events = {}
    work.each(nil, 2, {
      perform = function(item, tick)
        tick(0.5)
        return item * 10
      end,
      taken = function(item, result) events[#events + 1] = ("%d=%d"):format(item, result) end,
      tell = function(done) events[#events + 1] = ("%g"):format(done) end,
    })
    assert.equal("0.5 1=10 1 1.5 2=20 2", table.concat(events, " "))
    assert.equal(3, work.together(nil, function(x) return x + 1 end, 2))
    assert.equal(3, work.once(nil, function(x) return x + 1 end, 2))
    assert.equal("x", work.shared(nil, "x"))
    work.alike(nil, "differs", "x")
  end)

  it("is refused to what are no ranks", function()
    local ym = require "ym2612ml"
    assert.has_error(function() ym.dataset.steps { output = "x", count = 1, ranks = {} } end)
    assert.has_error(function() ym.train.steps(ym.nn.graph(function(g)
      return { loss = ym.nn.dense(g:input("x", { 1 }), 1):mean() }
    end), {}, { ranks = 2 }) end)
    local alone = ranks.new { place = function() return 0, 1, 1, 1 end }
    assert.equal("rank 0 of 1", tostring(alone))
    assert.same({ 0, 7 }, alone:cut(7))
  end)
end)

describe("a process that was started alone, by whatever", function()
  -- What `info` says of a file that is not there.
  local function told(variables)
    local _, complaint, status = support.run(("env -u OMPI_COMM_WORLD_SIZE %s %s info @"):format(variables, CLI),
      "/none")
    assert.equal(1, status)
    return complaint
  end

  it("does what it does without", function()
    for _, variables in ipairs {
      "", "OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=1", "PMI_RANK=0 PMI_SIZE=1",
      "PMIX_RANK=0 SLURM_STEP_NUM_TASKS=1", "PMIX_RANK=0", "PMI_RANK=0",
    } do
      assert.equal("ym2612ml: /none: No such file or directory\n", told(variables))
    end
  end)

  it("is not what one of several is", function()
    for _, variables in ipairs {
      "OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=2", "PMI_RANK=0 PMI_SIZE=2", "PMIX_RANK=0 SLURM_STEP_NUM_TASKS=2",
    } do
      assert.matches("info: the work of this command is not shared", told(variables), 1, true)
    end
  end)
end)

describe("ranks", function()
  local folder
  before_each(function() folder = support.new_folder() end)
  after_each(function() support.remove_folder(folder) end)

  -- Runs a command on so many ranks, and asserts that it ends well.
  local function run_well(count, command)
    local text, complaint, status = support.run((count and support.mpirun(count) or "") .. command, folder)
    assert.equal(0, status, complaint)
    return text
  end

  -- Runs a command, which must fail, and say so in one line of ours with this text.
  local function assert_fails(command, expected)
    local _, complaint, status = support.run(command, folder)
    assert.not_equal(0, status)
    local _, lines = complaint:gsub("ym2612ml: ", "")
    assert.equal(1, lines, complaint)
    assert.is_truthy(complaint:match("ym2612ml: [^\n]*"):find(expected, 1, true), complaint)
  end

  on_ranks("start when told so, and not when required", function()
    local text = run_well(nil, [[lua5.4 -e "package.path = [=[./lua/?.lua;./lua/?/init.lua;]=] .. package.path
      package.cpath = [=[./lua/?.so;]=] .. package.cpath
      local before = {}
      for name in pairs(_G) do before[name] = true end
      require [=[ym2612ml.mpi]=]
      for name in pairs(_G) do if not before[name] then print(name) end end
      for line in io.lines [=[/proc/self/status]=] do
        if line:find [=[^Threads:]=] then print(line:match [=[%d+]=]) end
      end"]])
    assert.equal("1\n", text)
    local symbols = run_well(nil, "nm -D --defined-only lua/ym2612ml/mpi/core.so")
    assert.matches("^%x+ T luaopen_ym2612ml_mpi_core\n$", symbols)
  end)

  on_ranks("tell each other what they have", function()
    assert.equal("well\nwell\nwell\n", run_well(3, "lua5.4 spec/mpi/ranks.lua"))
  end)

  on_ranks("are told of an error that one of them alone has", function()
    for _, problem in ipairs { '"alone"', '{ message = "alone", kind = "io" }' } do
      support.write_file(folder .. "/alone.lua", ([[
        package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
        package.cpath = "./lua/?.so;" .. package.cpath
        local work = require "ym2612ml.ranks.work"
        pcall(function()
          local ranks <close> = assert(require "ym2612ml.mpi".start())
          if ranks.rank == 1 then
            error(%s, 0)
          end
          work.once(ranks, function() end)
          io.write "went on\n"
        end)]]):format(problem))
      local command = "timeout -k 1 60 " .. support.mpirun(2) .. "lua5.4 @/alone.lua"
      local text, complaint, status = support.run(command, folder)
      assert.equal("", text)
      assert.is_true(status ~= 0 and status < 124, complaint)
      assert.is_truthy(complaint:find("ym2612ml: rank 1: alone\n", 1, true), complaint)
    end
  end)

  on_ranks("share a minibatch to the bits of one process", function()
    local alone = run_well(nil, "lua5.4 spec/mpi/training.lua")
    for count = 2, 5 do
      assert.equal(alone, run_well(count, "lua5.4 spec/mpi/training.lua"))
    end
  end)

  on_ranks("make the data set of one process", function()
    local command = CLI .. "dataset --count 150 --validation 20 --shard-records 16 --held 0.05 --release 0.02 -o @/"
    local told = run_well(nil, command .. "alone"):gsub("alone", "")
    local expected = snapshot(folder .. "/alone")
    for _, count in ipairs { 2, 4 } do
      local name = "on" .. count
      assert.equal(told, (run_well(count, command .. name):gsub(name, "")))
      assert_same_files(expected, folder .. "/" .. name)
    end
    assert.equal(told, (run_well(2, command .. "on2"):gsub("on2", "")))
  end)

  on_ranks("train, try and judge as one process", function()
    local data = CLI .. "dataset --synth simple_fm --count 48 --validation 8 --test 8 --shard-records 16 --length 0.05 "
      .. "--rate 8000 -o @/"
    run_well(nil, data .. "data")
    run_well(2, data .. "same")
    assert_same_files(snapshot(folder .. "/data"), folder .. "/same")
    local train = CLI .. "train --model conv1 --data @/data --batch 12 --front kind=mel,size=64,bands=8 --epochs 2 "
    run_well(nil, train .. "-o @/alone")
    run_well(3, train .. "-o @/shared")
    for _, name in ipairs { "network.safetensors", "history.csv" } do
      assert.equal(support.read_file(folder .. "/alone/" .. name), support.read_file(folder .. "/shared/" .. name))
    end
    local judge = CLI .. "evaluate --data @/data --model @/alone --json @/%s.json --csv @/%s.csv --sounds @/%s.sounds"
    assert.equal(run_well(nil, (judge:gsub("%%s", "one"))), run_well(2, (judge:gsub("%%s", "two"))))
    for _, name in ipairs { ".json", ".csv", ".sounds" } do
      assert.equal(support.read_file(folder .. "/one" .. name), support.read_file(folder .. "/two" .. name))
    end
    local trials = train .. "--trials 3 --json -o @/"
    assert.equal(run_well(nil, trials .. "trials"), run_well(2, trials .. "shared_trials"))
  end)

  on_ranks("train the models that match uses to the same bytes", function()
    local command = CLI .. "train --records 64 --epochs 1 --network-epochs 1 -o @/%s --work @/%s.work"
    run_well(nil, (command:gsub("%%s", "alone")))
    run_well(3, (command:gsub("%%s", "shared")))
    for _, ending in ipairs { "", ".work" } do
      assert_same_files(snapshot(folder .. "/alone" .. ending), folder .. "/shared" .. ending)
    end
  end)

  on_ranks("match and evaluate as one process, and tell of it once", function()
    assert(lfs.mkdir(folder .. "/sounds"))
    for _, name in ipairs { "marimba_A4", "slap_bass_E2" } do
      run_well(nil, ("cp examples/samples/%s.flac @/sounds"):format(name))
    end
    support.write_file(folder .. "/sounds/a.wav", "no sound")
    local results = {}
    for _, place in ipairs { { name = "alone" }, { name = "shared", ranks = 2 } } do
      local text, complaint, status = support.run((place.ranks and support.mpirun(place.ranks) or "") .. CLI
        .. ("match @/sounds --renders 64 -o @/%s"):format(place.name), folder)
      assert.equal(1, status)
      results[#results + 1] = (text:gsub(place.name, ""):gsub("in %d+ s", ""))
      assert.equal(1, select(2, complaint:gsub("ym2612ml: [^\n]*a%.wav", "")), complaint)
    end
    assert.equal(results[1], results[2])
    for _, name in ipairs(support.listed(folder .. "/alone")) do
      assert.equal(support.read_file(folder .. "/alone/" .. name), support.read_file(folder .. "/shared/" .. name))
    end
    assert.matches("2 matched before, 1 failed", (select(1, support.run(support.mpirun(2) .. CLI
      .. "match @/sounds --renders 64 -o @/alone", folder))))
    local evaluate = CLI .. "evaluate --sets prior --count 2 --budget 64 --json @/%s.json --work @/%s"
    run_well(nil, (evaluate:gsub("%%s", "one")))
    run_well(2, (evaluate:gsub("%%s", "two")))
    local function distances(name)
      local list = {}
      for i, result in ipairs(cjson.decode(support.read_file(folder .. name)).results) do
        list[i] = { result.set, result.number, result.method, result.distance }
      end
      return list
    end
    assert.same(distances "/one.json", distances "/two.json")
    assert.equal(3, select(2, support.read_file(folder .. "/two/results.jsonl"):gsub("\n", "")))
  end)

  on_ranks("stop together when one cannot go on, and go on later", function()
    -- enough for each rank to have something to do, also on a busy machine
    local command = CLI .. "dataset --count 600 --shard-records 16 --held 0.3 --release 0.02 -o @/"
    run_well(nil, command .. "straight")
    local limited = ('sh -c "trap \\"\\" XFSZ; [ \\$OMPI_COMM_WORLD_RANK = 0 ] || ulimit -f 8; exec %s"'):format(
      command .. "full")
    assert_fails(support.mpirun(2) .. limited, "rank 1: " .. folder .. "/full/.work_all_1_of_1/train_0")
    run_well(2, command .. "full")
    assert_same_files(snapshot(folder .. "/straight"), folder .. "/full")
    local _, complaint, status = support.run(support.mpirun(2)
      .. ('sh -c "[ \\$OMPI_COMM_WORLD_RANK = 0 ] || kill -KILL \\$\\$; exec %s"'):format(command .. "killed"), folder)
    assert.not_equal(0, status)
    assert.is_truthy(complaint:find("the job has been aborted", 1, true), complaint)
    run_well(2, command .. "killed")
    assert_same_files(snapshot(folder .. "/straight"), folder .. "/killed")
  end)

  on_ranks("that differ are refused at the start", function()
    local command = CLI .. "dataset --shard-records 16 --held 0.05 -o @/set --count "
    local two = support.mpirun(1) .. command .. "20 : -np 1 "
    assert_fails(two .. command .. "30", "rank 1 was started with other arguments than rank 0")
    run_well(nil, "mkdir @/other && cp -r lua @/other && echo >>@/other/lua/ym2612ml/json.lua")
    assert_fails(two .. "-wdir @/other " .. command .. "20", "rank 1 runs another build of ym2612ml than rank 0")
    support.write_file(folder .. "/level.lua", [[
      package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
      package.cpath = "./lua/?.so;" .. package.cpath
      if os.getenv "OMPI_COMM_WORLD_RANK" == "1" then
        require "ym2612ml".simd "baseline"
      end
      local ranks, message, kind = require "ym2612ml.mpi".start()
      assert(ranks or kind == "input")
      io.write(message or "well", "\n")]])
    local best = require "ym2612ml".simd()
    local text = run_well(2, "lua5.4 @/level.lua")
    local refusal = "rank 1 works with other instructions than rank 0 (baseline, not %s)"
    local told = best == "baseline" and "well" or refusal:format(best)
    assert.equal((told .. "\n"):rep(2), text)
    assert_fails(support.mpirun(2) .. CLI .. "info x", "info: the work of this command is not shared")
    assert_fails(support.mpirun(2) .. CLI .. "match --bogus", "unknown option '--bogus'")
    assert_fails(support.mpirun(2) .. CLI .. "dataset --patches @/none.csv -o @/x", "none.csv: No such file")
    assert_fails(two .. command .. "20 : -np 1 " .. command .. "20 --bogus", "rank 2 was started with other arguments")
    for _, name in ipairs { "one", "two" } do
      run_well(nil, ("mkdir -p @/%s/sounds && cp -r lua models @/%s"):format(name, name))
      support.write_file(("%s/%s/sounds/a.wav"):format(folder, name), name)
    end
    local match = CLI .. "match sounds -o @/patches "
    assert_fails(("%s -wdir @/one %s : -np 1 -wdir @/two %s"):format(support.mpirun(1), match, match),
      "rank 1 finds other sounds than rank 0")
  end)
end)
