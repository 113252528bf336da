-- Convolutions, pools and resizing against plain loops, and their gradients against
-- central differences.
local ym = require "ym2612ml"
local gradients = require "spec.gradients"
local nn, tensor = ym.nn, ym.tensor
local random = gradients.random

-- Windows along one axis and how far the first reaches over the edge; axes count from 1.
local function windows(size, taps, stride, padding)
  if padding == "valid" then
    return (size - taps) // stride + 1, 0
  end
  local count = (size - 1) // stride + 1
  return count, math.max((count - 1) * stride + taps - size, 0) // 2
end

-- Calls visit(row, column, down, across, i, j) for every tap of window (row, column) of an
-- image that lies inside, at its pixel (i, j).
local function each_tap(shape, taps, stride, padding, visit)
  local rows, above = windows(shape[1], taps[1], stride[1], padding)
  local columns, left = windows(shape[2], taps[2], stride[2], padding)
  for row = 1, rows do
    for column = 1, columns do
      for down = 1, taps[1] do
        for across = 1, taps[2] do
          local i = (row - 1) * stride[1] + down - above
          local j = (column - 1) * stride[2] + across - left
          if i >= 1 and i <= shape[1] and j >= 1 and j <= shape[2] then
            visit(row, column, down, across, i, j)
          end
        end
      end
    end
  end
  return rows, columns
end

-- Relative to each element's size or, where that is more, to 1.
local function near(expected, actual, tolerance)
  local worst = 0
  assert.same(expected:shape(), actual:shape())
  local count = #expected:bytes() // 4
  expected, actual = expected:reshape { count }, actual:reshape { count }
  for i = 1, count do
    local off = math.abs(actual[i] - expected[i]) / math.max(1, math.abs(expected[i]))
    worst = off <= worst and worst or off
  end
  assert.is_true(worst <= (tolerance or 1e-5), ("%g off"):format(worst))
end

-- A network of one convolution of images of this shape, with its weights.
local function convolution(operator, shape, taps, out, options)
  return nn.graph(function(g)
    local x = g:input("x", shape)
    local w = g:param("w", { taps[1], taps[2], shape[3], out })
    local b = g:param("b", { out }, { init = "normal" })
    return { y = x[operator](x, w, b, options) }
  end, { seed = 7 })
end

-- Image sizes and channels, taps, channels out, stride: with less and more than a tile of
-- each, windows larger than the image, and taps that stride over pixels.
local CASES = {
  { { 5, 6, 3 }, { 3, 3 }, 2, { 1, 1 } },
  { { 7, 9, 2 }, { 3, 4 }, 33, { 2, 3 } },
  { { 1, 33, 1 }, { 1, 8 }, 17, { 1, 4 } },
  { { 3, 9, 5 }, { 3, 3 }, 50, { 2, 2 } },
  { { 6, 5, 4 }, { 2, 1 }, 5, { 3, 3 } },
  { { 2, 3, 34 }, { 3, 5 }, 3, { 1, 2 } },
}

