local core = require "ym2612ml.core"
local measure = require "ym2612ml.learner.measure"
local ym = require "ym2612ml"

local NAN = 0 / 0

-- A synthesizer of a parameter of each kind, which is silent at a level of 0.
local function new_synth()
  return ym.synths.new {
    name = "plain", rate = 8000, length = 0.05,
    parameters = {
      { name = "wave", kind = "class", values = { 3, 1, 2.5 } },
      { name = "whole", kind = "integer", least = -2, most = 5 },
      { name = "level", kind = "continuous", least = 0, most = 1, classes = 5 },
      { name = "pitch", kind = "continuous", least = 10, most = 1000, scale = "log", classes = 3 },
      { name = "bright", kind = "switch" },
    },
    render = function(values, rate, length)
      local samples = {}
      for i = 1, math.floor(rate * length) do
        samples[i] = values.level * math.sin(i * values.pitch / rate * 6) * (values.wave + values.bright * (i % 2))
      end
      return samples
    end,
  }
end

local NAMES = { "wave", "whole", "level", "pitch", "bright" }

-- Values that a learner could have told, and scores of zeros but for these.
local function told_of(synth, values, changes)
  local scores = {}
  for _, parameter in ipairs(synth.parameters) do
    local rows = changes and changes[parameter.name]
    scores[parameter.name] = rows and core.tensor.from(rows) or core.tensor.new { #values, parameter.classes }
  end
  return { values = core.tensor.from(values), scores = scores }
end

local function judge(truth, values, changes)
  local synth = new_synth()
  local result = assert(measure.parameters(synth, NAMES, core.tensor.from(truth), told_of(synth, values, changes)))
  local by_name = {}
  for _, figures in ipairs(result.parameters) do
    by_name[figures.name] = figures
  end
  return by_name, result
end

describe("measure.parameters #c", function()
  local TRUTH = { { 3, -2, 0, 10, 0 }, { 1, 5, 0.5, 1000, 1 }, { 2.5, 0, 1, 100, 1 }, { 1, 1, 0.25, 10, 1 } }

  it("finds nothing wrong with the truth", function()
    local by_name, result = judge(TRUTH, TRUTH)
    for _, name in ipairs(NAMES) do
      assert.equal(1, by_name[name].exact)
      assert.equal(1, by_name[name].close)
      assert.equal(0, by_name[name].mae)
      assert.near(0, by_name[name].mae_normalised, 1e-7)
      assert.near(1, by_name[name].r2, 1e-12)
    end
    assert.equal(1, result.means.exact)
    assert.same({ name = "whole", kind = "integer", classes = 8 }, {
      name = by_name.whole.name, kind = by_name.whole.kind, classes = by_name.whole.classes,
    })
  end)

  it("counts classes, and shares of the range on the parameter's scale", function()
    local by_name, result = judge(TRUTH, {
      { 1, 5, 0.1, 31, 0 }, { 1, 4, 0.4, 1000, 0 }, { 3, 0, 0.6, 100, 0 }, { 1, 1, 0.25, 10, 1 },
    })
    -- wave: the classes are 0 1 2 1, and 1 1 0 1 were told
    assert.equal(2 / 4, by_name.wave.exact)
    assert.equal(3 / 4, by_name.wave.close)
    assert.equal(3 / 4, by_name.wave.mae)
    assert.near(3 / 2 / 4, by_name.wave.mae_normalised, 1e-6)
    -- whole: 7 and 1 apart
    assert.equal(2 / 4, by_name.whole.exact)
    assert.equal(3 / 4, by_name.whole.close)
    assert.equal(8 / 4, by_name.whole.mae)
    assert.near(8 / 7 / 4, by_name.whole.mae_normalised, 1e-6)
    -- level: 0.1 is of class 0, 0.4 of 2, 0.6 of 2 in place of 4
    assert.equal(3 / 4, by_name.level.exact)
    assert.equal(2 / 4, by_name.level.mae)
    assert.near((0.1 + 0.1 + 0.4) / 4, by_name.level.mae_normalised, 1e-6)
    assert.near(1 - (0.01 + 0.01 + 0.16) / (0.4375 ^ 2 + 0.0625 ^ 2 + 0.5625 ^ 2 + 0.1875 ^ 2), by_name.level.r2, 1e-6)
    -- pitch: 31 lies just below the middle of the first two classes
    assert.equal(1, by_name.pitch.exact)
    assert.near(math.log(3.1) / math.log(100) / 4, by_name.pitch.mae_normalised, 1e-6)
    assert.equal(2 / 4, by_name.bright.exact)
    assert.equal(1, by_name.bright.close)
    local sum = 0
    for _, name in ipairs(NAMES) do
      sum = sum + by_name[name].mae
    end
    assert.near(sum / 5, result.means.mae, 1e-12)
  end)

  it("ranks the true class by its score", function()
    local by_name = judge(TRUTH, TRUTH, {
      wave = { { 0.9, 0.5, 0.1 }, { 0.9, 0.5, 0.1 }, { 0.9, 0.5, 0.1 }, { -7, -5, -6 } }, -- ranks 0 1 2 0
    })
    assert.near(100 * (1 - 3 / 4 / 2), by_name.wave.mpr, 1e-6)
    assert.same({ 2 / 4, 3 / 4, 1, 1, 1 }, by_name.wave.top)
  end)

  it("gives equal scores no order", function()
    local by_name, result = judge(TRUTH, TRUTH, {
      level = { { 1, 1, 0, 0, 0 }, { 1, 1, 0, 0, 0 }, { 1, 1, 0, 0, 0 }, { 1, 1, 0, 0, 0 } },
    })
    for _, name in ipairs { "wave", "whole", "pitch", "bright" } do
      assert.near(50, by_name[name].mpr, 1e-6, name)
    end
    assert.near(3 / 8, by_name.whole.top[3], 1e-6)
    -- the true classes 0 and 1 share ranks 0 and 1, the classes 2 and 4 share ranks 2 to 4
    assert.near(100 * (1 - (0.5 + 3 + 3 + 0.5) / 4 / 4), by_name.level.mpr, 1e-5)
    assert.near((0.5 + 0.5) / 4, by_name.level.top[1], 1e-6)
    assert.near((1 + 1 + 2 * 2 / 3) / 4, by_name.level.top[4], 1e-6)
    local sum = 0
    for _, name in ipairs(NAMES) do
      sum = sum + by_name[name].top[1]
    end
    assert.near(sum / 5, measure.figure(result.means, "top1"), 1e-12)
    assert.equal(result.means.mpr, measure.figure(result.means, "mpr"))
  end)

  it("ranks scores that are no numbers last", function()
    local by_name = judge(TRUTH, TRUTH, { wave = {
      { NAN, 0, 0 }, { NAN, 0, -1 }, { NAN, NAN, NAN }, { 0, -math.huge, NAN },
    } })
    -- the classes are 0 1 2 1: ranks 2, 0, a third of 0 to 2, 1
    assert.near(100 * (1 - (2 + 0 + 1 + 1) / 4 / 2), by_name.wave.mpr, 1e-5)
  end)

  it("has no R2 of what never varies, and leaves that out of the mean", function()
    local by_name, result = judge({ { 3, -2, 0, 10, 0 }, { 3, 5, 0, 10, 0 } }, {
      { 1, -2, 0.5, 10, 0 }, { 3, -2, 0, 10, 0 },
    })
    assert.is_nil(by_name.level.r2)
    assert.is_nil(by_name.wave.r2)
    assert.near(1 - 49 / (2 * 3.5 ^ 2), by_name.whole.r2, 1e-6)
    assert.equal(by_name.whole.r2, result.means.r2)
  end)

  it("judges the parameters asked for alone", function()
    local synth = new_synth()
    local told = told_of(synth, TRUTH)
    told.scores.wave = nil
    local result = assert(measure.parameters(synth, { "bright", "level" }, core.tensor.from(TRUTH), told))
    assert.equal(2, #result.parameters)
    assert.equal("bright", result.parameters[1].name)
  end)

  it("takes what is no number for an answer", function()
    local synth, values = new_synth(), { { 3, 1, NAN, 10, 0 } }
    local truth = core.tensor.from { TRUTH[1] }
    local result, message, kind = measure.parameters(synth, NAMES, truth, told_of(synth, values))
    assert.is_nil(result)
    assert.matches("sound 1: level was told as %-?nan", message)
    assert.equal("diverged", kind)
    result, message, kind = measure.parameters(synth, NAMES, truth, told_of(synth, { { 3, 1, 0, math.huge, 0 } }))
    assert.is_nil(result)
    assert.matches("pitch was told as inf", message)
    assert.equal("diverged", kind)
  end)

  it("checks its arguments", function()
    local synth, truth = new_synth(), core.tensor.from(TRUTH)
    local told = told_of(synth, TRUTH)
    local function fails(message, ...)
      local arguments = table.pack(...)
      assert.error_matches(function() measure.parameters(table.unpack(arguments, 1, arguments.n)) end, message)
    end
    fails("#1 to 'parameters' %(table expected", nil, NAMES, truth, told)
    fails("#2 to 'parameters' %(plain has no parameter 'nope'", synth, { "nope" }, truth, told)
    fails("#3 to 'parameters' %(tensor expected", synth, NAMES, TRUTH, told)
    fails("#3 to 'parameters' %(shape is %(4%), expected %(1 or more, 5%)", synth, NAMES, core.tensor.new { 4 }, told)
    fails("#3 .*shape is %(0, 5%)", synth, NAMES, core.tensor.new { 0, 5 }, told)
    fails("#4 to 'parameters' %(values: shape is %(4, 5%), expected that of the true ones", synth, NAMES,
      truth:slice(1, 2), told)
    told.scores.level = core.tensor.new { 4, 4 }
    fails("#4 to 'parameters' %(scores of level: shape is %(4, 4%), expected %(4, 5%)", synth, NAMES, truth, told)
    told.scores.level = nil
    fails("#4 to 'parameters' %(scores of level: tensor expected, got nil", synth, NAMES, truth, told)
    local scores = core.tensor.new { 2, 3 }
    assert.error_matches(function() core.metrics.ranks(scores, { 0, 3 }) end, "there is no such class")
    assert.error_matches(function() core.metrics.ranks(scores, { 0, NAN }) end, "there is no such class")
    assert.error_matches(function() core.metrics.ranks(scores, { 0 }) end, "its length")
  end)
end)

describe("measure.summary", function()
  it("tells the mean, the median and the quartiles", function()
    assert.same({ mean = 4, median = 3, quartiles = { 2, 4 } }, measure.summary { 10, 1, 2, 4, 3 })
    assert.same({ mean = 2.5, median = 2.5, quartiles = { 1.75, 3.25 } }, measure.summary { 4, 3, 2, 1 })
    assert.same({ mean = 7, median = 7, quartiles = { 7, 7 } }, measure.summary { 7 })
    assert.error_matches(function() measure.summary {} end, "holds nothing")
  end)
end)

-- Random sounds that swell and die away.
local function random_sounds(count, length, seed)
  local rng, rows = ym.rng.new { seed = seed }, {}
  for row = 1, count do
    rows[row] = {}
    local step = rng:uniform()
    for i = 1, length do
      rows[row][i] = math.exp(-6 * i / length) * (math.sin(step * i) + 0.3 * rng:normal())
    end
  end
  return core.tensor.from(rows)
end

-- Pearson's correlation of two lists.
local function correlation(a, b)
  local n, sa, sb, aa, ab, bb = #a, 0, 0, 0, 0, 0
  for i = 1, n do
    sa, sb = sa + a[i], sb + b[i]
  end
  for i = 1, n do
    local x, y = a[i] - sa / n, b[i] - sb / n
    aa, ab, bb = aa + x * x, ab + x * y, bb + y * y
  end
  return ab / math.sqrt(aa * bb)
end

-- All powers of a sound's frames in one list.
local function powers(sound, size, hop)
  local picture = assert(ym.spectrogram(sound, { size = size, hop = hop }))
  local shape = picture:shape()
  return picture:reshape({ shape[1] * shape[2] }):totable()
end

-- Magnitudes of the discrete Fourier transform by its definition.
local function spectrum(sound)
  local samples, list = sound:totable(), {}
  local n = (#samples + 1) // 2 * 2
  for k = 0, n // 2 do
    local re, im = 0, 0
    for i, sample in ipairs(samples) do
      local angle = 2 * math.pi * k * (i - 1) / n
      re, im = re + sample * math.cos(angle), im + sample * math.sin(angle)
    end
    list[k + 1] = math.sqrt(re * re + im * im)
  end
  return list
end

describe("measure.sounds #c", function()
  local function expected(a, b, size, hop, range)
    local x, y, most, squares = powers(a, size, hop), powers(b, size, hop), 1e-12, 0
    for _, power in ipairs(x) do
      most = math.max(most, power)
    end
    for i = 1, #x do
      x[i] = 10 * math.log(x[i] + most * 10 ^ (-range / 10), 10)
      y[i] = 10 * math.log(y[i] + most * 10 ^ (-range / 10), 10)
      squares = squares + (x[i] - y[i]) ^ 2
    end
    return { pcc_stft = correlation(x, y), pcc_ft = correlation(spectrum(a), spectrum(b)), lsd = math.sqrt(squares) }
  end

  local function assert_near(wanted, found)
    assert.near(wanted.pcc_stft, found.pcc_stft, 1e-5)
    assert.near(wanted.pcc_ft, found.pcc_ft, 1e-5)
    assert.near(wanted.lsd, found.lsd, 1e-4 * wanted.lsd)
  end

  it("measures as the definitions say", function()
    local a, b = random_sounds(2, 300, 1), random_sounds(2, 300, 2)
    for _, case in ipairs { { 16384, 512, 256 }, { 8000, 250, 125 }, { 10000, 312, 156 } } do
      local found = assert(measure.sounds(a, b, case[1]))
      assert.equal(2, #found)
      for i = 1, 2 do
        assert_near(expected(a[i], b[i], case[2], case[3], 60), found[i])
      end
    end
    assert_near(expected(a[2], b[2], 512, 256, 30), measure.sounds(a, b, 16384, { range = 30 })[2])
    a, b = random_sounds(1, 77, 3), random_sounds(1, 77, 4)
    assert_near(expected(a[1], b[1], 512, 256, 60), measure.sounds(a, b, 16384)[1])
  end)

  it("finds a sound like itself, and hears its level", function()
    local a = random_sounds(2, 3000, 5)
    assert.same({ pcc_stft = 1, pcc_ft = 1, lsd = 0 }, measure.sounds(a, a, 16384)[2])
    local softer = a:to "f32"
    for row = 1, 2 do
      for i = 1, 3000 do
        softer:set(row, i, 0.1 * a:get(row, i))
      end
    end
    local found = measure.sounds(a, softer, 16384)[1]
    assert.near(1, found.pcc_ft, 1e-5)
    assert.is_true(found.pcc_stft < 1)
    local values = 12 * 257 -- frames at 0, 256, ..., 2816
    assert.is_true(found.lsd > 5 * math.sqrt(values) and found.lsd < 20 * math.sqrt(values))
    -- the floor is that of the original: scale changes nothing
    local again = measure.sounds(softer, softer, 16384)[1]
    assert.same({ pcc_stft = 1, pcc_ft = 1, lsd = 0 }, again)
  end)

  it("takes silence", function()
    local a, silence = random_sounds(1, 2000, 6), core.tensor.new { 1, 2000 }
    for _, pair in ipairs { { a, silence }, { silence, a } } do
      local found = measure.sounds(pair[1], pair[2], 16384)[1]
      assert.equal(0, found.pcc_stft)
      assert.equal(0, found.pcc_ft)
      assert.is_true(found.lsd > 0 and found.lsd < 1e5)
    end
    assert.same({ pcc_stft = 0, pcc_ft = 0, lsd = 0 }, measure.sounds(silence, silence, 16384)[1])
    assert.same({}, measure.sounds(core.tensor.new { 0, 10 }, core.tensor.new { 0, 10 }, 16384))
    local one = measure.sounds(core.tensor.from { { 1 } }, core.tensor.from { { 0.5 } }, 16384)[1]
    assert.is_true(one.lsd > 0 and one.lsd < 1e5)
  end)

  it("takes sounds longer than any transform", function()
    local long = core.tensor.new { 1, (1 << 20) + 3 }
    long:set(1, 1, 1)
    long:set(1, (1 << 20) + 2, 5)
    local other = long:to "f32"
    other:set(1, (1 << 20) + 2, -1)
    other:set(1, 3, 0.5)
    local found = measure.sounds(long, other, 192000)[1]
    assert.is_true(found.pcc_stft < 1 and found.lsd > 0)
    assert.equal(0, found.pcc_ft) -- within the transform the original is one pulse, whose spectrum is flat
  end)

  it("gives the same with any number of threads", function()
    local a, b, results = random_sounds(9, 900, 7), random_sounds(9, 900, 8), {}
    local before = ym.threads()
    for threads = 1, 3 do
      ym.threads(threads)
      results[threads] = measure.sounds(a, b, 16384)
      collectgarbage()
    end
    ym.threads(before)
    assert.same(results[1], results[2])
    assert.same(results[1], results[3])
  end)

  it("tells which sound holds what is no number", function()
    local a, b = random_sounds(3, 50, 9), random_sounds(3, 50, 10)
    b:set(2, 7, NAN)
    local found, message, kind = measure.sounds(a, b, 16384)
    assert.is_nil(found)
    assert.matches("reconstruction 2: sample 7 is %-?nan", message)
    assert.equal("input", kind)
    found, message = measure.sounds(b, a, 16384)
    assert.is_nil(found)
    assert.matches("original 2: sample 7", message)
  end)

  it("checks its arguments", function()
    local a = core.tensor.new { 2, 10 }
    local function fails(message, ...)
      local arguments = table.pack(...)
      assert.error_matches(function() measure.sounds(table.unpack(arguments, 1, arguments.n)) end, message)
    end
    fails("#1 to 'sounds' %(tensor expected, got nil", nil, a, 8000)
    fails("#2 to 'sounds' %(rank is 1, expected 2", a, a[1], 8000)
    fails("#2 to 'sounds' %(shape is %(1, 10%), expected %(2, 10%)", a, a:slice(1, 1), 8000)
    fails("#3 to 'sounds' %(number expected", a, a)
    fails("#3 to 'sounds' %(rate is 100 Hz, expected 512%.%.", a, a, 100)
    fails("#3 to 'sounds' %(rate is %-?nan Hz", a, a, NAN)
    fails("unknown option 'floor'", a, a, 8000, { floor = 1 })
    fails("option 'range' is 0", a, a, 8000, { range = 0 })
  end)
end)
