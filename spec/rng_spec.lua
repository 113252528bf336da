local ym = require "ym2612ml"

describe("a generator #c", function()
  it("gives the same numbers for the same seed, others for another seed or stream", function()
    local function first(options)
      return ym.rng.new(options):integer(math.mininteger, math.maxinteger)
    end
    assert.equal(first { seed = 5 }, first { seed = 5 })
    assert.equal(first(), first { seed = 1, stream = 0 })
    local seen = {}
    for seed = -2, 2 do
      for stream = -2, 2 do
        local number = first { seed = seed, stream = stream }
        assert.is_nil(seen[number])
        seen[number] = true
      end
    end
  end)

  it("is xoshiro256++", function()
    -- From the state 1, 2, 3, 4, by the published recurrence.
    local g = ym.rng.new():restore(("%016x%016x%016x%016x"):format(1, 2, 3, 4))
    local expected = { 41943041, 58720359, 3588806011781223, 3591011842654386 }
    for i = 1, 4 do
      assert.equal(expected[i], g:integer(math.mininteger, math.maxinteger) ~ math.mininteger)
    end
  end)

  it("is uniform and normal", function()
    local g, sum, sums, squares, count = ym.rng.new(), 0, 0, 0, 20000
    local low, high = math.huge, -math.huge
    for _ = 1, count do
      local u, n = g:uniform(2, 4), g:normal(10, 3)
      sum, sums, squares = sum + u, sums + n, squares + (n - 10) ^ 2
      low, high = math.min(low, u), math.max(high, u)
    end
    assert.near(3, sum / count, 0.02)
    assert.is_true(low >= 2 and low < 2.001 and high < 4 and high > 3.999)
    assert.near(10, sums / count, 0.1)
    assert.near(9, squares / count, 0.3)
  end)

  it("draws whole numbers alike, also over the whole range", function()
    local g, counts = ym.rng.new(), {}
    for _ = 1, 7000 do
      local number = g:integer(-3, 3)
      counts[number] = (counts[number] or 0) + 1
    end
    for number = -3, 3 do
      assert.near(1000, counts[number], 150)
    end
    assert.equal(8, g:integer(8, 8))
    assert.equal("integer", math.type(g:integer(math.mininteger, math.maxinteger)))
  end)

  it("shuffles and orders", function()
    local g, list = ym.rng.new(), {}
    for i = 1, 100 do
      list[i] = i
    end
    local before = table.concat(list, " ")
    assert.equal(list, g:shuffle(list))
    assert.not_equal(before, table.concat(list, " "))
    table.sort(list)
    assert.equal(before, table.concat(list, " "))
    local order = g:order(100)
    assert.equal("i32", order:type())
    local items = order:totable()
    assert.not_equal(before, table.concat(items, " "))
    table.sort(items)
    assert.equal(before, table.concat(items, " "))
    assert.equal(0, #g:order(0))
    assert.same({}, g:shuffle {})
  end)

  it("chooses by weight", function()
    local g, counts = ym.rng.new(), { 0, 0, 0, 0 }
    for _ = 1, 4000 do
      local index = g:choose { 1, 0, 3, 0 }
      counts[index] = counts[index] + 1
    end
    assert.near(1000, counts[1], 120)
    assert.near(3000, counts[3], 120)
    assert.equal(4000, counts[1] + counts[3])
  end)

  it("goes on from a dump", function()
    local g = ym.rng.new { seed = 9 }
    g:uniform()
    local state, expected = g:dump(), g:normal()
    assert.equal(expected, ym.rng.new():restore(state):normal())
  end)

  it("refuses what it cannot do", function()
    local g = ym.rng.new()
    assert.has_error(function() ym.rng.new { sed = 1 } end, "bad argument #1 to 'new' (unknown option 'sed')")
    assert.has_error(function() ym.rng.new { seed = 1.5 } end)
    assert.has_error(function() g:integer(2, 1) end)
    assert.has_error(function() g:integer(1.5, 2) end)
    assert.has_error(function() g:uniform(2, 1) end)
    assert.has_error(function() g:choose {} end)
    assert.has_error(function() g:choose { 1, -1 } end)
    assert.has_error(function() g:choose { 0 / 0 } end)
    assert.has_error(function() g:choose { math.huge } end)
    assert.has_error(function() g:order(-1) end)
    assert.has_error(function() g:restore("7") end)
    assert.has_error(function() g:restore(("0"):rep(64)) end)
    assert.has_error(function() g:restore(("g"):rep(64)) end)
  end)
end)
