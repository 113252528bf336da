local support = require "spec.support"
local ym = require "ym2612ml"

local function draw(count)
  local rng, list = ym.rng.new { seed = 5 }, {}
  for i = 1, count do
    list[i] = support.random_patch(rng)
    list[i].ams, list[i].fms, list[i].lfo = 0, 0, nil
  end
  return list
end

describe("batch #c", function()
  local list, packed
  setup(function()
    list = draw(9)
    packed = ym.patch.pack(list)
  end)
  after_each(function() ym.threads(2) end)

  it("measures what rendering and comparing one by one gives", function()
    local sound = ym.render(list[1], { note = 50, chip = "ym3438", held = 0.2, release = 0.1 })
    local target = ym.target.new(sound)
    local distances = ym.batch.distances(packed, target, { note = 50, chip = "ym3438", held = 0.2, release = 0.1 })
    assert.equal(0, distances[1])
    for i, patch in ipairs(list) do
      local alone = ym.render(patch, { note = 50, chip = "ym3438", held = 0.2, release = 0.1 })
      assert.near(target:distance(alone), distances[i], 1e-4)
    end
  end)

  it("hears what a render's features say", function()
    local features = ym.features.new { { kind = "harmonics", size = 1024, bands = 8, on = { 0.05 }, off = { 0.02 } } }
    local held = ym.tensor.from { 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3 }
    local values, audible = ym.batch.features(packed, features, { note = 60, held = held, release = 0.1 })
    assert.same({ 9, 16 }, values:shape())
    local f0 = 644 * 7670454 / 144 / 2 ^ 20 * 8
    local heard = 0
    for i, patch in ipairs(list) do
      local samples = ym.render(patch, { note = 60, held = held[i], release = 0.1 })
      local alone = features:extract(samples, { f0 = f0, held = held[i] })
      assert.equal(alone and 1 or 0, audible[i])
      for k = 1, alone and 16 or 0 do
        assert.near(alone[k], values:get(i, k), 2e-3) -- half precision
        heard = heard + 1
      end
    end
    assert.is_true(heard > 16)
  end)

  it("gives the same bytes with any number of threads", function()
    local features = ym.features.new { { kind = "mel", size = 512, bands = 20, on = { 0, 0.1 }, off = {} } }
    local target = ym.target.new((ym.render(list[2], { held = 0.2, release = 0 })))
    local found = {}
    for threads = 1, 3 do
      ym.threads(threads)
      found[threads] = ym.batch.features(packed, features, { held = 0.2, release = 0 }):bytes()
        .. ym.batch.distances(packed, target, { held = 0.2, release = 0 }):bytes()
    end
    assert.is_true(found[1] == found[2] and found[2] == found[3])
  end)

  it("takes an empty batch", function()
    local target = ym.target.new((ym.render(list[1])))
    assert.equal(0, #ym.batch.distances(packed:slice(1, 0), target))
  end)

  it("raises on misuse", function()
    local target = ym.target.new((ym.render(list[1])))
    assert.has_error(function() ym.batch.distances(packed, target, { note = ym.tensor.from { 60, 61 } }) end)
    assert.has_error(function() ym.batch.distances(packed, target, { note = 120 }) end)
    assert.has_error(function() ym.batch.distances(packed, target, { volume = 1 }) end)
    assert.has_error(function() ym.batch.distances(packed, "target") end)
    assert.has_error(function() ym.batch.distances(packed:to("f32"), target) end)
    assert.has_error(function()
      ym.batch.distances(packed:slice(1, 2), target, { held = ym.tensor.from { 1, -1 } })
    end)
  end)
end)
