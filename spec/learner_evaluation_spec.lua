local core = require "ym2612ml.core"
local evaluation = require "ym2612ml.learner.evaluation"
local measure = require "ym2612ml.learner.measure"
local reconstruction = require "ym2612ml.learner.reconstruction"
local support = require "spec.support"
local ym = require "ym2612ml"

-- A learner that tells the first sound's true parameters right and of all others the
-- values at the lower ends.
local function fake_learner(set, changes)
  local synth = set.synth
  local learner = {
    synth = synth, rate = set.rate, length = set.length, parameters = {}, dropped = { release = "not heard" },
    architecture = { name = "fake", title = "A fake" }, targets = { class = {}, switch = {}, loss = "softmax" },
    told = 0,
  }
  for _, parameter in ipairs(synth.parameters) do
    if parameter.name ~= "release" then
      table.insert(learner.parameters, parameter.name)
      table.insert(learner.targets.class, parameter)
    end
  end
  function learner:predict(sounds)
    local answer = { values = core.tensor.new { #sounds, #synth.parameters }, scores = {} }
    for _, parameter in ipairs(synth.parameters) do
      for row = 1, #sounds do
        answer.values:set(row, parameter.index, synth:class_value(parameter, 0))
      end
      answer.scores[parameter.name] = core.tensor.new { #sounds, parameter.classes }
      answer.scores[parameter.name]:permute({ 2, 1 })[1]:fill(1)
    end
    if self.told == 0 and self.first then
      answer.values:slice(1, 1):copy(self.first)
    end
    self.told = self.told + #sounds
    return answer
  end
  for key, value in pairs(changes or {}) do
    learner[key] = value
  end
  return learner
end

describe("a learner on a data set", function()
  local folder, set
  setup(function()
    folder = support.new_folder()
    support.finish(ym.synths.steps {
      synth = ym.synths.get "simple_fm", output = folder .. "/data", count = 2, test = 5, rate = 2000, length = 0.2,
    })
    set = assert(ym.synths.open(folder .. "/data"))
  end)
  teardown(function() support.remove_folder(folder) end)

  local function first_row()
    return set.splits.test.values:slice(1, 1)
  end

  it("is judged by parameters and sounds", function()
    local learner = fake_learner(set, { first = first_row() })
    local result = support.finish(evaluation.steps(learner, set))
    assert.equal(5, result.count)
    assert.equal("test", result.split)
    assert.equal(8, #result.parameters) -- without release
    local direct = measure.parameters(set.synth, learner.parameters, set.splits.test.values, {
      values = result.told, scores = fake_learner(set):predict(core.tensor.new { 5, 400 }).scores,
    })
    assert.same(direct, { parameters = result.parameters, means = result.means })
    -- rendered with the lowest release, the first is hardly like the original only where that is heard
    assert.is_true(result.measures[1].pcc_stft > 0.5)
    assert.equal(5, #result.measures)
    local values = {}
    for i, found in ipairs(result.measures) do
      values[i] = found.lsd
    end
    assert.same(measure.summary(values), result.sounds.lsd)
    local flat = evaluation.flat(result)
    assert.equal(result.means.top[3], flat.top3)
    assert.equal(result.sounds.pcc_ft.mean, flat.pcc_ft)
    assert.same(flat, evaluation.means(fake_learner(set, { first = first_row() }), set))
  end)

  it("can be judged by another split, or by fewer sounds", function()
    assert.equal(2, support.finish(evaluation.steps(fake_learner(set), set, { split = "train" })).count)
    assert.equal(3, support.finish(evaluation.steps(fake_learner(set), set, { count = 3 })).count)
    assert.equal(5, support.finish(evaluation.steps(fake_learner(set), set, { count = 9 })).count)
  end)

  it("comes with its sounds", function()
    support.finish(evaluation.steps(fake_learner(set, { first = first_row() }), set, { wav = folder, examples = 2 }))
    assert.same({
      "data", "example_001_copy.wav", "example_001_original.wav", "example_001_reconstruction.wav",
      "example_002_copy.wav", "example_002_original.wav", "example_002_reconstruction.wav",
    }, support.listed(folder))
    local original = assert(ym.audio.read(folder .. "/example_001_original.wav"))
    local copy = assert(ym.audio.read(folder .. "/example_001_copy.wav"))
    assert.equal(2000, copy.rate)
    assert.equal(400, #copy.samples)
    for i = 1, 400 do
      assert.near(original.samples[i], copy.samples[i], 1e-3) -- the data set holds halves
    end
  end)

  it("is told in tables", function()
    local learner = fake_learner(set, { first = first_row() })
    local result = support.finish(evaluation.steps(learner, set))
    local lines = {}
    for line in evaluation.figures_csv(result):gmatch("[^\n]+") do
      lines[#lines + 1] = line
    end
    assert.equal(1 + 8 + 1, #lines)
    assert.equal("parameter,kind,classes,exact,close,top1,top2,top3,top4,top5,mae,mae_normalised,r2,mpr", lines[1])
    assert.matches("^carrier,class,16,0%.%d+,", lines[2])
    assert.matches("^mean,,,0%.%d+,", lines[10])
    local sounds = evaluation.sounds_csv(result, learner)
    local first = sounds:match("\n(1,[^\n]+)\n")
    assert.equal(1 + 3 * 8 + 2 + 3 - 1, select(2, first:gsub(",", "")))
    assert.matches("^sound,carrier,carrier_told,carrier_apart,", sounds)
    assert.matches(",exact,close,pcc_stft,pcc_ft,lsd\n", sounds)
    assert.matches(",0,1,1,", first) -- nothing apart, all exact, all close
    local document = evaluation.document(result, learner)
    assert.same({ name = "fake", title = "A fake", dropped = { release = "not heard" } }, document.model)
    assert.equal("simple_fm", document.synth.name)
  end)

  it("must be of its synthesizer, rate and length", function()
    -- What the last of its steps was.
    local function end_of(...)
      local last
      local next_step = evaluation.steps(...)
      repeat
        last = table.pack(next_step())
      until not last[1]
      return table.unpack(last)
    end
    local function fails(learner, options, expected)
      local step, message, kind = end_of(learner, set, options)
      assert.is_false(step)
      assert.is_truthy(message:find(expected, 1, true), message)
      assert.equal("input", kind)
    end
    fails(fake_learner(set, { rate = 4000 }), nil,
      "the model hears 0.2 s at 4000 Hz, and the data set has 0.2 s at 2000 Hz")
    fails(fake_learner(set, { synth = ym.synths.get "inversynth" }), nil,
      "the model is of inversynth, and the data set of simple_fm")
    fails(fake_learner(set, { synth = ym.synths.get("simple_fm", { classes = 4 }) }), nil, "with other parameters")
    fails(fake_learner(set), { split = "valid" }, "no sounds in its split 'valid'")
    local figures, message, kind = evaluation.means(fake_learner(set), set, "valid")
    assert.is_nil(figures)
    assert.matches("valid", message)
    assert.equal("input", kind)
    fails(fake_learner(set, { predict = function() return nil, "is deaf", "input" end }), nil, "is deaf")
    local step
    step, message, kind = end_of(fake_learner(set), set, { wav = folder .. "/none" })
    assert.is_false(step)
    assert.matches("/none/example_001_original.wav", message)
    assert.equal("io", kind)
    local learner = fake_learner(set)
    assert.error_matches(function() evaluation.steps(learner, set, { split = "all" }) end, "option 'split'")
    assert.error_matches(function() evaluation.steps(learner, nil) end, "#2 to 'steps'")
    assert.error_matches(function() evaluation.steps(learner, set, { wavs = "x" }) end, "unknown option 'wavs'")
  end)

  it("reconstructs a sound of any rate and length", function()
    local learner = fake_learner(set)
    local samples = core.tensor.new { 10000 }
    for i = 1, 10000 do
      samples[i] = i < 4410 and 0 or math.sin(i / 10)
    end
    local made = assert(reconstruction.one(learner, samples, 44100))
    assert.equal(400, #made.heard)
    assert.equal(400, #made.sound)
    assert.near(0, made.heard[100], 1e-3)
    assert.is_true(math.max(table.unpack(made.heard:totable(), 210, 400)) > 0.5)
    assert.equal(#set.synth.parameters, #made.parameters)
    local carrier, release = made.parameters[1], made.parameters[9]
    assert.equal("carrier", carrier.name)
    assert.equal(0, carrier.class)
    assert.equal(440, carrier.value)
    assert.equal("Hz", carrier.unit)
    assert.is_nil(carrier.dropped)
    assert.near(math.exp(1) / (math.exp(1) + 15), carrier.share, 1e-6)
    assert.equal("release", release.name)
    assert.is_nil(made.distance)
    local trimmed = assert(reconstruction.one(learner, samples, 44100, { trim = true }))
    assert.is_true(math.max(table.unpack(trimmed.heard:totable(), 1, 100)) > 0.5)
    local short = assert(reconstruction.one(learner, samples:slice(5000, 5500), 44100))
    assert.equal(400, #short.heard)
    assert.equal(0, short.heard[400])
  end)

  it("tells how likely it holds its answers by what it was taught", function()
    local learner, samples = fake_learner(set), core.tensor.new { 400 }
    samples:fill(0.5)
    learner.targets.loss = "bce"
    local made = assert(reconstruction.one(learner, samples, 2000))
    assert.near(1 / (1 + math.exp(-1)), made.parameters[1].share, 1e-6)
    learner.targets.class = {}
    assert.is_nil(assert(reconstruction.one(learner, samples, 2000)).parameters[1].share)
    local predict = learner.predict
    function learner:predict(sounds)
      local answer = predict(self, sounds)
      answer.scores.release = nil
      return answer
    end
    assert.equal("not heard", assert(reconstruction.one(learner, samples, 2000)).parameters[9].dropped)
  end)

  it("does not reconstruct silence", function()
    local learner, samples = fake_learner(set), core.tensor.new { 1000 }
    local function fails(expected, ...)
      local made, message, kind = reconstruction.one(learner, ...)
      assert.is_nil(made)
      assert.is_truthy(message:find(expected, 1, true), message)
      assert.equal("input", kind)
    end
    fails("is silent in the 0.2 s that the model hears", samples, 2000)
    samples[900] = 1 -- after what is heard
    fails("is silent in the 0.2 s", samples, 2000)
    samples[1] = 0 / 0
    fails("not a number", samples, 2000)
    fails("sample 1 is", samples, 8000)
    fails("is silent", core.tensor.new { 0 }, 2000)
    assert.error_matches(function() reconstruction.one(learner, { 1, 2 }, 2000) end, "tensor expected")
    assert.error_matches(function() reconstruction.one(learner, core.tensor.new { 2, 2 }, 2000) end, "rank is 2")
    assert.error_matches(function() reconstruction.one(learner, samples, 2000, { cut = true }) end, "unknown option")
  end)
end)
