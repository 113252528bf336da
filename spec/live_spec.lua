-- The live instrument: its engine without a server, what Lua decides with a client that is
-- a table, and all of it with a JACK server without a sound card.
local instruments = require "ym2612ml.live.instrument"
local servers = require "spec.live.server"
local space = require "spec.live.space"
local support = require "spec.support"
local ym = require "ym2612ml"

local built, core = pcall(require, "ym2612ml.live.core")

local RATE = servers.RATE
local WITHOUT = "ym2612ml.live was not built: there is no libjack"

-- One sine of full level, silent at once when let go.
local SINE = { algorithm = 7, feedback = 0 }
for o = 1, 4 do
  SINE[o] = { mul = 1, dt = 0, tl = o == 1 and 0 or 127, rs = 0, ar = 31, dr = 0, sr = 0, rr = 15, sl = 0 }
end

-- The sine with other settings of the operator that sounds.
local function sine(settings)
  local patch = { algorithm = 7, feedback = 0, { table.unpack(SINE[1]) }, SINE[2], SINE[3], SINE[4] }
  for name, value in pairs(SINE[1]) do
    patch[1][name] = settings[name] or value
  end
  return patch
end

local function on(note, velocity)
  return string.char(0x90, note, velocity or 127)
end

local function off(note)
  return string.char(0x80, note, 0)
end

local function controller(number, value)
  return string.char(0xB0, number, value)
end

local function wheel(value) -- 0..16383
  return string.char(0xE0, value & 127, value >> 7)
end

local function frequency_of(note)
  return 440 * 2 ^ ((note - 69) / 12)
end

-- The part of a window of samples that turns at a frequency: its size (1: a full sine) and
-- phase in turns.
local function turning(samples, first, count, frequency)
  local real, imaginary, weights = 0, 0, 0
  for i = 0, count - 1 do
    local weight = 1 - math.cos(2 * math.pi * (i + 0.5) / count)
    local angle = 2 * math.pi * frequency / RATE * (first + i)
    real = real + weight * samples[first + i] * math.cos(angle)
    imaginary = imaginary - weight * samples[first + i] * math.sin(angle)
    weights = weights + weight
  end
  return 2 * math.sqrt(real ^ 2 + imaginary ^ 2) / weights, math.atan(imaginary, real) / (2 * math.pi)
end

-- How many cents a sine is away from a frequency, by how far its phase drifts.
local function cents_from(samples, first, count, frequency)
  local half = count // 2
  local _, before = turning(samples, first, half, frequency)
  local _, after = turning(samples, first + half, half, frequency)
  local drift = after - before
  drift = drift - math.floor(drift + 0.5)
  return 1200 * math.log(1 + drift * RATE / half / frequency, 2)
end

local function loudness(samples, first, last)
  local sum = 0
  for i = first, last do
    sum = sum + samples[i] ^ 2
  end
  return math.sqrt(sum / (last - first + 1))
end

local function largest_jump(samples, first, last)
  local largest = 0
  for i = first + 1, last do
    largest = math.max(largest, math.abs(samples[i] - samples[i - 1]))
  end
  return largest
end

