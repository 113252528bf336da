-- The live instrument's engine, without a server: MIDI in, samples out.
local sounds = require "spec.live.sounds"
local support = require "spec.support"
local ym = require "ym2612ml"

local built, core = pcall(require, "ym2612ml.live.core")

local SINE, RATE, sine = sounds.SINE, sounds.RATE, sounds.sine
local on, off, controller, wheel = sounds.on, sounds.off, sounds.controller, sounds.wheel
local frequency_of, turning, cents_from = sounds.frequency_of, sounds.turning, sounds.cents_from
local loudness, largest_jump = sounds.loudness, sounds.largest_jump

describe("the live engine #c", function()
  if not built then
    pending("ym2612ml.live was not built: there is no libjack")
    return
  end

  local function engine(options)
    local settings = { rate = RATE, patch = SINE, chip = "ym3438" }
    for name, value in pairs(options or {}) do
      settings[name] = value
    end
    return core.engine(settings)
  end

  local function play(made, frames, ...)
    for _, message in ipairs { ... } do
      made:midi(message)
    end
    return made:run(frames):totable()
  end

  it("plays every note in tune within a cent", function()
    for _, chip in ipairs { "clean", "ym3438" } do
      for note = 24, 116, chip == "clean" and 1 or 11 do
        local left = play(engine { chip = chip }, 16000, on(note))
        local cents = cents_from(left, 1000, 14400, frequency_of(note))
        assert.is_true(math.abs(cents) < 1, ("note %d is off by %.3f cents"):format(note, cents))
      end
    end
  end)

  it("keeps the block of a note while the wheel bends it, and the pitch is that of the wheel", function()
    for _, note in ipairs { 26, 38, 50, 62, 63, 69, 74, 95 } do
      local block = core.pitch(note)
      assert.equal(block, (core.pitch(note, -2)))
      local bent, fnum = core.pitch(note, 2)
      assert.is_true(bent == block or bent == block + 1 and fnum < 1100)
      for value, semitones in pairs { [0] = -2, [4096] = -1, [8192] = 0, [16383] = 2 } do
        local left = play(engine(), 16000, wheel(value), on(note))
        local cents = cents_from(left, 1000, 14400, frequency_of(note + semitones))
        assert.is_true(math.abs(cents) < 1.3, ("note %d %+d is off by %.3f cents"):format(note, semitones, cents))
      end
    end
    local left = play(engine { bend = 12 }, 16000, on(57), wheel(16383))
    assert.is_true(math.abs(cents_from(left, 1000, 14400, 440)) < 1)
  end)

  it("sounds notes higher than the chip plays an octave lower", function()
    local left = play(engine(), 16000, on(127))
    assert.is_true(math.abs(cents_from(left, 1000, 14400, frequency_of(115))) < 1)
  end)

  it("begins a note at its frame, whichever that is", function()
    for _, before in ipairs { 0, 1, 2, 63, 64, 65, 200, 255, 4095 } do
      local made = engine()
      made:run(before)
      local left, first = play(made, 400, on(81)), nil
      for i = 1, 400 do
        if math.abs(left[i]) > 0.01 then
          first = i
          break
        end
      end
      assert.is_true(first >= 30 and first <= 45, ("%d after %d"):format(first, before))
    end
  end)

  it("gives the same samples in pieces as at once", function()
    for _, rate in ipairs { 44100, 48000, 96000, 192000 } do
      local whole, pieces, left, right = engine { rate = rate }, engine { rate = rate }, {}, {}
      whole:midi(on(60))
      pieces:midi(on(60))
      local expected, other = whole:run(1000)
      for _, count in ipairs { 1, 2, 3, 64, 65, 128, 0, 256, 481 } do
        local l, r = pieces:run(count)
        left[#left + 1], right[#right + 1] = l:bytes(), r:bytes()
      end
      assert.equal(ym.crc32(expected:bytes()), ym.crc32(table.concat(left)), rate)
      assert.equal(ym.crc32(other:bytes()), ym.crc32(table.concat(right)), rate)
      assert.is_true(loudness(expected:totable(), 500, 1000) > 0.05)
    end
  end)

  it("adds nothing at any rate: a sine stays one, as far as the chip's is (-57 dB)", function()
    local _, fnum = core.pitch(69)
    local frequency = fnum * 7670454 / 144 / 2 ^ 20 * 2 ^ 3
    for _, rate in ipairs { 8000, 22050, 44100, 48000, 96000, 192000 } do
      local made = engine { rate = rate, chip = "clean" }
      made:midi(on(69))
      made:run(rate // 10)
      local left = made:run(rate // 5):totable()
      -- What is left when the best sine is taken away.
      local ss, sc, cc, xs, xc = 0, 0, 0, 0, 0
      for i, x in ipairs(left) do
        local s, c = math.sin(2 * math.pi * frequency * i / rate), math.cos(2 * math.pi * frequency * i / rate)
        ss, sc, cc, xs, xc = ss + s * s, sc + s * c, cc + c * c, xs + x * s, xc + x * c
      end
      local b = (xc * ss - xs * sc) / (cc * ss - sc * sc)
      local a = (xs - b * sc) / ss
      local rest = {}
      for i, x in ipairs(left) do
        local angle = 2 * math.pi * frequency * i / rate
        rest[i] = x - a * math.sin(angle) - b * math.cos(angle)
      end
      assert.is_true(loudness(rest, 1, #rest) < 10 ^ (-55 / 20) * loudness(left, 1, #left), rate)
      assert.is_true(math.abs(6 * math.sqrt(a * a + b * b) - 1) < 0.005, rate)
    end
  end)

  it("plays by velocity, in the steps of total level", function()
    local loud = loudness(play(engine(), 9600, on(69, 127)), 4000, 9600)
    local soft = loudness(play(engine(), 9600, on(69, 64)), 4000, 9600)
    assert.is_true(math.abs(20 * math.log(loud / soft, 10) - 16 * 0.75) < 0.2)
  end)

  it("takes the channel that was let go of the longest ago, or else the oldest note's", function()
    local made = engine()
    local notes = { 48, 52, 55, 60, 64, 67 }
    for _, note in ipairs(notes) do
      made:midi(on(note))
      made:run(100)
    end
    local function sounding(note, left)
      return turning(left, 1000, 14400, frequency_of(note)) > 0.1
    end
    local left = play(made, 16000, on(72))
    assert.is_false(sounding(48, left))
    for _, note in ipairs { 52, 55, 60, 64, 67, 72 } do
      assert.is_true(sounding(note, left), note)
    end
    assert.equal(1, made:counts().stolen)
    left = play(made, 16000, off(60), off(52), on(76), on(79))
    for _, note in ipairs { 55, 64, 67, 72, 76, 79 } do
      assert.is_true(sounding(note, left), note)
    end
    assert.same({ started = 9, stolen = 1, lost = 0, patches = 0, replaced = 0 }, made:counts())
    left = play(made, 16000, off(48), off(60)) -- long gone
    assert.is_true(sounding(72, left))
  end)

  it("strikes a note again on its own channel", function()
    local made = engine()
    for _ = 1, 20 do
      made:midi(on(69))
      made:run(50)
    end
    local left = play(made, 16000)
    assert.is_true(math.abs(turning(left, 1000, 14400, 440.13) - 1 / 6) < 0.01)
    assert.same({ started = 20, stolen = 0, lost = 0, patches = 0, replaced = 0 }, made:counts())
    assert.is_true(loudness(play(made, 9600, off(69)), 4800, 9600) < 1e-6)
  end)

  it("sounds a note that is let go of in the frame that it was struck in", function()
    local slow = sine { rr = 7 }
    local left = play(engine { patch = slow }, 4800, on(69), off(69))
    assert.is_true(loudness(left, 100, 1000) > 0.01)
  end)

  it("holds notes by the pedal, and lets go of them with it", function()
    local made = engine()
    assert.is_true(loudness(play(made, 9600, controller(64, 127), on(60), off(60), on(64)), 4800, 9600) > 0.1)
    local left = play(made, 16000, controller(64, 63))
    assert.is_true(turning(left, 1000, 14400, frequency_of(60)) < 1e-3)
    assert.is_true(turning(left, 1000, 14400, frequency_of(64)) > 0.1)
    assert.is_true(loudness(play(made, 9600, controller(64, 127), off(64), controller(121, 0)), 4800, 9600) < 1e-6)
  end)

  it("lets go of all notes, and silences what rings on, when told to", function()
    local made = engine { patch = sine { rr = 2 } }
    local ringing = loudness(play(made, 9600, on(60), on(69), controller(123, 0)), 4800, 9600)
    assert.is_true(ringing > 0.1)
    assert.is_true(loudness(play(made, 9600, controller(120, 0)), 1200, 9600) < 1e-6)
    assert.is_true(loudness(play(made, 9600, on(60)), 1200, 9600) > 0.1)
    assert.is_true(loudness(play(made, 9600, off(60)), 1200, 9600) > 0.05) -- with its own release
  end)

  it("tells what messages are to it", function()
    local made = engine()
    for message, heard in pairs {
      [on(60)] = "played", [off(60)] = "played", [on(60, 0)] = "played", [wheel(0)] = "played",
      [controller(64, 1)] = "played", [controller(120, 0)] = "played", [controller(127, 0)] = "played",
      [controller(1, 5)] = "control", [controller(119, 5)] = "control", ["\xC3\x05"] = "control",
      [""] = "nothing", ["\x90"] = "nothing", ["\x90\x40"] = "nothing", ["\xF8"] = "nothing",
      ["\xF0\x7E\x7F\x09\x01\xF7"] = "nothing", ["\xA0\x40\x40"] = "nothing", ["\xD0\x40"] = "nothing",
    } do
      assert.equal(heard, made:midi(message), (message:gsub(".", function(c) return ("%02x "):format(c:byte()) end)))
    end
  end)

  local function changed(algorithm, feedback, level)
    local patch = { algorithm = algorithm, feedback = feedback }
    for o = 1, 4 do
      patch[o] = { mul = o, dt = o - 2, tl = level + 8 * (o % 3), rs = 0, ar = 31, dr = 0, sr = 0, rr = 15, sl = 0 }
    end
    return patch
  end

  it("changes patches without a jump larger than those of both sounds", function()
    local rng = ym.rng.new { seed = 3 }
    for try = 1, 12 do
      local one = changed(rng:integer(0, 7), rng:integer(0, 7), rng:integer(10, 35))
      local two = changed(rng:integer(0, 7), rng:integer(0, 7), rng:integer(10, 35))
      local made = engine { patch = one, chip = support.STAGES[try % 3 + 1] }
      for _, note in ipairs { 45, 52, 57, 61, 64, 69 } do
        made:midi(on(note, 100))
      end
      made:run(4800)
      local second, fade = RATE, 600
      local samples = made:run(second):totable()
      made:patch(two)
      table.move(made:run(fade + second):totable(), 1, fade + second, second + 1, samples)
      local steady = math.max(largest_jump(samples, 1, second), largest_jump(samples, second + fade, 2 * second + fade))
      local change = largest_jump(samples, second, second + fade)
      assert.is_true(change <= steady, ("try %d: %.4f, steady %.4f"):format(try, change, steady))
    end
  end)

  it("sounds after a change as if it had had the patch from the start, each note at its velocity", function()
    local patch = sine { tl = 8, mul = 2 }
    local left = {}
    for i, first in ipairs { SINE, patch } do
      local made = engine { patch = first }
      play(made, 4800, on(57, 127), on(69, 40))
      made:patch(patch)
      made:run(1200)
      left[i] = made:run(16000):totable()
    end
    for _, note in ipairs { 69, 81 } do
      local one, two = turning(left[1], 1, 14400, frequency_of(note)), turning(left[2], 1, 14400, frequency_of(note))
      assert.is_true(two > 1e-3 and math.abs(one / two - 1) < 0.01, note)
    end
    assert.is_true(turning(left[1], 1, 14400, frequency_of(57)) < 1e-3) -- multiple 1 is gone
  end)

  it("plays notes that begin and end during a change", function()
    local made = engine { patch = changed(4, 5, 20) }
    made:midi(on(45))
    made:run(960)
    made:patch(SINE)
    made:run(100)
    made:midi(on(69))
    made:midi(off(45))
    local left = play(made, 16000)
    assert.is_true(math.abs(turning(left, 1000, 14400, 440.13) - 1 / 6) < 0.01)
    assert.is_true(turning(left, 1000, 14400, 110) < 1e-3)
  end)

  it("goes on to the newest patch of those that came during a change", function()
    local made = engine()
    made:midi(on(69))
    made:run(960)
    for level = 10, 60, 10 do
      made:patch(sine { tl = level })
      made:run(10)
    end
    made:run(2400)
    assert.same({ started = 1, stolen = 0, lost = 0, patches = 2, replaced = 4 }, made:counts())
    local decibels = 20 * math.log(6 * turning(play(made, 16000), 1, 14400, 440.13), 10)
    assert.is_true(math.abs(decibels + 60 * 0.75) < 1, decibels)
  end)

  it("counts notes of a burst that the chip cannot take as lost, and goes on", function()
    local made = engine()
    for i = 1, 500 do
      made:midi(on(24 + i % 90, 1 + i % 127))
    end
    local counts = made:counts()
    assert.equal(500, counts.started + counts.lost)
    assert.is_true(counts.started >= 50 and counts.lost > 0)
    made:run(4800)
    for note = 0, 127 do
      made:midi(off(note))
    end
    made:run(4800)
    assert.is_true(loudness(play(made, 9600), 1, 9600) < 1e-6)
    assert.is_true(loudness(play(made, 9600, on(69)), 1200, 9600) > 0.1)
    assert.equal(counts.lost, made:counts().lost)
  end)

  it("lets every note of a burst go, whatever else fills the queue", function()
    for count = 160, 220, 4 do -- the queue is full after some 200
      local made = engine()
      for i = 1, count do
        made:midi(on(24 + i % 90, 1 + 37 * i % 127))
      end
      made:patch(changed(4, 5, 20))
      for value = 0, 16383, 64 do
        made:midi(wheel(value))
      end
      for note = 0, 127 do
        made:midi(off(note))
      end
      made:run(9600)
      assert.is_true(loudness(play(made, 2400), 1, 2400) < 1e-6, count)
    end
  end)

  it("bends a note in the end though the wheel found no room", function()
    local made = engine()
    for i = 1, 500 do
      made:midi(on(24 + i % 90, 1 + i % 127))
    end
    local counts = made:counts()
    local last = 24 + counts.started % 90 -- of those that there was room for
    made:midi(wheel(16383))
    for note = 0, 127 do
      if note ~= last then
        made:midi(off(note))
      end
    end
    made:run(4800)
    local cents = cents_from(play(made, 16000), 1, 14400, frequency_of(last + 2))
    assert.is_true(math.abs(cents) < 1, cents)
  end)

  it("keeps its head whatever it is sent", function()
    local rng = ym.rng.new { seed = 11 }
    local made, started = engine { chip = "ym2612" }, 0
    for _ = 1, 3000 do
      local bytes = {}
      for i = 1, rng:integer(1, 4) do
        bytes[i] = rng:integer(i == 1 and 128 or 0, i == 1 and 255 or 127)
      end
      made:midi(string.char(table.unpack(bytes)))
      started = started + ((#bytes >= 3 and bytes[1] >> 4 == 9 and bytes[3] > 0) and 1 or 0)
      if rng:uniform() < 0.1 then
        made:patch(support.random_patch(rng))
      end
      local left, right = made:run(rng:integer(0, 300))
      assert.equal(left:bytes(), right:bytes())
      for _, sample in ipairs(left:totable()) do
        if math.abs(sample) > 1.1 or sample ~= sample then
          error(("a sample is %f"):format(sample))
        end
      end
    end
    assert.equal(started, made:counts().started)
    assert.equal(0, made:counts().lost)
  end)

  it("raises on misuse", function()
    assert.has_error(function() core.engine { rate = 100, patch = SINE } end,
      "bad argument #1 to 'engine' (option 'rate' is 100, expected a whole number 8000..768000)")
    assert.has_error(function() core.engine { patch = SINE, chip = "ym2151" } end)
    assert.has_error(function() core.engine { patch = SINE, volume = 1 } end,
      "bad argument #1 to 'engine' (unknown option 'volume')")
    assert.has_error(function() core.engine { rate = RATE } end)
    assert.has_error(function() core.engine { patch = sine { tl = 200 } } end)
    local made = engine()
    assert.has_error(function() made:run(-1) end)
    assert.has_error(function() made:midi() end)
    assert.has_error(function() made:patch {} end)
    assert.has_error(function() made.run({}, 1) end)
    assert.has_error(function() core.pitch(117) end)
  end)
end)
