local ym = require "ym2612ml"
local nn, tensor = ym.nn, ym.tensor

-- A tensor of normal random numbers.
local function random(shape, seed)
  local rng, count = ym.rng.new { seed = seed or 1 }, 1
  for _, size in ipairs(shape) do
    count = count * size
  end
  local values = {}
  for i = 1, count do
    values[i] = rng:normal()
  end
  return tensor.from(values):reshape(shape)
end

-- Records y = write(g, x) of an input x, (3, 4) a row, and runs it on two rows.
local function value_of(write, x)
  local net = nn.graph(function(g)
    return { y = write(g, g:input("x", { 3, 4 })) }
  end)
  return net:run({ x = x or random { 2, 3, 4 } }).y
end

-- The loss is a fixed random mixture of all elements of y, so that every element's
-- gradient is another.
local function mix(g, y)
  local shape = y:shape()
  return #shape == 0 and y or (y * g:const(random(shape, 9))):sum()
end

-- Compares every gradient of a network with central differences. Losses come from
-- `gradients`, so that dropout draws the same each time.
local function check_gradients(net, inputs)
  local step, worst, count = 1 / 128, 0, 0
  local gradients = assert(net:gradients(inputs))
  local function check(name, values)
    local flat = values:reshape { select(2, values:bytes():gsub("....", "")) }
    local gradient = gradients[name]:reshape { #flat }
    for i = 1, #flat do
      local value = flat[i]
      flat[i] = value + step
      local _, above = net:gradients(inputs)
      flat[i] = value - step
      local _, below = net:gradients(inputs)
      flat[i] = value
      local expected = (above - below) / (2 * step)
      worst = math.max(worst, math.abs(gradient[i] - expected) / (0.1 + math.abs(expected)))
      count = count + 1
    end
  end
  for name, values in pairs(net:parameters()) do
    check(name, values)
  end
  for name, values in pairs(inputs) do
    if gradients[name] then
      check(name, values)
    end
  end
  assert.is_true(count > 0)
  assert.is_true(worst < 0.01, ("a gradient is %g off"):format(worst))
end

describe("the value of #c", function()
  local x = random { 2, 3, 4 }
  local function each(f, y)
    for row = 1, 2 do
      for i = 1, 3 do
        for j = 1, 4 do
          assert.near(f(x:get(row, i, j)), y:get(row, i, j), 1e-5)
        end
      end
    end
  end

  it("functions of one node", function()
    local function positive(v)
      return math.abs(v) + 0.5
    end
    local functions = {
      neg = function(v) return -v end,
      exp = math.exp,
      square = function(v) return v * v end,
      abs = math.abs,
      tanh = function(v) return 1 - 2 / (math.exp(2 * v) + 1) end,
      sigmoid = function(v) return 1 / (1 + math.exp(-v)) end,
      relu = function(v) return math.max(v, 0) end,
      leaky_relu = function(v) return v > 0 and v or 0.01 * v end,
      softplus = function(v) return math.log(1 + math.exp(v)) end,
    }
    for name, f in pairs(functions) do
      each(f, value_of(function(_, node) return node[name](node) end, x))
    end
    local function of_positive(operator)
      return value_of(function(_, node) return operator(node:abs() + 0.5) end, x)
    end
    each(function(v) return math.log(positive(v)) end, of_positive(function(node) return node:log() end))
    each(function(v) return positive(v) ^ 0.5 end, of_positive(function(node) return node:sqrt() end))
  end)

  it("gelu at known points", function()
    local y = value_of(function(_, node) return node:gelu() end, tensor.new({ 2, 3, 4 }):fill(1))
    assert.near(0.8413447, y:get(1, 1, 1), 1e-6)
  end)

  it("arithmetic with numbers and parameters, broadcasting", function()
    local net = nn.graph(function(g)
      local a, p = g:input("a", { 3, 4 }), g:param("p", { 3, 1 })
      return { y = 2 - (a * p) / 4 + g:const { 1, 2, 3, 4 } }
    end)
    local p, y = net:parameters().p, net:run({ a = x }).y
    for i = 1, 3 do
      for j = 1, 4 do
        assert.near(2 - x:get(2, i, j) * p:get(i, 1) / 4 + j, y:get(2, i, j), 1e-5)
      end
    end
  end)

  it("sums, means and slices along an axis", function()
    local sum = value_of(function(_, node) return node:sum(2) end, x)
    assert.same({ 2, 4 }, sum:shape())
    assert.near(x:get(2, 1, 3) + x:get(2, 2, 3) + x:get(2, 3, 3), sum:get(2, 3), 1e-5)
    local mean = value_of(function(_, node) return node:mean { axis = 3, keep = true } end, x)
    assert.same({ 2, 3, 1 }, mean:shape())
    local all = value_of(function(_, node) return node:mean() end, x)
    assert.same({ 2 }, all:shape())
    local slice = value_of(function(_, node) return node:slice(3, 2, 3) end, x)
    assert.same({ 2, 3, 2 }, slice:shape())
    assert.equal(x:get(2, 3, 3), slice:get(2, 3, 2))
  end)

  it("concat and reshape", function()
    local y = value_of(function(_, node) return node:concat(node * 2, { axis = 2 }):reshape { 24 } end, x)
    assert.same({ 2, 24 }, y:shape())
    assert.equal(x:get(2, 3, 4), y:get(2, 12))
    assert.near(2 * x:get(2, 1, 1), y:get(2, 13), 1e-6)
  end)

  it("matmul, with either side transposed", function()
    local y = value_of(function(_, node) return node:matmul(node, { transpose_b = true }) end, x)
    local z = value_of(function(_, node) return node:matmul(node, { transpose_a = true }) end, x)
    local sum, other = 0, 0
    for k = 1, 4 do
      sum = sum + x:get(2, 1, k) * x:get(2, 3, k)
    end
    for k = 1, 3 do
      other = other + x:get(2, k, 1) * x:get(2, k, 4)
    end
    assert.near(sum, y:get(2, 1, 3), 1e-5)
    assert.near(other, z:get(2, 1, 4), 1e-5)
  end)

  it("softmax, also where exp would overflow", function()
    local y = value_of(function(_, node) return (node * 100):softmax() end, x)
    local sum = 0
    for j = 1, 4 do
      sum = sum + y:get(1, 2, j)
    end
    assert.near(1, sum, 1e-5)
    local z = value_of(function(_, node) return node:log_softmax():exp():sum(3) end, x)
    assert.near(1, z:get(2, 3), 1e-5)
  end)

  it("losses", function()
    local net = nn.graph(function(g)
      local a, b = g:input("a", { 2 }), g:input("b", { 2 })
      return { mse = a:mse(b), smooth = a:smooth_l1(b, { beta = 0.5 }), bce = a:bce_logits(b) }
    end)
    local y = net:run { a = { { 1, -3 } }, b = { { 0.75, 1 } } }
    assert.near((0.0625 + 16) / 2, y.mse[1], 1e-5)
    assert.near((0.5 * 0.0625 / 0.5 + 4 - 0.25) / 2, y.smooth[1], 1e-5)
    local low = -(0.75 * math.log(1 / (1 + math.exp(-1))) + 0.25 * math.log(1 - 1 / (1 + math.exp(-1))))
    assert.near((low - math.log(1 / (1 + math.exp(3)))) / 2, y.bce[1], 1e-5)
  end)

  it("head_cross_entropy, masked and weighted", function()
    local net = nn.graph(function(g)
      local logits, targets = g:input("logits", { 5 }), g:input("targets", { 2 })
      return { cost = logits:head_cross_entropy(targets, { widths = { 2, 3 }, weights = { 1, 2 } }) }
    end)
    local y = net:run({ logits = { { 0, 0, 500, 0, 0 }, { 1, 0, 0, 0, 0 } }, targets = { { 1, 0 }, { -1, 2 } } }).cost
    assert.near(math.log(2), y[1], 1e-5)
    assert.near(2 * math.log(3), y[2], 1e-5)
  end)

  it("what does not fit one chunk of rows", function()
    local net = nn.graph(function(g)
      return { y = g:input("x", { 1 }) * 3 }
    end)
    local many = random { 5000, 1 }
    local y = net:run({ x = many }).y
    for row = 1, 5000, 7 do
      assert.near(3 * many:get(row, 1), y:get(row, 1), 1e-6)
    end
    local some = net:run({ x = many }, { order = tensor.from({ 5000, 2 }, "i32") }).y
    assert.equal(y:get(5000, 1), some:get(1, 1))
    assert.equal(y:get(7, 1), net:run({ x = many }, { first = 7, count = 1 }).y:get(1, 1))
    assert.same({ 0, 1 }, net:run({ x = many:slice(1, 0) }).y:shape())
  end)

  it("what depends on no input", function()
    local net = nn.graph(function(g)
      local p = g:param("p", { 3 }, { init = "constant", value = 2 })
      return { p = (p * p):sum(), y = g:input("x", { 3 }) + p }
    end)
    local outputs = net:run {}
    assert.same({ 12 }, outputs.p:totable())
    assert.is_nil(outputs.y)
    assert.same({ 12 }, net:run({ x = tensor.new { 0, 3 } }).p:totable())
  end)

  it("inputs of every type", function()
    local net = nn.graph(function(g)
      return { y = g:input("x", { 3 }) * 1 }
    end)
    for _, kind in ipairs { "f32", "f16", "u8", "i16", "i32" } do
      assert.same({ { 1, 2, 250 } }, net:run({ x = tensor.from({ { 1, 2, 250 } }, kind) }).y:totable(), kind)
    end
    local halves = tensor.from({ { -0.5, 2 ^ -24, 65504 } }, "f16")
    assert.same({ { -0.5, 2 ^ -24, 65504 } }, net:run({ x = halves }).y:totable())
  end)
end)

describe("the gradient of #c", function()
  local cases = {
    add = function(g, x) return x + g:param("p", { 1, 4 }) end,
    sub = function(g, x) return g:param("p", { 4 }) - x end,
    mul = function(g, x) return x * g:param("p", { 3, 1 }) * x end,
    div = function(g, x) return x / (g:param("p", { 3, 4 }):square() + 1) / 3 end,
    number = function(g, x) return 1 / (x:square() + 2) - g:param("p", {}) * x end,
    neg = function(_, x) return -x * x end,
    exp = function(_, x) return x:exp() end,
    log = function(_, x) return (x:square() + 1):log() end,
    square = function(_, x) return x:square() end,
    sqrt = function(_, x) return (x:square() + 1):sqrt() end,
    abs = function(_, x) return x:abs() end,
    tanh = function(_, x) return x:tanh() end,
    sigmoid = function(_, x) return x:sigmoid() end,
    relu = function(_, x) return x:relu() end,
    leaky_relu = function(_, x) return x:leaky_relu(0.2) end,
    gelu = function(_, x) return x:gelu() end,
    softplus = function(_, x) return x:softplus() end,
    linear = function(_, x) return nn.dense(nn.dense(x, 5, { activation = "tanh" }), 2) end,
    shared = function(g, x)
      local w = g:param("w", { 4, 4 })
      return x:linear(w):tanh():linear(w:tanh()) + g:param("b", { 4 })
    end,
    matmul = function(g, x)
      local y = x:matmul(g:param("w", { 5, 4 }), { transpose_b = true })
      return g:param("v", { 2, 3 }):matmul(y):matmul(g:param("u", { 2, 5 }), { transpose_b = true })
    end,
    matmul_transposed = function(g, x)
      return x:matmul(x, { transpose_a = true }):matmul(x, { transpose_b = true })
        + g:param("u", { 2, 4 }):matmul(g:param("v", { 3, 2 }), { transpose_a = true, transpose_b = true })
    end,
    reshape = function(g, x) return x:reshape({ 2, 6 }) * g:param("p", { 12 }):reshape { 2, 6 } end,
    slice = function(g, x)
      return x:slice(2, 2, 3) * g:param("p", { 5 }):slice(1, 2, 5) + x:slice(3, 1, 1):slice(2, 1, 1)
    end,
    concat = function(g, x)
      local p = g:param("p", { 4 }):concat(g:param("q", { 6 }), { axis = 1 })
      return x:concat(x * 2, x:slice(3, 1, 2), { axis = 3 }) * p
    end,
    sum = function(g, x) return x:square():sum(2) * g:param("p", { 2, 4 }):sum(1) end,
    mean = function(g, x) return x:square():mean { axis = 3, keep = true } * g:param("p", { 4 }):mean() end,
    softmax = function(g, x) return x:softmax() * g:param("p", { 4 }):softmax() end,
    log_softmax = function(_, x) return x:log_softmax() end,
    dropout = function(_, x) return x:square():dropout(0.4) end,
    smooth_l1 = function(g, x) return x:smooth_l1(x:square() + g:param("p", { 4 }), { beta = 0.7 }) end,
    mse = function(g, x) return (x * 2):mse(x * g:param("p", { 4 })) end,
    bce_logits = function(_, x) return (x * 2):bce_logits((x * 0.5):sigmoid()) end,
  }
  for name, write in pairs(cases) do
    it(name, function()
      local net = nn.graph(function(g)
        local x = g:input("x", { 3, 4 }, { gradient = true })
        return { loss = mix(g, write(g, x)) }
      end, { seed = 2 })
      check_gradients(net, { x = random({ 5, 3, 4 }, 3) })
    end)
  end

  it("head_cross_entropy", function()
    local net = nn.graph(function(g)
      local logits = g:input("x", { 6 }, { gradient = true }) * g:param("p", { 6 })
      local targets = g:input("targets", { 3 })
      return { loss = logits:head_cross_entropy(targets, { widths = { 2, 3, 1 }, weights = { 1, 0.5, 1 } }) }
    end)
    check_gradients(net, { x = random { 3, 6 }, targets = tensor.from { { 0, 2, 0 }, { 1, -1, 0 }, { -1, 0, -1 } } })
  end)

  it("every operator there is", function()
    local covered = { input = true, param = true, const = true, head_cross_entropy = true }
    for _, name in ipairs(require("ym2612ml.core").nn.operators) do
      assert.is_truthy(covered[name] or cases[name], "no gradient check of " .. name)
    end
  end)

  it("nodes that are views, losses that are views, and parameters not in use", function()
    local net = nn.graph(function(g)
      local x, p = g:input("x", { 4 }), g:param("p", { 4 })
      g:param("idle", { 2 })
      g:input("unread", { 2 }, { gradient = true })
      local y = x * p
      local view = y:reshape { 2, 2 }
      return { loss = (view * y:tanh():reshape({ 2, 2 })):reshape { 4 } }
    end)
    check_gradients(net, { x = random { 3, 4 } })
    local gradients = net:gradients { x = random { 3, 4 }, unread = random { 3, 2 } }
    assert.same({ 0, 0 }, gradients.idle:totable())
    assert.is_nil(gradients.unread)
  end)
end)

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
    ym.store.save(path, {}, { kind = "ym2612ml network 1", graph = "[1" })
    refused("graph is not valid")
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
    wrong(function(_, x) return x:dropout { rate = print } end, "dropout: an option is no text")
    wrong(function(_, x) return x:leaky_relu(0 / 0) end, "leaky_relu: an option is no text")
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
    wrong(function(g) return g:const(print) end, "userdata expected, got function")
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
    misuse(step(data, { fist = 1 }), "unknown option 'fist'")
    misuse(step(3), "table expected")
    misuse(function() net:step(data, nn.optimizer((small()))) end, "expected an optimizer of this network")
    misuse(function() net:run {} end, "suffice for no output")
    misuse(function() net:run { x = 5 } end, "input 'x' is number")
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
