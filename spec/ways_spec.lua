local support = require "spec.support"
local tiny = require "spec.tiny_space"
local tokens = require "ym2612ml.space.tokens"
local ym = require "ym2612ml"

local folder, space, list

setup(function()
  folder = support.new_folder()
  space = tiny.train(folder .. "/space.safetensors")
  list = space:generate(12, { seed = 4 })
end)

teardown(function() support.remove_folder(folder) end)

-- Mean differences of what is heard from one patch to the next, by features of its own.
local function changes(patches)
  local features = ym.features.new(ym.recipes.three_scales(0.6, 0.2))
  local heard = ym.batch.features(patches, features, { note = 69, held = 0.6, release = 0.2, chip = "clean" })
  local sizes, last = {}, heard[1]:totable()
  for i = 2, #patches do
    local own, sum = heard[i]:totable(), 0
    for k, value in ipairs(own) do
      sum = sum + math.abs(value - last[k])
    end
    sizes[i - 1], last = sum / #own, own
  end
  return sizes
end

-- The largest change in relation to the mean one.
local function unevenness(patches)
  local sum, largest = 0, 0
  for _, size in ipairs(changes(patches)) do
    sum, largest = sum + size, math.max(largest, size)
  end
  return largest * (#patches - 1) / sum
end

local function misused(expected, call, ...)
  local fine, message = pcall(call, ...)
  assert.is_false(fine)
  assert.is_truthy(message:find(expected, 1, true), message)
end

describe("a way from patch to patch", function()
  it("meets both ends exactly and has as many patches as it is told", function()
    for _, by in ipairs { "sound", "space" } do
      for pair = 1, 4 do
        local a, b = list[2 * pair - 1], list[2 * pair]
        local way = space:interpolate(a, b, { steps = 9, by = by })
        assert.equal(9, #way)
        assert.equal(tiny.bytes { a }, tiny.bytes { way[1] })
        assert.equal(tiny.bytes { b }, tiny.bytes { way[9] })
        for _, patch in ipairs(way) do
          assert.is_nil(ym.patch.problem(patch))
        end
      end
    end
    assert.equal(32, #space:interpolate(list[1], list[2]))
    assert.equal(2, #space:interpolate(list[1], list[2], { steps = 2 }))
  end)

  it("changes the algorithm once at the most", function()
    for pair = 1, 4 do
      local way, changed = space:interpolate(list[2 * pair - 1], list[2 * pair], { steps = 12 }), 0
      for i = 2, #way do
        changed = changed + (way[i].algorithm ~= way[i - 1].algorithm and 1 or 0)
      end
      assert.equal(way[1].algorithm == way[12].algorithm and 0 or 1, changed)
    end
  end)

  it("is more even in what is heard than in the space", function()
    local by_sound, by_space = 0, 0
    for pair = 1, 4 do
      local a, b = list[2 * pair - 1], list[2 * pair]
      by_sound = by_sound + unevenness(space:interpolate(a, b, { steps = 16 }))
      by_space = by_space + unevenness(space:interpolate(a, b, { steps = 16, by = "space" }))
    end
    assert.is_true(by_sound < by_space, by_sound .. " " .. by_space)
  end)

  it("stays where both ends are one patch", function()
    for _, patch in ipairs(space:interpolate(list[1], list[1], { steps = 5 })) do
      assert.equal(tiny.bytes { list[1] }, tiny.bytes { patch })
    end
  end)
end)

describe("a way from point to point", function()
  local a, b = { 1, -1, 0.5, 0 }, { -1, 1, 0, 2 }

  it("begins and ends with the patches of the points", function()
    for _, options in ipairs { {}, { temperature = 1, seed = 3 }, { temperature = 0 } } do
      options.steps = 6
      local way = space:interpolate(a, b, options)
      local ends = space:decode({ a, b }, { temperature = options.temperature, seed = options.seed })
      assert.equal(tiny.bytes { ends[1] }, tiny.bytes { way[1] })
      assert.equal(tiny.bytes { ends[2] }, tiny.bytes { way[6] })
    end
  end)

  it("may begin at a patch", function()
    local way = space:interpolate(list[3], b, { steps = 4 })
    assert.equal(tiny.bytes { list[3] }, tiny.bytes { way[1] })
  end)
end)

describe("a sweep", function()
  it("goes through the centre, or through a patch", function()
    local way = space:sweep(2, { steps = 3, by = "space" })
    assert.equal(tiny.bytes(space:decode { space.centre }), tiny.bytes { way[2] })
    local place = space:locate({ list[5] }):get(1, 3)
    local through = { from = (place - space.centre[3]) / space.spread[3], to = 2, at = list[5], steps = 3 }
    assert.equal(tiny.bytes { list[5] }, tiny.bytes { space:sweep(3, through)[1] })
  end)

  it("moves one latent alone", function()
    local at = { 0.5, -0.5, 0.25, 1 }
    local way = space:sweep(1, { at = at, from = -2, to = 1, steps = 2 })
    local first = { space.centre[1] - 2 * space.spread[1], -0.5, 0.25, 1 }
    assert.equal(tiny.bytes(space:decode { first }), tiny.bytes { way[1] })
  end)
end)

describe("ways", function()
  it("refuse what is no end, no latent and no option", function()
    misused("bad argument #1 to 'interpolate' (expected a patch, or 4 numbers)", space.interpolate, space, { 1, 2 },
      list[1])
    misused("bad argument #2 to 'interpolate'", space.interpolate, space, list[1], { algorithm = 9 })
    misused("bad argument #2 to 'interpolate' (table expected", space.interpolate, space, list[1], "lead.y12")
    misused("unknown option 'step'", space.interpolate, space, list[1], list[2], { step = 3 })
    misused("option 'steps' is 1", space.interpolate, space, list[1], list[2], { steps = 1 })
    misused("option 'temperature' goes with two points", space.interpolate, space, list[1], list[2],
      { temperature = 1 })
    misused("bad argument #1 to 'sweep' (5, expected 1..4)", space.sweep, space, 5)
    misused("option 'temperature' goes with a point", space.sweep, space, 1, { at = list[1], temperature = 1 })
  end)

  it("give the same patches with any number of threads", function()
    local threads = ym.threads()
    finally(function() ym.threads(threads) end)
    local way = tokens.classes(space:interpolate(list[1], list[2], { steps = 8 })):bytes()
    ym.threads(1)
    assert.equal(way, tokens.classes(space:interpolate(list[1], list[2], { steps = 8 })):bytes())
  end)
end)