describe("a convolution #c", function()
  for number, case in ipairs(CASES) do
    local shape, taps, out, stride = table.unpack(case)
    for _, padding in ipairs { "same", "valid" } do
      if padding == "same" or taps[1] <= shape[1] and taps[2] <= shape[2] then
        it(("is the sum over its taps, case %d, %s"):format(number, padding), function()
          local net = convolution("conv2d", shape, taps, out, { stride = stride, padding = padding })
          local x, p = random { 2, table.unpack(shape) }, net:parameters()
          local y = net:run({ x = x }).y
          local expected = tensor.new(y:shape())
          for image = 1, 2 do
            local rows, columns = each_tap(shape, taps, stride, padding, function(r, c, down, across, i, j)
              for o = 1, out do
                local sum = expected:get(image, r, c, o)
                for k = 1, shape[3] do
                  sum = sum + x:get(image, i, j, k) * p.w:get(down, across, k, o)
                end
                expected:set(image, r, c, o, sum)
              end
            end)
            assert.same({ 2, rows, columns, out }, y:shape())
            for r = 1, rows do
              for c = 1, columns do
                for o = 1, out do
                  expected:set(image, r, c, o, expected:get(image, r, c, o) + p.b[o])
                end
              end
            end
          end
          near(expected, y)
          -- a row alone, which several threads share, has the same bits
          assert.equal(y:slice(2, 2):bytes(), net:run({ x = x:slice(2, 2) }).y:bytes())
        end)

        it(("turned round adds its windows, case %d, %s"):format(number, padding), function()
          local net = convolution("conv2d_transpose", shape, taps, out, { stride = stride, padding = padding })
          local x, p = random { 2, table.unpack(shape) }, net:parameters()
          local y = net:run({ x = x }).y
          local size = { select(2, table.unpack(y:shape())) }
          for axis = 1, 2 do
            local full = padding == "same" and shape[axis] * stride[axis]
              or (shape[axis] - 1) * stride[axis] + taps[axis]
            assert.equal(full, size[axis])
          end
          local expected = tensor.new(y:shape())
          for image = 1, 2 do
            for i = 1, size[1] do
              for j = 1, size[2] do
                for o = 1, out do
                  expected:set(image, i, j, o, p.b[o])
                end
              end
            end
            each_tap(size, taps, stride, padding, function(r, c, down, across, i, j)
              for o = 1, out do
                local sum = expected:get(image, i, j, o)
                for k = 1, shape[3] do
                  sum = sum + x:get(image, r, c, k) * p.w:get(down, across, k, o)
                end
                expected:set(image, i, j, o, sum)
              end
            end)
          end
          near(expected, y)
        end)
      end
    end
  end

  it("has gradients", function()
    for _, operator in ipairs { "conv2d", "conv2d_transpose" } do
      for _, case in ipairs {
        { { 4, 5, 3 }, { 3, 2 }, 2, { stride = { 2, 1 }, padding = "same" } },
        { { 3, 7, 2 }, { 2, 3 }, 3, { stride = { 1, 2 } } },
        { { 1, 19, 1 }, { 1, 6 }, 4, { stride = { 1, 4 }, padding = "same" } },
        { { 2, 3, 2 }, { 3, 3 }, 9, { padding = "same", stride = 2 } },
        { { 3, 3, 1 }, { 1, 1 }, 1, { stride = 2 } },
      } do
        gradients.check_written(function(g, x)
          local w = g:param("w", { case[2][1], case[2][2], case[1][3], case[3] })
          return x[operator](x, w, g:param("b", { case[3] }), case[4])
        end, case[1], 5)
      end
    end
  end)

  -- Also where all the terms, lines and columns of a gradient make several tiles.
  it("has the gradients of its transpose, and of relu apart", function()
    for _, operator in ipairs { "conv2d", "conv2d_transpose" } do
      local function record(fused)
        return nn.graph(function(g)
          local x = g:input("x", { 5, 20, 11 }, { gradient = true })
          local w, b = g:param("w", { 3, 4, 11, 37 }), g:param("b", { 37 }, { init = "normal" })
          local options = { stride = { 2, 3 }, padding = "same", activation = fused and "relu" or nil }
          local y = x[operator](x, w, b, options)
          y = fused and y or y:relu()
          return { y = y, loss = y:square() }
        end, { seed = 4 })
      end
      local x = random { 9, 5, 20, 11 }
      local fused, apart = record(true), record(false)
      near(apart:run({ x = x }).y, fused:run({ x = x }).y)
      local ours, theirs = fused:gradients { x = x }, apart:gradients { x = x }
      for name, gradient in pairs(theirs) do
        near(gradient, ours[name])
      end
    end
  end)

  local function two_layers(x)
    local net = nn.graph(function(g)
      local y = g:input("x", { 9, 14, 3 }, { gradient = true })
      y = y:conv2d(g:param("v", { 3, 3, 3, 20 }), { padding = "same", activation = "relu" })
      y = y:conv2d_transpose(g:param("w", { 2, 2, 20, 41 }), g:param("b", { 41 }), { stride = 2 })
      return { y = y, loss = y:square() }
    end)
    local results = net:gradients { x = x }
    results.y, results.one = net:run({ x = x }).y, net:run({ x = x:slice(1, 1) }).y
    return results
  end

  it("agrees between levels of instructions", function()
    local x, best = random { 3, 9, 14, 3 }, ym.simd()
    local expected = two_layers(x)
    for _, level in ipairs { "baseline", "avx2", "avx512" } do
      if pcall(ym.simd, level) then
        for name, values in pairs(two_layers(x)) do
          near(expected[name], values, 1e-4)
        end
      end
    end
    ym.simd(best)
  end)

  it("gives the same bits with any number of threads", function()
    local x = random { 6, 9, 14, 3 }
    local function bits(threads)
      local before = ym.threads()
      ym.threads(threads)
      local list = {}
      for name, values in pairs(two_layers(x)) do
        list[name] = values:bytes()
      end
      ym.threads(before)
      return list
    end
    assert.same(bits(1), bits(3))
  end)
end)

