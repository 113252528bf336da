local lfs = require "lfs"
local support = require "spec.support"
local ym = require "ym2612ml"

local folder

-- A path in the folder of this run.
local function path(name)
  return folder .. "/" .. name
end

local function write_bytes(name, bytes)
  local file = assert(io.open(path(name), "wb"))
  file:write(bytes)
  file:close()
  return path(name)
end

-- A WAV file of these bytes of data. tag 1: integers, 3: float.
local function wav(name, tag, bits, channels, rate, data, claimed)
  local block = channels * bits // 8
  return write_bytes(name, "RIFF" .. ("<I4"):pack(36 + #data) .. "WAVEfmt "
    .. ("<I4I2I2I4I4I2I2"):pack(16, tag, channels, rate, rate * block, block, bits)
    .. "data" .. ("<I4"):pack(claimed or #data) .. data)
end

local function ramp(count)
  local samples = ym.tensor.new { count }
  for i = 1, count do
    samples[i] = math.sin(i * 0.1) * i / count
  end
  return samples
end

local function assert_close(expected, found, tolerance)
  assert.equal(#expected, #found)
  for i = 1, #expected do
    assert.is_true(math.abs(expected[i] - found[i]) <= tolerance,
      ("sample %d: %g, expected %g"):format(i, found[i], expected[i]))
  end
end

local function assert_failure(kind, message, result, found, found_kind)
  assert.is_nil(result)
  assert.equal(kind, found_kind, found)
  assert.equal(1, (found:find(message, 1, true)), found)
  assert.is_nil(found:find "\n")
end

setup(function()
  folder = os.tmpname()
  os.remove(folder)
  assert(lfs.mkdir(folder))
end)

teardown(function()
  for name in lfs.dir(folder) do
    os.remove(path(name))
  end
  assert(lfs.rmdir(folder))
end)

describe("audio #c", function()
  it("reads back what it wrote, in every format", function()
    local samples = ramp(10000)
    for _, case in ipairs {
      { "wav", 16, 0.51 / 32768 }, { "wav", 24, 0.51 / 8388608 }, { "wav", 32, 0 },
      { "flac", 16, 0.51 / 32768 }, { "flac", 24, 0.51 / 8388608 },
    } do
      local format, bits, tolerance = table.unpack(case)
      local name = path(("%d.%s"):format(bits, format))
      assert.is_true(ym.audio.write(name, samples, 44100, { format = format, bits = bits }))
      local sound = assert(ym.audio.read(name))
      assert_close(samples, sound.samples, tolerance)
      assert.equal(44100, sound.rate)
      assert.equal("integer", math.type(sound.rate))
      assert.equal(1, sound.channels)
      assert.equal(0, sound.clipped)
      assert.equal(name, sound.path)
      assert.is_true(math.abs(sound.seconds - 10000 / 44100) < 1e-9)
      -- a second trip changes nothing
      assert.is_true(ym.audio.write(name, sound.samples, 44100, { format = format, bits = bits }))
      assert.equal(sound.samples:bytes(), ym.audio.read(name).samples:bytes())
    end
  end)

  it("writes what the end of a path tells, unless it is told", function()
    local function first(name, options)
      assert.is_true(ym.audio.write(path(name), ramp(100), 44100, options))
      return support.read_file(path(name)):sub(1, 4)
    end
    assert.equal("fLaC", first "a.flac")
    assert.equal("fLaC", first "a.FLAC")
    assert.equal("RIFF", first "a.wav")
    assert.equal("RIFF", first "flac")
    assert.equal("RIFF", first("a.flac", { format = "wav" }))
  end)

  it("refuses hours of near silence that a small file unpacks to, and reads minutes of it", function()
    local samples = ym.tensor.new { 25200000 }
    samples[7] = 1
    local bytes = ym.audio.encode(samples, 44100, { format = "flac" })
    local name = write_bytes("bomb.flac", bytes)
    local sound, message, kind = ym.audio.read(name)
    assert.is_nil(sound)
    assert.equal(("%s: holds more than 25165824 frames in %d bytes, expected at most 64 a byte of what is so long")
      :format(name, #bytes), message)
    assert.equal("input", kind)
    write_bytes("bomb.flac", ym.audio.encode(samples:slice(1, 5000000), 44100, { format = "flac" }))
    assert.equal(5000000, #assert(ym.audio.read(name)).samples)
    local rng = ym.rng.new {}
    for i = 1, 170000 do
      samples[i] = rng:uniform(-1, 1) -- which no format packs
    end
    write_bytes("bomb.flac", ym.audio.encode(samples, 44100, { format = "flac" }))
    assert.equal(#samples, #assert(ym.audio.read(name)).samples)
  end)

  it("mixes channels to their mean", function()
    local sound = assert(ym.audio.read(wav("stereo.wav", 1, 16, 2, 8000,
      ("<i2i2i2i2i2i2"):pack(1000, 3000, -2000, 2000, 0, 10))))
    assert_close({ 2000 / 32768, 0, 5 / 32768 }, sound.samples, 1e-7)
    assert.equal(2, sound.channels)
    for channels = 1, 7, 3 do
      local samples = ym.tensor.new { 2000, channels }
      for i = 1, 2000 do
        for c = 1, channels do
          samples:set(i, c, c == 1 and i % 100 / 200 or 0)
        end
      end
      assert.is_true(ym.audio.write(path "many.wav", samples, 48000))
      local mixed = assert(ym.audio.read(path "many.wav"))
      assert.equal(channels, mixed.channels)
      assert.is_true(math.abs(mixed.samples[100 - 1] - 99 / 200 / channels) < 1e-4)
    end
  end)

  it("reads 8 bits, floats beyond full scale and other rates", function()
    local sound = assert(ym.audio.read(wav("8.wav", 1, 8, 1, 11025, "\128\255\0\192")))
    assert_close({ 0, 127 / 128, -1, 0.5 }, sound.samples, 1e-7)
    assert.equal(11025, sound.rate)
    sound = assert(ym.audio.read(wav("float.wav", 3, 32, 1, 96000, ("<fff"):pack(0, 2.5, -3))))
    assert_close({ 0, 2.5, -3 }, sound.samples, 0)
  end)

  it("counts clipped samples: three or more at full scale with one sign", function()
    local full, low = 32767, -32768
    local data = ("<" .. ("i2"):rep(13)):pack(full, full, 0, full, full, full, full, 0, low, low, low, full, full)
    assert.equal(7, ym.audio.read(wav("clipped.wav", 1, 16, 1, 44100, data)).clipped)
  end)

  it("resamples on reading", function()
    ym.audio.write(path "tone.wav", ramp(4410), 44100)
    local sound = assert(ym.audio.read(path "tone.wav", { rate = 22050 }))
    assert.equal(2205, #sound.samples)
    assert.equal(22050, sound.rate)
    assert.is_true(math.abs(sound.seconds - 0.1) < 1e-9)
  end)

  it("does not believe what a header claims", function()
    local sound = assert(ym.audio.read(wav("claim.wav", 1, 16, 1, 44100, ("<i2i2"):pack(5, 900), 0x7FFFFFF0)))
    assert.equal(2, #sound.samples)
  end)

  it("returns what cannot be read with its path and a reason", function()
    local function fails(kind, name, reason)
      assert_failure(kind, name .. ": " .. reason, ym.audio.read(name))
    end
    fails("io", path "missing.wav", "No such file")
    fails("io", folder, "is a folder")
    fails("io", "/dev/null", "is not a regular file")
    fails("input", write_bytes("nothing.wav", ""), "is empty")
    fails("format", write_bytes("text.wav", "This is no sound.\n"), "is not a sound file")
    fails("format", write_bytes("short.wav", "RIFF\1\0\0\0WA"), "is not a sound file")
    fails("input", wav("empty.wav", 1, 16, 1, 44100, ""), "is empty")
    fails("input", wav("silent.wav", 1, 16, 2, 44100, ("\0"):rep(4000)), "is silent")
    fails("input", wav("constant.wav", 1, 16, 1, 44100, ("\1\2"):rep(400)), "is silent")
    fails("input", wav("one.wav", 1, 16, 1, 44100, "\1\2"), "is silent")
    fails("input", wav("nan.wav", 3, 32, 1, 44100, ("<fff"):pack(0, 0 / 0, 1)), "holds values")
    fails("input", wav("infinite.wav", 3, 32, 1, 44100, ("<fff"):pack(0, 1 / 0, 1)), "holds values")
    fails("format", wav("slow.wav", 1, 16, 1, 20, ("<i2i2"):pack(1, 900)), "rate is 20 Hz")
  end)

  it("reads damaged files as a failure or as what is left, and never worse", function()
    ym.audio.write(path "whole.flac", ramp(20000), 44100, { format = "flac" })
    local file = assert(io.open(path "whole.flac", "rb"))
    local bytes = file:read "a"
    file:close()
    math.randomseed(11, 1)
    for i = 1, 60 do
      local at = math.random(#bytes)
      local damaged = i % 3 == 0 and bytes:sub(1, at)
        or bytes:sub(1, at - 1) .. string.char(math.random(0, 255)) .. bytes:sub(at + 1)
      local sound, message, kind = ym.audio.read(write_bytes("damaged.flac", damaged))
      if not sound then
        assert.matches("damaged.flac: ", message)
        assert.is_true(kind == "format" or kind == "input")
      end
    end
  end)

  it("clamps to full scale and rounds to the nearest", function()
    assert.is_true(ym.audio.write(path "loud.wav", { 3, -3, 0.4 / 32768, 0.6 / 32768 }, 44100))
    assert_close({ 32767 / 32768, -1, 0, 1 / 32768 }, ym.audio.read(path "loud.wav").samples, 0)
  end)

  it("writes whole files or none, over what was there", function()
    local name = path "kept.wav"
    assert.is_true(ym.audio.write(name, ramp(100), 44100))
    assert_failure("input", name .. ": sample 2 is", ym.audio.write(name, { 0, 0 / 0 }, 44100))
    assert.equal(100, #ym.audio.read(name).samples)
    assert.is_true(ym.audio.write(name, ramp(50), 22050))
    assert.equal(50, #ym.audio.read(name).samples)
    assert_failure("io", path "no/where.wav", ym.audio.write(path "no/where.wav", ramp(9), 44100))
    assert_failure("io", folder .. ": is not a regular file", ym.audio.write(folder, ramp(9), 44100))
    assert_failure("io", "/dev/null: is not", ym.audio.write("/dev/null", ramp(9), 44100))
    assert_failure("format", path "fast.flac",
      ym.audio.write(path "fast.flac", ym.tensor.new { 9, 20 }, 44100, { format = "flac" }))
    for entry in lfs.dir(folder) do
      assert.is_nil(entry:find "^%.ym2612ml", entry)
    end
  end)

  it("gives the bytes of the file it would write", function()
    local samples = ramp(100000)
    for _, options in ipairs {
      { format = "wav", bits = 16 }, { format = "wav", bits = 32 }, { format = "flac", bits = 16 },
      { format = "flac", bits = 24 },
    } do
      local bytes = assert(ym.audio.encode(samples, 44100, options))
      assert.is_true(ym.audio.write(path "written", samples, 44100, options))
      local file <close> = assert(io.open(path "written", "rb"))
      assert.is_true(bytes == file:read("a"))
    end
    assert.equal(44, #ym.audio.encode({}, 44100))
    assert_failure("input", "sample 2 is", ym.audio.encode({ 0, 0 / 0 }, 44100))
    assert_failure("format", "sound: cannot be written as 16 bits",
      ym.audio.encode(ym.tensor.new { 9, 20 }, 44100, { format = "flac" }))
  end)

  it("writes nothing that depends on the time of day", function()
    local bytes = assert(ym.audio.encode(ym.tensor.from { 0, 0.5, -0.5 }, 44100, { bits = 32 }))
    assert.equal("RIFF", bytes:sub(1, 4))
    assert.is_nil(bytes:find("PEAK", 1, true), "a chunk with a time stamp")
  end)

  it("writes an empty sound", function()
    assert.is_true(ym.audio.write(path "none.wav", ym.tensor.new { 0 }, 44100))
    assert_failure("input", path "none.wav", ym.audio.read(path "none.wav"))
  end)

  it("raises on misuse", function()
    local function raises(message, f, ...)
      local arguments = table.pack(...)
      assert.error_matches(function() f(table.unpack(arguments, 1, arguments.n)) end, message)
    end
    raises("bad argument #1", ym.audio.read)
    raises("unknown option 'rates'", ym.audio.read, "x.wav", { rates = 1 })
    raises("option 'rate' is 1,", ym.audio.read, "x.wav", { rate = 1 })
    raises("bad argument #2", ym.audio.write, path "x.wav", "samples", 44100)
    raises("rate is 0", ym.audio.write, path "x.wav", { 0 }, 0)
    raises("'format' is mp3", ym.audio.write, path "x.wav", { 0 }, 44100, { format = "mp3" })
    raises("'bits' is not 16, 24", ym.audio.write, path "x.wav", { 0 }, 44100, { bits = 17 })
    raises("'bits' is not 16, 24", ym.audio.write, path "x.wav", { 0 }, 44100, { bits = 32, format = "flac" })
    raises("channels", ym.audio.write, path "x.wav", ym.tensor.new { 4, 0 }, 44100)
    raises("rank is above 2", ym.audio.write, path "x.wav", ym.tensor.new { 4, 1, 1 }, 44100)
    raises("bad argument #1", ym.audio.encode, "samples", 44100)
    raises("bad argument #2 .*rate is 0", ym.audio.encode, { 0 }, 0)
    raises("bad argument #3 .*'bits' is not", ym.audio.encode, { 0 }, 44100, { bits = 17 })
    raises("bad argument #3", ym.audio.resample, { 0 }, 44100)
    raises("factor of 256", ym.audio.resample, { 0 }, 1000, 600000)
    assert.is_nil(lfs.attributes(path "x.wav"))
  end)
end)

describe("resample #c", function()
  it("keeps a tone's pitch, level and time", function()
    for _, case in ipairs { { 44100, 53267 }, { 53267, 44100 }, { 8000, 48000 }, { 48000, 53267.04 } } do
      local from, to = table.unpack(case)
      local samples = ym.tensor.new { 8000 }
      for i = 1, 8000 do
        samples[i] = 0.7 * math.sin(2 * math.pi * 440 * (i - 1) / from)
      end
      local result = ym.audio.resample(samples, from, to)
      assert.equal(math.ceil(8000 * to / from), #result)
      for i = #result // 4, #result // 4 * 3 do
        local expected = 0.7 * math.sin(2 * math.pi * 440 * (i - 1) / to)
        assert.is_true(math.abs(result[i] - expected) < 1e-3)
      end
    end
  end)

  it("takes equal rates, nothing, and returns bad samples as failures", function()
    local samples = ramp(500)
    assert_close(samples, ym.audio.resample(samples, 44100, 44100), 1e-6)
    assert.equal(0, #ym.audio.resample({}, 44100, 48000))
    assert_failure("input", "sample 3 is", ym.audio.resample({ 0, 0, 1 / 0 }, 44100, 48000))
  end)
end)
