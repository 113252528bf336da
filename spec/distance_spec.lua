local cjson = require "cjson"
local support = require "spec.support"
local ym = require "ym2612ml"

local RATE = 53267

local tone = support.fm_tone

local TARGET = tone(220, 2, 2, 16000)

-- D and its three scales, by the reference definition in NumPy and double precision.
local GOLDEN = {
  { "another modulation index", tone(220, 2.5, 2, 16000), { 1.356021, 1.651783, 1.394052, 1.022228 } },
  { "another pitch", tone(222, 2, 2, 16000), { 0.532211, 0.243648, 0.728277, 0.624707 } },
  { "another decay", tone(220, 2, 6, 16000), { 1.150345, 1.248649, 1.154367, 1.048018 } },
  { "another level and offset", tone(220, 2, 2, 16000, 0.05, 0), { 0, 0, 0, 0 } },
  { "a shorter sound", tone(220, 2, 2, 5000), { 8.395449, 10.846039, 8.018952, 6.321355 } },
  { "a longer sound", tone(220, 2, 2, 24000), { 3.160088, 4.119299, 3.004466, 2.356499 } },
  { "silence", ym.tensor.new { 100 }, { 11.470820, 15.509216, 11.098718, 7.804526 } },
}

local function assert_near(expected, found, tolerance, message)
  assert.is_true(math.abs(expected - found) <= tolerance,
    ("%s: %.6f, expected %.6f"):format(message, found, expected))
end