describe("a linear layer #c", function()
  -- Tiles of all sizes; a million products in a row are shared by threads.
  it("is the product of its matrices at every level, in any company", function()
    local best = ym.simd()
    for _, size in ipairs { { 1, 1 }, { 7, 33 }, { 40, 130 }, { 1030, 1040 } } do
      local width, out = size[1], size[2]
      local net = nn.graph(function(g)
        local x, w = g:input("x", { width }), g:param("w", { width, out })
        local b = g:param("b", { out }, { init = "normal" })
        return { y = x:linear(w, b), z = x:linear(w, b, { activation = "relu" }) }
      end)
      local x, p = random { 11, width }, net:parameters()
      for _, level in ipairs { "baseline", "avx2", "avx512" } do
        if pcall(ym.simd, level) then
          local results = net:run { x = x }
          for _, at in ipairs { { 1, 1 }, { 11, out }, { 9, out // 2 + 1 } } do
            local row, column = table.unpack(at)
            local sum = p.b[column]
            for i = 1, width do
              sum = sum + x:get(row, i) * p.w:get(i, column)
            end
            assert.near(sum, results.y:get(row, column), 1e-4)
            assert.near(math.max(sum, 0), results.z:get(row, column), 1e-4)
          end
          assert.equal(results.y:slice(5, 5):bytes(), net:run({ x = x:slice(5, 5) }).y:bytes())
        end
      end
      ym.simd(best)
    end
  end)

  it("has the gradients of relu apart", function()
    local function record(fused)
      return nn.graph(function(g)
        local x = g:input("x", { 3, 21 }, { gradient = true })
        local w, b = g:param("w", { 21, 37 }), g:param("b", { 37 }, { init = "normal" })
        local y = fused and x:linear(w, b, { activation = "relu" }) or x:linear(w, b):relu()
        return { loss = y:square() }
      end, { seed = 4 })
    end
    local x = random { 100, 3, 21 }
    local ours = record(true):gradients { x = x }
    for name, gradient in pairs(record(false):gradients { x = x }) do
      near(gradient, ours[name])
    end
  end)
end)

describe("a pool #c", function()
  local shape = { 5, 8, 3 }
  local x = random { 2, table.unpack(shape) }

  local function run(operator, options)
    local net = nn.graph(function(g)
      local node = g:input("x", shape)
      return { y = node[operator](node, options) }
    end)
    return net:run({ x = x }).y
  end

  it("takes the largest or the mean of what lies inside", function()
    for _, padding in ipairs { "same", "valid" } do
      for _, case in ipairs { { { 2, 2 }, { 2, 2 } }, { { 3, 2 }, { 1, 3 } }, { { 4, 5 }, { 2, 1 } } } do
        local options = { size = case[1], stride = case[2], padding = padding }
        local largest, mean = run("max_pool", options), run("mean_pool", options)
        local sums = {}
        local rows, columns = each_tap(shape, case[1], case[2], padding, function(r, c, _, _, i, j)
          local key = r * 100 + c
          local sum = sums[key] or { count = 0, total = 0, most = -math.huge, row = r, column = c }
          local value = x:get(2, i, j, 3)
          sum.count, sum.total, sum.most = sum.count + 1, sum.total + value, math.max(sum.most, value)
          sums[key] = sum
        end)
        assert.same({ 2, rows, columns, 3 }, mean:shape())
        for _, sum in pairs(sums) do
          assert.equal(sum.most, largest:get(2, sum.row, sum.column, 3))
          assert.near(sum.total / sum.count, mean:get(2, sum.row, sum.column, 3), 1e-6)
        end
      end
    end
    assert.same({ 2, 2, 4, 3 }, run("max_pool", { size = 2 }):shape())
  end)

  it("keeps what is not a number", function()
    local net = nn.graph(function(g)
      return { y = g:input("x", { 1, 4, 1 }):max_pool { size = { 1, 2 } } }
    end)
    local y = net:run({ x = tensor.from({ 0 / 0, 1, 2, 0 / 0 }):reshape { 1, 1, 4, 1 } }).y
    assert.is_true(y[1] ~= y[1] and y:get(1, 1, 2, 1) ~= y:get(1, 1, 2, 1))
  end)

  it("has gradients", function()
    for _, padding in ipairs { "same", "valid" } do
      local options = { size = { 2, 3 }, stride = { 1, 2 }, padding = padding }
      gradients.check_written(function(_, node) return node:mean_pool(options) end, { 3, 5, 2 }, 5)
      -- values so far apart that a small change makes no other the largest
      local values = {}
      for i = 1, 150 do
        values[i] = i * 29 % 151 / 10
      end
      local net = nn.graph(function(g)
        local node = g:input("x", { 3, 5, 2 }, { gradient = true })
        return { loss = gradients.mix(g, node:max_pool(options) * g:param("p", { 2 }, { init = "ones" })) }
      end)
      gradients.check(net, { x = tensor.from(values):reshape { 5, 3, 5, 2 } })
    end
  end)
end)

describe("resizing #c", function()
  local function resized(values, size, method)
    local net = nn.graph(function(g)
      return { y = g:input("x", { 1, #values, 1 }):resize { size = { 2, size }, method = method } }
    end)
    local y = net:run({ x = tensor.from(values):reshape { 1, 1, #values, 1 } }).y
    assert.same({ 1, 2, size, 1 }, y:shape())
    return y:slice(1, 1):reshape({ 2, size }):totable()
  end

  -- The figures are PyTorch's, of interpolate with align_corners false.
  it("repeats, or goes straight between pixels", function()
    assert.same({ { 1, 1, 2, 2, 3, 3 }, { 1, 1, 2, 2, 3, 3 } }, resized({ 1, 2, 3 }, 6))
    assert.same({ 1, 1, 2, 3, 4 }, resized({ 1, 2, 3, 4 }, 5, "nearest")[2])
    local line = resized({ 1, 3 }, 4, "linear")[2]
    for i, value in ipairs { 1, 1.5, 2.5, 3 } do
      assert.near(value, line[i], 1e-6)
    end
    line = resized({ 1, 2, 3, 4, 5 }, 2, "linear")[1]
    assert.near(1.75, line[1], 1e-6)
    assert.near(4.25, line[2], 1e-6)
  end)

  it("has gradients", function()
    for _, method in ipairs { "nearest", "linear" } do
      for _, size in ipairs { { 5, 7 }, { 2, 3 }, { 3, 1 } } do
        gradients.check_written(function(_, x)
          return x:resize { size = size, method = method }
        end, { 3, 4, 2 }, 3)
      end
    end
  end)
end)

describe("misuse of operators on images", function()
  local function wrong(write, pattern)
    local done, message = pcall(function()
      nn.graph(function(g)
        return { y = write(g, g:input("x", { 4, 5, 2 }), g:param("w", { 3, 3, 2, 6 })) }
      end)
    end)
    assert.is_false(done)
    assert.is_truthy(message:find("conv_spec.lua:%d+: "), message)
    assert.is_truthy(message:find(pattern), message)
  end

  it("is told at the line that writes the graph", function()
    wrong(function(g, x) return x:conv2d(g:param("v", { 3, 3, 3, 6 })) end,
      "conv2d: shapes %(batch, 4, 5, 2%) and %(3, 3, 3, 6%)")
    wrong(function(g, _, w) return g:input("z", { 2 }):conv2d(w) end, "expected %(batch, height, width, in%)")
    wrong(function(g, x, w) return x:conv2d(w, g:param("b", { 5 })) end, "the bias is %(5%), expected %(6%)")
    wrong(function(_, x, w) return x:conv2d(w, { stride = 0 }) end, "option 'stride' is 0, expected a whole number")
    wrong(function(_, x, w) return x:conv2d(w, { stride = { 1, 1.5 } }) end, "option 'stride' is 1.5")
    wrong(function(_, x, w) return x:conv2d(w, { stride = { 1, 2, 3 } }) end, "must be one or two numbers")
    wrong(function(_, x, w) return x:conv2d(w, { stride = "two" }) end, "option 'stride' is 'two', expected numbers")
    wrong(function(_, x, w) return x:conv2d(w, { padding = "some" }) end, "padding is 'some', expected same or valid")
    wrong(function(_, x, w) return x:conv2d(w, { padding = 3 }) end, "option 'padding' is a number or a list")
    wrong(function(_, x, w) return x:conv2d(w, { activation = "bell" }) end, "activation is 'bell', expected relu")
    wrong(function(_, x, w) return x:conv2d(w, { strides = 2 }) end, "unknown option 'strides'")
    wrong(function(g, x) return x:conv2d(g:param("v", { 5, 1, 2, 1 })) end, "the window is 5, larger than 4")
    wrong(function(g)
      return g:input("z", { 2 }):linear(g:param("m", { 2, 2 }), { activation = "gelu" })
    end, "activation is 'gelu', expected relu")
    wrong(function(_, x) return x:max_pool() end, "option 'size' must be one or two numbers")
    wrong(function(_, x) return x:max_pool { size = { 1, 6 } } end, "the window is 6, larger than 5")
    wrong(function(_, x) return x:mean_pool { size = -1 } end, "option 'size' is %-1")
    wrong(function(g) return g:input("z", { 2, 3 }):mean_pool { size = 1 } end, "expected %(batch, height")
    wrong(function(_, x) return x:resize { size = { 2, 2 }, method = "cubic" } end, "method is 'cubic'")
    wrong(function(_, x) return x:resize { method = "linear" } end, "option 'size'")
  end)
end)
