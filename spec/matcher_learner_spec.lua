-- The matcher's network as a learner of the chip's registers, beside the published ones.
local matchers = require "ym2612ml.learner.matcher"
local ym = require "ym2612ml"

describe("the matcher's network as a learner", function()
  local RATE, LENGTH = 16000, 0.5

  -- What a data set of the chip is to a learner, without the sounds.
  local function set_of(options)
    local synth = assert(ym.synths.get("opn2", options))
    return {
      synth = synth, rate = RATE, length = LENGTH, observable = {}, splits = { train = { values = synth:draw(8) } },
    }
  end

  local set = set_of { held = 0.4 }
  local learner = assert(matchers.new(set))
  local sounds = assert(set.synth:render(set.splits.train.values, { rate = RATE, length = LENGTH }))

  it("tells values that can be rendered, and scores that are highest there", function()
    local told = assert(learner:predict(sounds))
    assert.same({ 8, 49 }, told.values:shape())
    assert(set.synth:render(told.values:slice(1, 1), { rate = RATE, length = LENGTH }))
    local classes = set.synth:classes(told.values)
    for _, name in ipairs(learner.parameters) do
      local parameter = set.synth.by_name[name]
      assert.same({ 8, parameter.classes }, told.scores[name]:shape())
      assert.equal(0, told.scores[name]:get(3, classes:get(3, parameter.index) + 1))
    end
    assert.equal("fixed", learner.dropped.lfo)
    assert.equal(-1, told.values:get(1, set.synth.by_name.lfo.index))
  end)

  it("hears more than the algorithms' number: it beats who tells the mean level", function()
    local told, index = assert(learner:predict(sounds)).values, set.synth.by_name["op4.tl"].index
    local truth, mean, apart, spread = set.splits.train.values, 0, 0, 0
    for row = 1, 8 do
      mean = mean + truth:get(row, index) / 8
    end
    for row = 1, 8 do -- operator 4 is a carrier of every algorithm
      apart = apart + math.abs(told:get(row, index) - truth:get(row, index))
      spread = spread + math.abs(mean - truth:get(row, index))
    end
    assert.is_true(apart < spread, ("%g of %g"):format(apart, spread))
  end)

  it("keeps to the algorithm that is fixed", function()
    local fixed = set_of { held = 0.4, fixed = { algorithm = 5 } }
    local other = assert(matchers.new(fixed))
    local told = assert(other:predict(sounds:slice(1, 2)))
    for row, patch in ipairs(assert(other:patches(sounds:slice(1, 2)))) do
      assert.equal(5, patch.algorithm)
      assert.equal(5, told.values:get(row, fixed.synth.by_name.algorithm.index))
      assert(ym.patch.check(patch))
    end
  end)

  it("refuses what is no sound, and other synthesizers", function()
    local broken = sounds:slice(1, 2):to "f32"
    broken:set(2, 100, 0 / 0)
    for _, method in ipairs { "predict", "patches" } do
      local told, message, kind = learner[method](learner, broken)
      assert.is_nil(told)
      assert.equal("input", kind)
      assert.is_truthy(message:find("sound 2: ", 1, true), message)
    end
    assert.error_matches(function()
      matchers.new { synth = ym.synths.get "simple_fm" }
    end, "the data set is of simple_fm, expected opn2")
  end)
end)