describe("distance #c", function()
  it("is the reference's", function()
    for _, case in ipairs(GOLDEN) do
      local name, candidate, expected = table.unpack(case)
      local distance, scales = ym.distance(TARGET, candidate)
      assert_near(expected[1], distance, 2e-5, name)
      for i = 1, 3 do
        assert_near(expected[i + 1], scales[i], 2e-5, name)
      end
    end
  end)

  it("is the same within 0.00002 dB on every level of instructions", function()
    local before = ym.simd()
    finally(function() ym.simd(before) end)
    for _, level in ipairs(support.levels()) do
      ym.simd(level)
      local target = ym.target.new(TARGET)
      assert.equal(0, (target:distance(TARGET)))
      for _, case in ipairs(GOLDEN) do
        assert_near(case[3][1], target:distance(case[2]), 2e-5, level .. ", " .. case[1])
      end
    end
  end)

  it("is 0 between equal sounds, and the same from a target kept", function()
    local target = ym.target.new(TARGET)
    assert.equal(0, (target:distance(TARGET)))
    for _ = 1, 2 do -- the scratch of a long candidate must not leak into a short one
      for _, case in ipairs(GOLDEN) do
        assert.equal((ym.distance(TARGET, case[2])), (target:distance(case[2])))
      end
    end
  end)

  it("leaves out the bands above a source's reach on both sides", function()
    local other = tone(220, 2.5, 2, 16000)
    local distance, scales = ym.distance(TARGET, other, { source_rate = 11025 })
    assert_near(2.160399, distance, 2e-5, "D")
    assert_near(2.719464, scales[1], 2e-5, "512")
    assert_near(1.572373, scales[3], 2e-5, "2048")
  end)

  it("resamples both sounds", function()
    local slow = ym.audio.resample(TARGET, RATE, 44100)
    assert_near(0, ym.distance(slow, slow, { rate = 44100 }), 0, "equal")
    local other = ym.audio.resample(GOLDEN[1][2], RATE, 44100)
    assert_near(1.356, ym.distance(slow, other, { rate = 44100 }), 0.2, "another index")
    assert.matches("44100", tostring(ym.target.new(slow, { rate = 44100 })))
  end)

  it("takes the frame beyond a short target's end as the loudest when it is", function()
    -- all energy lies at the end: a longer candidate brings frames that hear more of it
    local click = ym.tensor.new { 383 }
    for i = 370, 383 do
      click[i] = (-1) ^ i
    end
    local longer = ym.tensor.new { 3000 }
    longer:slice(1, 383):copy(click)
    -- not 0: what is above 20 Hz rings on in the longer one
    local distance, scales = ym.distance(click, longer)
    assert_near(0.017195, distance, 1e-5, "zeros appended")
    assert_near(0.008937, scales[1], 1e-5, "zeros appended, 512")
    assert_near(0.017195, ym.distance(longer, click), 1e-5, "zeros removed")
  end)

  it("takes tables of numbers and empty candidates", function()
    local target = ym.target.new(TARGET)
    assert_near((target:distance(ym.tensor.new { 0 })), target:distance { 0, 0, 0 }, 0, "nothing")
  end)

  it("returns failures of the world as triples", function()
    for message, samples in pairs {
      silent = ym.tensor.new { 1000 }, empty = ym.tensor.new { 0 },
      ["not numbers"] = ym.tensor.from { 0, 0 / 0, 1 },
    } do
      local target, found, kind = ym.target.new(samples)
      assert.is_nil(target)
      assert.matches(message, found)
      assert.equal("input", kind)
      assert.is_nil((ym.distance(samples, TARGET)))
    end
    for _, bad in ipairs { 0 / 0, 1 / 0, -1 / 0 } do
      local distance, message, kind = ym.distance(TARGET, { 0.5, bad, 0 })
      assert.is_nil(distance)
      assert.matches("not numbers", message)
      assert.equal("input", kind)
    end
    -- a constant sound is silent whatever its level
    assert.is_nil((ym.target.new(ym.tensor.new({ 5000 }):fill(0.7))))
  end)

  it("goes on after a candidate that was not a number", function()
    local target = ym.target.new(TARGET)
    assert.is_nil((target:distance(ym.tensor.new({ 16000 }):fill(0 / 0))))
    assert.equal(0, (target:distance(TARGET)))
  end)

  it("raises on misuse", function()
    assert.error_matches(function() ym.distance(TARGET) end, "bad argument #2")
    assert.error_matches(function() ym.distance("sound", TARGET) end, "bad argument #1")
    assert.error_matches(function() ym.distance(TARGET, TARGET, { rat = 1 }) end, "unknown option 'rat'")
    assert.error_matches(function() ym.target.new(TARGET, { rate = 10 }) end, "option 'rate' is 10")
    assert.error_matches(function() ym.target.new(TARGET, { source_rate = "wide" }) end, "source_rate")
    assert.error_matches(function() ym.target.new(ym.tensor.new { 2, 2 }) end, "rank is 2")
    assert.error_matches(function() ym.target.new(TARGET).distance({}, TARGET) end, "bad argument #1")
  end)

  it("lives as long as it is used, and frees what it held", function()
    local first = (ym.target.new(TARGET):distance(GOLDEN[1][2]))
    for _ = 1, 40 do
      collectgarbage()
      local target = ym.target.new(tone(220, 2, 2, 16000))
      assert.equal(first, (target:distance(GOLDEN[1][2])))
    end
    local target = ym.target.new(TARGET)
    getmetatable(target).__gc(target)
    assert.error_matches(function() target:distance(TARGET) end, "collected")
  end)

  local folder = "../shared/data/distance/"
  local golden = io.open(folder .. "golden.json")
  local compare = golden and it or pending
  compare("agrees with the golden pairs of files within 1 %", function()
    local rows = cjson.decode(golden:read("a"))
    golden:close()
    local sounds = setmetatable({}, { __index = function(self, name)
      local sound = ym.audio.read(folder .. name)
      local samples = sound and sound.samples or ym.tensor.new { 20000 }
      if sound and sound.rate ~= RATE then
        samples = ym.audio.resample(samples, sound.rate, RATE)
      end
      self[name] = samples
      return samples
    end })
    for _, row in ipairs(rows) do
      local distance = ym.distance(sounds[row.target], sounds[row.candidate])
      assert_near(row.D, distance, 0.01 + 0.01 * row.D, row.candidate)
    end
  end)
end)
