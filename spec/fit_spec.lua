local ym = require "ym2612ml"
local lfs = require "lfs"
local support = require "spec.support"
local nn, train = ym.nn, ym.train

-- A network with dropout and batch norm, 60 rows that hardly can be learned, and 20 set aside. Written
-- so that another process can have the same.
local MAKE = [[
  local ym = require "ym2612ml"
  local function make(seed)
    local net = ym.nn.graph(function(g)
      local x = ym.nn.dense(g:input("x", { 5 }), 24, { activation = "relu" })
      x = ym.nn.batch_norm(x):dropout(0.1)
      local out = ym.nn.dense(x, 3)
      return { out = out, loss = out:head_cross_entropy(g:input("target", { 1 }), { widths = { 3 } }) }
    end, { seed = seed })
    local function draw(rows, from)
      local rng, x, target = ym.rng.new { seed = from }, ym.tensor.new { rows, 5 }, ym.tensor.new({ rows, 1 }, "u8")
      for row = 1, rows do
        for column = 1, 5 do
          x:set(row, column, rng:normal())
        end
        target:set(row, 1, rng:uniform() < 0.7 and x:get(row, 1) > 0 and 1 or rng:integer(0, 2))
      end
      return { x = x, target = target }
    end
    return net, draw(60, 1), draw(20, 2)
  end
  local function options_of(aside)
    return {
      epochs = 12, batch = 16, rate = 0.02, clip = 1, seed = 3, validation = aside, patience = 5,
      keep_best = true, schedule = { kind = "plateau", factor = 0.5, patience = 1, warmup = 3 },
    }
  end
]]
local make, options_of = load(MAKE .. " return make, options_of")()

local folder
setup(function() folder = support.new_folder() end)
teardown(function() support.remove_folder(folder) end)

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function write(path, bytes)
  local file <close> = assert(io.open(path, "wb"))
  file:write(bytes)
end

local function changed(options, changes)
  local copy = {}
  for _, source in ipairs { options, changes } do
    for key, value in pairs(source) do
      copy[key] = value
    end
  end
  return copy
end

