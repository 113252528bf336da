local ym = require "ym2612ml"
local nn, train = ym.nn, ym.train

-- A network with dropout, and 50 rows it can learn: the class of two heads from the
-- signs of two columns. Written so that another process can have the same.
local MAKE = [[
  local ym = require "ym2612ml"
  local function make(seed)
    local net = ym.nn.graph(function(g)
      local x = ym.nn.dense(g:input("x", { 6 }), 16, { activation = "gelu" }):dropout(0.1)
      local out = ym.nn.dense(x, 5)
      return { out = out, loss = out:head_cross_entropy(g:input("target", { 2 }), { widths = { 2, 3 } }) }
    end, { seed = seed })
    local rng, x, target = ym.rng.new(), ym.tensor.new({ 50, 6 }, "f16"), ym.tensor.new({ 50, 2 }, "u8")
    for row = 1, 50 do
      for column = 1, 6 do
        x:set(row, column, rng:normal())
      end
      target:set(row, 1, x:get(row, 1) > 0 and 1 or 0)
      target:set(row, 2, x:get(row, 2) > 0 and 2 or 0)
    end
    return net, { x = x, target = target }
  end
  local options = {
    epochs = 6, batch = 16, rate = 0.01, schedule = "one_cycle", weight_decay = 0.01, clip = 1, seed = 3,
  }
]]
local make, OPTIONS = load(MAKE .. " return make, options")()

local function with(changes)
  local options = {}
  for _, source in ipairs { OPTIONS, changes } do
    for key, value in pairs(source) do
      options[key] = value
    end
  end
  return options
end

