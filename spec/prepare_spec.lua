local prepare = require "ym2612ml.prepare"
local support = require "spec.support"
local ym = require "ym2612ml"

local PATCH = support.PLUCK

local function sound(options)
  options = options or {}
  options.chip = options.chip or "clean"
  local samples, rate = ym.render(PATCH, options)
  return { samples = samples, rate = rate }
end

-- A copy with silence before it, and white noise of this mean square.
local function disturbed(source, seconds, noise)
  local samples = source.samples:to "f32"
  local delay = math.floor(seconds * source.rate + 0.5)
  local result = ym.tensor.new { #samples + delay }
  local rng = ym.rng.new { seed = 3 }
  for i = 1, #result do
    local value = i > delay and samples[i - delay] or samples[1]
    result[i] = value + (noise and noise > 0 and math.sqrt(noise) * rng:normal() or 0)
  end
  return { samples = result, rate = source.rate }
end

local function power_of(samples)
  local sum = 0
  for i = 1, #samples do
    sum = sum + (samples[i] - samples[1]) ^ 2
  end
  return sum / #samples
end

local function decibels(ratio)
  return 10 * math.log(ratio, 10)
end

describe("prepare", function()
  it("takes what is given as it is given", function()
    local prepared = assert(ym.prepare(sound { note = 57 }, { note = 57, held = 1, velocity = 90 }))
    assert.equal(57, prepared.note)
    assert.equal(1, prepared.held)
    assert.near(0.5, prepared.release, 1e-3)
    assert.same({ { note = 57, held = 1 } }, prepared.takes)
    assert.is_true(prepared.pitched)
    assert.equal(0, prepared.onset)
    assert.equal(0, prepared.noise)
    assert.is_nil(prepared.limit)
    assert.equal(90, prepared.velocity)
    assert.equal(53267, prepared.source_rate)
  end)

  it("adds the tuning that is heard to a note that is given", function()
    local prepared = assert(ym.prepare(sound { note = 57.2 }, { note = 57, held = 1 }))
    assert.equal(57, prepared.note)
    assert.equal(2, #prepared.takes)
    assert.near(57.2, prepared.takes[2].note, 0.03)
    -- another note altogether is no tuning
    assert.equal(1, #ym.prepare(sound { note = 57 }, { note = 64, held = 1 }).takes)
  end)

  it("guesses note and held time, and carries other guesses", function()
    for _, note in ipairs { 40, 52, 64, 76 } do
      local prepared = assert(ym.prepare(sound { note = note, rate = 44100 }))
      assert.near(note, prepared.note, 0.1)
      assert.near(1, prepared.held, 0.1)
      assert.is_true(#prepared.takes >= 1 and #prepared.takes <= 6)
      assert.same({ note = prepared.note, held = prepared.held }, prepared.takes[1])
      for i, take in ipairs(prepared.takes) do
        assert.is_true(take.note == prepared.note or take.held == prepared.held)
        for k = 1, i - 1 do
          assert.are_not.same(prepared.takes[k], take)
        end
      end
    end
  end)

  it("keeps octaves that the note may be in", function()
    -- odd and even harmonics, the odd ones 20 dB weaker
    local samples = ym.tensor.new { 40000 }
    for i = 1, #samples do
      local phase = 2 * math.pi * 110 * i / 44100
      samples[i] = 0.02 * math.sin(phase) + 0.3 * math.sin(2 * phase) + 0.01 * math.sin(3 * phase)
        + 0.1 * math.sin(4 * phase)
    end
    local low, high = false, false
    for _, take in ipairs(assert(ym.prepare({ samples = samples, rate = 44100 }, { held = 0.9 })).takes) do
      low = low or math.abs(take.note - 45) < 0.1
      high = high or math.abs(take.note - 57) < 0.1
    end
    assert.is_true(low and high)
  end)

  it("says that noise has no pitch", function()
    local rng, samples = ym.rng.new { seed = 1 }, ym.tensor.new { 30000 }
    for i = 1, #samples do
      samples[i] = 0.2 * rng:normal() * math.exp(-i / 5000)
    end
    local prepared = assert(ym.prepare { samples = samples, rate = 44100 })
    assert.is_false(prepared.pitched)
    assert.is_true(prepared.note >= 12 and prepared.note <= 110)
  end)

  it("finds the onset of a note that is late, and cuts none that is not", function()
    for _, delay in ipairs { 0, 0.005, 0.0213, 0.2347 } do
      local prepared = assert(ym.prepare(disturbed(sound { note = 60 }, delay), { note = 60 }))
      assert.near(delay, prepared.onset, 0.0005)
    end
    local whole = sound { note = 60, held = 1 }
    local noisy = disturbed(whole, 0.005, power_of(whole.samples) * 1e-4)
    assert.near(0.005, assert(ym.prepare(noisy, { note = 60 })).onset, 0.001)
  end)

  it("does not cut the slow attacks of the chip", function()
    local slow = { algorithm = 7, feedback = 0 }
    for i = 1, 4 do
      slow[i] = { mul = 1, dt = 0, tl = 6 * i, rs = 0, ar = 31, dr = 0, sr = 0, rr = 9, sl = 0 }
    end
    for _, attack in ipairs { 24, 18, 12, 8 } do
      for i = 1, 4 do
        slow[i].ar = attack
      end
      for _, note in ipairs { 36, 55, 79 } do
        local samples, rate = ym.render(slow, { note = note, held = 1, release = 0.2, chip = "clean" })
        assert.equal(0, assert(ym.prepare({ samples = samples, rate = rate }, { note = note })).onset)
      end
    end
  end)

  it("sounds the same from files of other rates", function()
    local whole = sound { note = 60 }
    local target = ym.target.new(whole.samples)
    for rate, most in pairs { [44100] = 0.1, [48000] = 0.1, [96000] = 0.05 } do
      local samples = ym.audio.resample(whole.samples, whole.rate, rate)
      local prepared = assert(ym.prepare({ samples = samples, rate = rate }, { note = 60 }))
      assert.is_true(target:distance(prepared.samples) < most, ("%d Hz: %g dB"):format(rate,
        target:distance(prepared.samples)))
    end
  end)

  it("leaves out what comes after held and release", function()
    local prepared = assert(ym.prepare(sound { note = 60 }, { note = 60, held = 0.3, release = 0.2 }))
    assert.equal(math.floor(0.5 * 53267 + 0.5), #prepared.samples)
    assert.near(0.2, prepared.release, 1e-4)
    local short = sound { held = 0.3, release = 0.2 }
    prepared = assert(ym.prepare(short, { held = 30 }))
    assert.equal(#short.samples / 53267, prepared.held)
    assert.equal(0, prepared.release)
  end)

  it("takes lists of sounds with an option each", function()
    local sounds = { sound { note = 50 }, sound { note = 62 } }
    local group = assert(prepare.group(sounds, { note = { 50, 62 }, held = 1, velocity = { 60, 120 } }))
    assert.equal(2, #group)
    assert.equal(50, group[1].note)
    assert.equal(62, group[2].note)
    assert.equal(120, group[2].velocity)
    sounds[2] = { samples = ym.tensor.new { 5000 }, rate = 44100 }
    local list, message, kind = prepare.group(sounds, { note = 50 })
    assert.is_nil(list)
    assert.matches("^sound 2: .*silent", message)
    assert.equal("input", kind)
    sounds[2].path = "flute.wav"
    assert.matches("^flute.wav: ", select(2, prepare.group(sounds)))
  end)

  it("says so when the channels of a file cancel", function()
    local path = os.tmpname()
    local samples = ym.tensor.new { 4000, 2 }
    for i = 1, 4000 do
      samples:set(i, 1, math.sin(i / 10) / 2)
      samples:set(i, 2, -math.sin(i / 10) / 2)
    end
    assert(ym.audio.write(path, samples, 44100))
    local result, message, kind = ym.audio.read(path)
    os.remove(path)
    assert.is_nil(result)
    assert.matches("its channels cancel", message)
    assert.equal("input", kind)
  end)

  it("returns sounds without content as failures", function()
    for _, samples in ipairs { ym.tensor.new { 1000 }, ym.tensor.from { 0.5 }, ym.tensor.new { 0 } } do
      local prepared, message, kind = ym.prepare { samples = samples, rate = 44100 }
      assert.is_nil(prepared)
      assert.is_string(message)
      assert.equal("input", kind)
    end
  end)

  it("raises on misuse, at the caller's line", function()
    local function raised(pattern, f, ...)
      local arguments = table.pack(...)
      local _, message = pcall(function() f(table.unpack(arguments, 1, arguments.n)) end)
      assert.matches("^spec/prepare_spec.lua:%d+: bad argument #%d to 'prepare' %(" .. pattern, message)
    end
    raised("table expected, got nil", ym.prepare)
    raised("expected {samples", ym.prepare, { samples = 3, rate = 44100 })
    raised("unknown option 'pitch'", ym.prepare, sound(), { pitch = 60 })
    raised("option 'note' is 200", ym.prepare, sound(), { note = 200 })
    raised("option 'velocity' is 128", ym.prepare, sound(), { velocity = 128 })
    assert.error_matches(function() ym.audio.resample({ 0 }, 8000, 9000, { fast = true }) end, "unknown option 'fast'")
    raised("the list of sounds is empty", prepare.group, {})
    raised("option 'note' has 1 values, expected one for each of 2", prepare.group, { sound(), sound() },
      { note = { 60 } })
    raised("option 'held' is %-1", prepare.group, { sound() }, { held = { -1 } })
    raised("unknown option 'notes'", prepare.group, { sound() }, { notes = 3 })
  end)
end)

describe("survey #c", function()
  it("measures white noise within 2 dB, and none where there is none", function()
    for _, chip in ipairs { "clean", "ym2612" } do
      assert.equal(0, ym.survey(sound({ chip = chip }).samples, 53267).noise)
    end
    local clean = sound { note = 64 }
    local power = power_of(clean.samples)
    for _, ratio in ipairs { 25, 40, 55 } do
      local noise = power * 10 ^ (-ratio / 10)
      local survey = assert(ym.survey(disturbed(clean, 0, noise).samples, 53267))
      assert.near(0, decibels(survey.noise / noise), 2)
      collectgarbage "step"
    end
    -- noise that is the sound itself is none of the recording
    local rng, samples = ym.rng.new { seed = 5 }, ym.tensor.new { 40000 }
    for i = 1, #samples do
      samples[i] = 0.1 * rng:normal()
    end
    assert.equal(0, ym.survey(samples, 53267).noise)
  end)

  it("finds where the band of a file ends", function()
    local rng, samples = ym.rng.new { seed = 2 }, ym.tensor.new { 30000 }
    for i = 1, #samples do
      samples[i] = 0.3 * rng:normal() * math.exp(-i / 4000)
    end
    local narrow = ym.audio.resample(samples, 16000, 53267)
    assert.near(8000, ym.survey(narrow, 53267).limit, 500)
    -- what the rate of the source explains is not looked at
    assert.is_nil(ym.survey(narrow, 53267, 7200).limit)
    assert.is_nil(ym.survey(samples, 53267).limit)
  end)

  it("tells the level of the loudest 100 ms", function()
    local samples = ym.tensor.new { 53267 }
    for i = 1, #samples do
      local loud = i > 20000 and i < 30000
      samples[i] = (loud and 0.8 or 0.1) * math.sin(i * 0.05)
    end
    assert.near(0.8 / math.sqrt(2), ym.survey(samples, 53267).level, 0.01)
  end)

  it("takes any length without reading outside", function()
    local samples = sound({ note = 60, held = 0.1, release = 0.05 }).samples
    for _, count in ipairs { 2, 50, 1023, 1024, 1025, 2000, 3071, 3072, 5000 } do
      for _, band in ipairs { 26000, 3000, 800, 20 } do
        local survey, message = ym.survey(samples:slice(1, count):to "f32", 53267, band)
        assert.is_true(survey and survey.level > 0 or message:find "silent" ~= nil)
      end
      collectgarbage "step"
    end
  end)

  it("returns failures as triples and raises on misuse", function()
    for pattern, samples in pairs {
      silent = ym.tensor.new { 5000 }, ["not numbers"] = ym.tensor.new({ 5000 }):fill(0 / 0),
    } do
      local survey, message, kind = ym.survey(samples, 53267)
      assert.is_nil(survey)
      assert.matches(pattern, message)
      assert.equal("input", kind)
    end
    assert.is_nil((ym.survey({}, 53267)))
    assert.error_matches(function() ym.survey() end, "bad argument #1")
    assert.error_matches(function() ym.survey({ 1, 2 }) end, "bad argument #2")
    assert.error_matches(function() ym.survey({ 1, 2 }, 0) end, "rate is 0")
    assert.error_matches(function() ym.survey({ 1, 2 }, 44100, 30000) end, "bad argument #3")
  end)
end)
