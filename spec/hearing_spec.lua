local registers = require "ym2612ml.networks.registers"
local support = require "spec.support"
local ym = require "ym2612ml"

describe("notes as recordings have them #c", function()
  local features, list = nil, {}
  setup(function()
    features = ym.features.new(registers.recipe)
    local rng = ym.rng.new { seed = 9 }
    for i = 1, 24 do
      list[i] = support.random_patch(rng)
    end
    list[1] = support.PATCH
  end)

  local function heard(options)
    options.chip = "clean"
    return ym.batch.features(list, features, options)
  end

  local function mean(values, first, last)
    local sum = 0
    for i = first, last do
      sum = sum + values[i]
    end
    return sum / (last - first + 1)
  end

  it("are as played when nothing disturbs them", function()
    local plain = heard { note = 60 }
    local same = heard { note = 60, cents = 0, stretch = 1, noise = 0, limit = 0, seed = 7 }
    assert.is_true(plain:bytes() == same:bytes())
  end)

  it("are told another pitch and held time", function()
    local told = heard({ note = 60, cents = 100, stretch = 0.5 })[1]
    local samples = ym.render(list[1], { note = 60, chip = "clean" })
    local expected = features:extract(samples, { f0 = 440 * 2 ^ ((61 - 69) / 12), held = 0.5 })
    for i = 1, #expected, 37 do
      assert.near(expected[i], told[i], 0.02)
    end
  end)

  it("have noise of the power asked for, the same for the same seed", function()
    local last = #heard({ note = 60 })[1]
    local quiet, loud = heard { note = 60, noise = 1e-5, seed = 3 }, heard { note = 60, noise = 1e-2, seed = 3 }
    local size = 40 * 8 -- the last block: 40 mel bands
    assert.is_true(mean(loud[1], last - size, last) > mean(quiet[1], last - size, last) + 0.05)
    assert.is_true(loud:bytes() == heard({ note = 60, noise = 1e-2, seed = 3 }):bytes())
    assert.is_true(loud:bytes() ~= heard({ note = 60, noise = 1e-2, seed = 4 }):bytes())
  end)

  it("have nothing above the limit", function()
    local noise = {}
    for i = 1, #list do
      noise[i] = 1
    end
    local whole = heard { note = 60, noise = noise }
    local limited = heard { note = 60, noise = noise, limit = 4000 }
    local last = #whole[1] -- mel bands of the last frame: the highest 10 lie above 8 kHz
    assert.is_true(mean(limited[1], last - 9, last) < mean(whole[1], last - 9, last) - 0.5)
    assert.near(mean(whole[1], last - 39, last - 30), mean(limited[1], last - 39, last - 30), 0.1)
  end)

  it("say what is wrong", function()
    for _, wrong in ipairs {
      { cents = 2000 }, { stretch = 0 }, { noise = -1 }, { noise = { 1 } }, { limit = -5 }, { seed = 0.5 },
      { echo = 1 },
    } do
      assert.has_error(function() heard(wrong) end)
    end
    assert.has_error(function() ym.render_batch(list, { noise = 0.5 }) end)
  end)
end)
