-- Layers: shapes, values against formulas written out, gradients, and networks of them.
local ym = require "ym2612ml"
local gradients = require "spec.gradients"
local networks = require "spec.networks"
local nn, tensor = ym.nn, ym.tensor
local random = gradients.random

describe("the gradient of the layer #c", function()
  local cases = {
    conv = { { 5, 4, 2 }, function(_, x)
      local y = nn.conv(x, 3, { size = { 3, 2 }, stride = { 2, 1 }, activation = "tanh" })
      return nn.conv(y, 2, { size = 2, stride = 2, transpose = true, padding = "valid", bias = false })
    end },
    conv_of_a_sequence = { { 6, 3 }, function(_, x)
      return nn.conv(x, 4, { size = 3, stride = 2, padding = "valid" }):square()
    end },
    embedding = { { 3 }, function(_, x)
      return nn.embedding(x * 0 + 2, 4, 5) * nn.dense(x, 5):reshape { 1, 5 }
    end },
    layer_norm = { { 3, 4 }, function(_, x) return nn.layer_norm(nn.dense(x, 5)) end },
    batch_norm = { { 3, 4 }, function(_, x) return nn.batch_norm(x):tanh() + nn.batch_norm(x * x) end },
    attention = { { 3, 4 }, function(g, x)
      local mask = g:const { { 0, -1e9, -1e9 }, { 0, 0, -1e9 }, { 0, 0, 0 } }
      return nn.attention(x, x, x, { heads = 2, mask = mask })
    end },
    attention_to_another = { { 3, 4 }, function(_, x)
      local others = x:slice(2, 2, 3)
      return nn.attention(x, others, others * 2, { heads = 1, dropout = 0.3 })
    end },
    residual = { { 3, 4 }, function(_, x)
      return nn.residual(x, function(y) return nn.dense(y, 4, { activation = "tanh" }) end)
    end },
    film = { { 3, 4 }, function(_, x)
      return nn.film(x, x:mean(2), { scale = "sigmoid", shift = "tanh" }) + nn.film(x:square(), x:mean(3))
    end },
    lstm = { { 3, 4 }, function(_, x)
      local y = nn.lstm(x, 2, { layers = 2, bidirectional = true })
      return y + nn.lstm(x, 4, { last = true, layers = 2, dropout = 0.2 }):reshape { 1, 4 }
        + nn.lstm(y, 2, { last = true, bidirectional = true }):reshape { 1, 4 }
    end },
    register_heads = { { 6 }, function(_, x)
      local fields = { { name = "a", minimum = -1, maximum = 1 }, { name = "b", minimum = 0, maximum = 1 } }
      local logits, _, loss = nn.register_heads(x, fields, { target = (x * 0):slice(2, 1, 2) + 1 })
      return logits:tanh():concat(loss:reshape { 1 }, { axis = 2 })
    end },
    sylvester_flow = { { 8 }, function(_, x)
      local z, change = nn.sylvester_flow(x:slice(2, 1, 3), x:slice(2, 4, 8), { flows = 3 })
      return z:concat(change:reshape { 1 }, { axis = 2 })
    end },
  }
  for name, case in pairs(cases) do
    it(name, function()
      gradients.check_written(case[2], case[1], 6)
    end)
  end

  it("lstm_net and vae", function()
    gradients.check(nn.graph(networks.lstm_net, { seed = 3 }), {
      x = random({ 3, 12, 6 }, 2), target = tensor.from { { 0 }, { 4 }, { 2 } },
    }, 7)
    gradients.check(nn.graph(networks.vae, { seed = 3 }), {
      x = tensor.from { { 0, 1, 2, 3, 4, 5 }, { 6, 6, 0, 0, 1, 1 } }, noise = random({ 2, 4 }, 2),
    }, 7)
  end)
end)

