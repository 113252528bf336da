-- What the synthesizers of the module sound like.
local cjson = require "cjson"
local json = require "ym2612ml.json"
local support = require "spec.support"
local ym = require "ym2612ml"

-- How much of a frequency there is in samples: 1 of a sine of amplitude 1.
local function share_of(samples, rate, frequency)
  local re, im = 0, 0
  for i, sample in ipairs(samples:totable()) do
    local window = 1 - math.cos(2 * math.pi * (i - 1) / #samples)
    re = re + window * sample * math.cos(2 * math.pi * frequency * (i - 1) / rate)
    im = im + window * sample * math.sin(2 * math.pi * frequency * (i - 1) / rate)
  end
  return 2 * math.sqrt(re * re + im * im) / #samples
end

local function largest(samples, first, last)
  return math.max(table.unpack(ym.audio.peaks(samples:slice(first, last):reshape { 1, last - first + 1 })))
end

local FM = {
  carrier = 440, modulator = 1, amplitude = 1, depth = 0, attack = 0, decay = 0, sustain = 1, sustain_level = 1,
  release = 0,
}

-- One oscillator of the four is heard, held and unfiltered as far as can be.
local INVERSYNTH = {
  attack = 0.001, decay = 0.001, sustain = 1, release = 0.001, cutoff = 4000, resonance = 0.7, gate = 0.5,
}
for _, wave in ipairs { "sine", "saw", "triangle", "square" } do
  INVERSYNTH[wave .. "_carrier"], INVERSYNTH[wave .. "_modulator"] = 440, 1
  INVERSYNTH[wave .. "_amplitude"], INVERSYNTH[wave .. "_depth"] = 0.001, 0
end

-- One sound of a synthesizer: the usual values with these changes.
local function sound_of(name, usual, changes, options)
  local synth, named = assert(ym.synths.get(name)), {}
  for _, values in ipairs { usual, changes or {} } do
    for key, value in pairs(values) do
      named[key] = value
    end
  end
  return assert(synth:render(synth:row(named), options))[1]
end

local function fm(changes, options)
  return sound_of("simple_fm", FM, changes, options)
end

local function four(changes, options)
  return sound_of("inversynth", INVERSYNTH, changes, options)
end

describe("simple_fm #c", function()
  it("without depth is a sine at the carrier's frequency", function()
    local worst = 0
    for i, sample in ipairs(fm({ carrier = 440 * 2 ^ (10 / 12), amplitude = 0.5005 }):totable()) do
      if i > 1 then -- an attack of no length is over at the second sample
        local expected = 0.5005 * math.sin(2 * math.pi * 440 * 2 ^ (10 / 12) * (i - 1) / 16384)
        worst = math.max(worst, math.abs(sample - expected))
      end
    end
    assert.is_true(worst < 1e-4, worst) -- the carrier's frequency is kept in single precision
  end)

  it("does not drift in ten seconds", function()
    local tone = four({ sine_amplitude = 1 }, { length = 10, rate = 16000 })
    -- whole periods in a second: one second is as another but for the gate, of two seconds
    for i = 16000 * 2 + 1, 16000 * 2 + 1000 do
      assert.near(tone[i], tone[i + 16000 * 4], 2e-7)
    end
  end)

  it("swings around the carrier, modulator times a second", function()
    local samples = fm({ modulator = 30, depth = 0.1 })
    -- the index of the textbook: 44 Hz / 30 Hz; Bessel functions of it
    local beta = 44 / 30
    local function bessel(n)
      local sum = 0
      for k = 0, 200 do
        local angle = math.pi * (k + 0.5) / 201
        sum = sum + math.cos(n * angle - beta * math.sin(angle)) / 201
      end
      return math.abs(sum)
    end
    for n = -2, 2 do
      assert.near(bessel(n), share_of(samples, 16384, 440 + 30 * n), 2e-3, n)
    end
  end)

  it("has the times of its envelope", function()
    local samples = fm {
      carrier = 880, attack = 0.2, decay = 0.2, sustain = 0.2, sustain_level = 0.4, release = 0.2,
    }
    local function level(second) -- over four periods
      local at = math.floor(second * 16384)
      return largest(samples, at - 37, at + 37)
    end
    for second, expected in pairs {
      [0.05] = 0.25, [0.1] = 0.5, [0.2] = 1, [0.3] = 0.7, [0.4] = 0.4, [0.6] = 0.4, [0.7] = 0.2, [0.85] = 0,
    } do
      assert.near(expected, level(second), 0.02, second)
    end
    assert.equal(0, largest(samples, 13110, 16384))
    -- a release that begins beyond the end changes nothing
    local long = { attack = 1, decay = 1, sustain = 1, release = 0.2 }
    local before = fm(long):bytes()
    long.release = 1
    assert.equal(before, fm(long):bytes())
  end)

  it("can be heard in all its parameters", function()
    local synth = assert(ym.synths.get "simple_fm")
    for name, heard in pairs(synth:observable()) do
      assert.is_true(heard, name)
    end
    assert.is_false(synth:observable({ length = 0.001 }).release)
  end)
end)

describe("inversynth #c", function()
  it("has a sine, a saw, a triangle and a square", function()
    local partials = { -- of 440 Hz, first and third
      sine = { 1, 0 }, saw = { 2 / math.pi, 2 / math.pi / 3 }, triangle = { 8 / math.pi ^ 2, 8 / math.pi ^ 2 / 9 },
      square = { 4 / math.pi, 4 / math.pi / 3 },
    }
    for wave, expected in pairs(partials) do
      -- the gate is open in the first half of its two seconds; a high rate keeps aliases low
      local samples = four({ [wave .. "_amplitude"] = 1, resonance = 0.676 }, { rate = 96000 })
        :slice(9601, 57600)
      local first = share_of(samples, 96000, 440)
      assert.near(expected[2] / expected[1], share_of(samples, 96000, 1320) / first, 0.01, wave)
      assert.near(expected[1] / 4 * 0.98, first, 0.02, wave)
    end
  end)

  it("filters at the cut-off, with the resonance's gain there", function()
    for _, q in ipairs { 0.676, 4.006, 10 } do
      local function tone(cutoff)
        return share_of(four({ sine_amplitude = 1, cutoff = cutoff, resonance = q }):slice(3277, 9830), 16384, 440)
      end
      assert.near(q, tone(440) / tone(4000), 0.02 * q)
    end
  end)

  it("opens and closes the gate so often", function()
    local function gated(gate)
      local samples = four({ sine_amplitude = 1, gate = gate })
      local envelope = ym.tensor.new { 8192 }
      for i = 1, 8192 do
        envelope[i] = math.abs(samples[i + 1000])
      end
      return envelope
    end
    local envelope = gated(20)
    local rate = share_of(envelope, 16384, 20)
    for _, other in ipairs { 10, 15, 30, 35 } do
      assert.is_true(share_of(envelope, 16384, other) < rate / 4, other)
    end
  end)

  it("releases after seven tenths of the sound, from wherever it is", function()
    local samples = four { sine_amplitude = 1, attack = 1, release = 0.2 }
    local reached = largest(samples, 11300, 11468)
    assert.near(reached / 2, largest(samples, 13025, 13189), 0.04)
    assert.is_true(largest(samples, 15000, 16384) < 1e-3)
    local short = four({ sine_amplitude = 1, release = 0.001 }, { length = 0.5 })
    assert.is_true(largest(short, 5600, 5734) > 0.1)
    assert.is_true(largest(short, 6300, 8192) < 1e-3)
  end)

  it("sweeps by its depth in Hz", function()
    -- half a period of the modulator in, the frequency is as far below as it was above
    local samples = four { sine_amplitude = 1, sine_carrier = 880, sine_modulator = 1, sine_depth = 400 }
    local first = assert(ym.pitch(samples:slice(1, 1600), { rate = 16384 }))
    local later = assert(ym.pitch(samples:slice(7400, 9000), { rate = 16384 }))
    assert.near(1260, first, 30)
    assert.near(480, later, 15)
  end)

  it("can be heard in all its parameters", function()
    for name, heard in pairs(ym.synths.get("inversynth"):observable { count = 8 }) do
      assert.is_true(heard, name)
    end
  end)
end)

describe("opn2 #c", function()
  it("plays what the chip plays", function()
    local synth = assert(ym.synths.get("opn2", { note = 57, held = 0.3, chip = "ym3438" }))
    local values = synth:draw(4)
    local sounds = assert(synth:render(values, { length = 0.5 }))
    for row = 1, 4 do
      local patch = { {}, {}, {}, {} }
      for name, value in pairs(synth:table(values[row])) do
        local operator, field = name:match("^op(%d)%.(%a+)$")
        local to = operator and patch[tonumber(operator)] or patch
        to[field or name] = math.tointeger(value)
      end
      patch.lfo = patch.lfo >= 0 and patch.lfo or nil
      local samples = ym.render(patch, { note = 57, held = 0.3, release = 0.2, chip = "ym3438" })
      local count = math.min(#samples, 26633)
      assert.equal(samples:slice(1, count):bytes(), sounds[row]:slice(1, count):bytes())
      local low = assert(synth:render(values:slice(row, row), { rate = 16384, length = 0.5 }))[1]
      local expected = ym.audio.resample(samples, 53267, 16384, { quick = true })
      assert.equal(expected:slice(1, 8000):bytes(), low:slice(1, 8000):bytes())
    end
  end)

  it("draws patches that sound, with what is fixed", function()
    local synth = assert(ym.synths.get("opn2", { fixed = { algorithm = 2, ["op4.tl"] = 5, lfo = 3 } }))
    local values = synth:draw(40)
    for row = 1, 40 do
      local named = synth:table(values[row])
      assert.same({ 2, 5, 3, 0 }, { named.algorithm, named["op4.tl"], named.lfo, named["op1.am"] })
    end
    for _, peak in ipairs(ym.audio.peaks(synth:render(values))) do
      assert.is_true(peak > 1e-4)
    end
    local silent = assert(ym.synths.get("opn2", { fixed = { algorithm = 0, ["op4.ar"] = 0 } }))
    local drawn, message, kind = silent:draw(1)
    assert.is_nil(drawn)
    assert.is_truthy(message:find("^opn2: %d+ random patches"), message)
    assert.equal("input", kind)
  end)

  it("hears fields that sound, and none that do not", function()
    local heard = assert(assert(ym.synths.get("opn2", { fixed = { algorithm = 7 } })):observable { count = 16 })
    for _, name in ipairs { "feedback", "op1.mul", "op2.tl", "op3.ar", "op4.rr" } do
      assert.is_true(heard[name], name)
    end
    for _, name in ipairs { "algorithm", "lfo", "ams", "op1.am", "op2.ssg" } do
      assert.is_false(heard[name], name)
    end
  end)

  it("draws from real patches and other priors", function()
    local synth = assert(ym.synths.get("opn2", { patches = { support.PATCH } }))
    local real = 0
    for _, row in ipairs(synth:draw(100):totable()) do
      real = real + (row[1] == 4 and row[2] == 5 and 1 or 0)
    end
    assert.is_true(real > 30, real)
    local again = assert(ym.synths.get("opn2", cjson.decode(json.encode(synth.options))))
    assert.equal(synth:draw(100):bytes(), again:draw(100):bytes())
    local folder = support.new_folder()
    finally(function() support.remove_folder(folder) end)
    assert(ym.prior.write(folder .. "/prior.json", ym.prior.fit { support.PLUCK }))
    assert(ym.patch.write(folder .. "/one.y12", support.PATCH))
    assert.equal(3, #assert(ym.synths.get("opn2", { prior = folder .. "/prior.json" })):draw(3))
    assert.equal(3, #assert(ym.synths.get("opn2", { patches = folder })):draw(3))
    for _, option in ipairs { "prior", "patches" } do
      local made, message, kind = ym.synths.get("opn2", { [option] = folder .. "/missing" })
      assert.is_nil(made)
      assert.is_truthy(message:find(folder .. "/missing", 1, true))
      assert.equal("io", kind)
    end
    os.remove(folder .. "/one.y12")
    local none, message, kind = ym.synths.get("opn2", { patches = folder })
    assert.is_nil(none)
    assert.is_truthy(message:find(folder, 1, true))
    assert.is_string(kind)
    assert.error_matches(function() ym.synths.get("opn2", { patches = { {} } }) end, "bad argument #2 to 'get'")
    assert.error_matches(function() ym.synths.get("opn2", { note = 116 }) end, "option 'note' is 116")
  end)
end)
