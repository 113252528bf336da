local ym = require "ym2612ml"
local pca, tensor = ym.pca, ym.tensor

-- Rows that vary along `rank` directions, ever less, around a mean; a little noise.
local function rows_of(rows, columns, rank, noise)
  local rng, directions = ym.rng.new { seed = rows }, {}
  for which = 1, rank do
    directions[which] = {}
    for column = 1, columns do
      directions[which][column] = rng:normal() * 3 / which
    end
  end
  local x = tensor.new { rows, columns }
  for row = 1, rows do
    local amounts = {}
    for which = 1, rank do
      amounts[which] = rng:normal()
    end
    for column = 1, columns do
      local value = 5 + column / columns + noise * rng:normal()
      for which = 1, rank do
        value = value + amounts[which] * directions[which][column]
      end
      x:set(row, column, value)
    end
  end
  return x
end

-- Eigenvalues of the covariance, largest first, by Jacobi's rotations in double: slow,
-- and independent of what is tested.
local function eigenvalues(x)
  local rows, columns = table.unpack(x:shape())
  local values, mean, a = x:totable(), {}, {}
  for i = 1, columns do
    mean[i] = 0
    for row = 1, rows do
      mean[i] = mean[i] + values[row][i] / rows
    end
  end
  for i = 1, columns do
    a[i] = {}
    for j = 1, columns do
      local sum = 0
      for row = 1, rows do
        sum = sum + (values[row][i] - mean[i]) * (values[row][j] - mean[j])
      end
      a[i][j] = sum / (rows - 1)
    end
  end
  for _ = 1, 12 do
    for p = 1, columns - 1 do
      for q = p + 1, columns do
        local angle = 0.5 * math.atan(2 * a[p][q], a[q][q] - a[p][p])
        local c, s = math.cos(angle), math.sin(angle)
        for k = 1, columns do
          a[k][p], a[k][q] = c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]
        end
        for k = 1, columns do
          a[p][k], a[q][k] = c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]
        end
      end
    end
  end
  local list = {}
  for i = 1, columns do
    list[i] = a[i][i]
  end
  table.sort(list, function(one, other) return one > other end)
  return list
end

