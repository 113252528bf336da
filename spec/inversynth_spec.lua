local inversynth = require "ym2612ml.networks.inversynth"
local ym = require "ym2612ml"

local function count(net)
  local total = 0
  for _, values in pairs(net:parameters()) do
    local size = 1
    for _, side in ipairs(values:shape()) do
      size = size * side
    end
    total = total + size
  end
  return total
end

-- Deterministic inputs of about unit size.
local function wave(shape)
  local size, values = 1, {}
  for _, side in ipairs(shape) do
    size = size * side
  end
  for i = 1, size do
    values[i] = math.sin(i * i * 0.01)
  end
  return ym.tensor.from(values):reshape(shape)
end

describe("InverSynth's networks", function()
  it("have as many parameters as published", function()
    assert.equal(1155287, count(inversynth.conv6()))
    assert.equal(2279792, count(inversynth.conv6_xl()))
    assert.equal(1916696, count(inversynth.conv_e2e()))
  end)

  it("give a probability of each class, and learn", function()
    for name, shape in pairs { conv6 = { 2, 64, 257 }, conv_e2e = { 2, 16384 } } do
      local net = inversynth[name] { outputs = 6, seed = 3 }
      local data = { x = wave(shape), target = ym.tensor.from({ 1, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0 }):reshape { 2, 6 } }
      local out = net:run({ x = data.x }).out
      assert.same({ 2, 6 }, out:shape())
      for i = 1, 6 do
        assert.is_true(out:get(1, i) > 0 and out:get(1, i) < 1)
      end
      local optimizer = ym.nn.optimizer(net, { rate = 1e-3 })
      local first = assert(net:step(data, optimizer))
      for _ = 1, 5 do
        assert(net:step(data, optimizer))
      end
      assert.is_true(net:evaluate(data) < first)
    end
  end)

  it("refuse what they do not know", function()
    for _, options in ipairs { { outputs = 0 }, { outputs = 1.5 }, { classes = 3 }, { seed = "one" } } do
      local done, message = pcall(inversynth.conv6_xl, options)
      assert.is_false(done)
      assert.is_truthy(message:find("conv6_xl"), message)
    end
  end)
end)