describe("the layer", function()
  -- What a graph of one input gives, and its network.
  local function run(write, x, seed)
    local shape = x:shape()
    table.remove(shape, 1)
    local net = nn.graph(function(g)
      return write(g, g:input("x", shape))
    end, { seed = seed })
    return net:run { x = x }, net
  end

  it("conv keeps, or not, what its padding says, and its transpose grows", function()
    local x = random { 2, 7, 5, 3 }
    local y, net = run(function(_, node)
      return {
        same = nn.conv(node, 4, { stride = { 2, 1 } }),
        valid = nn.conv(node, 4, { size = { 3, 1 }, padding = "valid", name = "named" }),
        grown = nn.conv(node, 2, { size = 2, stride = 2, transpose = true }),
      }
    end, x)
    assert.same({ 2, 4, 5, 4 }, y.same:shape())
    assert.same({ 2, 5, 5, 4 }, y.valid:shape())
    assert.same({ 2, 14, 10, 2 }, y.grown:shape())
    local w, sum = net:parameters()["named.weight"], 0
    assert.same({ 3, 1, 3, 4 }, w:shape())
    for i = 1, 3 do
      for channel = 1, 3 do
        sum = sum + x:get(2, 2 + i, 4, channel) * w:get(i, 1, channel, 3)
      end
    end
    assert.near(sum, y.valid:get(2, 3, 4, 3), 1e-5)
  end)

  it("dense and conv rectify what they would give", function()
    local x = random { 2, 6, 3 }
    local function write(activation)
      return function(_, node)
        local options = { activation = activation, init = "normal" }
        return { dense = nn.dense(node, 4, options), conv = nn.conv(node, 4, options) }
      end
    end
    local plain, rectified = run(write(nil), x, 6), run(write("relu"), x, 6)
    for name, values in pairs(plain) do
      for step = 1, 6 do
        for channel = 1, 4 do
          assert.equal(math.max(values:get(2, step, channel), 0), rectified[name]:get(2, step, channel))
        end
      end
    end
  end)

  it("attention gives no weight to what is masked", function()
    local x = random { 2, 3, 4 }
    local y, net = run(function(g, node)
      return { y = nn.attention(node, node, node, { heads = 2, mask = g:const { 0, 0, -1e9 } }) }
    end, x)
    x:set(1, 3, 2, 100)
    local z = net:run({ x = x }).y
    for step = 1, 2 do
      for column = 1, 4 do
        assert.equal(y.y:get(1, step, column), z:get(1, step, column))
      end
    end
    assert.not_equal(y.y:get(1, 3, 1), z:get(1, 3, 1))
  end)

  it("attention is the same with one projection and with three", function()
    local x = random { 2, 3, 4 }
    local y = run(function(_, node)
      return { one = nn.attention(node, node, node, { heads = 2 }) }
    end, x, 5)
    local z = run(function(_, node)
      return { three = nn.attention(node, node * 1, node * 1, { heads = 2 }) }
    end, x, 5)
    for column = 1, 4 do
      assert.near(y.one:get(2, 3, column), z.three:get(2, 3, column), 1e-6)
    end
  end)

  it("lstm's last state is where each direction ends", function()
    local y = run(function(_, node)
      local both = nn.lstm(node, 2, { bidirectional = true, name = "a" })
      return { both = both }
    end, random { 3, 5, 2 }, 4)
    local last = run(function(_, node)
      return { last = nn.lstm(node, 2, { bidirectional = true, last = true, name = "a" }) }
    end, random { 3, 5, 2 }, 4)
    assert.same({ 3, 4 }, last.last:shape())
    assert.equal(y.both:get(2, 5, 1), last.last:get(2, 1))
    assert.equal(y.both:get(2, 1, 4), last.last:get(2, 4))
  end)

  it("lstm calls its parameters as PyTorch does", function()
    local _, net = run(function(_, node)
      return { y = nn.lstm(node, 3, { layers = 2, bidirectional = true, name = "rnn" }) }
    end, random { 1, 4, 5 })
    local shapes = {}
    for name, values in pairs(net:parameters()) do
      shapes[name] = table.concat(values:shape(), " ")
      for i = 1, values:shape()[1] do
        local value = #values:shape() == 1 and values[i] or values:get(i, 1)
        assert.is_true(math.abs(value) <= 3 ^ -0.5)
      end
    end
    local expected = {}
    for layer, inputs in pairs { l0 = 5, l1 = 6 } do
      for _, way in ipairs { "", "_reverse" } do
        expected["rnn.weight_ih_" .. layer .. way] = inputs .. " 12"
        expected["rnn.weight_hh_" .. layer .. way] = "3 12"
        expected["rnn.bias_ih_" .. layer .. way] = "12"
        expected["rnn.bias_hh_" .. layer .. way] = "12"
      end
    end
    assert.same(expected, shapes)
  end)

  -- The logarithm of the absolute determinant of a matrix, by elimination.
  local function log_determinant(matrix)
    local sum = 0
    for column = 1, #matrix do
      local pivot = column
      for row = column, #matrix do
        pivot = math.abs(matrix[row][column]) > math.abs(matrix[pivot][column]) and row or pivot
      end
      matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
      sum = sum + math.log(math.abs(matrix[column][column]))
      for row = column + 1, #matrix do
        local factor = matrix[row][column] / matrix[column][column]
        for other = column, #matrix do
          matrix[row][other] = matrix[row][other] - factor * matrix[column][other]
        end
      end
    end
    return sum
  end

  it("sylvester_flow's change is the determinant of its Jacobian", function()
    local largest = 0
    for _, case in ipairs { { 1, 1 }, { 2, 1 }, { 3, 2 }, { 3, 4 }, { 4, 3 }, { 5, 16 }, { 8, 1 }, { 8, 16 } } do
      local width, flows = table.unpack(case)
      local write = function(_, node)
        local condition = node:slice(2, width + 1, width + 2)
        local z, change = nn.sylvester_flow(node:slice(2, 1, width), condition, { flows = flows })
        return { z = z, change = change }
      end
      local x, step, jacobian = random { 1, width + 2 }, 1 / 64, {}
      local y, net = run(write, x, 8)
      -- by differences of the fourth order: those of the second are off by more than f32 is
      local function moved(i, by)
        local value = x:get(1, i)
        x:set(1, i, value + by)
        local z = net:run({ x = x }).z[1]:totable()
        x:set(1, i, value)
        return z
      end
      for i = 1, width do
        local far_below, below = moved(i, -2 * step), moved(i, -step)
        local above, far_above = moved(i, step), moved(i, 2 * step)
        jacobian[i] = {}
        for j = 1, width do
          jacobian[i][j] = (far_below[j] - 8 * below[j] + 8 * above[j] - far_above[j]) / (12 * step)
        end
      end
      local what = ("%d flows of width %d"):format(flows, width)
      assert.near(log_determinant(jacobian), y.change[1], 1e-3, what)
      largest = math.max(largest, math.abs(y.change[1]))
    end
    assert.is_true(largest > 0.1, largest)
  end)

  it("register_heads has a head for every field of a patch", function()
    local heads
    local y = run(function(_, node)
      local logits
      logits, heads = nn.register_heads(node, ym.patch.fields())
      return { y = logits }
    end, random { 2, 3 })
    local total = 0
    for i, field in ipairs(ym.patch.fields()) do
      assert.same({ field.name, field.operator, total + 1 }, { heads[i].name, heads[i].operator, heads[i].first })
      total = total + field.maximum - field.minimum + 1
    end
    assert.same({ 2, total }, y.y:shape())
  end)

  it("init draws with the variance it promises", function()
    local net = nn.graph(function(g)
      local function add(kind, shape)
        return g:param(kind, shape, { init = kind, value = 0.5 }):sum()
      end
      return {
        y = add("glorot", { 40, 60 }) + add("glorot_normal", { 40, 60 }) + add("kaiming", { 3, 3, 20, 15 })
          + add("kaiming_uniform", { 40, 60 }) + add("uniform", { 2400 }) + add("normal", { 2400 }),
        z = g:param("window", { 3, 3, 20, 15 }, { init = "glorot" }):sum(),
      }
    end)
    local expected = {
      glorot = 0.25 * 2 / 100, glorot_normal = 0.25 * 2 / 100, kaiming = 0.25 * 2 / 180,
      kaiming_uniform = 0.25 * 2 / 40, uniform = 0.25 / 3, normal = 0.25, window = 2 / (180 + 135),
    }
    for name, variance in pairs(expected) do
      local values, count, sum = net:parameters()[name], 0, 0
      values = values:reshape { #values:bytes() // 4 }
      for i = 1, #values do
        count, sum = count + 1, sum + values[i] ^ 2
      end
      assert.near(1, sum / count / variance, 0.12, name)
    end
  end)
end)

describe("a network of layers #c", function()
  it("gives the same bits with any number of threads, batch_norm's states included", function()
    local threads, dumps = ym.threads(), {}
    finally(function() ym.threads(threads) end)
    local data = { x = random { 30, 5, 3 }, target = tensor.new({ 30, 1 }) }
    for row = 1, 30 do
      data.target:set(row, 1, data.x:get(row, 1, 1) > 0 and 1 or 0)
    end
    for i, count in ipairs { 1, 2, 5 } do
      ym.threads(count)
      local net = nn.graph(function(g)
        local x = nn.batch_norm(nn.dense(g:input("x", { 5, 3 }), 7)):elu()
        x = nn.lstm(nn.batch_norm(x), 4, { last = true, bidirectional = true })
        x = nn.embedding((x * 0):slice(2, 1, 1), 3, 8):reshape { 8 } + x
        local logits = nn.dense(x, 2)
        return { loss = logits:head_cross_entropy(g:input("target", { 1 }), { widths = { 2 } }) }
      end)
      local optimizer, before = nn.optimizer(net, { rate = 0.02 }), net:evaluate(data)
      for step = 1, 40 do
        assert(net:step(data, optimizer, { first = step % 10 + 1, count = 17 }))
      end
      assert.is_true(net:evaluate(data) < 0.6 * before)
      dumps[i] = net:dump() .. net:evaluate(data)
      collectgarbage()
    end
    assert.equal(dumps[1], dumps[2])
    assert.equal(dumps[1], dumps[3])
  end)

  it("is the same after a save and a load", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local inputs = { x = random { 3, 4, 6 } }
    local net = nn.graph(function(g)
      local y = nn.batch_norm(nn.conv(g:input("x", { 4, 6 }), 8, { activation = "relu" }))
      return { y = nn.attention(y, y, y, { heads = 4 }), loss = y:square():mean() }
    end)
    local optimizer = nn.optimizer(net)
    for _ = 1, 3 do
      assert(net:step(inputs, optimizer))
    end
    assert(net:save(path))
    local loaded = assert(nn.load(path))
    assert.same(net:run(inputs).y:totable(), loaded:run(inputs).y:totable())
    assert(net:save(path, { type = "f16" }))
    assert.equal("f16", assert(ym.store.load(path))["conv_1.weight"]:type())
    assert.equal("f32", ym.store.load(path)["batch_norm_1.running_var"]:type())
    assert(nn.load(path))
  end)
end)

describe("misuse of a layer", function()
  local function wrong(write, pattern)
    local done, message = pcall(nn.graph, function(g)
      return { y = write(g, g:input("x", { 3, 4 })) }
    end)
    assert.is_false(done)
    assert.is_truthy(message:find("layers_spec.lua:%d+: "), message)
    assert.is_truthy(message:find(pattern), message)
  end

  it("is told at the line that writes the graph", function()
    wrong(function() return nn.dense(3, 3) end, "#1 to 'dense' %(expected a node%)")
    wrong(function(g) return nn.dense(g:param("p", { 3, 4 }), 3) end, "has fewer than 2 axes")
    wrong(function(_, x) return nn.dense(x, 3, { with = 5 }) end, "unknown option 'with'")
    wrong(function(_, x) return nn.conv(x:reshape { 12 }, 3) end, "#1 to 'conv' .*fewer than 3 axes")
    wrong(function(_, x) return nn.conv(x, 3, { padding = "some" }) end, "option 'padding' is some")
    wrong(function(_, x) return nn.conv(x, 3, { size = "3" }) end, "option 'size' is 3, expected number or table")
    wrong(function(_, x) return nn.attention(x, x, x, { heads = 3 }) end, "3 heads do not divide a width of 4")
    wrong(function(_, x) return nn.attention(x, x, x) end, "option 'heads' is missing")
    wrong(function(_, x) return nn.attention(x, x, 4, { heads = 2 }) end, "#3 to 'attention'")
    wrong(function(_, x) return nn.attention(x, x:slice(3, 1, 2), x, { heads = 2 }) end, "linear: shapes")
    wrong(function(_, x) return nn.lstm(x, 2.5) end, "#2 to 'lstm' %(2.5, expected a whole number 1 or more%)")
    wrong(function(_, x) return nn.lstm(x, 2, { layers = 0 }) end, "option 'layers' is 0")
    for _, width in ipairs { 0, -1, 2.5, "4", {} } do
      wrong(function(_, x) return nn.dense(x, width) end, "#2 to 'dense' %(.*, expected a whole number 1 or more%)")
      wrong(function(_, x) return nn.conv(x, width) end, "#2 to 'conv'")
      wrong(function(_, x) return nn.lstm(x, width) end, "#2 to 'lstm'")
      wrong(function(_, x) return nn.embedding(x, width, 2) end, "#2 to 'embedding'")
      wrong(function(_, x) return nn.embedding(x, 2, width) end, "#3 to 'embedding'")
    end
    wrong(function(_, x) return nn.dense(x, 2, { activation = "input" }) end, "'activation' is input, expected one of")
    wrong(function(_, x) return nn.conv(x, 2, { size = { 3, 3 } }) end, "'size' is {3, 3}, expected a whole number")
    for _, size in ipairs { 0, 1.5, { 3 }, { 3, 3, 3 }, { 3, "3" } } do
      wrong(function(_, x) return nn.conv(x:reshape { 3, 4, 1 }, 2, { stride = size }) end, "expected .*, or two")
    end
    wrong(function(_, x) return nn.lstm(x:reshape { 3, 2, 2 }, 2) end, "#1 to 'lstm' .*more than 3 axes")
    wrong(function(_, x) return nn.attention(x, x, x, { heads = 2, mask = {} }) end, "'mask' is .*, expected a node")
    wrong(function(_, x) return (nn.register_heads(x:mean(2), { { name = "a" } })) end, "field 1 has no minimum")
    wrong(function(_, x) return (nn.register_heads(x:mean(2), {})) end, "no fields")
    wrong(function(_, x)
      return (nn.register_heads(x:mean(2), ym.patch.fields(), { target = {} }))
    end, "'target' is .*, expected a node")
    wrong(function(_, x) return nn.film(x, x) end, "#2 to 'film' .*more than 2 axes")
    wrong(function(_, x) return x:dropout(0.1, 3) end, "dropout: 2 values, expected rate")
    wrong(function(_, x) return x + { 1, 2, 3, 4 } end, "add: expected a node or a number, got table")
    wrong(function(_, x) return nn.residual(x, function() end) end, "add: expected a node or a number, got nil")
    wrong(function(g) return g:const { { 1, 2 }, { 3 } } end, "#1 to 'const' %(expected 2 values along axis 2")
    wrong(function(g) return g:const(ym.rng.new()) end, "#1 to 'const' %(tensor expected, got ym2612ml.rng%)")
    wrong(function() return nil end, "returned no outputs")
    wrong(function(_, x) return nn.residual(x, x) end, "#2 to 'residual' %(function expected, got table%)")
    wrong(function(_, x) return nn.residual(x, function(y) return nn.dense(y, 3) end) end, "add: shapes")
    wrong(function(_, x) return nn.film(x, 3) end, "#2 to 'film'")
    wrong(function(_, x) return nn.register_heads(x:mean(2)) end, "#2 to 'register_heads'")
    wrong(function(_, x) return nn.sylvester_flow(x:sum(2), x:sum(2), { flows = 0 }) end, "option 'flows' is 0")
    wrong(function(_, x) return nn.batch_norm(x, { momentum = 2 }) end, "option 'momentum' is 2, expected 0..1")
    wrong(function(_, x) return nn.layer_norm(x, { epsilon = 0 }) end, "option 'epsilon' is 0")
    wrong(function(g, x)
      return x:batch_norm(g:param("a", { 4 }), g:state("b", { 4 }))
    end, "input 2 is param %(4%), expected state %(4%)")
    wrong(function(g, x)
      return x:batch_norm(g:state("a", { 4 }), g:state("b", { 3 }))
    end, "input 3 is state %(3%), expected state %(4%)")
    wrong(function(g) return g:param("p", { 4 }):batch_norm(g:state("a", { 4 }), g:state("b", { 4 })) end,
      "expected %(batch, ..., channels%)")
    wrong(function(_, x) return x:gather(x) end, "expected a table")
    wrong(function(g, x) return x:lstm(g:param("w", { 1, 3 })) end, "4 hidden")
    wrong(function(_, x) return x:permute { 2, 1, 3 } end, "'axes' must list the axes 1..3, each once, the batch first")
    wrong(function(_, x) return x:permute { 1, 2, 2 } end, "'axes' must list")
    wrong(function(_, x) return x:permute { 1, 2 } end, "'axes' must list")
    wrong(function(g) return g:param("p", {}):randn() end, "needs a batched input")
    wrong(function(g) return g:state("x", { 3 }) end, "the name 'x' is taken")
    wrong(function(g) return g:state("s", { 3 }, { init = "wild" }) end, "init is 'wild'")
  end)
end)