-- Mean squared difference of two matrices.
local function difference(a, b)
  local sum, one, other = 0, a:totable(), b:totable()
  for row = 1, #one do
    for column = 1, #one[1] do
      sum = sum + (one[row][column] - other[row][column]) ^ 2
    end
  end
  return sum / (#one * #one[1])
end

describe("principal component analysis #c", function()
  it("finds the variances that a full decomposition finds, whatever the shape", function()
    for _, shape in ipairs { { 60, 12 }, { 12, 12 }, { 10, 14 } } do
      local x = rows_of(shape[1], shape[2], 6, 0.05)
      local expected, total = eigenvalues(x), 0
      for _, value in ipairs(expected) do
        total = total + value
      end
      local p = assert(pca.fit(x, { components = 8 }))
      assert.near(1, p.total / total, 1e-5)
      local left = total
      for i, ratio in ipairs(p:ratios()) do
        assert.near(expected[i] / total, ratio, 1e-5)
        assert.near(expected[i], p.variance[i], 1e-5 * total)
        left = left - expected[i]
      end
      local lost = difference(x, p:restore(p:transform(x))) * shape[1] * shape[2] / (shape[1] - 1)
      assert.near(left / total, lost / total, 1e-5)
    end
  end)

  it("gives orthonormal axes with a fixed sign", function()
    for _, shape in ipairs { { 50, 20 }, { 20, 50 } } do
      local axes = assert(pca.fit(rows_of(shape[1], shape[2], 9, 0.1), { components = 9 })):axes():totable()
      for i, axis in ipairs(axes) do
        local largest = 0
        for j = 1, i do
          local product = 0
          for column, value in ipairs(axis) do
            product = product + value * axes[j][column]
          end
          assert.near(i == j and 1 or 0, product, 1e-5)
        end
        for _, value in ipairs(axis) do
          largest = math.abs(value) > math.abs(largest) and value or largest
        end
        assert.is_true(largest > 0)
      end
    end
  end)

  it("takes stored types, views and more rows than one block", function()
    local x = rows_of(1500, 5, 3, 0.1)
    local p = assert(pca.fit(x, { components = 3 }))
    local half = assert(pca.fit(x:to "f16", { components = 3 }))
    for i = 1, 3 do
      assert.near(1, half.variance[i] / p.variance[i], 1e-2)
    end
    local part = x:slice(101, 300)
    assert.equal(p:transform(x):slice(101, 300):bytes(), p:transform(part):bytes())
    local own = part:to "f32"
    assert.equal(pca.fit(own, { components = 2 }):axes():bytes(), pca.fit(part, { components = 2 }):axes():bytes())
    assert.same({ 0, 3 }, p:transform(x:slice(1, 0)):shape())
  end)

  it("gives the same bits with any number of threads", function()
    local threads, found = ym.threads(), {}
    finally(function() ym.threads(threads) end)
    local x = rows_of(300, 40, 8, 0.1)
    for count = 1, 3 do
      ym.threads(count)
      local p = assert(pca.fit(x, { components = 10 }))
      found[count] = p:axes():bytes() .. p:transform(x):bytes() .. p:restore(p:transform(x)):bytes()
    end
    assert.equal(found[1], found[2])
    assert.equal(found[1], found[3])
  end)

  it("finds at random what the exact way finds", function()
    for _, shape in ipairs { { 90, 60 }, { 60, 90 }, { 700, 40 }, { 30, 700 } } do
      local x = rows_of(shape[1], shape[2], 20, 0.05)
      local exact = assert(pca.fit(x, { components = 12, method = "exact" }))
      local p = assert(pca.fit(x, { components = 12, method = "random" }))
      assert.near(1, p.total / exact.total, 1e-5)
      local explained, all = 0, 0
      for i, ratio in ipairs(exact:ratios()) do
        explained, all = explained + p:ratios()[i], all + ratio
      end
      assert.is_true(explained > 0.9995 * all and explained < 1.00001 * all, explained / all)
      local lost = difference(x, exact:restore(exact:transform(x)))
      assert.is_true(difference(x, p:restore(p:transform(x))) < lost + 0.0005 * all * exact.total / shape[2])
      local axes = p:axes():totable()
      for i, axis in ipairs(axes) do
        for j = 1, i do
          local product = 0
          for column, value in ipairs(axis) do
            product = product + value * axes[j][column]
          end
          assert.near(i == j and 1 or 0, product, 1e-5)
        end
      end
    end
  end)

  it("finds at random the same for the same seed, with any number of threads", function()
    local threads, found = ym.threads(), {}
    finally(function() ym.threads(threads) end)
    local x = rows_of(600, 70, 30, 0.1)
    for count, seed in ipairs { 5, 5, 6 } do
      ym.threads(count)
      found[count] = assert(pca.fit(x, { components = 10, method = "random", seed = seed })):axes():bytes()
    end
    assert.equal(found[1], found[2])
    assert.not_equal(found[1], found[3])
  end)

  it("finds at random that there are fewer axes than asked for", function()
    local x = rows_of(50, 30, 3, 0)
    local p = assert(pca.fit(x, { components = 8, method = "random" }))
    local exact = assert(pca.fit(x, { components = 8, method = "exact" }))
    for i = 1, 8 do
      assert.near(exact:ratios()[i], p:ratios()[i], 1e-5)
    end
    assert.is_true(difference(x, p:restore(p:transform(x))) < 1e-6)
    p = assert(pca.fit(tensor.new({ 40, 20 }):fill(3), { components = 2, method = "random" }))
    assert.same({ 0, 0 }, p:ratios())
    local wild = tensor.new { 40, 20 }
    wild:set(3, 4, 1e30)
    local found, message, kind = pca.fit(wild, { components = 2, method = "random" })
    assert.same({ nil, "the values are too large", "input" }, { found, message, kind })
  end)

  it("scales components to unit variance, and back", function()
    local x = rows_of(80, 10, 4, 0.1)
    local p = assert(pca.fit(x, { components = 4, scale = true }))
    local y = p:transform(x):totable()
    for column = 1, 4 do
      local sum = 0
      for row = 1, 80 do
        sum = sum + y[row][column] ^ 2
      end
      assert.near(1, sum / 79, 1e-3)
    end
    local plain = assert(pca.fit(x, { components = 4 }))
    assert.is_true(difference(p:restore(p:transform(x)), plain:restore(plain:transform(x))) < 1e-8)
  end)

  it("makes nothing of constant columns", function()
    for _, shape in ipairs { { 8, 3 }, { 3, 8 } } do
      local x = tensor.new(shape):fill(7)
      local p = assert(pca.fit(x, { components = 2, scale = true }))
      assert.same({ 0, 0 }, p:ratios())
      for _, row in ipairs(p:transform(x):totable()) do
        assert.same({ 0, 0 }, row)
      end
      assert.equal(x:bytes(), p:restore(p:transform(x)):bytes())
    end
  end)

  it("comes back from a file as it was", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local x = rows_of(30, 6, 3, 0.1)
    for _, scale in ipairs { false, true } do
      local p = assert(pca.fit(x, { components = 3, scale = scale }))
      assert(p:save(path))
      local copy = assert(pca.load(path))
      assert.equal(p:transform(x):bytes(), copy:transform(x):bytes())
      assert.same(p:ratios(), copy:ratios())
      assert(p:save(path, { type = "f16" }))
      assert.is_true(difference(p:transform(x), assert(pca.load(path)):transform(x)) < 1e-4)
    end
    ym.store.save(path, { mean = tensor.new { 3 } })
    local found, message, kind = pca.load(path)
    assert.is_nil(found)
    assert.equal(path .. ": is not a principal component analysis", message)
    assert.equal("format", kind)
    found, message, kind = pca.load("/nowhere/x")
    assert.is_nil(found)
    assert.is_truthy(message:find("^/nowhere/x: "))
    assert.equal("io", kind)
  end)

  it("reports values that are not finite", function()
    for _, bad in ipairs { 0 / 0, math.huge } do
      local x = rows_of(10, 4, 2, 0)
      x:set(7, 3, bad)
      local p, message, kind = pca.fit(x, { components = 2 })
      assert.same({ nil, "column 3 holds a value that is not finite", "input" }, { p, message, kind })
    end
  end)

  it("keeps what it needs through a collection", function()
    local p = assert(pca.fit(rows_of(30, 6, 3, 0.1), { components = 3 }))
    collectgarbage()
    collectgarbage()
    assert.same({ 1, 3 }, p:transform(tensor.new { 1, 6 }):shape())
  end)

  it("tells of misuse at the caller's line", function()
    local function misuse(f, pattern)
      local done, message = pcall(f)
      assert.is_false(done)
      assert.is_truthy(message:find("pca_spec.lua:%d+: .*" .. pattern), message)
    end
    local x = rows_of(10, 4, 2, 0)
    misuse(function() pca.fit(x, { components = 5 }) end, "5 components of 10 rows and 4 columns, expected 1..4")
    misuse(function() pca.fit(x:slice(1, 3), { components = 4 }) end, "expected 1..3")
    misuse(function() pca.fit(x:slice(1, 1), { components = 1 }) end, "1 rows are too few")
    misuse(function() pca.fit(x, { components = 0 }) end, "option 'components' is 0")
    misuse(function() pca.fit(x, { components = 2^40 }) end, "expected 1..4")
    local wide = tensor.new { 2, 1000000 }
    misuse(function() pca.fit(wide, { components = 1000000 }) end, "expected 1..2")
    misuse(function() pca.fit(x) end, "option 'components' is missing")
    misuse(function() pca.fit(x, { components = 2, method = "fast" }) end, "expected one of auto, exact, random")
    misuse(function() pca.fit(x, { components = 2, whiten = true }) end, "unknown option 'whiten'")
    misuse(function() pca.fit(x[1], { components = 2 }) end, "rank is 1, expected 2")
    misuse(function() pca.fit({}, { components = 2 }) end, "tensor expected, got table")
    local p = assert(pca.fit(x, { components = 2 }))
    misuse(function() p:transform(tensor.new { 2, 3 }) end, "3 columns, expected 4")
    misuse(function() p:restore(tensor.new { 2, 3 }) end, "3 columns, expected 2")
    misuse(function() p:save() end, "string expected")
  end)
end)
