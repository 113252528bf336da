local support = require "spec.support"
local ym = require "ym2612ml"

local RATE = 53267

local function tone(f0, count)
  local samples = ym.tensor.new { count }
  for i = 1, count do
    local t = (i - 1) / RATE
    local phase = 2 * math.pi * f0 * t
    samples[i] = 0.5 * math.exp(-2 * t) * math.sin(phase + 2 * math.exp(-3 * t) * math.sin(2 * phase)) + 0.1
  end
  return samples
end

local TONE = tone(220, 16000)

local function assert_near(expected, found, message)
  assert.is_true(math.abs(expected - found) <= 1e-5 * math.abs(expected) + 1e-8,
    ("%s: %.9g, expected %.9g"):format(message, found, expected))
end

-- Calls check on every level of instructions that this CPU has.
local function each_level(check)
  local before = ym.simd()
  finally(function() ym.simd(before) end)
  for _, level in ipairs(support.levels()) do
    ym.simd(level)
    check(level)
  end
  ym.simd(before)
end

-- The values of the only frame.
local function row(picture)
  assert.equal(1, #picture)
  return picture[1]:totable()
end

describe("spectrogram #c", function()
  it("is NumPy's power spectrum", function()
    local expected = { 3.99370704e-02, 4.31843924e-02, 1.91481654e-01, 6.72262707e-02, 4.67492109e-05, 1.05546710e-03 }
    local found = row(ym.spectrogram(TONE, { size = 512, times = { 0.1 } }))
    assert.equal(257, #found)
    for i, value in ipairs(expected) do
      assert_near(value, found[i], "bin " .. i - 1)
    end
  end)

  it("has SciPy's periodic windows", function()
    for window, expected in pairs {
      hann = 4.674921088e-05, hamming = 9.328115395e-06, blackman = 3.734353952e-03,
      tukey = 3.598871752e-03, rectangular = 3.514432480e-04,
    } do
      assert_near(expected, row(ym.spectrogram(TONE, { size = 512, times = { 0.1 }, window = window }))[5], window)
    end
  end)

  it("gives a sine on a bin the square of its amplitude, at any even size", function()
    for _, size in ipairs { 16, 18, 100, 254, 1018, 4096 } do
      local bin = size // 4
      local samples = ym.tensor.new { 2 * size }
      for i = 1, 2 * size do
        samples[i] = 0.3 * math.sin(2 * math.pi * bin * (i - 1) / size + 0.4)
      end
      local power = row(ym.spectrogram(samples, { size = size, times = { size / RATE } }))
      assert_near(0.09, power[bin + 1], "size " .. size)
      for k, value in ipairs(power) do
        assert.is_true(math.abs(k - 1 - bin) <= 1 or value < 1e-12, "leaks into bin " .. k - 1)
      end
    end
  end)

  it("centres a frame on every hop, with zeros outside", function()
    local picture = ym.spectrogram(TONE, { size = 256, hop = 100 })
    assert.same({ 161, 129 }, picture:shape())
    local single = ym.spectrogram(TONE, { size = 256, times = { 700 / RATE } })
    for k = 1, 129 do
      assert.equal(single:get(1, k), picture:get(8, k))
    end
    local outside = ym.spectrogram(TONE, { size = 256, times = { -1, 10 } })
    for k = 1, 129 do
      assert.equal(0, outside:get(1, k))
      assert.equal(0, outside:get(2, k))
    end
    assert.same({ 1, 129 }, ym.spectrogram(ym.tensor.new { 0 }, { size = 256 }):shape())
    assert.same({ 0, 129 }, ym.spectrogram(TONE, { size = 256, times = {} }):shape())
  end)

  it("is the plain transform at every size of the kernels and others, on every level", function()
    for _, size in ipairs { 64, 96, 128, 256, 512, 1024, 2048, 4096, 8192 } do
      local centre = 5000
      local bins = { 0, 1, 2, 5, size // 4 - 1, size // 4, size // 4 + 1, size // 3, size // 2 - 1, size // 2 }
      local sum = 0
      for n = 0, size - 1 do
        sum = sum + 0.5 - 0.5 * math.cos(2 * math.pi * n / size)
      end
      local expected, largest = {}, 0
      for i, bin in ipairs(bins) do
        local re, im = 0, 0
        for n = 0, size - 1 do
          local value = (0.5 - 0.5 * math.cos(2 * math.pi * n / size)) * TONE[centre - size // 2 + n + 1]
          local angle = 2 * math.pi * (bin * n % size) / size
          re, im = re + value * math.cos(angle), im - value * math.sin(angle)
        end
        expected[i] = 4 * (re * re + im * im) / sum ^ 2
        largest = math.max(largest, expected[i])
      end
      each_level(function(level)
        local found = row(ym.spectrogram(TONE, { size = size, times = { centre / RATE } }))
        for i, bin in ipairs(bins) do
          assert.is_true(math.abs(found[bin + 1] - expected[i]) < 1e-6 * largest,
            ("%s, size %d, bin %d: %g, expected %g"):format(level, size, bin, found[bin + 1], expected[i]))
        end
      end)
    end
  end)

  it("gives a frame the same bits wherever it stands among others", function()
    local times = {}
    for i = 1, 37 do
      times[i] = 0.008 * i
    end
    each_level(function()
      local all = ym.spectrogram(TONE, { size = 256, times = times })
      local bands = ym.mel(TONE, { size = 256, bands = 13, times = times })
      for _, i in ipairs { 1, 2, 8, 16, 17, 36, 37 } do
        local options = { size = 256, times = { times[i] } }
        assert.equal(all:slice(i, i):bytes(), ym.spectrogram(TONE, options):bytes())
        options.bands = 13
        assert.equal(bands:slice(i, i):bytes(), ym.mel(TONE, options):bytes())
      end
    end)
  end)

  it("of clips is that of each, with any number of threads", function()
    local before = ym.threads()
    finally(function() ym.threads(before) end)
    local clips = ym.tensor.new { 3, 5000 }
    for i = 1, 3 do
      clips:slice(i, i):copy(TONE:slice(1000 * i, 1000 * i + 4999):reshape { 1, 5000 })
    end
    for _, case in ipairs {
      { ym.spectrogram, { size = 512, hop = 10 } }, { ym.mel, { size = 1024, bands = 30, scale = "db" } },
      { ym.mfcc, { size = 100, times = { 0.01, 0.05 } } }, { ym.harmonics, { f0 = 220, bands = 9 } },
    } do
      local picture, options = case[1], case[2]
      ym.threads(1)
      local whole = picture(clips, options)
      ym.threads(3)
      assert.equal(whole:bytes(), picture(clips, options):bytes())
      local shape = whole:shape()
      assert.equal(3, #shape)
      assert.equal(3, shape[1])
      for i = 1, 3 do
        local single = picture(clips[i], options)
        assert.same({ shape[2], shape[3] }, single:shape())
        assert.equal(single:bytes(), whole:slice(i, i):bytes())
      end
    end
    assert.same({ 0, 4, 33 }, ym.spectrogram(ym.tensor.new { 0, 50 }, { size = 64 }):shape())
  end)

  it("scales to decibels and magnitudes", function()
    local function at(options)
      options.size, options.times = 512, ym.tensor.from { 0.1 }
      return row(ym.spectrogram(TONE, options))
    end
    local power = at {}
    local magnitude, decibels = at { scale = "magnitude" }, at { scale = "db", floor = 1e-6 }
    for i = 1, #power do
      assert_near(math.sqrt(power[i]), magnitude[i], "magnitude")
      assert.is_true(math.abs(10 * math.log(power[i] + 1e-6, 10) - decibels[i]) < 2e-5)
    end
    assert.is_true(math.abs(at({ scale = "db" })[257] - -100) < 0.5)
  end)

  it("raises on misuse", function()
    local function raises(options, message)
      assert.error_matches(function() ym.spectrogram(TONE, options) end, message)
    end
    raises({ sise = 512 }, "unknown option 'sise'")
    raises({ size = 511 }, "'size' is not even")
    raises({ size = 4 }, "option 'size' is 4, expected")
    raises({ hop = 0 }, "option 'hop' is 0")
    raises({ window = "hanning" }, "'window' is hanning, expected 'hann'")
    raises({ scale = "dB" }, "'scale' is dB")
    raises({ times = 1 }, "option 'times' is not a table of seconds")
    raises({ times = { 0, 1e9 } }, "value 2 of option 'times'")
    raises({ times = { 0 }, hop = 10 }, "'hop' is not allowed with 'times'")
    raises({ floor = 0, scale = "db" }, "option 'floor'")
    raises({ f0 = 220 }, "unknown option 'f0'")
    assert.error_matches(function() ym.spectrogram() end, "bad argument #1")
    assert.error_matches(function() ym.spectrogram(ym.tensor.new { 3, 3, 3 }) end, "rank is 3")
  end)

  it("returns a sample that is not a number as a failure", function()
    for _, picture in ipairs { ym.spectrogram, ym.mel, ym.mfcc } do
      for _, bad in ipairs { 0 / 0, 1 / 0, 1e20 } do
        local result, message, kind = picture { 0, 0.5, bad }
        assert.is_nil(result)
        assert.matches("^sample 3 is ", message)
        assert.equal("input", kind)
      end
    end
  end)

  it("names the clip and the sample that are not a number", function()
    local clips = ym.tensor.new { 3, 100 }
    clips:slice(2, 2):fill(0 / 0)
    for _, picture in ipairs { ym.spectrogram, ym.mel, ym.mfcc } do
      local result, message, kind = picture(clips, { size = 64 })
      assert.is_nil(result)
      assert.matches("^clip 2: sample 1 is ", message)
      assert.equal("input", kind)
    end
  end)

  it("survives collection between calls", function()
    local first = ym.spectrogram(TONE, { size = 512 }):bytes()
    for _ = 1, 20 do
      collectgarbage()
      assert.equal(first, ym.spectrogram(TONE:totable(), { size = 512 }):bytes())
    end
  end)
end)

describe("mel #c", function()
  it("is NumPy's", function()
    local found = row(ym.mel(TONE, { size = 512, bands = 40, times = { 0.1 } }))
    assert.equal(40, #found)
    assert_near(3.30117382e-02, found[1], "band 1")
    assert_near(4.68708089e-04, found[6], "band 6")
    assert_near(3.11917470e-09, found[21], "band 21")
  end)

  it("puts a sine into the band around its frequency", function()
    local samples = ym.tensor.new { 8192 }
    for i = 1, 8192 do
      samples[i] = math.sin(2 * math.pi * 1000 * i / 44100)
    end
    local mel = function(f) return 2595 * math.log(1 + f / 700, 10) end
    local bands = row(ym.mel(samples, {
      rate = 44100, size = 4096, bands = 20, low = 100, high = 8000, times = { 0.09 },
    }))
    local loudest = 1
    for i, value in ipairs(bands) do
      loudest = value > bands[loudest] and i or loudest
    end
    local place = (mel(1000) - mel(100)) / (mel(8000) - mel(100)) * 21
    assert.is_true(math.abs(place - loudest) <= 1)
  end)

  it("raises on misuse", function()
    assert.error_matches(function() ym.mel(TONE, { low = 500, high = 400 }) end, "'low' is not below 'high'")
    assert.error_matches(function() ym.mel(TONE, { high = 1e6 }) end, "option 'high'")
    assert.error_matches(function() ym.mel(TONE, { bands = 0 }) end, "option 'bands' is 0")
    assert.error_matches(function() ym.mel(TONE, { coefficients = 3 }) end, "unknown option")
  end)
end)

describe("mfcc #c", function()
  it("is SciPy's orthonormal DCT of the decibels", function()
    local found = row(ym.mfcc(TONE, { size = 512, bands = 40, coefficients = 5, times = { 0.1 } }))
    for i, value in ipairs { -412.17340574, 217.47758861, 46.79133455, -33.60489344, -12.26963039 } do
      assert.is_true(math.abs(value - found[i]) < 0.02, ("coefficient %d: %f"):format(i, found[i]))
    end
    assert.equal(20, ym.mfcc(TONE):shape()[2])
    assert.error_matches(function() ym.mfcc(TONE, { bands = 10, coefficients = 11 }) end, "coefficients")
    assert.error_matches(function() ym.mfcc(TONE, { scale = "db" }) end, "unknown option")
  end)
end)

describe("harmonics #c", function()
  it("are triangles around the multiples of f0 / 2", function()
    local found = row(ym.harmonics(TONE, { f0 = 220, bands = 8, times = { 0.1 } }))
    for i, value in ipairs {
      7.86493803e-03, 2.77781153e-01, 6.68269374e-03, 1.37631094e-09, 7.64966987e-04, 2.53780748e-02,
      7.64963049e-04, 1.42421040e-09,
    } do
      assert_near(value, found[i], "band " .. i)
    end
  end)

  it("do not depend on the pitch of the note", function()
    local low = row(ym.harmonics(tone(110, 16000), { f0 = 110, bands = 8, size = 8192, times = { 0.15 } }))
    local high = row(ym.harmonics(tone(220, 16000), { f0 = 220, bands = 8, size = 8192, times = { 0.15 } }))
    assert.is_true(math.abs(low[2] / high[2] - 1) < 0.1)
  end)

  it("are zero above half the rate, for any f0", function()
    for _, f0 in ipairs { 1, 20, 9000, 26000 } do
      local found = row(ym.harmonics(TONE, { f0 = f0, bands = 300, size = 1024, times = { 0.1 } }))
      for k, value in ipairs(found) do
        assert.is_true(value >= 0 and value < 10)
        if k * f0 / 2 > RATE / 2 then
          assert.equal(0, value)
        end
      end
    end
  end)

  it("need f0", function()
    assert.error_matches(function() ym.harmonics(TONE) end, "option 'f0' is not given")
    assert.error_matches(function() ym.harmonics(TONE, { f0 = 0 }) end, "option 'f0' is 0")
  end)
end)
