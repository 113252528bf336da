local ym = require "ym2612ml"
local nn, tensor = ym.nn, ym.tensor
local random = require("spec.gradients").random

-- A small network for classes of two heads, and data it can learn.
local function small(seed)
  local net = nn.graph(function(g)
    local x = nn.dense(g:input("x", { 6 }), 16, { activation = "relu" })
    local out = nn.dense(x:dropout(0.1), 5)
    return { out = out, loss = out:head_cross_entropy(g:input("target", { 2 }), { widths = { 2, 3 } }) }
  end, { seed = seed or 1 })
  local x, target = random({ 40, 6 }, 4), tensor.new({ 40, 2 }, "u8")
  for row = 1, 40 do
    target:set(row, 1, x:get(row, 1) > 0 and 1 or 0)
    target:set(row, 2, x:get(row, 2) > 0 and 2 or 0)
  end
  return net, { x = x, target = target }
end

describe("a network #c", function()
  it("learns, by every method", function()
    for _, options in ipairs {
      { method = "sgd", rate = 0.1, momentum = 0.9 },
      { method = "adam", rate = 0.01, clip = 1 },
      { method = "adamw", rate = 0.01, decay = 0.01 },
    } do
      local net, data = small()
      local optimizer, before = nn.optimizer(net, options), net:evaluate(data)
      for _ = 1, 100 do
        assert(net:step(data, optimizer))
      end
      assert.equal(100, optimizer:steps())
      assert.is_true(net:evaluate(data) < 0.3 * before, options.method)
    end
  end)

  it("takes the steps that Adam's formulas say", function()
    local net = nn.graph(function(g)
      return { loss = (g:input("x", {}) * g:param("p", {}, { init = "constant", value = 2 })):square() }
    end)
    local optimizer = nn.optimizer(net, { method = "adam", rate = 0.1, beta1 = 0.8, beta2 = 0.9 })
    local p, m, v = 2, 0, 0
    for t = 1, 5 do
      local loss, norm = net:step({ x = { 0.5 } }, optimizer)
      local slope = 2 * 0.25 * p
      assert.near(0.25 * p * p, loss, 1e-6)
      assert.near(math.abs(slope), norm, 1e-6)
      m, v = 0.8 * m + 0.2 * slope, 0.9 * v + 0.1 * slope ^ 2
      p = p - 0.1 * (m / (1 - 0.8 ^ t)) / (math.sqrt(v / (1 - 0.9 ^ t)) + 1e-8)
      assert.near(p, net:parameters().p[1], 1e-5)
    end
  end)

  it("clips the norm of the whole gradient, and decays apart from it", function()
    local net = nn.graph(function(g)
      return { loss = (g:input("x", { 2 }) * g:param("p", { 2 }, { init = "ones" })):sum() }
    end)
    local optimizer = nn.optimizer(net, { method = "sgd", rate = 1, clip = 1 })
    local _, norm = net:step({ x = { { 3, 4 } } }, optimizer)
    assert.near(5, norm, 1e-6)
    assert.near(1 - 0.6, net:parameters().p[1], 1e-6)
    net:parameters().p:fill(1)
    net:step({ x = { { 0, 0 } } }, nn.optimizer(net, { method = "adamw", rate = 0.5, decay = 0.1 }))
    assert.near(0.95, net:parameters().p[1], 1e-6)
  end)

  it("gives the same bits with any number of threads, and after a restore", function()
    local threads, results = ym.threads(), {}
    finally(function() ym.threads(threads) end)
    for i, count in ipairs { 1, 2, 7, 2 } do
      ym.threads(count)
      local net, data = small(7)
      local optimizer = nn.optimizer(net, { clip = 1 })
      for step = 1, 20 do
        assert(net:step(data, optimizer, { first = step, count = 11 }))
        if i == 4 and step == 8 then
          local state, moments = net:dump(), optimizer:dump()
          net = small(3)
          assert(net:restore(state))
          optimizer = nn.optimizer(net, { clip = 1 })
          assert(optimizer:restore(moments))
        end
      end
      results[i] = net:dump() .. tostring(net:evaluate(data))
    end
    assert.equal(results[1], results[2])
    assert.equal(results[1], results[3])
    assert.equal(results[1], results[4])
  end)

  it("starts from its seed", function()
    local a, b, c = small(1), small(1), small(2)
    assert.equal(a:dump(), b:dump())
    assert.not_equal(a:dump(), c:dump())
    c:reset(1)
    assert.equal(a:dump(), c:dump())
    assert.equal(6 * 16 + 16 + 16 * 5 + 5, a:count())
  end)

  it("is not changed by a step that diverges", function()
    local net, data = small()
    local optimizer, before = nn.optimizer(net), net:dump()
    for _, bad in ipairs { 0 / 0, math.huge } do
      local x = data.x:to("f32")
      x:set(3, 2, bad)
      local loss, message, kind = net:step({ x = x, target = data.target }, optimizer)
      assert.is_nil(loss)
      assert.is_truthy(message:find("not finite"))
      assert.equal("diverged", kind)
    end
    assert.equal(before, net:dump())
    assert.equal(0, optimizer:steps())
  end)

  it("reports a target that is no class", function()
    local net, data = small()
    data.target:set(5, 2, 3)
    local loss, message, kind = net:evaluate(data)
    assert.is_nil(loss)
    assert.equal("input", kind)
    assert.is_truthy(message:find("head 2 is 3, expected a class 0..2", 1, true))
    loss, message, kind = net:step(data, nn.optimizer(net))
    assert.same({ nil, message, "input" }, { loss, message, kind })
  end)

  it("drops in training only, keeping the mean", function()
    local net = nn.graph(function(g)
      local x = g:input("x", { 100 }) * g:param("p", { 100 }, { init = "ones" })
      return { y = x:dropout(0.25), loss = x:dropout(0.25):mean() }
    end)
    local ones = tensor.new({ 100, 100 }):fill(1)
    assert.equal(1, net:run({ x = ones }).y:get(50, 50))
    assert.near(1, net:evaluate { x = ones }, 1e-6)
    local _, first = net:gradients { x = ones }
    assert.near(1, first, 0.05)
    assert.not_equal(1, first)
    net:step({ x = ones }, nn.optimizer(net, { rate = 0 }))
    local _, second = net:gradients { x = ones }
    assert.not_equal(first, second)
  end)

  it("keeps views alive, and survives a collection at any time", function()
    local net, data = small()
    local views = net:parameters()
    local before = views["dense_1.weight"]:totable()
    net = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.same(before, views["dense_1.weight"]:totable())
    net = small()
    local optimizer = nn.optimizer(net)
    for count = 40, 1, -3 do
      assert(net:step({ x = data.x:slice(1, count), target = data.target:slice(1, count) }, optimizer))
      collectgarbage()
      assert(net:run { x = data.x:to("f16") })
      collectgarbage()
    end
  end)
end)