-- Takes all steps; the list of them.
local function run(net, data, options)
  local list = {}
  for step, message in assert(train.steps(net, data, options)) do
    assert(step, message)
    list[#list + 1] = step
  end
  return list
end

-- A tensor of draws.
local function tensor_of(shape, draw)
  local count = 1
  for _, size in ipairs(shape) do
    count = count * size
  end
  local flat = ym.tensor.new { count }
  for at = 1, count do
    flat[at] = draw()
  end
  return flat:reshape(shape)
end

describe("training #c", function()
  it("goes through every row each epoch, and learns", function()
    local net, data = make(1)
    local before = net:evaluate(data)
    local list = run(net, data, with { epochs = 30, validation = data })
    assert.equal(30 * 4, #list)
    for i, step in ipairs(list) do
      assert.equal(i, step.step)
      assert.equal((i - 1) // 4 + 1, step.epoch)
      assert.equal((i % 4 == 0 and 50 or i % 4 * 16) + (step.epoch - 1) * 50, step.done)
      assert.equal(1500, step.total)
      assert.equal(i % 4 == 0, step.validation ~= nil)
    end
    assert.equal(net:evaluate(data), list[#list].validation)
    assert.is_true(list[#list].validation < 0.3 * before)
  end)

  it("follows the schedule", function()
    local function rates(schedule)
      local net, data = make(1)
      local list = {}
      for i, step in ipairs(run(net, data, with { epochs = 5, schedule = schedule, rate = 0.02 })) do
        list[i] = step.rate
      end
      return list
    end
    local constant, cosine, cycle = rates "constant", rates "cosine", rates "one_cycle"
    assert.same({ 0.02, 0.02 }, { constant[1], constant[20] })
    assert.equal(0.02, cosine[1])
    assert.near(0.01, cosine[11], 1e-9)
    assert.is_true(cosine[20] < 0.001)
    assert.near(0.02 / 25, cycle[1], 1e-9)
    assert.near(0.02, cycle[7], 1e-9)
    assert.is_true(cycle[20] < 0.001)
    local own = rates(function(progress, step) return progress + step end)
    assert.near(0.02 * (0.5 + 11), own[11], 1e-9)
  end)

  it("gives the same bits for the same seed, with any number of threads", function()
    local threads = ym.threads()
    finally(function() ym.threads(threads) end)
    local dumps = {}
    for i, change in ipairs { {}, {}, { seed = 4 } } do
      ym.threads(i)
      local net, data = make(1)
      run(net, data, with(change))
      dumps[i] = net:dump()
    end
    assert.equal(dumps[1], dumps[2])
    assert.not_equal(dumps[1], dumps[3])
  end)

  it("gives the same bits with any number of threads, whatever the layers", function()
    local networks = require "spec.networks"
    local threads = ym.threads()
    finally(function() ym.threads(threads) end)
    for name, inputs in pairs {
      lstm_net = { x = { 23, 12, 6 }, target = { 23, 1 } },
      vae = { x = { 23, 6 }, noise = { 23, 4 } },
      conv_net = { x = { 23, 7, 10, 2 }, target = { 23, 4 } },
    } do
      local data, rng = {}, ym.rng.new()
      for input, shape in pairs(inputs) do
        data[input] = tensor_of(shape, function()
          local class = input == "target" and name == "lstm_net" or input == "x" and name == "vae"
          return class and rng:integer(0, 4) or rng:normal()
        end)
      end
      local dumps = {}
      for count = 1, 3 do
        ym.threads(count)
        local net = nn.graph(networks[name])
        run(net, data, { epochs = 3, batch = 9, rate = 0.01 })
        dumps[count] = net:dump()
      end
      assert.equal(dumps[1], dumps[2], name)
      assert.equal(dumps[1], dumps[3], name)
    end
  end)

  it("can be stopped at any step and resumed to the same bits", function()
    local net, data = make(1)
    -- clipped, and with validation runs in between, which leave other values in memory
    local options = with { validation = data, clip = 0.05 }
    run(net, data, options)
    local expected = net:dump()
    for _, last in ipairs { 1, 4, 10, 24 } do
      local state
      net = make(1)
      for step in train.steps(net, data, options) do
        if step.step == last then
          state = step:dump()
          break
        end
      end
      local other = make(99)
      options.resume = state
      local list = run(other, data, options)
      options.resume = nil
      assert.equal(24 - last, #list)
      assert.equal(expected, other:dump())
    end
  end)

  it("keeps its state where what was learned could not be saved", function()
    local net, data = make(1)
    local path = os.tmpname()
    os.remove(path)
    local told
    local function fit(finish)
      return pcall(train.fit, net, data, with { state = path, finish = finish })
    end
    local fine, problem = fit(function() error("disk full", 0) end)
    assert.same({ false, "disk full" }, { fine, problem })
    assert.is_truthy(io.open(path)):close()
    local _, result = fit(function(given) told = given end)
    assert.equal(told, result)
    assert.equal("epochs", told.last)
    assert.is_nil((io.open(path)))
  end)

  it("can be resumed in a new process", function()
    local net, data = make(1)
    local state
    for step in train.steps(net, data, OPTIONS) do
      state = step.step == 7 and step:dump() or state
    end
    local path, script = os.tmpname(), os.tmpname()
    finally(function()
      os.remove(path)
      os.remove(script)
    end)
    local file = assert(io.open(path, "wb"))
    file:write(state)
    file:close()
    file = assert(io.open(script, "w"))
    file:write(('package.path, package.cpath = %q, %q\n'):format(package.path, package.cpath), MAKE, [[
      local net, data = make(5)
      options.resume = assert(io.open(arg[1], "rb")):read("a")
      for step in assert(ym.train.steps(net, data, options)) do assert(step) end
      io.write(ym.store.sha256(net:dump()))
    ]])
    file:close()
    local pipe = assert(io.popen(("lua5.4 %s %s 2>&1"):format(script, path)))
    local digest = pipe:read("a")
    pipe:close()
    assert.equal(ym.store.sha256(net:dump()), digest)
  end)

  it("tells of divergence, leaves the network alone, and ends", function()
    local net, data = make(1)
    data.x:set(20, 3, math.huge)
    local before, messages = net:dump(), {}
    for step, message, kind in train.steps(net, data, with { batch = 50 }) do
      messages[#messages + 1] = { step, message, kind }
    end
    assert.same({ { false, "step 1: the loss is not finite", "diverged" } }, messages)
    assert.equal(before, net:dump())
  end)

  it("refuses a state that is damaged or of something else", function()
    local net, data = make(1)
    local state = assert(train.steps(net, data, OPTIONS))():dump()
    local function refused(bytes, network)
      local steps, message, kind = train.steps(network or net, data, with { resume = bytes })
      assert.is_nil(steps)
      assert.is_truthy(message:find("^resume: "), message)
      assert.equal("format", kind)
    end
    refused("")
    refused(state:sub(1, -2))
    refused(state:sub(1, -2) .. string.char(state:byte(-1) ~ 4))
    refused(ym.store.encode({}))
    for key, text in pairs {
      step = "25", progress = '{"loss":0,"norm":0,"waited":0,"history":7}', schedule = '{"factor":"x","waited":0}',
    } do
      local tensors, metadata = ym.store.decode(state)
      metadata[key] = text
      refused(ym.store.encode(tensors, metadata))
    end
    refused(net:dump())
    refused(state, nn.graph(function(g)
      local out = nn.dense(g:input("x", { 6 }), 5)
      return { loss = out:head_cross_entropy(g:input("target", { 2 }), { widths = { 2, 3 } }) }
    end))
    assert(train.steps(net, data, with { resume = state }))
  end)

  it("survives collections between steps", function()
    local net, data = make(1)
    for step in train.steps(net, data, with { epochs = 2 }) do
      collectgarbage()
      assert(#step:dump() > 0)
      collectgarbage()
    end
  end)
end)

describe("misuse of training", function()
  local net, data = make(1)
  local function misuse(pattern, ...)
    local arguments = table.pack(...)
    local done, message = pcall(function()
      return train.steps(table.unpack(arguments, 1, arguments.n))
    end)
    assert.is_false(done)
    assert.is_truthy(message:find("train_spec.lua:%d+: "), message)
    assert.is_truthy(message:find(pattern), message)
  end

  it("is told at the caller's line", function()
    misuse("#1 to 'steps'", {}, data)
    misuse("#2 to 'steps' %(table expected", net, nil)
    misuse("no rows", net, {})
    misuse("#2 to 'steps' %(the network has no input 'y'%)", net, { y = data.x })
    misuse("input 'x': tensor expected, got table", net, { x = {}, target = data.target })
    misuse("input 'x': tensor expected, got ym2612ml.rng", net, { x = ym.rng.new() })
    misuse("input 'x' has rows of shape %(2%), expected %(6%)", net, { x = data.target })
    misuse("tensors of %d+ and %d+ rows", net, { x = data.x, target = data.target:slice(1, 9) })
    misuse("unknown option 'epoch'", net, data, { epoch = 3 })
    misuse("option 'batch' is 0, expected integer 1..", net, data, { batch = 0 })
    misuse("option 'optimizer' is magic", net, data, { optimizer = "magic" })
    misuse("'schedule' is 7, expected string or table or function", net, data, { schedule = 7 })
    misuse("'schedule' is magic, expected one of constant, step, .*", net, data, { schedule = "magic" })
    misuse("unknown option 'patience'", net, data, { schedule = { kind = "step", patience = 1 } })
    misuse("option 'factor' is 2, expected number 0..1", net, data, { schedule = { kind = "plateau", factor = 2 } })
    misuse("option 'validation': no rows", net, data, { validation = {} })
    misuse("option 'validation': input 'target' is missing", net, data, { validation = { x = data.x } })
    misuse("'validation': input 'x' has rows of", net, data, { validation = { x = data.target } })
    for _, factor in ipairs { false, "1", -1, 0 / 0, math.huge } do
      local done, message = pcall(function()
        train.steps(net, data, { schedule = function() return factor or nil end })()
      end)
      assert.is_false(done)
      assert.is_truthy(message:find("train_spec.lua:%d+: option 'schedule' returned .*, expected a number 0"), message)
    end
    local state = assert(train.steps(net, data, OPTIONS))():dump()
    misuse("'resume' is of a training with epochs=6 .* not epochs=7", net, data, with { epochs = 7, resume = state })
    misuse("not .* subject=bells", net, data, with { subject = "bells", resume = state })
  end)

  it("is told when a step that is over is dumped", function()
    local first
    for step in train.steps(net, data, OPTIONS) do
      first = first or step
      if step.step == 2 then
        break
      end
    end
    assert.has_error(function() first:dump() end, "step 1 is over: only the last step can be dumped")
  end)

  it("is told when the inputs of a network are missing", function()
    local done, message = pcall(function()
      for _ in train.steps(net, { x = data.x }) do end
    end)
    assert.is_false(done)
    assert.is_truthy(message:find("input 'target' is missing"), message)
  end)
end)

describe("training from a source", function()
  local net, data = make(1)

  -- A source of the data whose rows change passes on.
  local function source(change)
    return {
      rows = 50,
      take = function(_, rows)
        local list = rows:totable()
        return change({ x = data.x:rows(list), target = data.target:rows(list) })
      end,
    }
  end

  local function whole(inputs)
    return inputs
  end

  it("learns what it does from tensors, to the same bits", function()
    local other = make(1)
    local straight = run(net, data, OPTIONS)
    local list = run(other, source(whole), with { validation = data })
    assert.equal(#straight, #list)
    for i, step in ipairs(list) do
      assert.equal(straight[i].loss, step.loss)
    end
    for name, values in pairs(net:parameters()) do
      assert.same(values:totable(), other:parameters()[name]:totable())
    end
  end)

  it("goes on where it stopped", function()
    local straight, first, second = make(2), make(2), make(2)
    run(straight, source(whole), OPTIONS)
    local dump
    for step in train.steps(first, source(whole), OPTIONS) do
      if step.step == 5 then
        dump = step:dump()
        break
      end
    end
    run(second, source(whole), with { resume = dump })
    for name, values in pairs(straight:parameters()) do
      assert.same(values:totable(), second:parameters()[name]:totable())
    end
  end)

  it("ends with its failure", function()
    local next_step = assert(train.steps(net, source(function() return nil, "disk: is gone", "io" end)))
    local step, message, kind = next_step()
    assert.is_false(step)
    assert.equal("step 1: disk: is gone", message)
    assert.equal("io", kind)
    assert.is_nil(next_step())
  end)

  it("is refused when it gives something else", function()
    local function misuse(expected, data_given)
      local done, message = pcall(function()
        for step, reason in train.steps(net, data_given) do
          assert(step, reason)
        end
      end)
      assert.is_false(done)
      assert.is_truthy(message:find(expected, 1, true), message)
    end
    misuse("gave nil, expected a table", source(function() return nil end))
    misuse("gave 3, expected a table", source(function() return 3 end))
    misuse("gave 2 rows of input 'x', expected 50", source(function(inputs)
      inputs.x = inputs.x:slice(1, 2)
      return inputs
    end))
    misuse("no input 'y'", source(function(inputs)
      inputs.y = inputs.x
      return inputs
    end))
    misuse("'target' is missing", source(function(inputs) return { x = inputs.x } end))
    for _, rows in ipairs { 0, 1.5, "50", false } do
      misuse("field 'rows' is", { rows = rows, take = function() end })
    end
  end)
end)
