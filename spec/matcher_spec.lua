local matcher = require "ym2612ml.networks.matcher"
local registers = require "ym2612ml.networks.registers"
local support = require "spec.support"
local ym = require "ym2612ml"

local HEADS = {}
for i, head in ipairs(registers.heads) do
  HEADS[head.name .. (head.operator or "")] = i
end

-- A patch whose registers can all be heard.
local function patch(changes)
  local copy = { algorithm = 4, feedback = 5 }
  for o = 1, 4 do
    copy[o] = {}
    for name, value in pairs(support.PATCH[o]) do
      copy[o][name] = value
    end
  end
  for o, fields in pairs(changes or {}) do
    for name, value in pairs(fields) do
      copy[o][name] = value
    end
  end
  return copy
end

describe("the classes of a patch", function()
  it("are those of its registers, levels of carriers relative to the loudest", function()
    local classes = registers.classes(patch(), "ym2612")
    assert.equal(#registers.heads, #classes)
    assert.equal(5, classes[HEADS.feedback])
    assert.equal(30 // 4, classes[HEADS.tl1])
    assert.equal(0, classes[HEADS.tl2])
    assert.equal((12 - 10) // 4, classes[HEADS.tl4])
    assert.equal(4, classes[HEADS.dt2]) -- +1 of -3..3
    assert.equal(25 // 2, classes[HEADS.ar2])
    assert.equal(10 // 4, classes[HEADS.level])
  end)

  it("leave out what cannot be heard", function()
    assert.equal(-1, registers.classes(patch(), "clean")[HEADS.level])
    local classes = registers.classes(patch { { tl = 127 } }, "ym2612")
    for _, name in ipairs { "mul1", "dt1", "ar1", "sl1", "feedback" } do
      assert.equal(-1, classes[HEADS[name]], name)
    end
    classes = registers.classes(patch { [2] = { sl = 0 }, [3] = { sl = 15, dr = 3 } }, "ym2612")
    assert.equal(-1, classes[HEADS.dr2])
    assert.equal(-1, classes[HEADS.sr3])
  end)

  it("are the same for operators that sound alike when exchanged", function()
    local one = patch()
    one.algorithm = 7
    local other = { algorithm = 7, feedback = 5, one[1], one[4], one[2], one[3] }
    assert.same(registers.classes(one, "clean"), registers.classes(other, "clean"))
  end)

  it("lie within their heads", function()
    local rng = ym.rng.new { seed = 4 }
    for _ = 1, 200 do
      for i, class in ipairs(registers.classes(support.random_patch(rng), "ym3438")) do
        assert.is_true(class >= -1 and class < registers.heads[i].width)
      end
    end
  end)
end)

describe("the matcher's network", function()
  local net, data
  setup(function()
    net = matcher.build { hidden = { 12, 10 }, seed = 3 }
    local rng = ym.rng.new { seed = 8 }
    data = {
      x = ym.tensor.new { 6, registers.inputs }, told = ym.tensor.new { 6, 1 },
      target = ym.tensor.new { 6, #registers.heads },
    }
    for row = 1, 6 do
      for i = 1, registers.inputs do
        data.x:set(row, i, rng:normal())
      end
      data.told:set(row, 1, row)
      for i, head in ipairs(registers.heads) do
        data.target:set(row, i, rng:integer(-1, head.width - 1))
      end
    end
  end)

  it("gives a mixture of distributions, and its cross-entropy for a loss", function()
    local out, total = net:run(data), 0
    assert.same({ 6, matcher.components * registers.logits }, out.logits:shape())
    for row = 1, 6 do
      local algorithm = registers.softmax(out.algorithm[row]:totable())
      local likelihood, shares = 0, registers.softmax(out.weights[row]:totable())
      local logits = out.logits[row]:totable()
      for component, share in ipairs(shares) do
        local own = share
        for i, head in ipairs(registers.heads) do
          local first = (component - 1) * registers.logits + head.first
          local class = data.target:get(row, i)
          if class >= 0 then
            own = own * registers.softmax({ table.unpack(logits, first, first + head.width - 1) })[class // 1 + 1]
          end
        end
        likelihood = likelihood + own
      end
      total = total - 2 * math.log(algorithm[row + 1]) - math.log(likelihood)
    end
    assert.near(total / 6, net:evaluate(data), 1e-3)
  end)

  it("tells the algorithm without being told it, the registers by it", function()
    local other = ym.tensor.new { 6, 1 }
    local first, second = net:run(data), net:run { x = data.x, told = other }
    assert.same(first.algorithm:totable(), second.algorithm:totable())
    assert.is_true(first.logits:bytes() ~= second.logits:bytes())
  end)

  it("has components that learn to differ", function()
    local twofold = matcher.build { hidden = { 12, 10 }, seed = 3 }
    local x, told = ym.tensor.new { 64, registers.inputs }, ym.tensor.new { 64, 1 }
    local target = ym.tensor.new { 64, #registers.heads }
    target:fill(-1)
    for row = 1, 64 do -- two kinds, equally likely: both registers low or both high
      target:set(row, HEADS.mul1, row % 2 * 9)
      target:set(row, HEADS.mul2, row % 2 * 9)
    end
    local set = { x = x, told = told, target = target }
    assert(ym.train.fit(twofold, set, { epochs = 150, batch = 64, rate = 2e-2 }))
    local loss = twofold:evaluate(set)
    assert.is_true(loss < math.log(2) + 0.3, loss) -- independent registers have log 4 at best
  end)
end)
