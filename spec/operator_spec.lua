-- Every operator: its values, and its gradient against central differences.
local ym = require "ym2612ml"
local gradients = require "spec.gradients"
local nn, tensor = ym.nn, ym.tensor
local random = gradients.random

-- Records y = write(g, x) of an input x, (3, 4) a row, and runs it on two rows.
local function value_of(write, x)
  local net = nn.graph(function(g)
    return { y = write(g, g:input("x", { 3, 4 })) }
  end)
  return net:run({ x = x or random { 2, 3, 4 } }).y
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
      elu = function(v) return v > 0 and v or math.exp(v) - 1 end,
      softplus = function(v) return math.log(1 + math.exp(v)) end,
    }
    for name, f in pairs(functions) do
      each(f, value_of(function(_, node) return node[name](node) end, x))
    end
    each(function(v) return math.max(-0.5, math.min(v, 1)) end,
      value_of(function(_, node) return node:clamp(-0.5, 1) end, x))
    local function of_positive(operator)
      return value_of(function(_, node) return operator(node:abs() + 0.5) end, x)
    end
    each(function(v) return math.log(positive(v)) end, of_positive(function(node) return node:log() end))
    each(function(v) return positive(v) ^ 0.5 end, of_positive(function(node) return node:sqrt() end))
  end)

  it("tanh, with all digits near 0 and none missing far from it", function()
    local points = { 1e-6, -0.001, 0.1, 0.4999, -0.5001, 1, -3, 9, 50, -200, 0 }
    local net = nn.graph(function(g) return { y = g:input("x", {}):tanh() } end)
    local y = net:run({ x = points }).y
    for i, v in ipairs(points) do
      local t = math.abs(v) < 0.01 and v - v ^ 3 / 3 or 1 - 2 / (math.exp(2 * v) + 1)
      assert.near(t, y[i], 4e-7 * math.abs(t))
    end
  end)

  it("functions at every level of instructions, nearly", function()
    local before, results = ym.simd(), {}
    finally(function() ym.simd(before) end)
    local net = nn.graph(function(g)
      local node, w = g:input("x", { 37, 8 }), g:param("w", { 2, 8 })
      return {
        exp = node:exp(), tanh = node:tanh(), sigmoid = node:sigmoid(), gelu = node:gelu(), lstm = node:lstm(w),
        softmax = node:reshape({ 296 }):softmax(), log_softmax = node:reshape({ 296 }):log_softmax(),
      }
    end)
    for _, level in ipairs { "baseline", "avx2", "avx512" } do
      if pcall(ym.simd, level) then
        results[#results + 1] = net:run { x = random { 3, 37, 8 } }
      end
    end
    for i = 2, #results do
      for name, values in pairs(results[1]) do
        local count = #values:bytes() // 4
        local a, b = values:reshape { count }, results[i][name]:reshape { count }
        for at = 1, count do
          assert.near(a[at], b[at], 2e-6 * (1 + math.abs(a[at])), name)
        end
      end
    end
  end)

  it("softmax of lines of any length, also of what is no number", function()
    for _, size in ipairs { 1, 3, 15, 16, 17, 40 } do
      local net = nn.graph(function(g)
        local node = g:input("x", { size })
        return { y = node:softmax(), z = node:log_softmax() }
      end)
      local values = random({ 2, size }, size)
      local outputs, sum = net:run { x = values }, 0
      for i = 1, size do
        sum = sum + math.exp(values:get(2, i))
      end
      for i = 1, size do
        assert.near(math.exp(values:get(2, i)) / sum, outputs.y:get(2, i), 1e-6)
        assert.near(values:get(2, i) - math.log(sum), outputs.z:get(2, i), 2e-6)
      end
      values:set(1, size, 0 / 0)
      outputs = net:run { x = values }
      assert.is_true(outputs.y:get(1, 1) ~= outputs.y:get(1, 1))
      assert.is_true(outputs.z:get(1, 1) ~= outputs.z:get(1, 1))
      assert.is_true(outputs.y:get(2, 1) == outputs.y:get(2, 1))
    end
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

  it("max along an axis, also of what is no number", function()
    local max = value_of(function(_, node) return node:max(2) end, x)
    assert.same({ 2, 4 }, max:shape())
    assert.equal(math.max(x:get(2, 1, 3), x:get(2, 2, 3), x:get(2, 3, 3)), max:get(2, 3))
    local bad = random { 2, 3, 4 }
    bad:set(1, 2, 2, 0 / 0)
    local all = value_of(function(_, node) return node:max() end, bad)
    assert.is_true(all[1] ~= all[1])
    assert.is_true(all[2] == all[2])
  end)

  it("permute", function()
    local y = value_of(function(_, node)
      return node:reshape({ 3, 2, 2 }):permute { 1, 4, 2, 3 }
    end, x)
    assert.same({ 2, 2, 3, 2 }, y:shape())
    assert.equal(x:get(2, 3, 2 * 1 + 2), y:get(2, 2, 3, 2))
    assert.equal(x:get(1, 2, 2 * 1 + 1), y:get(1, 1, 2, 2))
    local turned = value_of(function(g, node)
      return node * 0 + g:const({ { 1, 5, 9 }, { 2, 6, 10 }, { 3, 7, 11 }, { 4, 8, 12 } }):permute { axes = { 2, 1 } }
    end, x)
    assert.same({ { 1, 2, 3, 4 }, { 5, 6, 7, 8 }, { 9, 10, 11, 12 } }, turned:totable()[2])
  end)

  it("gather, by indices from 0", function()
    local net = nn.graph(function(g)
      local pairs_of = g:const { { 1, 2 }, { 3, 4 }, { 5, 6 } }
      return { y = pairs_of:gather(g:input("i", { 3 })) }
    end)
    assert.same({ { { 1, 2 }, { 5, 6 }, { 1, 2 } }, { { 3, 4 }, { 3, 4 }, { 5, 6 } } },
      net:run({ i = tensor.from({ { 0, 2, 0 }, { 1, 1, 2 } }, "u8") }).y:totable())
    for _, bad in ipairs { 3, -1, 0.5, 0 / 0 } do
      local y, message, kind = net:run { i = { { 0, 0, 0 }, { 0, bad, 0 } } }
      assert.is_nil(y)
      assert.is_truthy(message:find("an index is .*, expected 0..2"))
      assert.equal("input", kind)
    end
  end)

  it("layer_norm", function()
    local y = value_of(function(_, node) return node:layer_norm { epsilon = 1e-3 } end, x)
    local mean, variance = 0, 0
    for j = 1, 4 do
      mean = mean + x:get(2, 3, j) / 4
    end
    for j = 1, 4 do
      variance = variance + (x:get(2, 3, j) - mean) ^ 2 / 4
    end
    assert.near((x:get(2, 3, 2) - mean) / math.sqrt(variance + 1e-3), y:get(2, 3, 2), 1e-5)
  end)

  it("batch_norm, by the minibatch in training and by its states else", function()
    local net = nn.graph(function(g)
      local mean, variance = g:state("mean", { 3 }), g:state("variance", { 3 }, { init = "ones" })
      local node = g:input("x", { 4, 3 }) * g:param("p", {}, { init = "ones" })
      local y = node:batch_norm(mean, variance, { momentum = 0.25 })
      return { y = y, loss = (y * y * y):mean() }
    end)
    local many = random { 9, 4, 3 }
    local mean, variance, cubes = {}, {}, 0
    for c = 1, 3 do
      local sum, squares = 0, 0
      for row = 1, 9 do
        for i = 1, 4 do
          sum, squares = sum + many:get(row, i, c), squares + many:get(row, i, c) ^ 2
        end
      end
      mean[c], variance[c] = sum / 36, squares / 36 - (sum / 36) ^ 2
      for row = 1, 9 do
        for i = 1, 4 do
          cubes = cubes + ((many:get(row, i, c) - mean[c]) / math.sqrt(variance[c] + 1e-5)) ^ 3
        end
      end
    end
    local _, loss = net:gradients { x = many }
    assert.near(cubes / 108, loss, 1e-5)
    assert.near(many:get(9, 4, 3) / math.sqrt(1 + 1e-5), net:run({ x = many }).y:get(9, 4, 3), 1e-5)
    assert(net:step({ x = many }, nn.optimizer(net, { rate = 0 })))
    for c = 1, 3 do
      local middle, spread = 0.25 * mean[c], 0.75 + 0.25 * variance[c] * 36 / 35
      assert.near((many:get(5, 2, c) - middle) / math.sqrt(spread + 1e-5), net:run({ x = many }).y:get(5, 2, c), 1e-5)
    end
    local copy = nn.graph(function(g)
      local y = (g:input("x", { 4, 3 }) * g:param("p", {}))
        :batch_norm(g:state("mean", { 3 }), g:state("variance", { 3 }))
      return { y = y }
    end)
    assert(copy:restore(net:dump()))
    assert.same(net:run({ x = many }).y:totable(), copy:run({ x = many }).y:totable())
    local before = net:dump()
    many:set(2, 2, 2, math.huge)
    assert.is_nil(net:step({ x = many }, nn.optimizer(net)))
    assert.equal(before, net:dump())
    net:reset(1)
    assert.near(many:get(9, 2, 3), net:run({ x = many }).y:get(9, 2, 3), 1e-4)
  end)

  it("randn: of mean 0 and deviation 1 in training, else zeros", function()
    local net = nn.graph(function(g)
      local like, p = g:input("x", { 50 }), g:param("p", {}, { init = "ones" })
      return { y = like:randn(), loss = (like:randn() * p):square():mean() }
    end)
    local zeros = tensor.new { 80, 50 }
    assert.equal(0, net:run({ x = zeros }).y:get(7, 7))
    local _, first = net:gradients { x = zeros }
    assert.near(1, first, 0.1)
    net:step({ x = zeros }, nn.optimizer(net, { rate = 0 }))
    local _, second = net:gradients { x = zeros }
    assert.not_equal(first, second)
  end)

  it("lstm, step by step, and from the end", function()
    local steps, hidden = 4, 2
    local function logistic(v) return 1 / (1 + math.exp(-v)) end
    local gates = random { 2, steps, 4 * hidden }
    for _, reverse in ipairs { false, true } do
      local net = nn.graph(function(g)
        local w = g:param("w", { hidden, 4 * hidden })
        return { y = g:input("x", { steps, 4 * hidden }):lstm(w, { reverse = reverse }) }
      end)
      local w, y = net:parameters().w, net:run({ x = gates }).y
      for row = 1, 2 do
        local h, c = { 0, 0 }, { 0, 0 }
        for at = 1, steps do
          local t, new = reverse and steps + 1 - at or at, {}
          local function gate(which, unit)
            local column = which * hidden + unit
            return gates:get(row, t, column) + h[1] * w:get(1, column) + h[2] * w:get(2, column)
          end
          for unit = 1, hidden do
            local cell = 1 - 2 / (math.exp(2 * gate(2, unit)) + 1)
            c[unit] = logistic(gate(1, unit)) * c[unit] + logistic(gate(0, unit)) * cell
            new[unit] = logistic(gate(3, unit)) * (1 - 2 / (math.exp(2 * c[unit]) + 1))
          end
          h = new
          assert.near(h[1], y:get(row, t, 1), 1e-6)
          assert.near(h[2], y:get(row, t, 2), 1e-6)
        end
      end
    end
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
    elu = function(_, x) return x:elu() + x:elu(0.3) end,
    clamp = function(_, x) return x:clamp(-1, 0.9) * x:clamp { most = 0.35 } end,
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
    max = function(g, x)
      local y = x * g:param("p", { 4 }):max()
      return x:max { axis = 2, keep = true } * y:max { axis = 3, keep = true }
    end,
    permute = function(g, x)
      return x:permute { 1, 3, 2 } * g:param("p", { 3, 2, 2 }):permute({ 3, 2, 1 }):reshape { 4, 3 }
    end,
    gather = function(g, x)
      local classes = g:const { { 0, 1 }, { 3, 1 } }
      local table = g:param("p", { 5, 2 })
      return table:tanh():gather((x * 0):sum(2):slice(2, 1, 2):reshape { 1, 2 } + classes):reshape { 4, 2 }
        * table:gather((x * 0):slice(2, 1, 1):reshape { 4 } + 4) + x:slice(3, 1, 1):slice(2, 1, 1)
    end,
    layer_norm = function(g, x)
      return (x * g:param("p", { 4 })):layer_norm() + g:param("q", { 4 }):layer_norm()
    end,
    batch_norm = function(g, x)
      local function norm(name, node)
        local sizes = node:shape()
        local mean, variance = g:state(name .. ".mean", { sizes[#sizes] }), g:state(name .. ".var", { sizes[#sizes] })
        return node:batch_norm(mean, variance)
      end
      local y = norm("a", x * g:param("p", { 4 })) * g:param("q", { 3, 1 })
      return (norm("b", y:tanh() + x):reshape { 12 } + norm("c", x:square():reshape { 12 })):tanh()
    end,
    randn = function(g, x) return x * x:randn() + g:param("p", { 4 }) end,
    lstm = function(g, x)
      local w = g:param("w", { 2, 8 }, { value = 2 })
      local gates = nn.dense(x, 8)
      return gates:lstm(w) + gates:lstm(w:tanh(), { reverse = true }) + gates:slice(3, 3, 4)
        + x:slice(2, 1, 1):reshape({ 1, 4 }):concat(x:slice(2, 2, 2), { axis = 3 }):lstm(g:param("u", { 2, 8 }))
    end,
    softmax = function(g, x) return x:softmax() * g:param("p", { 4 }):softmax() end,
    log_softmax = function(_, x) return x:log_softmax() end,
    dropout = function(_, x) return x:square():dropout(0.4) end,
    smooth_l1 = function(g, x) return x:smooth_l1(x:square() + g:param("p", { 4 }), { beta = 0.7 }) end,
    mse = function(g, x) return (x * 2):mse(x * g:param("p", { 4 })) end,
    bce_logits = function(_, x) return (x * 2):bce_logits((x * 0.5):sigmoid()) end,
  }
  for name, write in pairs(cases) do
    it(name, function()
      gradients.check_written(write)
    end)
  end

  it("head_cross_entropy", function()
    local net = nn.graph(function(g)
      local logits = g:input("x", { 6 }, { gradient = true }) * g:param("p", { 6 })
      local targets = g:input("targets", { 3 })
      return { loss = logits:head_cross_entropy(targets, { widths = { 2, 3, 1 }, weights = { 1, 0.5, 1 } }) }
    end)
    gradients.check(net, { x = random { 3, 6 }, targets = tensor.from { { 0, 2, 0 }, { 1, -1, 0 }, { -1, 0, -1 } } })
  end)

  it("every operator there is", function()
    local covered = { input = true, param = true, const = true, state = true, head_cross_entropy = true }
    for _, name in ipairs { "conv2d", "conv2d_transpose", "max_pool", "mean_pool", "resize" } do
      covered[name] = true -- in conv_spec.lua
    end
    for _, name in ipairs(require("ym2612ml.core").nn.operators) do
      assert.is_truthy(covered[name] or cases[name], "no gradient check of " .. name)
    end
  end)

  it("no operator that the annotation of nodes does not name", function()
    local file <close> = assert(io.open("lua/ym2612ml/nn/recorder.lua"))
    local text = file:read("a"):match("%-%-%-@class ym2612ml.Node.-\nlocal Node")
    for _, name in ipairs(require("ym2612ml.core").nn.operators) do
      local leaf = name == "input" or name == "param" or name == "const" or name == "state"
      assert.is_truthy(leaf or text:find("%f[%w_]" .. name .. "%f[^%w_]"), name)
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
    gradients.check(net, { x = random { 3, 4 } })
    local found = net:gradients { x = random { 3, 4 }, unread = random { 3, 2 } }
    assert.same({ 0, 0 }, found.idle:totable())
    assert.is_nil(found.unread)
  end)

  it("nodes that only nodes without a gradient use", function()
    local net = nn.graph(function(g)
      local x = g:input("x", { 3 })
      return { loss = nn.dense(x, 2, { name = "a" }) + nn.dense(x, 2, { name = "b" }):randn() }
    end)
    local found = net:gradients { x = random { 7, 3 } }
    assert.same({ 0, 0 }, found["b.bias"]:totable())
    assert.same({ { 0, 0 }, { 0, 0 }, { 0, 0 } }, found["b.weight"]:totable())
    assert.same({ 0.5, 0.5 }, found["a.bias"]:totable())
  end)
end)