describe("a graph in the core #c", function()
  local core = require("ym2612ml.core").nn

  -- loss = mean((x p)^2), x and p of one row of 3, and the core's numbers of its nodes.
  local function recorded()
    local graph = core.new()
    local x = graph:add("input", {}, { name = "x", shape = { 3 }, gradient = true })
    local p = graph:add("param", {}, { name = "p", shape = { 3 }, init = "ones" })
    local fixed = graph:add("square", { p }, {})
    local loss = graph:add("square", { graph:add("mul", { x, p }, {}) }, {})
    return graph, { x = x, p = p, fixed = fixed, loss = loss }
  end
  local function finished()
    local graph, node = recorded()
    assert(graph:finish(node.loss))
    graph:initialise(1)
    return graph, node
  end
  local function feeds(node, rows)
    return { [node.x] = random { rows, 3 } }
  end

  it("does nothing before it is finished", function()
    local graph, node = recorded()
    local optimizer = core.optimizer((finished()), {})
    for name, call in pairs {
      initialise = function() graph:initialise(1) end,
      leaf = function() graph:leaf(node.p) end,
      weights = function() graph:weights() end,
      forward = function() graph:forward({}, nil, nil, nil, { node.fixed }) end,
      evaluate = function() graph:evaluate(feeds(node, 2), nil, nil, nil, node.loss) end,
      backward = function() graph:backward(feeds(node, 2), nil, nil, nil, 1) end,
      optimizer = function() core.optimizer(graph, {}) end,
      step = function() graph:step(feeds(node, 2), nil, nil, nil, 1, optimizer) end,
    } do
      assert.error_matches(call, "'" .. name .. "' .*%(the graph is not finished%)", nil, name)
    end
  end)

  it("takes no more nodes once finished", function()
    local graph, node = finished()
    assert.same({ nil, "the graph is finished", "argument" }, { graph:add("relu", { node.x }, {}) })
    assert.same({ nil, "the graph is finished", "argument" }, { graph:finish(node.loss) })
    assert.equal(1, graph:leaf(node.p)[1])
  end)

  it("has gradients from a backward run until the next run", function()
    local graph, node = finished()
    assert.error_matches(function() graph:gradient(node.p) end, "the last run was not backward")
    assert(graph:backward(feeds(node, 5), nil, nil, nil, 1))
    assert.same({ 5, 3 }, graph:gradient(node.x):shape())
    assert.same({ 3 }, graph:gradient(node.p):shape())
    assert(graph:forward(feeds(node, 1000), nil, nil, nil, { node.loss }))
    assert.error_matches(function() graph:gradient(node.p) end, "the last run was not backward")
    assert(graph:backward(feeds(node, 2), nil, nil, nil, 1))
    assert.same({ 2, 3 }, graph:gradient(node.x):shape())
    -- a run that fails leaves none either
    local order = tensor.from({ 3 }, "i32")
    assert.equal("argument", select(3, graph:backward(feeds(node, 2), order, nil, nil, 1)))
    assert.error_matches(function() graph:gradient(node.x) end, "the last run was not backward")
  end)

  it("evaluates only what has rows, and takes only tensors, for inputs", function()
    local graph, node = finished()
    assert.error_matches(function()
      graph:evaluate(feeds(node, 1000), nil, nil, nil, node.fixed)
    end, "depends on no input")
    assert.same({ nil, "input 'x' is no tensor", "argument" },
      { graph:backward({ [node.x] = ym.rng.new() }, nil, nil, nil, 1) })
    assert.same({ nil, "node 2 is no input", "argument" },
      { graph:backward({ [node.p] = random { 1, 3 } }, nil, nil, nil, 1) })
    local most = math.maxinteger
    assert.equal("argument", select(3, graph:backward(feeds(node, 2), nil, most, most, 1)))
  end)
end)