describe("the live engine #c", function()
  if not built then
    pending(WITHOUT)
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

  describe("sending a patch to a console", function()
    -- All messages that are due, as {channel, controller, value}.
    local function due(sender)
      local list = {}
      for message in function() return sender:next() end do
        local status, number, value = message:byte(1, 3)
        assert.equal(0xB, status >> 4)
        list[#list + 1] = { (status & 15) + 1, number, value }
      end
      return list
    end

    local function by_number(list)
      local values = {}
      for _, message in ipairs(list) do
        assert.is_nil(values[message[2]])
        values[message[2]] = message[3]
      end
      return values
    end

    it("has a controller of genMDM for every field, once", function()
      local patch = {
        algorithm = 5, feedback = 6, ams = 2, fms = 3, lfo = 4,
        { mul = 1, dt = -3, tl = 0, rs = 1, ar = 31, am = 1, dr = 10, sr = 20, rr = 9, sl = 8, ssg = 0 },
        { mul = 2, dt = 0, tl = 127, rs = 2, ar = 30, am = 0, dr = 11, sr = 21, rr = 10, sl = 7, ssg = 8 },
        { mul = 3, dt = 1, tl = 40, rs = 3, ar = 29, am = 0, dr = 12, sr = 22, rr = 11, sl = 6, ssg = 15 },
        { mul = 4, dt = 3, tl = 41, rs = 0, ar = 28, am = 1, dr = 13, sr = 23, rr = 12, sl = 5, ssg = 0 },
      }
      local list = due(core.sender(patch, 1))
      assert.equal(50, #list)
      local values = by_number(list)
      local expected = {
        [14] = 5 << 4, [15] = 6 << 4, [76] = 2 << 5, [75] = 3 << 4, [1] = 4 << 4, [74] = 127,
        -- The second controller of four is operator 3's, the third operator 2's.
        [16] = 127, [17] = 87, [18] = 0, [19] = 86, [20] = 8, [21] = 24, [22] = 16, [23] = 32,
        [24] = 7 << 4, [25] = 1 << 4, [26] = 0, [27] = 3 << 4, [39] = 32, [40] = 96, [41] = 64, [42] = 0,
        [43] = 124, [44] = 116, [45] = 120, [46] = 112, [70] = 64, [71] = 0, [72] = 0, [73] = 64,
        [47] = 40, [48] = 48, [49] = 44, [50] = 52, [51] = 80, [52] = 88, [53] = 84, [54] = 92,
        [59] = 72, [60] = 88, [61] = 80, [62] = 96, [55] = 64, [56] = 48, [57] = 56, [58] = 40,
        [90] = 0, [91] = 120, [92] = 64, [93] = 0,
      }
      assert.same(expected, values)
    end)

    it("sends only what changed, on every channel asked for", function()
      local sender = core.sender(SINE, 6)
      assert.equal(6 * 50, #due(sender))
      assert.same({}, due(sender))
      sender:patch(sine { tl = 5 })
      local list = due(sender)
      assert.equal(6, #list)
      for channel, message in ipairs(list) do
        assert.same({ channel, 16, 122 }, message)
      end
      assert.same({}, due(core.sender(SINE, 0)))
      assert.has_error(function() core.sender(SINE, 7) end)
    end)
  end)
end)

describe("what a live instrument decides", function()
  -- A client that keeps what it is sent, and gives the messages that are put in it.
  local function new_client()
    return {
      events = {}, patches = {}, full = false, gone = false, closed = 0,
      alive = function(self)
        if self.gone then
          return nil, "the server has gone", "io"
        end
        return true
      end,
      event = function(self)
        local event = table.remove(self.events, 1)
        if event then
          return event[1], event[2], event[3], 0
        end
      end,
      patch = function(self, patch)
        if not self.full then
          self.patches[#self.patches + 1] = patch
        end
        return not self.full
      end,
      about = function() return "fake", 48000, 256 end,
      counts = function() return { started = 0 } end,
      wait = function() end,
      silence = function() end,
      close = function(self) self.closed = self.closed + 1 end,
    }
  end

  local function new(options)
    local client = new_client()
    local settings = {
      space = space, seed = 1, temperature = 0.001, output = ".", latents = { table.unpack(space.centre) },
      patch = space:decode({ space.centre }, { temperature = 1, seed = 1 })[1],
    }
    for name, value in pairs(options or {}) do
      settings[name] = value
    end
    return instruments.new(client, settings), client
  end

  local function turn(client, number, value)
    client.events[#client.events + 1] = { 0xB0, number, value }
  end

  local function decoded(latents)
    return space:decode({ latents }, { temperature = 1, seed = 1 })[1]
  end

  it("learns the first controllers that are moved, in their order", function()
    local instrument, client = new()
    turn(client, 30, 64)
    turn(client, 12, 0)
    turn(client, 30, 127)
    local news = assert(instrument:poll())
    assert.same({ [30] = 1, [12] = 2 }, news.learned)
    assert.equal(3, news.events)
    assert.equal(space.centre[1] + 3 * space.spread[1], news.moved[1])
    assert.equal(space.centre[2] - 3 * space.spread[2], news.moved[2])
    assert.same({ 30, 12 }, instrument:status().controllers)
    assert.same({ decoded(instrument:status().latents) }, client.patches)
    for number = 40, 60 do
      turn(client, number, 100)
    end
    news = instrument:poll()
    assert.equal(6, #instrument:status().controllers - 2)
    assert.equal(8, news.learned[45])
    assert.is_nil(news.learned[46])
  end)

  it("does not learn pedals, banks and parameter numbers, nor anything when told the controllers", function()
    local instrument, client = new()
    for _, number in ipairs { 0, 6, 32, 38, 65, 66, 67, 68, 69, 96, 97, 98, 99, 100, 101 } do
      turn(client, number, 1)
    end
    assert.same({}, instrument:poll().learned)
    assert.same({}, client.patches)
    instrument, client = new { controllers = { 7, 0 } }
    turn(client, 5, 1)
    turn(client, 0, 127)
    local news = instrument:poll()
    assert.same({}, news.learned)
    assert.same({ [2] = space.centre[2] + 3 * space.spread[2] }, news.moved)
  end)

  it("makes one patch of all that came since the last poll, and none of nothing", function()
    local instrument, client = new()
    local before = space.decoded
    for value = 0, 100 do
      turn(client, 20, value)
    end
    assert.is_table(instrument:poll().patch)
    assert.is_nil(instrument:poll().patch)
    assert.equal(before + 1, space.decoded)
    assert.equal(1, #client.patches)
  end)

  it("reads a bounded number of messages a poll, and all in the end", function()
    local instrument, client = new()
    for _ = 1, 1000 do
      turn(client, 20, 7)
    end
    local events, polls = 0, 0
    repeat
      local news = instrument:poll()
      events, polls = events + news.events, polls + 1
    until news.events == 0
    assert.equal(1000, events)
    assert.is_true(polls > 2)
  end)

  it("sends the newest patch when a full client has room again", function()
    local instrument, client = new()
    client.full = true
    instrument:set(1, 0.2)
    instrument:set(1, -0.7)
    assert.same({}, client.patches)
    client.full = false
    instrument:poll()
    assert.same({ instrument:patch() }, client.patches)
    assert.equal(-0.7, instrument:status().latents[1])
  end)

  it("goes to the same points by program changes, and to new ones by random", function()
    local instrument, client = new()
    client.events = { { 0xC0, 5, 0 } }
    local news = instrument:poll()
    assert.equal(5, news.program)
    local five = instrument:status().latents
    local first = instrument:random()
    local latents = instrument:status().latents
    assert.not_same(five, latents)
    assert.same(decoded(latents), first)
    instrument:random()
    assert.not_same(latents, instrument:status().latents)
    client.events = { { 0xC0, 5, 0 } }
    instrument:poll()
    assert.same(five, instrument:status().latents)
    local other = new()
    other:random()
    assert.same(latents, other:status().latents) -- of the same seed
  end)

  it("undoes and redoes, gestures as one", function()
    local instrument, client = new()
    local first = instrument:patch()
    assert.is_false(instrument:undo())
    for value = 0, 127 do
      turn(client, 20, value)
      instrument:poll()
    end
    local second = instrument:patch()
    local third = instrument:random()
    assert.equal(2, instrument:status().undo)
    assert.is_true(instrument:undo())
    assert.same(second, instrument:patch())
    assert.equal(second, client.patches[#client.patches])
    assert.is_true(instrument:undo())
    assert.same(first, instrument:patch())
    assert.same(space.centre, instrument:status().latents)
    assert.is_false(instrument:undo())
    assert.is_true(instrument:redo())
    assert.is_true(instrument:redo())
    assert.same(third, instrument:patch())
    assert.is_false(instrument:redo())
    instrument:undo()
    instrument:set(1, 0)
    assert.is_false(instrument:redo())
    for _ = 1, 400 do
      instrument:random()
    end
    assert.is_true(instrument:status().undo < 400)
  end)

  it("loads a patch as it is, and moves on from its place", function()
    local instrument, client = new()
    instrument:load(support.PATCH)
    assert.equal(support.PATCH, instrument:patch())
    assert.equal(support.PATCH, client.patches[1])
    assert.is_true(math.abs(instrument:status().latents[3] - 2 / 3) < 1e-6)
    instrument:set(8, 1)
    assert.equal(5, instrument:patch().feedback)
    instrument:undo()
    assert.equal(support.PATCH, instrument:patch())
    assert.has_error(function() instrument:load { algorithm = 9 } end)
  end)

  it("takes another temperature", function()
    local instrument, client = new()
    assert.equal(0.001, instrument:temperature())
    assert.equal(0.5, instrument:temperature(0.5))
    assert.equal(1, #client.patches)
    instrument:temperature(0.5)
    assert.equal(1, #client.patches)
    for _, wrong in ipairs { 0, -1, 11, 0 / 0, "hot" } do
      assert.has_error(function() instrument:temperature(wrong) end)
    end
  end)

  it("saves where it is told, or under the next free name", function()
    local folder = support.new_folder()
    finally(function() support.remove_folder(folder) end)
    local instrument = new { output = folder .. "/saved" }
    assert.equal(folder .. "/one.tfi", instrument:save(folder .. "/one.tfi"))
    local path = assert(instrument:save())
    assert.equal(folder .. "/saved/live_001.y12", path)
    assert.equal(folder .. "/saved/live_002.y12", instrument:save())
    assert.equal(ym.crc32(ym.patch.pack { instrument:patch() }:bytes()),
      ym.crc32(ym.patch.pack { assert(ym.patch.read(path)) }:bytes()))
    assert.equal(folder .. "/saved/live_003.y12", new { output = folder .. "/saved" }:save())
    local shaking = sine {}
    shaking.ams, shaking.lfo, shaking[1].am = 2, 5, 1
    instrument:load(shaking)
    path = assert(instrument:save())
    assert.same({ 2, 5, 1 }, { ym.patch.read(path).ams, ym.patch.read(path).lfo, ym.patch.read(path)[1].am })
    local done, message, kind = instrument:save(folder .. "/none/x.y12")
    assert.is_nil(done)
    assert.equal("io", kind)
    assert.is_truthy(message:find(folder .. "/none/x.y12", 1, true))
    assert.equal("format", select(3, instrument:save(folder .. "/x.wav")))
    assert.has_error(function() instrument:save(5) end)
  end)

  it("tells when the server has gone", function()
    local instrument, client = new()
    client.gone = true
    local news, message, kind = instrument:poll()
    assert.is_nil(news)
    assert.equal("io", kind)
    assert.equal("the server has gone", message)
    instrument:close()
    assert.equal(1, client.closed)
  end)

  it("closes at the end of its block, and when it is collected", function()
    local client
    do
      local instrument <close>, kept = new()
      assert.is_truthy(tostring(instrument):find("8 latents"))
      client = kept
    end
    assert.equal(1, client.closed)
    client = select(2, new())
    collectgarbage()
    collectgarbage()
    assert.equal(1, client.closed)
  end)

  it("plays a patch without a space, and raises for what needs one", function()
    local client = new_client()
    local instrument = instruments.new(client, { patch = SINE, seed = 1, temperature = 0.001, output = "." })
    turn(client, 20, 5)
    client.events[2] = { 0xC0, 5, 0 }
    local news = instrument:poll()
    assert.same({ events = 2, moved = {}, learned = {} }, news)
    instrument:load(support.PATCH)
    assert.is_true(instrument:undo())
    assert.equal(SINE, instrument:patch())
    assert.has_error(function() instrument:random() end, "'random' needs an instrument with a space")
    assert.has_error(function() instrument:set(1, 0) end)
    assert.has_error(function() instrument:temperature(1) end)
  end)

  it("raises on misuse", function()
    local instrument = new()
    for _, wrong in ipairs { 0, 9, 1.5, "1" } do
      assert.has_error(function() instrument:set(wrong, 0) end)
    end
    assert.has_error(function() instrument:set(1, 0 / 0) end)
    assert.has_error(function() instrument:set(1) end)
    assert.is_truthy(instruments.controllers_problem({ 1, 2, 1 }, 8):find("controller 3 is 1"))
    assert.is_truthy(instruments.controllers_problem({ 64 }, 8))
    assert.is_truthy(instruments.controllers_problem({ 120 }, 8))
    assert.is_truthy(instruments.controllers_problem({ 1, 2, 3 }, 2))
    assert.is_nil(instruments.controllers_problem({ 0, 119 }, 8))
  end)
end)

describe("the live module", function()
  it("says what it lacks where it was not built", function()
    local text = support.run([[lua5.4 -e "package.path = \"./lua/?.lua;./lua/?/init.lua;\" .. package.path
      package.cpath = \"./lua/?.so;\" .. package.cpath
      package.preload[\"ym2612ml.live.core\"] = function() error \"no such file\" end
      print(select(2, pcall(require, \"ym2612ml.live\")))"]], ".")
    assert.is_truthy(text:find("libjack-jackd2-dev", 1, true), text)
    assert.is_truthy(text:find("no such file", 1, true), text)
  end)

  if not built then
    pending(WITHOUT)
    return
  end
  local live = require "ym2612ml.live"

  it("exports one symbol", function()
    local symbols = support.run("nm -D --defined-only lua/ym2612ml/live/core.so", ".")
    assert.equal("luaopen_ym2612ml_live_core", symbols:match("%x+ %u ([^\n]+)\n$"))
  end)

  it("opens nothing where there is no server, and says so", function()
    local instrument, message, kind = live.open { patch = SINE, server = "there_is_no_such_server" }
    assert.is_nil(instrument)
    assert.equal("io", kind)
    assert.equal("there_is_no_such_server: no JACK server of this name is running", message)
  end)

  it("raises on misuse", function()
    assert.has_error(function() live.open {} end,
      "bad argument #1 to 'open' (neither option 'space' nor 'patch' is there)")
    for _, wrong in ipairs {
      { patch = SINE, volume = 1 }, { patch = SINE, chip = "ym2151" }, { patch = { algorithm = 8 } },
      { patch = SINE, bend = -1 }, { patch = SINE, send = 7 }, { patch = SINE, controllers = { 1 } },
      { space = space, controllers = { 1, 1 } }, { space = space, temperature = 0 }, { patch = SINE, name = 5 },
    } do
      assert.has_error(function() live.open(wrong) end)
    end
  end)
end)

describe("a live instrument on a JACK server", function()
  if not servers.is_there() then
    pending("there is no jackd, or make did not build what plays (make specs)")
    return
  end
  local live = require "ym2612ml.live"

  -- What all knobs but the first are turned to, so that one operator is loud alone.
  local function turn_knobs(messages)
    for number = 20, 27 do
      messages[#messages + 1] = { 0, 0xB0, number, number <= 21 and 127 or 0 }
    end
  end

  it("plays notes in tune and at their frames", function()
    local server <close> = servers.start()
    local instrument, messages, notes, length = server:instrument(), {}, {}, RATE // 5
    turn_knobs(messages)
    for i = 0, 35 do -- twelve notes in each of three octaves, not in their order
      notes[i] = 36 + 24 * (i // 12) + i * 5 % 12
      messages[#messages + 1] = { RATE // 2 + i * length, 0x90, notes[i], 100 }
      messages[#messages + 1] = { RATE // 2 + (i + 1) * length - 2000, 0x80, notes[i], 0 }
    end
    local played = server:play(messages, 0.5 + 36 / 5, true)
    local left, counts = servers.left(played.bytes), instrument:finish()
    assert.equal(#messages, played.sent)
    assert.same({ "fine", 36, 8, 0, 0 },
      { counts.first, counts.started, counts.events, counts.dropped, counts.lost })
    for i = 0, 35 do
      local first = RATE // 2 + i * length
      local cents = cents_from(left, first + 800, length - 3200, frequency_of(notes[i]))
      assert.is_true(math.abs(cents) < 1, ("note %d is off by %.3f cents"):format(notes[i], cents))
      assert.is_true(loudness(left, first - 300, first) < 1e-4 and loudness(left, first + 60, first + 600) > 0.01, i)
    end
  end)

  it("answers a knob within two periods", function()
    local server <close> = servers.start()
    local instrument, messages, turned = server:instrument(), {}, {}
    turn_knobs(messages)
    for try = 1, 5 do -- silent, a note, and loud
      local at = 16000 * try
      turned[try] = at + 8000 + 53 * try
      for _, message in ipairs {
        { at, 0xB0, 20, 0 }, { at + 3000, 0x90, 69, 127 }, { turned[try], 0xB0, 20, 127 }, { at + 13000, 0x80, 69, 0 },
      } do
        messages[#messages + 1] = message
      end
    end
    local left = servers.left(server:play(messages, 2.1, true).bytes)
    assert.equal("fine", instrument:finish().first)
    local quickest = math.huge
    for _, frame in ipairs(turned) do
      local first = frame - 3000
      while math.abs(left[first]) < 1e-6 do
        first = first + 1
      end
      assert.is_true(first > frame, first - frame)
      quickest = math.min(quickest, first - frame) -- the others may have met a busy machine
    end
    assert.is_true(quickest <= 2 * servers.PERIOD, quickest)
  end)

  it("sends its patch to who listens, and what changes", function()
    local server <close> = servers.start()
    local instrument = server:instrument()
    local played = server:play({ { RATE // 2, 0xB0, 22, 127 } }, 1.2)
    assert.equal("fine", instrument:finish().first)
    local before, after = {}, {}
    for _, message in ipairs(played.heard) do
      local part = message[1] < RATE // 2 and before or after
      assert.equal(0xB0, message[2])
      part[message[3]] = message[4]
    end
    local sender = core.sender(space:decode({ space.centre }, { temperature = 1, seed = 1 })[1], 1)
    local count = 0
    for message in function() return sender:next() end do
      assert.equal(message:byte(3), before[message:byte(2)])
      count = count + 1
    end
    assert.equal(50, count)
    local latents = { table.unpack(space.centre) }
    latents[3] = instruments.reach(space, 3, 127)
    sender:patch(space:decode({ latents }, { temperature = 1, seed = 1 })[1])
    local expected = {}
    for message in function() return sender:next() end do
      expected[message:byte(2)] = message:byte(3)
    end
    assert.same(expected, after)
    assert.is_not_nil(next(after))
  end)

  it("ends when the server is ended or killed, and stays a fine Lua state", function()
    for _, signal in ipairs { "TERM", "KILL" } do
      local server <close> = servers.start()
      local instrument <close> = assert(live.open { space = space, server = server.name, name = "here" })
      assert.is_table(instrument:poll())
      local status = instrument:status()
      assert.same({ "here", RATE, servers.PERIOD }, { status.name, status.rate, status.period })
      instrument:silence()
      local other = server:instrument()
      server:kill(signal)
      assert.equal("ended io: the JACK server has gone", other:report().first)
      local news, message, kind
      servers.wait_for("the end", function()
        instrument:wait(0.1)
        news, message, kind = instrument:poll()
        return not news
      end)
      assert.equal("io", kind)
      assert.equal("the JACK server has gone", message)
      assert.equal("here", instrument:status().name)
      instrument:close()
      instrument:close()
      assert.has_error(function() instrument:poll() end, "the instrument is closed")
    end
  end)

  local resizes = os.execute("command -v jack_bufsize >/dev/null") and it or pending
  resizes("plays on when the server's periods become longer and shorter", function()
    local server <close> = servers.start()
    local instrument, messages = server:instrument(), {}
    for i = 0, 29 do
      messages[#messages + 1] = { 4000 * i, 0x90, 60 + i % 12, 100 }
      messages[#messages + 1] = { 4000 * i + 3000, 0x80, 60 + i % 12, 0 }
      messages[#messages + 1] = { 4000 * i + 3500, 0xB0, 20 + i % 8, i }
    end
    os.execute(("(for size in 1024 64 256; do sleep 0.5; JACK_DEFAULT_SERVER=%s jack_bufsize $size; done)"
      .. " >%s/bufsize.log 2>&1 &"):format(server.name, server.folder))
    assert.equal(#messages, server:play(messages, 2.8).sent)
    local counts = instrument:finish()
    assert.same({ "fine", 30, 30, 0 }, { counts.first, counts.started, counts.events, counts.lost })
  end)

  it("lives beside others, and comes again", function()
    local server <close> = servers.start()
    local list = {}
    for i = 1, 4 do
      list[i] = assert(live.open { patch = SINE, server = server.name, name = "same", connect = true })
    end
    assert.not_equal(list[1]:status().name, list[2]:status().name)
    list[1]:close()
    list[2], list[3], list[4] = nil, nil, nil
    collectgarbage()
    collectgarbage()
    local instrument <close> = assert(live.open { patch = SINE, server = server.name, name = "same" })
    assert.equal("same", instrument:status().name)
  end)

  it("is a command that ends as it is told", function()
    local server <close> = servers.start()
    assert(ym.patch.write(server.folder .. "/lead.y12", support.PATCH))
    local command = "lua5.4 lua/ym2612ml/cli.lua live --patch @/lead.y12 -o @/saved --server " .. server.name
    local typed = [[s\nu\nl @/lead.y12\nu\ny\nn\ni\nr\n?\nq\n]]
    local text, complaint, status = support.run(("printf \"%s\" | %s --name keys"):format(typed, command),
      server.folder)
    assert.is_truthy(text:find("keys plays", 1, true), text .. complaint)
    for _, expected in ipairs {
      "saved " .. server.folder .. "/saved/live_001.y12", "nothing to undo", "undone", "redone", "0 notes (0 lost)",
      "lines: s [FILE]",
    } do
      assert.is_truthy(text:find(expected, 1, true), expected .. ": " .. text)
    end
    assert.is_truthy(complaint:find("that needs a learned space", 1, true))
    assert.equal(1, status)
    for _, ending in ipairs { "%s --seconds 0.3", "timeout --preserve-status -s INT 2 %s" } do
      text, complaint, status = support.run(ending:format(command), server.folder)
      assert.same({ "", 0 }, { complaint, status }, text)
    end
    support.assert_fails("lua5.4 lua/ym2612ml/cli.lua live --patch @/lead.y12 --server nosuch", server.folder,
      "nosuch: no JACK server of this name is running")
    support.assert_fails("lua5.4 lua/ym2612ml/cli.lua live --patch @/none.y12", server.folder, "none.y12")
    support.assert_fails("lua5.4 lua/ym2612ml/cli.lua live --controllers 5,x", server.folder,
      "option '--controllers': 'x' is no number of a controller", 2)
  end)

  it("takes no memory and no lock in the audio callback, loses nothing and does not grow", function()
    local text, complaint, status = support.run("lua5.4 spec/live/soak.lua 5", ".")
    assert.equal(0, status, text .. complaint)
  end)

  it("is watched by what would see memory and locks", function()
    local server <close> = servers.start()
    local instrument = server:instrument(0, "WATCH_SELF=1")
    server:play({}, 0.2)
    instrument:finish()
    local watched = server:watched()
    assert.is_true(watched.callbacks > 10)
    assert.same({ 2 * watched.callbacks, watched.callbacks }, { watched.memory, watched.locks })
  end)
end)
