-- Classes out of logits, against probabilities that are computed here.
local ym = require "ym2612ml"
local nn = require("ym2612ml.core").nn
local tensor = ym.tensor

local function probabilities(logits, temperature)
  local largest, sum, shares = math.max(table.unpack(logits)), 0, {}
  for i, logit in ipairs(logits) do
    shares[i] = math.exp((logit - largest) / temperature)
    sum = sum + shares[i]
  end
  for i, share in ipairs(shares) do
    shares[i] = share / sum
  end
  return shares
end

local function random_logits(rows, width, seed)
  local rng, list = ym.rng.new { seed = seed }, {}
  for row = 1, rows do
    list[row] = {}
    for class = 1, width do
      list[row][class] = rng:normal(0, 3)
    end
  end
  return list, rng
end

describe("choose #c", function()
  it("draws the class whose share of 0..1 holds the number", function()
    for _, temperature in ipairs { 0.25, 1, 4 } do
      local list, rng = random_logits(40, 17, 3)
      local logits, numbers = tensor.from(list), tensor.new { 40 }
      for row = 1, 40 do
        numbers[row] = rng:uniform()
      end
      local classes, costs = nn.choose(logits, numbers, temperature)
      assert.equal("i32", classes:type())
      for row = 1, 40 do
        local before, class = 0, math.tointeger(classes[row])
        local shares = probabilities(logits[row]:totable(), temperature)
        for i = 1, class do
          before = before + shares[i]
        end
        assert.is_true(numbers[row] >= before - 1e-6 and numbers[row] <= before + shares[class + 1] + 1e-6)
        local own = probabilities(logits[row]:totable(), 1)[class + 1]
        assert.near(-math.log(own), costs[row], 1e-4)
      end
    end
  end)

  it("gives the most likely class at temperature 0, the first of several", function()
    local classes, costs = nn.choose(tensor.from { { 1, 5, 5, 2 }, { -9, -8, -7, -100 } }, tensor.from { 0.99, 0 }, 0)
    assert.same({ 1, 2 }, classes:totable())
    assert.near(-math.log(probabilities({ 1, 5, 5, 2 }, 1)[2]), costs[1], 1e-5)
  end)

  it("is right at the ends: of numbers, of logits, of temperatures, of one class", function()
    local last = 1 - 2 ^ -24
    local even = tensor.from { { 0, 0, 0, 0 }, { 0, 0, 0, 0 } }
    assert.same({ 0, 3 }, nn.choose(even, tensor.from { 0, last }, 1):totable())
    -- what has no share is never drawn
    local masked = tensor.from { { -1e9, 0, 0, -1e9 }, { -1e9, 0, 0, -1e9 } }
    assert.same({ 1, 2 }, nn.choose(masked, tensor.from { 0, last }, 1):totable())
    assert.same({ 1, 2 }, nn.choose(masked, tensor.from { 0, last }, 100):totable())
    local classes, costs = nn.choose(tensor.from { { 3e38, -3e38 } }, tensor.from { last }, 1)
    assert.same({ 0 }, classes:totable())
    assert.equal(0, costs[1])
    classes, costs = nn.choose(tensor.from { { 7 } }, tensor.from { 0.5 }, 1)
    assert.same({ 0 }, classes:totable())
    assert.equal(0, costs[1])
    classes, costs = nn.choose(tensor.new { 0, 5 }, tensor.new { 0 }, 1)
    assert.same({ 0, 0 }, { #classes, #costs })
    assert.equal(1, nn.choose(tensor.from { { 0, 1 } }, tensor.from { 0.3 }, 1e-3)[1])
  end)

  it("draws again what numbers tells", function()
    for _, temperature in ipairs { 0.5, 1, 3 } do
      local logits, wanted = tensor.from((random_logits(17, 17, 5))), tensor.new { 17 }
      for row = 1, 17 do
        wanted[row] = row - 1
      end
      local numbers = nn.numbers(logits, wanted, temperature)
      for row = 1, 17 do
        local shares, before = probabilities(logits[row]:totable(), temperature), 0
        for i = 1, row - 1 do
          before = before + shares[i]
        end
        assert.near(before + shares[row] / 2, numbers[row], 1e-5)
        if shares[row] > 1e-6 then
          assert.equal(row - 1, nn.choose(logits, numbers, temperature)[row])
        end
      end
    end
  end)

  it("takes tensors of other types and layouts", function()
    local logits, numbers = tensor.from { { 0, 1, 2 }, { 2, 0, 3 } }, tensor.from { 0.2, 0.6 }
    local classes = nn.choose(logits, numbers, 1):totable()
    local turned = tensor.from { { 0, 2 }, { 1, 0 }, { 2, 3 } }:permute { 2, 1 }
    for _, other in ipairs { turned, logits:to "u8", logits:to "f16" } do
      assert.same(classes, nn.choose(other, numbers:totable(), 1):totable())
      assert.same(nn.numbers(logits, classes, 1):totable(), nn.numbers(other, classes, 1):totable())
    end
  end)

  it("refuses wrong arguments", function()
    local logits, numbers = tensor.from { { 0, 1 }, { 2, 3 } }, tensor.from { 0.5, 0.5 }
    local function wrong(expected, name, ...)
      local arguments = table.pack(...)
      local fine, message = pcall(function() nn[name](table.unpack(arguments, 1, arguments.n)) end)
      assert.is_false(fine, "was not refused: " .. expected)
      assert.is_truthy(message:find(expected, 1, true), message)
    end
    for _, name in ipairs { "choose", "numbers" } do
      wrong("#1", name, nil, numbers, 1)
      wrong("#1", name, tensor.from { 1, 2 }, numbers, 1)
      wrong("a class or more", name, tensor.new { 2, 0 }, numbers, 1)
      wrong("not finite", name, tensor.from { { 0, 0 / 0 }, { 0, 0 } }, numbers, 1)
      wrong("not finite", name, tensor.from { { 0, math.huge }, { 0, 0 } }, numbers, 1)
      wrong("as many as the logits have rows", name, logits, tensor.from { 0 }, 1)
      wrong("temperature", name, logits, numbers, -1)
      wrong("temperature", name, logits, numbers, 101)
      wrong("temperature", name, logits, numbers, 0 / 0)
      wrong("#3", name, logits, numbers, "hot")
    end
    wrong("temperature", "numbers", logits, numbers, 0)
    for _, number in ipairs { -0.1, 1, 0 / 0 } do
      wrong("0 to below 1", "choose", logits, tensor.from { 0, number }, 1)
    end
    for _, class in ipairs { -1, 2, 0 / 0 } do
      wrong("classes that the logits have", "numbers", logits, tensor.from { 0, class }, 1)
    end
  end)
end)