describe("a network in a file #c", function()
  local path = os.tmpname()
  teardown(function() os.remove(path) end)

  it("comes back as it was", function()
    local net, data = small()
    net:step(data, nn.optimizer(net))
    assert(net:save(path, { metadata = { note = "flute" } }))
    local copy = assert(nn.load(path))
    assert.equal(net:dump():gsub('"user.note":"flute",?', ""), net:dump())
    assert.equal("flute", copy.metadata.note)
    assert.equal(net:run(data).out:bytes(), copy:run(data).out:bytes())
    assert.same(net.outputs, copy.outputs)
    assert.same({ 6 }, copy.inputs.x)
    assert(copy:step(data, nn.optimizer(copy)))
  end)

  it("loses little as f16", function()
    local net, data = small()
    assert(net:save(path, { type = "f16" }))
    assert.near(net:evaluate(data), assert(nn.load(path)):evaluate(data), 1e-3)
  end)

  it("has its constants with it", function()
    local net = nn.graph(function(g)
      return { y = g:input("x", { 2 }) * g:const { 0.1, 7 } + 3 }
    end)
    assert(net:save(path))
    assert.same(net:run({ x = { { 1, 2 } } }).y:totable(), assert(nn.load(path)):run({ x = { { 1, 2 } } }).y:totable())
  end)

  it("is refused when it is something else, or not finite", function()
    local net = small()
    local function refused(pattern)
      local loaded, message, kind = nn.load(path)
      assert.is_nil(loaded)
      assert.equal("format", kind)
      assert.equal(path .. ": ", message:sub(1, #path + 2))
      assert.is_truthy(message:find(pattern), message)
      assert.is_nil(message:find(".lua:", 1, true), message)
    end
    ym.store.save(path, { x = tensor.new { 2 } })
    refused("not a network")
    net:parameters()["dense_1.bias"][1] = 0 / 0
    assert(net:save(path))
    refused("dense_1.bias.*not finite")
    local nodes = {
      '{"operator":"nonsense","inputs":[],"settings":{}}',
      '{"operator":"param","inputs":[],"settings":{"name":"w","shape":[1073741824,1073741824]}}',
      '{"operator":"param","inputs":[],"settings":{"name":"w","shape":[100000000]}}',
      '{"operator":"param","inputs":[],"settings":{"name":"w","shape":"no"}}',
      '{"operator":"relu","inputs":[1],"settings":{}}',
      '{"operator":7,"inputs":[],"settings":{}}',
      '{"operator":"input"}',
      '{"operator":"input","inputs":[],"settings":{"":1}}',
      "null",
    }
    for _, node in ipairs(nodes) do
      local graph = ('{"nodes":[%s],"outputs":{"y":1}}'):format(node)
      ym.store.save(path, { w = tensor.new { 2 } }, { kind = "ym2612ml network 1", graph = graph })
      refused("")
    end
    for _, graph in ipairs { "[1", "[]", "null", '{"nodes":[]}', '{"nodes":null,"outputs":{}}' } do
      ym.store.save(path, {}, { kind = "ym2612ml network 1", graph = graph })
      refused("graph is not valid %(it is not JSON of nodes and outputs%)")
    end
  end)

  it("says where it cannot be", function()
    local loaded, message, kind = nn.load("/nowhere/net.safetensors")
    assert.same({ nil, "/nowhere/net.safetensors: No such file or directory", "io" }, { loaded, message, kind })
    local done
    done, message, kind = small():save("/nowhere/net.safetensors")
    assert.is_nil(done)
    assert.is_truthy(message:find("^/nowhere/net.safetensors: "))
    assert.equal("io", kind)
  end)
end)

describe("misuse of a network", function()
  -- The message of an error, which must point at this file.
  local function misuse(f, pattern)
    local done, message = pcall(f)
    assert.is_false(done)
    assert.is_truthy(message:find("graph_spec.lua:%d+: "), message)
    assert.is_truthy(message:find(pattern), message)
  end

  it("is told at the line that writes the graph", function()
    local function wrong(write, pattern)
      misuse(function()
        nn.graph(function(g)
          return { y = write(g, g:input("x", { 3, 4 })) }
        end)
      end, pattern)
    end
    wrong(function(g, x) return x + g:param("p", { 3 }) end, "add: shapes %(batch, 3, 4%) and %(3%)")
    wrong(function(g, x) return x + g:param("p", { 2, 3, 4 }) end, "add: shapes")
    wrong(function(g, x) return x:linear(g:param("w", { 3, 4 })) end, "linear: shapes")
    wrong(function(g, x)
      return x:linear(g:param("w", { 4, 2 }), g:param("b", { 3 }))
    end, "the bias is %(3%), expected %(2%)")
    wrong(function(_, x) return x:matmul(x) end, "matmul: shapes")
    wrong(function(_, x) return x:reshape { 5 } end, "reshape: shapes")
    wrong(function(_, x) return x:slice(1, 1, 1) end, "option 'axis' is 1, expected a whole number 2..3")
    wrong(function(_, x) return x:slice(2, 2, 4) end, "option 'last' is 4, expected a whole number 2..3")
    wrong(function(_, x) return x:concat(x:slice(2, 1, 2), { axis = 3 }) end, "concat: shapes")
    wrong(function(_, x) return x:dropout(1) end, "option 'rate' is 1")
    wrong(function(_, x) return x:relu { slope = 1 } end, "relu: unknown option 'slope'")
    wrong(function(_, x) return x:dropout { rate = print } end, "dropout: option 'rate' is no text")
    wrong(function(_, x) return x:leaky_relu(0 / 0) end, "leaky_relu: option 'slope' is no text")
    wrong(function(_, x) return x:dropout { rate = "0.2" } end, "option 'rate' is '0.2', expected a number")
    wrong(function(_, x) return x:dropout { rate = { 0.2, 0.3 } } end, "option 'rate' is a list of 2")
    wrong(function(_, x) return x:leaky_relu(1e300) end, "option 'slope' is 1e%+300, too large")
    wrong(function(_, x) return x:clamp(1, -1) end, "option 'least' is 1, expected no more than 'most', %-1")
    wrong(function(_, x)
      return x:dropout { a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8, i = 9 }
    end, "dropout: has more than 8 options")
    wrong(function(_, x) return x:sum():softmax() end, "softmax: has no axis to work on")
    wrong(function(_, x) return x:sum():layer_norm() end, "layer_norm: has no axis to work on")
    wrong(function(g)
      return g:input("z", { 1, 2 ^ 20, 1 }):conv2d_transpose(g:param("w", { 1, 1, 1, 1 }), { stride = 2 ^ 12 })
    end, "conv2d_transpose: its shape is too large")
    wrong(function(_, x) return x:slice(2) end, "option 'first' is missing")
    wrong(function(g) return g:param("p", {}):permute {} end, "must list the axes")
    wrong(function(g) return g:param("p", {}):permute { axes = {} } end, "must list the axes")
    wrong(function(_, x) return x:permute { 2, 1, 3 } end, "each once, the batch first")
    wrong(function(_, x) return x:permute { 1, 2, 2 } end, "must list the axes 1..3")
    wrong(function(_, x) return x:relu(x) end, "relu: has 2 inputs, expected 1..1")
    wrong(function(_, x) return x:head_cross_entropy(x, { widths = { 4 } }) end, "head_cross_entropy: shapes")
    wrong(function(_, x) return x:head_cross_entropy(x, { widths = { 0 } }) end, "width 1 is 0")
    wrong(function(_, x) return x:head_cross_entropy(x) end, "'widths' must be a list")
    wrong(function(_, x) return x:mse(x:sum()) end, "mse: shapes")
    wrong(function(g) return g:param("p", { 0 }) end, "axis 1 of the shape is 0")
    wrong(function(g) return g:param("p", { 2 }, { init = "magic" }) end, "init is 'magic'")
    wrong(function(g) return g:param("p", { 2 }, { initial = "ones" }) end, "unknown option 'initial'")
    wrong(function(g) return g:input("x", { 2 }) end, "the name 'x' is taken")
    wrong(function(_, x) return nn.dense(x, 3, { activation = "bell" }) end, "option 'activation' is bell")
    wrong(function(_, x) return x + "one" end, "expected a node or a number")
    wrong(function() return 3 end, "output 'y' is not a node")
    wrong(function(_, x) return x * (0 / 0) end, "a value is not finite")
    wrong(function(g) return g:const { 1, math.huge } end, "a value is not finite")
    wrong(function(g) return g:const(print) end, "tensor expected, got function")
    local function loss(kind)
      return function()
        nn.graph(function(g) return { loss = g[kind](g, "x", { 2 }) } end)
      end
    end
    misuse(loss "param", "loss must depend on an input")
    misuse(loss "input", "loss must depend on a parameter")
    misuse(function() nn.graph(function() end) end, "must return a table")
    misuse(function() nn.graph(3) end, "function expected")
    misuse(function() nn.graph(print, { sed = 1 }) end, "unknown option 'sed'")
  end)

  it("is told at the line that runs it", function()
    local net, data = small()
    local optimizer = nn.optimizer(net)
    local function step(inputs, rows)
      return function() net:step(inputs, optimizer, rows) end
    end
    misuse(step { x = data.x }, "input 'target' is missing")
    misuse(step { x = data.x, y = data.x }, "no input 'y'")
    misuse(step { x = data.x, target = data.x }, "input 'target' must have the shape %(batch, 2%)")
    misuse(step { x = data.x:slice(1, 3), target = data.target }, "different numbers of rows")
    misuse(step { x = data.x:slice(1, 0), target = data.target:slice(1, 0) }, "no rows")
    misuse(function() net:evaluate { x = data.x:slice(1, 0), target = data.target:slice(1, 0) } end, "no rows")
    misuse(step(data, { first = 30, count = 12 }), "rows 30..41")
    misuse(step(data, { first = 0 }), "option 'first' is 0")
    misuse(step(data, { order = tensor.from({ 1, 41 }, "i32") }), "40 rows, and row 41")
    misuse(step(data, { order = tensor.from({ 1, 0 }, "i32") }), "row 0 is asked for")
    misuse(step(data, { order = tensor.from({ 1, -5 }, "i32") }), "is asked for")
    for _, order in ipairs { io.stdout, tensor.new { 2 }, tensor.new({ 2, 2 }, "i32") } do
      misuse(step(data, { order = order }), "option 'order' .*tensor")
    end
    misuse(step(data, { fist = 1 }), "unknown option 'fist'")
    misuse(step(3), "table expected")
    misuse(function() net:step(data, nn.optimizer((small()))) end, "expected an optimizer of this network")
    misuse(function() net:run {} end, "suffice for no output")
    misuse(function() net:run { x = { { 1, 2 }, { 3 } } } end, "input 'x': expected 2 values along axis 2")
    misuse(function() net:save("/nowhere/x", { metadata = { a = 1 } }) end, "metadata 'a' is number, expected texts")
    misuse(function() net:run { x = 5 } end, "input 'x': tensor expected, got number")
    misuse(function() nn.optimizer(net, { method = "magic" }) end, "option 'method' is magic, expected one of sgd")
    misuse(function() nn.optimizer(net, { rate = -1 }) end, "option 'rate' is %-1")
    misuse(function() nn.optimizer(net, { rate = 0 / 0 }) end, "option 'rate'")
    misuse(function() nn.optimizer(net, { rate = math.huge }) end, "option 'rate' is inf")
    misuse(function() nn.optimizer(net, { decay = 1e300 }) end, "option 'decay' is 1e%+300")
    misuse(function() nn.optimizer(net, { beta1 = 1 }) end, "option 'beta1' is 1, expected number 0%.%. below 1")
    misuse(function() nn.optimizer(net, { beta2 = 1.0 }) end, "option 'beta2' is 1")
    misuse(function() nn.optimizer(net, { epsilon = 0 }) end, "option 'epsilon' is 0")
    misuse(function() optimizer:rate(math.huge) end, "inf, expected a number 0")
    misuse(function() net:reset(1.5) end, "#1 to 'reset' %(1.5, expected a whole number%)")
    misuse(function() net:reset("1") end, "#1 to 'reset'")
    misuse(function() net:reset() end, "#1 to 'reset'")
    misuse(function() nn.optimizer({}) end, "expected a network")
    misuse(function() net:save(nil, { type = "u8" }) end, "string expected")
    misuse(function() net:save("x", { type = "u8" }) end, "option 'type' is u8")
    local still = nn.graph(function(g) return { y = g:input("x", { 1 }) } end)
    misuse(function() still:evaluate { x = { { 1 } } } end, "needs a network with an output named 'loss'")
  end)
end)

describe("a shared step #c", function()
  local core = require("ym2612ml.core").nn
  local ROWS, DRAW = 22, 7
  local rng = ym.rng.new { seed = 2 }
  local x, y = ym.tensor.new { ROWS, 12, 2 }, ym.tensor.new { ROWS, 3 }
  for row = 1, ROWS do
    for at = 1, 12 do
      x[row][at]:set(1, rng:normal())
      x[row][at]:set(2, rng:normal())
    end
    for at = 1, 3 do
      y:set(row, at, rng:normal())
    end
  end

  local function build()
    local net = ym.nn.graph(function(g)
      local h = ym.nn.conv(g:input("x", { 12, 2 }), 5, { activation = "relu" })
      h = ym.nn.conv(ym.nn.batch_norm(h), 4):reshape { 48 }:dropout { rate = 0.2 }
      local scale = g:param("scale", { 3 }, { init = "ones" }):exp()
      return { loss = (ym.nn.dense(ym.nn.batch_norm(h), 3) * scale):mse(g:input("y", { 3 })) }
    end, { seed = 4 })
    return net, ym.nn.optimizer(net, { method = "adamw", clip = 0.5 })
  end

  local function feeds(net)
    return { [net.input_nodes.x] = x, [net.input_nodes.y] = y }
  end

  -- What processes would do, each with the parts from starts[i] to below starts[i + 1].
  local function share(starts)
    local list, losses, squares, pieces = {}, {}, "", 1
    for i = 1, #starts - 1 do
      local net, optimizer = build()
      local first, count = core.rows(ROWS, starts[i], starts[i + 1] - starts[i])
      assert(net.core:begin(feeds(net), nil, first, count, DRAW, ROWS, starts[i], starts[i + 1] - starts[i]))
      list[i] = { net = net, optimizer = optimizer, first = first, last = first + count - 1 }
    end
    local stops = 0
    repeat
      local blocks = {}
      for i, part in ipairs(list) do
        blocks[i] = part.net.core:advance()
      end
      for i, part in ipairs(blocks[1] and list or {}) do
        for k, block in ipairs(blocks[i]) do
          for j = 1, part.last >= part.first and #list or 0 do
            blocks[j][k]:slice(part.first, part.last):copy(block:slice(part.first, part.last))
          end
        end
      end
      stops = stops + 1
    until not blocks[1]
    assert.equal(5, stops) -- two layers forward, two back
    local rows, columns = {}, nil
    for _, part in ipairs(list) do
      local partials, gradients = part.net.core:slopes()
      for row = 1, partials and #partials or 0 do
        rows[#rows + 1] = partials[row]
      end
      columns = ym.tensor.new { #rows, #gradients }
    end
    for _, part in ipairs(list) do
      for row, partial in ipairs(rows) do
        columns[row]:copy(partial)
      end
      part.net.core:sum(columns, starts, 0)
      pieces = core.pieces(part.optimizer.core)
      losses[#losses + 1], squares = part.net.core:settle(part.optimizer.core, 0, pieces)
    end
    for _, part in ipairs(list) do
      part.loss, part.norm = part.net.core:take(part.optimizer.core, table.concat(losses), squares, 0, pieces)
    end
    return list
  end

  it("gives the bits of a whole one, however the parts are shared", function()
    local whole, optimizer = build()
    local loss, norm = whole.core:step(feeds(whole), nil, nil, nil, DRAW, optimizer.core)
    for _, starts in ipairs { { 0, 4 }, { 0, 2, 4 }, { 0, 1, 4 }, { 0, 3, 3, 4 }, { 0, 1, 2, 3, 4 } } do
      for _, part in ipairs(share(starts)) do
        assert.equal(loss, part.loss)
        assert.equal(norm, part.norm)
        assert.equal(whole:dump(), part.net:dump())
        assert.equal(optimizer:dump(), part.optimizer:dump())
      end
    end
  end)

  it("splits large minibatches in more parts", function()
    local expected = { [0] = 0, [3] = 3, [4] = 4, [512] = 4, [639] = 4, [640] = 5, [8192] = 64, [100000] = 64 }
    for rows, parts in pairs(expected) do
      assert.equal(parts, core.parts(rows))
    end
    assert.same({ 257, 128 }, { core.rows(8192, 2, 1) })
    assert.same({ 1, 2, 4, 0 }, { core.blocks(0, 4), core.blocks(1, 3), core.blocks(1, 6), core.blocks(5, 0) })
    for _, beyond in ipairs { { 1, 64 }, { 65, 0 }, { 1, 1 << 30 } } do
      assert.has_error(function() core.blocks(beyond[1], beyond[2]) end)
    end
  end)

  it("refuses what does not fit", function()
    local net, optimizer = build()
    assert.has_error(function() net.core:advance() end)
    assert.has_error(function() net.core:slopes() end)
    assert.has_error(function() net.core:begin(feeds(net), nil, nil, nil, DRAW, ROWS, 3, 2) end)
    local done, message, kind = net.core:begin(feeds(net), nil, 1, 5, DRAW, ROWS, 0, 2)
    assert.same({ nil, "has 5 rows, and its share is 11", "argument" }, { done, message, kind })
    assert(net.core:begin(feeds(net), nil, 1, 11, DRAW, ROWS, 0, 2))
    assert.has_error(function() net.core:sum(ym.tensor.new { 3, 4 }, { 0, 2, 4 }, 0) end)
    assert.has_error(function() net.core:sum(ym.tensor.new { 2, 10000 }, { 0, 2, 4 }, 0) end)
    assert.has_error(function() net.core:take(optimizer.core, "", "", 0, 0) end)
    local other = ym.nn.optimizer(ym.nn.graph(function(g)
      return { loss = ym.nn.dense(g:input("x", { 1 }), 1):mean() }
    end))
    assert.error_matches(function() net.core:settle(other.core, 0, 0) end, "another network")
    assert.error_matches(function() net.core:take(other.core, "", "", 0, 0) end, "another network")
    assert.error_matches(function() net:share_step(other, {}, 1, error) end, "an optimizer of this network")
  end)
end)
