local ym = require "ym2612ml"

local RATE = 44100

-- count samples of f(seconds).
local function sound(seconds, f, rate)
  rate = rate or RATE
  local samples = ym.tensor.new { math.floor(seconds * rate) }
  for i = 1, #samples do
    samples[i] = f((i - 1) / rate)
  end
  return samples
end

local function harmonics(f0, levels)
  return function(t)
    local sum = 0
    for k, level in ipairs(levels) do
      sum = sum + level * math.sin(2 * math.pi * k * f0 * t + k * k)
    end
    return sum
  end
end

local function cents(found, expected)
  return 1200 * math.log(found / expected, 2)
end

local function assert_pitch(expected, samples, tolerance, options)
  local f0, confidence = ym.pitch(samples, options or { rate = RATE })
  assert.is_true(math.abs(cents(f0, expected)) <= tolerance,
    ("%.2f Hz, expected %.2f"):format(f0, expected))
  assert.is_true(confidence >= 0 and confidence <= 1)
  return confidence
end

describe("pitch #c", function()
  it("is that of sines and rich tones from MIDI 28 to 96", function()
    for note = 28, 96, 4 do
      local f0 = 440 * 2 ^ ((note - 69) / 12)
      assert.is_true(assert_pitch(f0, sound(0.4, harmonics(f0, { 0.5 })), 3) > 0.95)
      assert_pitch(f0, sound(0.4, harmonics(f0, { 0.3, 0.2, 0.15, 0.1, 0.08, 0.05 })), 3)
    end
  end)

  it("finds a missing and a weak fundamental", function()
    assert_pitch(110, sound(0.5, harmonics(110, { 0, 0.3, 0.3, 0.2, 0.2 })), 3)
    assert_pitch(220, sound(0.5, harmonics(220, { 0.03, 0.4, 0.05, 0.3, 0.06, 0.1 })), 3)
  end)

  it("follows FM tones, plucks and slow attacks", function()
    for _, f0 in ipairs { 55, 261.63, 1046.5 } do
      assert_pitch(f0, sound(1, function(t)
        local phase = 2 * math.pi * f0 * t
        return 0.5 * math.exp(-5 * t) * math.sin(phase + 3 * math.exp(-4 * t) * math.sin(3 * phase))
      end), 5)
      assert_pitch(f0, sound(0.8, function(t)
        return math.min(1, t / 0.4) * 0.4 * harmonics(f0, { 1, 0.5, 0.3 })(t)
      end), 5)
    end
  end)

  it("gives the middle of a vibrato", function()
    assert_pitch(440, sound(1.2, function(t)
      return 0.5 * math.sin(2 * math.pi * 440 * t + 2 * math.sin(2 * math.pi * 6 * t))
    end), 12)
  end)

  it("is not misled by noise, offset, rate or silence around the note", function()
    math.randomseed(3, 1)
    local tone = harmonics(196, { 0.3, 0.2, 0.1 })
    assert_pitch(196, sound(0.6, function(t) return tone(t) + 0.05 * (math.random() - 0.5) end), 5)
    assert_pitch(196, sound(0.6, function(t) return tone(t) + 0.4 end), 5)
    assert_pitch(196, sound(1.4, function(t) return t > 0.4 and t < 0.9 and tone(t) or 0 end), 5)
    for _, rate in ipairs { 8000, 22050, 53267, 96000 } do
      assert_pitch(196, sound(0.5, tone, rate), 5, { rate = rate, maximum = 2000 })
    end
  end)

  it("gives all guesses, the most likely first", function()
    local samples = sound(0.5, harmonics(220, { 0.03, 0.4, 0.05, 0.3, 0.06, 0.1 }))
    local f0, _, guesses = ym.pitch(samples, { rate = RATE })
    local last, sum, octave = math.huge, 0, false
    assert.equal(f0, guesses[1].f0)
    for _, guess in ipairs(guesses) do
      assert.is_true(guess.share <= last and guess.share > 0)
      last, sum = guess.share, sum + guess.share
      octave = octave or math.abs(cents(guess.f0, 440)) < 5
    end
    assert.is_true(sum <= 1.0001 and #guesses >= 3 and octave)
  end)

  it("is that of bells and of organs below their pitch", function()
    -- a strong sub-octave does not hide the note that was played
    local _, _, guesses = ym.pitch(sound(0.6, harmonics(131, { 0.3, 0.4, 0, 0.3, 0, 0.2, 0, 0.2 })), { rate = RATE })
    local found = false
    for _, guess in ipairs(guesses) do
      found = found or math.abs(cents(guess.f0, 262)) < 5
    end
    assert.is_true(found)
  end)

  it("tells the fine tuning of a note that is known", function()
    for _, offset in ipairs { -45, -10, 0, 4, 30 } do
      local f0 = 220 * 2 ^ (offset / 1200)
      local samples = sound(0.6, harmonics(f0, { 0.3, 0.2, 0.1, 0.1 }))
      local found, share = ym.pitch(samples, { rate = RATE, near = 220 })
      assert.near(offset, cents(found, 220), 1)
      assert.is_true(share > 0.8 and share <= 1)
    end
    local found, share = ym.pitch(sound(0.5, harmonics(220, { 0.5 })), { rate = RATE, near = 250 })
    assert.equal(250, found)
    assert.equal(0, share)
    assert.error_matches(function() ym.pitch({ 0, 1 }, { near = 1 }) end, "option 'near' is 1")
  end)

  it("keeps within minimum and maximum", function()
    local samples = sound(0.4, harmonics(220, { 0.5, 0.2 }))
    assert.is_true(ym.pitch(samples, { rate = RATE, minimum = 300 }) >= 290)
    assert_pitch(220, samples, 5, { rate = RATE, minimum = 100, maximum = 500 })
    -- 30 ms hold less than a period of the default minimum
    assert_pitch(880, sound(0.03, harmonics(880, { 0.5, 0.2 })), 5)
  end)

  it("has little confidence in noise", function()
    math.randomseed(1, 1)
    local _, confidence = ym.pitch(sound(0.5, function() return math.random() - 0.5 end), { rate = RATE })
    assert.is_true(confidence < 0.5)
  end)

  it("returns silent, short and broken sounds as failures", function()
    for message, samples in pairs {
      ["too short"] = ym.tensor.new { 5 }, silent = ym.tensor.new({ 5000 }):fill(0.2),
      ["not numbers"] = ym.tensor.new({ 5000 }):fill(0 / 0),
    } do
      for _ = 1, 2 do
        local f0, found, kind = ym.pitch(samples)
        assert.is_nil(f0)
        assert.matches(message, found)
        assert.equal("input", kind)
      end
    end
    assert.is_nil((ym.pitch {}))
  end)

  it("takes any length without reading outside", function()
    local samples = sound(0.2, harmonics(3000, { 0.5 }))
    for count = 40, 200 do
      collectgarbage "step"
      ym.pitch(samples:slice(1, count):to "f32", { rate = RATE })
    end
    -- fewer are left where several samples become one
    for count = 1, 300 do
      local f0, message, kind = ym.pitch(samples:slice(1, count):to "f32", { rate = 655350, maximum = 163837 })
      assert.is_true(f0 and f0 > 0 or (kind == "input" and message:find("too short") ~= nil), message)
      assert.equal(count < 16 * 9, f0 == nil)
    end
  end)

  it("raises on misuse", function()
    local samples = sound(0.1, harmonics(440, { 1 }))
    assert.error_matches(function() ym.pitch() end, "bad argument #1")
    assert.error_matches(function() ym.pitch(samples, { low = 3 }) end, "unknown option 'low'")
    assert.error_matches(function() ym.pitch(samples, { minimum = 500, maximum = 400 }) end, "not below")
    assert.error_matches(function() ym.pitch(samples, { minimum = 0 }) end, "option 'minimum' is 0")
    assert.error_matches(function() ym.pitch(samples, { rate = 8000, maximum = 4000 }) end, "option 'maximum'")
  end)
end)

describe("held #c", function()
  local function note(held, release, decay)
    return sound(held + 0.5, function(t)
      local level = math.exp(-(decay or 0) * math.min(t, held) - release * math.max(0, t - held))
      return 0.5 * level * math.sin(2 * math.pi * 330 * t)
    end)
  end

  it("is where a sustained or decaying tone is let go", function()
    for _, held in ipairs { 0.3, 0.8, 1.2 } do
      for _, release in ipairs { 8, 25, 400 } do
        for _, decay in ipairs { 0, 2 } do
          local found = ym.held(note(held, release, decay), RATE)
          assert.is_true(math.abs(found - held) < 0.025,
            ("held %.1f, release %d, decay %d: found %.3f"):format(held, release, decay, found))
        end
      end
    end
  end)

  it("has other guesses, among them the length", function()
    local held, guesses = ym.held(note(0.6, 25, 1), RATE)
    assert.equal(held, guesses[1])
    assert.is_true(#guesses >= 2 and #guesses <= 3)
    assert.near(1.1, guesses[#guesses], 1e-3)
    -- a release hardly faster than the decay is no more than a guess
    held, guesses = ym.held(note(0.6, 4, 2), RATE)
    assert.equal(1.1, held)
    assert.is_true(math.abs(guesses[2] - 0.6) < 0.05)
  end)

  it("is the length of a sound that only decays or is cut", function()
    assert.equal(1.5, ym.held(note(1, 3, 3), RATE))
    assert.equal(0.5, ym.held(sound(0.5, harmonics(330, { 0.5 })), RATE))
  end)

  it("returns failures as triples and raises on misuse", function()
    local held, message, kind = ym.held(ym.tensor.new { 1000 }, RATE)
    assert.is_nil(held)
    assert.matches("silent", message)
    assert.equal("input", kind)
    assert.is_nil((ym.held({}, RATE)))
    assert.is_nil((ym.held({ 0, 0 / 0, 1 }, RATE)))
    assert.truthy(ym.held({ 0, 0.5, -0.5, 0 }, RATE))
    assert.error_matches(function() ym.held({ 0, 1 }) end, "bad argument #2")
    assert.error_matches(function() ym.held({ 0, 1 }, 0) end, "rate is 0")
  end)
end)

describe("trim #c", function()
  -- A sharp note after silence (with noise of the given level) of some seconds.
  local function delayed(seconds, noise, attack)
    math.randomseed(5, 1)
    return sound(seconds + 0.6, function(t)
      local since = t - seconds
      local level = since < 0 and 0 or math.min(1, since / attack) * math.exp(-3 * since)
      return 0.5 * level * math.cos(2 * math.pi * 523 * since) + noise * (math.random() - 0.5)
    end)
  end

  it("finds a sharp onset to the sample, and within 1 ms in noise", function()
    for _, silence in ipairs { 0.01, 0.1, 0.37 } do
      local samples, onset = ym.audio.trim(delayed(silence, 0, 0.0001), RATE)
      assert.is_true(math.abs(onset - silence) < 0.0001, onset)
      assert.is_true(math.abs(samples[8]) > 0.1)
      onset = select(2, ym.audio.trim(delayed(silence, 0.002, 0.0001), RATE))
      assert.is_true(math.abs(onset - silence) < 0.001, onset)
    end
  end)

  it("leaves a sound that starts at once, or slowly, as it is", function()
    for _, attack in ipairs { 0.0001, 0.01, 0.1, 0.4 } do
      local whole = delayed(0, 0, attack)
      local samples, onset = ym.audio.trim(whole, RATE)
      assert.equal(0, onset)
      assert.equal(#whole, #samples)
    end
  end)

  it("does not shift a note of the chip", function()
    local patch = { algorithm = 4, feedback = 5 }
    for i = 1, 4 do
      patch[i] = { mul = i, dt = 0, tl = 8 * i, rs = 0, ar = 31, dr = 8, sr = 2, rr = 7, sl = 3 }
    end
    for _, attack in ipairs { 31, 22, 14, 9 } do
      patch[2].ar, patch[4].ar = attack, attack
      for _, note in ipairs { 28, 60, 96 } do
        for _, chip in ipairs { "ym2612", "clean" } do
          local samples, rate = ym.render(patch, { note = note, held = 0.6, release = 0.1, chip = chip })
          local _, onset = ym.audio.trim(samples, rate)
          assert.is_true(onset <= 0.0005, ("attack rate %d, note %d: %g s"):format(attack, note, onset))
        end
      end
    end
  end)

  it("gives a view that keeps its samples", function()
    local samples = ym.audio.trim(delayed(0.1, 0, 0.0001), RATE)
    for _ = 1, 5 do
      collectgarbage()
    end
    assert.is_true(math.abs(samples[10]) > 0.1)
    assert.equal(#delayed(0.1, 0, 0.0001) - 4411, #samples)
  end)

  it("returns silence as a failure and raises on misuse", function()
    local samples, message, kind = ym.audio.trim(ym.tensor.new { 100 }, RATE)
    assert.is_nil(samples)
    assert.matches("silent", message)
    assert.equal("input", kind)
    assert.is_nil((ym.audio.trim({}, RATE)))
    assert.is_nil((ym.audio.trim({ 0 / 0 }, RATE)))
    assert.error_matches(function() ym.audio.trim({ 1 }, -1) end, "rate is %-1")
  end)
end)