describe("a whole training #c", function()
  it("ends when the validation loss has not got better, with the best network", function()
    local net, data, aside = make(1)
    local result = assert(train.fit(net, data, changed(options_of(aside), { epochs = 200 })))
    assert.equal("patience", result.last)
    assert.equal(result.best + 5, #result.history)
    assert.equal(4 * #result.history, result.steps)
    local least = math.huge
    for epoch, row in ipairs(result.history) do
      assert.equal(epoch, row.epoch)
      assert.equal(4 * epoch, row.step)
      assert.equal(row.validation < least, row.best)
      least = math.min(least, row.validation)
    end
    assert.equal(least, result.loss)
    assert.equal(least, result.history[result.best].validation)
    assert.equal(least, net:evaluate(aside))
  end)

  it("watches the loss of training where nothing is set aside", function()
    local net, data = make(1)
    local result = assert(train.fit(net, data, { epochs = 3, batch = 16, rate = 0.01 }))
    assert.equal("epochs", result.last)
    assert.is_nil(result.history[3].validation)
    local least = math.min(result.history[1].loss, result.history[2].loss, result.history[3].loss)
    assert.equal(least, result.loss)
  end)

  it("reckons an epoch's loss over its rows", function()
    local net, data = make(1)
    local sum, norms = 0, 0
    for step in train.steps(net, data, { epochs = 1, batch = 25 }) do
      local rows = step.step < 3 and 25 or 10
      sum, norms = sum + step.loss * rows, norms + step.norm
      if step.row then
        assert.near(sum / 60, step.row.loss, 1e-12)
        assert.near(norms / 3, step.row.norm, 1e-12)
        assert.same({ step.row }, step:history())
      end
    end
  end)

  it("asks a function for the validation loss", function()
    local net, data = make(1)
    local asked = 0
    local result = assert(train.fit(net, data, {
      epochs = 9, patience = 2, improvement = 0.5, validation = function(given)
        assert.equal(net, given)
        asked = asked + 1
        return ({ 5, 4, 3.75, 3.6 })[asked]
      end,
    }))
    assert.same({ 2, 4, "patience" }, { result.best, #result.history, result.last })
    local found, message, kind = train.fit(net, data, { validation = function() return nil, "gone", "io" end })
    assert.same({ nil, "validation: gone", "io" }, { found, message, kind })
    found, message, kind = train.fit(net, data, { validation = function() return 0 / 0 end, batch = 60 })
    assert.same({ nil, "step 1: the validation loss is not finite", "diverged" }, { found, message, kind })
  end)

  it("is stopped by the function it tells each step", function()
    local net, data = make(1)
    local result = assert(train.fit(net, data, { batch = 16, each = function(step) return step.step < 6 end }))
    assert.same({ "cancelled", 6, 1 }, { result.last, result.steps, #result.history })
  end)

  it("tells of divergence with the step", function()
    local net, data, aside = make(1)
    data.x:set(7, 2, 0 / 0)
    local result, message, kind = train.fit(net, data, options_of(aside))
    assert.is_nil(result)
    assert.is_truthy(message:find "^step [1-4]: the loss is not finite$")
    assert.equal("diverged", kind)
  end)

  it("writes its history, the same for the same seed", function()
    local rows, texts
    for _, ending in ipairs { "csv", "json" } do
      texts = {}
      for run = 1, 2 do
        local net, data, aside = make(1)
        local path = ("%s/history_%d.%s"):format(folder, run, ending)
        rows = assert(train.fit(net, data, changed(options_of(aside), { history = path }))).history
        texts[run] = read(path)
      end
      assert.equal(texts[1], texts[2])
      if ending == "csv" then
        local lines = {}
        for line in texts[1]:gmatch "[^\n]+" do
          lines[#lines + 1] = line
        end
        assert.equal("epoch,step,loss,norm,rate,validation,best", lines[1])
        assert.equal(#rows + 1, #lines)
        assert.is_truthy(lines[2]:find "^1,4,[%d.]+,[%d.]+,0%.02,[%d.]+,1$", lines[2])
      end
    end
    local found = require("cjson").decode(texts[1])
    assert.equal(#rows, #found)
    for epoch, row in ipairs(found) do
      assert.equal(rows[epoch].loss, row.loss)
      assert.equal(rows[epoch].best, row.best)
      assert.is_nil(row.seconds)
    end
    assert(train.write_history(folder .. "/timed.csv", rows, { seconds = true }))
    assert.is_truthy(read(folder .. "/timed.csv"):find "^[%w,]+,best,seconds\n")
  end)

  it("keeps the best network on disk", function()
    local net, data, aside = make(1)
    net.metadata.note = "kept"
    local path = folder .. "/best.safetensors"
    local result = assert(train.fit(net, data, changed(options_of(aside), { save = path, keep_best = false })))
    assert.is_true(result.best < #result.history)
    local best = assert(nn.load(path))
    assert.equal(result.loss, best:evaluate(aside))
    assert.is_true(net:evaluate(aside) > result.loss)
    assert.equal("kept", best.metadata.note)
  end)

  it("tells what it cannot write or read", function()
    local net, data = make(1)
    for _, option in ipairs { "save", "history", "state" } do
      local path = "/nowhere/x" .. (option == "history" and ".csv" or "")
      local result, message, kind = train.fit(net, data, { epochs = 2, [option] = path })
      assert.is_nil(result)
      assert.is_truthy(message:find("^" .. path .. ": "), message)
      assert.equal("io", kind)
    end
    write(folder .. "/state", "nothing")
    local result, message, kind = train.fit(net, data, { state = folder .. "/state" })
    assert.same({ nil, folder .. "/state: is too short for a safetensors file", "format" }, { result, message, kind })
    local function stop() return false end
    os.remove(folder .. "/state")
    assert(train.fit(net, data, { state = folder .. "/state", state_steps = 1, each = stop, epochs = 2 }))
    result, message, kind = train.fit(net, data, { state = folder .. "/state", epochs = 3 })
    assert.is_nil(result)
    assert.is_truthy(message:find(folder .. "/state: is of a training with epochs=2 .* not epochs=3", 1), message)
    assert.equal("input", kind)
    os.remove(folder .. "/state")
  end)
end)

describe("a training that is taken up again #c", function()
  -- What a straight run leaves: network, history, and how it ended.
  local function straight()
    local net, data, aside = make(1)
    local result = assert(train.fit(net, data, options_of(aside)))
    return net:dump(), result
  end

  it("ends with the same bits wherever it was stopped", function()
    local expected, whole = straight()
    local path = folder .. "/again"
    for _, stop in ipairs { 1, 4, 7, 10, 20, whole.steps - 4, whole.steps - 1 } do
      local net, data, aside = make(1)
      local options = changed(options_of(aside), {
        state = path, state_steps = stop, each = function(step) return step.step < stop end,
      })
      assert.equal("cancelled", assert(train.fit(net, data, options)).last)
      options.each = nil
      net = make(8)
      local result = assert(train.fit(net, data, options))
      assert.equal(expected, net:dump(), ("stopped after step %d"):format(stop))
      assert.same({ whole.best, whole.loss, whole.last, whole.steps },
        { result.best, result.loss, result.last, result.steps })
      for epoch, row in ipairs(whole.history) do
        for _, key in ipairs { "loss", "norm", "rate", "validation", "best" } do
          assert.equal(row[key], result.history[epoch][key])
        end
      end
      assert.is_nil(lfs.attributes(path))
    end
  end)

  it("follows a function as schedule from where it was", function()
    local asked
    local function options(more)
      return changed({ epochs = 2, batch = 16, schedule = function(progress, step)
        asked[#asked + 1] = step
        return 1 - progress
      end }, more)
    end
    asked = {}
    local net, data = make(1)
    assert(train.fit(net, data, options {}))
    local expected, path = net:dump(), folder .. "/function"
    net, asked = make(1), {}
    assert(train.fit(net, data, options { state = path, state_steps = 1, each = function(step)
      return step.step < 3
    end }))
    net = make(2)
    assert(train.fit(net, data, options { state = path }))
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8 }, asked)
    assert.equal(expected, net:dump())
  end)

  it("ends with the same bits in a new process, with one thread and with two", function()
    local expected = ym.store.sha256((straight()))
    local script, path = folder .. "/script.lua", folder .. "/process"
    write(script, ("package.path, package.cpath = %q, %q\n"):format(package.path, package.cpath) .. MAKE .. [[
      local path, threads, stop = arg[1], tonumber(arg[2]), tonumber(arg[3])
      ym.threads(threads)
      local net, data, aside = make(stop > 0 and 1 or 4)
      local options = options_of(aside)
      options.state, options.state_steps = path, stop
      options.each = function(step) return step.step ~= stop end
      local result = assert(ym.train.fit(net, data, options))
      io.write(result.last == "cancelled" and "stopped" or ym.store.sha256(net:dump()))
    ]])
    local function run(threads, stop)
      local pipe = assert(io.popen(("lua5.4 %s %s %d %d 2>&1"):format(script, path, threads, stop)))
      local text = pipe:read("a")
      pipe:close()
      return text
    end
    for stop, threads in pairs { [3] = { 1, 2 }, [17] = { 2, 1 }, [20] = { 2, 2 } } do
      assert.equal("stopped", run(threads[1], stop))
      assert.equal(expected, run(threads[2], 0))
    end
  end)

  it("has nothing left to do after its end", function()
    local net, data, aside = make(1)
    local last
    for step in train.steps(net, data, options_of(aside)) do
      last = step
    end
    local other = make(2)
    local state = last:dump()
    assert.is_nil(assert(train.steps(other, data, changed(options_of(aside), { resume = state })))())
    assert.equal(net:dump(), other:dump())
  end)
end)

describe("schedules", function()
  -- Rates of 12 epochs of 2 steps.
  local function rates(schedule, validation)
    local net, data = make(1)
    local list = {}
    for step in train.steps(net, data, {
      epochs = 12, batch = 30, rate = 1, optimizer = "sgd", clip = 1e-6, schedule = schedule,
      validation = validation,
    }) do
      list[step.step] = step.rate
    end
    return list
  end

  local function same(expected, found)
    assert.equal(24, #found)
    for epoch, rate in ipairs(expected) do
      assert.near(rate, found[2 * epoch - 1], 1e-12)
      assert.near(rate, found[2 * epoch], 1e-12)
    end
  end

  it("fall in steps", function()
    same({ 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25 }, rates { kind = "step", epochs = 4, factor = 0.5 })
    same({ 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0.1, 0.1 }, rates "step")
  end)

  it("fall on a plateau, as PyTorch's ReduceLROnPlateau does", function()
    local losses, at = { 5, 4, 4, 4, 3.9999, 3.99, 3.995, 4, 4, 4, 4, 4 }, 0
    local function validation()
      at = at + 1
      return losses[at]
    end
    same({ 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2 },
      rates({ kind = "plateau", factor = 0.5, patience = 1, least = 0.2 }, validation))
  end)

  it("rise, fall and end where they are told", function()
    local cycle = rates { kind = "one_cycle", rise = 0.5, start = 0.1, final = 0.2 }
    assert.near(0.1, cycle[1], 1e-12)
    assert.near(0.55, cycle[7], 1e-12)
    assert.near(1, cycle[13], 1e-12)
    assert.near(0.6, cycle[19], 1e-12)
    assert.is_true(cycle[24] > 0.2 and cycle[24] < 0.23)
    local cosine = rates { kind = "cosine", final = 0.5, warmup = 3 }
    assert.near(0.25, cosine[1], 1e-12)
    assert.near(0.5 * (0.75 + 0.25 * math.cos(math.pi / 24)), cosine[2], 1e-12)
    assert.near(0.75, cosine[13], 1e-12)
  end)
end)

describe("misuse of a whole training", function()
  it("is told at the caller's line", function()
    local net, data = make(1)
    local function misuse(pattern, f, ...)
      local arguments = table.pack(...)
      local done, message = pcall(function() f(table.unpack(arguments, 1, arguments.n)) end)
      assert.is_false(done)
      assert.is_truthy(message:find("fit_spec.lua:%d+: "), message)
      assert.is_truthy(message:find(pattern), message)
    end
    misuse("#1 to 'fit'", train.fit, {}, data)
    misuse("#2 to 'fit' %(no rows", train.fit, net, {})
    misuse("unknown option 'folds'", train.fit, net, data, { folds = 2 })
    misuse("'x.txt' ends in neither .csv nor .json", train.fit, net, data, { history = "x.txt" })
    misuse("'validation' returned nil, expected a number", train.fit, net, data, { validation = function() end })
    misuse("no rows", train.fit, net, data, { validation = {} })
    misuse("#1 to 'write_history'", train.write_history, 7, {})
    misuse("'x' ends in neither", train.write_history, "x", {})
    misuse("#2 to 'write_history' %(epoch 1 is number, expected a table%)", train.write_history, "x.csv", { 7 })
    for _, value in ipairs { "7", 0 / 0, math.huge } do
      misuse("epoch 2: loss is .*, expected a finite number", train.write_history, "x.json", { {}, { loss = value } })
    end
    misuse("unknown option 'time'", train.write_history, "x.csv", {}, { time = true })
  end)
end)
