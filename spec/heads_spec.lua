local ym = require "ym2612ml"
local registers = require "ym2612ml.networks.registers"

local heads = registers.decoder

-- Logits that leave no doubt: for every algorithm the classes of this patch.
local function logits_of(patch)
  local logits = ym.tensor.new { 8, registers.logits }
  for row = 1, 8 do
    for i, class in ipairs(registers.classes(patch, "ym2612")) do
      if class >= 0 then
        logits:set(row, registers.heads[i].first + class, 60)
      end
    end
  end
  return logits
end

-- Values at the middle of their classes, where classes have one.
local PATCH = {
  algorithm = 4, feedback = 3,
  { mul = 2, dt = -3, tl = 30, rs = 2, ar = 31, dr = 9, sr = 3, rr = 7, sl = 4 },
  { mul = 1, dt = 1, tl = 10, rs = 0, ar = 31, dr = 7, sr = 5, rr = 8, sl = 3 },
  { mul = 15, dt = 0, tl = 26, rs = 1, ar = 29, dr = 5, sr = 3, rr = 15, sl = 5 },
  { mul = 0, dt = 3, tl = 18, rs = 3, ar = 21, dr = 11, sr = 7, rr = 0, sl = 2 },
}

local EVEN = { 1, 1, 1, 1, 1, 1, 1, 1 }

local function only(algorithm)
  local weights = { 0, 0, 0, 0, 0, 0, 0, 0 }
  weights[algorithm + 1] = 1
  return weights
end

describe("heads #c", function()
  it("give the patch that the logits leave no doubt of", function()
    local packed = heads:modes(logits_of(PATCH), { level = true })
    assert.same({ 8, 49 }, packed:shape())
    local list = ym.patch.unpack(packed)
    for algorithm = 0, 7 do
      assert.equal(algorithm, list[algorithm + 1].algorithm)
    end
    local found = list[5]
    for o = 1, 4 do
      for name, value in pairs(PATCH[o]) do
        local coarse = name == "tl" and 3 or (name == "ar" or name == "dr" or name == "sr") and 1 or 0
        assert.near(value, found[o][name], coarse, ("%s of operator %d"):format(name, o))
      end
      assert.equal(0, found[o].ssg)
      assert.equal(0, found[o].am)
    end
    assert.equal(3, found.feedback)
    assert.near(8, found[4].tl - found[2].tl, 3)
  end)

  it("set the level told, or none", function()
    local logits = logits_of(PATCH)
    local told = ym.heads.levels(heads:modes(logits, { level = true }))
    assert.near(10, told[5], 2)
    local list = heads:modes(logits)
    for i, level in ipairs(ym.heads.levels(list):totable()) do
      assert.equal(0, level, "algorithm " .. i - 1)
    end
    local moved = ym.heads.at_levels(list, { 0, 1, 2, 3, 4, 5, 6, 127 })
    assert.same({ 0, 1, 2, 3, 4, 5, 6, 127 }, ym.heads.levels(moved):totable())
    local patch = ym.patch.unpack(moved)[5]
    assert.near(8, patch[4].tl - patch[2].tl, 3)
    assert.equal(ym.patch.unpack(list)[5][1].tl, patch[1].tl) -- a modulator keeps its own
  end)

  it("takes the mean of neighbouring classes where values are ordered", function()
    local logits = ym.tensor.new { 8, registers.logits }
    for _, head in ipairs(registers.heads) do
      if head.name == "tl" and head.operator == 1 then
        logits:set(5, head.first + 5, 20.1) -- total levels 20 to 23, and nearly as likely 24 to 27
        logits:set(5, head.first + 6, 20)
      end
    end
    assert.near(23.5, ym.patch.unpack(heads:modes(logits))[5][1].tl, 0.5)
  end)

  it("draw in proportion to the distributions, sharper when colder", function()
    local logits = ym.tensor.new { 8, registers.logits }
    local feedback = registers.heads[1]
    assert.equal("feedback", feedback.name)
    logits:set(3, feedback.first + 5, math.log(7)) -- 5 as likely as all others
    local function share(coldest, warmest)
      local count = 0
      for _, patch in ipairs(ym.patch.unpack(heads:draw(logits, 4000, {
        weights = only(2), coldest = coldest, warmest = warmest,
      }))) do
        assert.equal(2, patch.algorithm)
        count = count + (patch.feedback == 5 and 1 or 0)
      end
      return count / 4000
    end
    assert.near(0.5, share(1, 1), 0.04)
    assert.near(49 / 56, share(0.5, 0.5), 0.04)
    local mixed = share(0.5, 1)
    assert.is_true(mixed > 0.54 and mixed < 0.85)
  end)

  it("draw every value of a register, and whole patches that are valid", function()
    local packed = heads:draw(ym.tensor.new { 8, registers.logits }, 3000, { weights = EVEN, level = true })
    local list = ym.patch.unpack(packed)
    local seen, algorithms = {}, {}
    for _, patch in ipairs(list) do
      ym.patch.check(patch)
      algorithms[patch.algorithm] = true
      seen[patch[1].dt] = true
    end
    for algorithm = 0, 7 do
      assert.is_true(algorithms[algorithm])
    end
    for detune = -3, 3 do
      assert.is_true(seen[detune])
    end
  end)

  it("draw the same from the same seed and stream", function()
    local logits = logits_of(PATCH)
    local function bytes(seed, stream)
      return heads:draw(logits, 50, { weights = EVEN, warmest = 10, seed = seed, stream = stream }):bytes()
    end
    local first = bytes(3, 1)
    collectgarbage()
    assert.is_true(first == bytes(3, 1))
    assert.is_true(first ~= bytes(4, 1))
    assert.is_true(first ~= bytes(3, 2))
    assert.same({ 0, 49 }, heads:draw(logits, 0, { weights = EVEN }):shape())
  end)

  it("says what is wrong at the caller's line", function()
    local logits = ym.tensor.new { 8, registers.logits }
    local function fails(message, call, ...)
      local fine, found = pcall(call, ...)
      assert.is_false(fine)
      assert.matches(message, found, 1, true)
    end
    fails("expected (8, ", heads.modes, heads, ym.tensor.new { 8, 3 })
    fails("unknown option 'levels'", heads.modes, heads, logits, { levels = true })
    fails("option 'level' is 1", heads.modes, heads, logits, { level = 1 })
    fails("option 'weights' is not a list", heads.draw, heads, logits, 1, {})
    fails("all are 0", heads.draw, heads, logits, 1, { weights = { 0, 0, 0, 0, 0, 0, 0, 0 } })
    fails("8 numbers", heads.draw, heads, logits, 1, { weights = { 1, 1 } })
    fails("'coldest' is 0", heads.draw, heads, logits, 1, { weights = EVEN, coldest = 0 })
    fails("expected 0..2147483647", heads.draw, heads, logits, -1, { weights = EVEN })
    fails("expected 1..50 heads", ym.heads.new, {})
    fails("head 1 is no table", ym.heads.new, { 3 })
    fails("head 2: width is 200, expected 1..128", ym.heads.new, {
      { position = 1, first = 1, width = 8, size = 1 }, { position = 2, first = 9, width = 200, size = 1 },
    })
    fails("expected levels of 0..127", ym.heads.at_levels, heads:modes(logits), { 0, 0, 0, 0, 0, 0, 0, 128 })
    fails("numbers of patches differ", ym.heads.at_levels, heads:modes(logits), { 0 })
    logits:set(8, 1, 0 / 0)
    fails("not finite", heads.modes, heads, logits)
  end)
end)
