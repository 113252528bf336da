local cjson = require "cjson"
local fronts = require "ym2612ml.networks.fronts"
local nn = require "ym2612ml.nn"
local ym = require "ym2612ml"

-- Sounds of noise and a sine.
local function sounds(count, samples)
  local rng, made = ym.rng.new { seed = 3 }, ym.tensor.new { count, samples }
  for row = 1, count do
    local step = rng:uniform()
    local sound = made[row]
    for i = 1, samples do
      sound[i] = 0.3 * math.sin(i * step) + 0.1 * rng:normal()
    end
  end
  return made
end

local function same(a, b)
  assert.same(a:shape(), b:shape())
  assert.is_true(a:to("f32"):bytes() == b:to("f32"):bytes())
end

local function moments(row)
  local sum, square, count = 0, 0, 0
  local function add(value)
    if type(value) == "table" then
      for _, part in ipairs(value) do
        add(part)
      end
    else
      sum, square, count = sum + value, square + value ^ 2, count + 1
    end
  end
  add(row:totable())
  return sum / count, math.sqrt(math.max(square / count - (sum / count) ^ 2, 0))
end

describe("front ends #c", function()
  it("let soft samples count where that is asked for", function()
    local front = fronts.new({ kind = "raw", compand = 999 }, 8000, 4)
    local told = assert(front:apply(ym.tensor.from { { 0, 0.001, -0.1, 1 } }))
    local scale = math.log(1000)
    for i, expected in ipairs { 0, math.log(1.999) / scale, -math.log(100.9) / scale, 1 } do
      assert.near(expected, told:get(1, i), 1e-6)
    end
  end)

  it("take the samples, fewer of them, or zeros behind them", function()
    local given = sounds(3, 100)
    local front = fronts.new({ kind = "raw" }, 16384, 100)
    assert.same({ 100 }, front.shape)
    same(given, front:apply(given))
    local short = fronts.new({ kind = "raw", size = 7 }, 16384, 100):apply(given)
    local long = fronts.new({ kind = "raw", size = 130 }, 16384, 100):apply(given)
    assert.same({ 3, 7 }, short:shape())
    for row = 1, 3 do
      same(given[row]:slice(1, 7), short[row])
      same(given[row], long[row]:slice(1, 100))
      same(ym.tensor.new { 30 }, long[row]:slice(101, 130))
    end
  end)

  it("draw a frame for every hop begun", function()
    local given = sounds(2, 16384)
    local front = fronts.new({ kind = "stft", size = 512, hop = 256 }, 16384, 16384)
    assert.same({ 64, 257 }, front.shape)
    local options = { rate = 16384, size = 512, hop = 256, scale = "db", floor = 1e-8 }
    local drawn, wanted = front:apply(given), ym.spectrogram(given, options)
    for row = 1, 2 do
      same(wanted[row]:slice(1, 64), drawn[row])
    end
    assert.same({ 5, 257 }, fronts.new({ kind = "stft" }, 8000, 1025).shape)
  end)

  it("draw as many frames as they are told", function()
    local given = sounds(1, 1024)
    local all = fronts.new({ kind = "stft", size = 64, hop = 32 }, 8000, 1024):apply(given)
    local few = fronts.new({ kind = "stft", size = 64, hop = 32, frames = 5 }, 8000, 1024):apply(given)
    local many = fronts.new({ kind = "stft", size = 64, hop = 32, frames = 40 }, 8000, 1024):apply(given)
    same(all[1]:slice(1, 5), few[1])
    same(all[1], many[1]:slice(1, 32))
    assert.is_true(math.abs(many:get(1, 40, 9) + 80) < 1e-4) -- silence is at the floor
  end)

  it("draw mel bands", function()
    local given = sounds(2, 4000)
    local settings = { kind = "mel", size = 256, hop = 100, bands = 20, low = 100, high = 3000, scale = "magnitude" }
    local drawn = fronts.new(settings, 8000, 4000):apply(given)
    local wanted = ym.mel(given, {
      rate = 8000, size = 256, hop = 100, bands = 20, low = 100, high = 3000, scale = "magnitude",
    })
    assert.same({ 2, 40, 20 }, drawn:shape())
    same(wanted[2]:slice(1, 40), drawn[2])
  end)

  it("draw frames that lie inside the sound, as SciPy does", function()
    local front = fronts.new({ kind = "spectrogram" }, 44100, 141120)
    assert.same({ 629, 129 }, front.shape)
    front = fronts.new({ kind = "spectrogram", window = "rectangular" }, 44100, 2000)
    local given = ym.tensor.new { 2, 2000 }
    given:set(1, 230, 1) -- heard where two frames overlap
    given:set(2, 1, 1) -- heard at the very edge of the first
    local drawn = front:apply(given)
    for frame = 1, 8 do
      assert.equal(frame <= 2, drawn:get(1, frame, 5) > 1e-9)
      assert.equal(frame == 1, drawn:get(2, frame, 5) > 1e-9)
    end
  end)

  it("resize pictures bilinearly", function()
    local given = sounds(2, 3000)
    local plain = fronts.new({ kind = "stft", size = 64, hop = 100 }, 8000, 3000):apply(given)
    local front = fronts.new({ kind = "stft", size = 64, hop = 100, height = 15, width = 66 }, 8000, 3000)
    assert.same({ 15, 66 }, front.shape)
    local drawn = front:apply(given)
    for _, place in ipairs { { 1, 1, 1 }, { 2, 7, 33 }, { 2, 15, 66 } } do
      local row, line, column = table.unpack(place)
      -- lines are halved: the middle of two; columns doubled: a quarter from the nearest
      local first, near = 2 * line - 1, (column + 1) // 2
      local far = math.min(math.max(column % 2 == 1 and near - 1 or near + 1, 1), 33)
      local wanted = 0
      for at = first, first + 1 do
        wanted = wanted + (0.75 * plain:get(row, at, near) + 0.25 * plain:get(row, at, far)) / 2
      end
      assert.is_true(math.abs(wanted - drawn:get(row, line, column)) < 1e-3)
    end
  end)

  it("keep the level, unless told to take it out of each row", function()
    local given = sounds(2, 4000)
    local soft = given:to "f32"
    for i = 1, 4000 do
      soft:set(2, i, given:get(2, i) / 10)
    end
    local front = fronts.new({ kind = "mel", scale = "db", floor = 1e-20 }, 8000, 4000)
    local loud_row, soft_row = front:apply(given)[2], front:apply(soft)[2]
    for band = 1, 64 do
      assert.is_true(math.abs(loud_row:get(3, band) - soft_row:get(3, band) - 20) < 1e-3)
    end
    for _, settings in ipairs {
      { kind = "mel", normalise = "row" }, { kind = "raw", normalise = "row" },
      { kind = "stft", height = 20, width = 9, normalise = "row" },
    } do
      local drawn = fronts.new(settings, 8000, 4000):apply(soft)
      for row = 1, 2 do
        local mean, deviation = moments(drawn[row])
        assert.is_true(math.abs(mean) < 1e-4 and math.abs(deviation - 1) < 1e-4)
      end
      local silent = fronts.new(settings, 8000, 4000):apply(ym.tensor.new { 1, 4000 })
      local mean, deviation = moments(silent[1])
      assert.is_true(math.abs(mean) < 0.01 and deviation < 0.01)
    end
  end)

  it("give each sound what it gives it alone", function()
    local given = sounds(70, 900)
    for _, settings in ipairs {
      { kind = "raw", normalise = "row" }, { kind = "stft", size = 64 }, { kind = "mel", size = 128, bands = 8 },
      { kind = "spectrogram", height = 9, width = 9 },
    } do
      local front = fronts.new(settings, 8000, 900)
      local drawn = front:apply(given)
      for _, row in ipairs { 1, 64, 65, 70 } do
        same(front:apply(given:slice(row, row))[1], drawn[row])
      end
      local turned = ym.tensor.new { 900, 70 }
      turned:copy(given:permute { 2, 1 })
      same(drawn, front:apply(turned:permute { 2, 1 })) -- whatever its strides
      assert.same(0, #front:apply(given:slice(1, 0)))
    end
  end)

  it("are made again from their settings, as JSON keeps them", function()
    local given = sounds(2, 3000)
    for _, settings in ipairs {
      { kind = "raw", size = 999 }, { kind = "stft" }, { kind = "mel", bands = 12 },
      { kind = "spectrogram", height = 12, width = 30, normalise = "row" }, fronts.even_mel(8000, 0.375, 16, 10),
    } do
      local front = fronts.new(settings, 8000, 3000)
      local again = fronts.new(cjson.decode(cjson.encode(front.settings)), 8000, 3000)
      assert.same(front.shape, again.shape)
      same(front:apply(given), again:apply(given))
    end
  end)

  it("cover a whole sound with as many frames as wanted", function()
    for _, case in ipairs { { 16384, 1 }, { 53267, 1.2 }, { 44100, 3.2 }, { 8000, 0.01 } } do
      local rate, length = table.unpack(case)
      local settings = fronts.even_mel(rate, length, 128, 24)
      local front = fronts.new(settings, rate, math.floor(rate * length))
      assert.same({ 128, 24 }, front.shape)
      assert.is_true(front.settings.hop * 128 >= front.samples)
      assert.is_true(front.settings.size >= 2 * front.settings.hop)
    end
  end)

  it("outlive what they were made of", function()
    local front = fronts.new({ kind = "spectrogram", height = 10, width = 10 }, 8000, 3000)
    local first = front:apply(sounds(2, 3000))
    collectgarbage()
    collectgarbage()
    same(first, front:apply(sounds(2, 3000)))
  end)

  it("return what is wrong with sounds", function()
    for _, settings in ipairs { { kind = "raw" }, { kind = "stft" }, { kind = "mel", normalise = "row" } } do
      local given = sounds(3, 2000)
      given:set(2, 7, 0 / 0)
      local rows, message, kind = fronts.new(settings, 8000, 2000):apply(given)
      assert.is_nil(rows)
      assert.equal("string", type(message))
      assert.equal("input", kind)
    end
  end)

  it("raise where they are misused", function()
    local cases = {
      { "kind' is missing", {} },
      { "kind' is fft", { kind = "fft" } },
      { "unknown option 'hop'", { kind = "raw", hop = 4 } },
      { "unknown option 'overlap'", { kind = "stft", overlap = 4 } },
      { "unknown option 'bands'", { kind = "stft", bands = 4 } },
      { "'size' is 511, expected an even", { kind = "stft", size = 511 } },
      { "'size' is 8", { kind = "mel", size = 8 } },
      { "'hop' is 0", { kind = "stft", hop = 0 } },
      { "'floor' is 0", { kind = "stft", floor = 0 } },
      { "'scale' is log", { kind = "stft", scale = "log" } },
      { "'window' is kaiser", { kind = "stft", window = "kaiser" } },
      { "'low' is 3000, expected less than a high of 2000", { kind = "mel", low = 3000, high = 2000 } },
      { "'high' is 5000", { kind = "mel", high = 5000 } },
      { "'overlap' is 256", { kind = "spectrogram", overlap = 256 } },
      { "a sound has 2000 samples", { kind = "spectrogram", size = 4096 } },
      { "'height' and 'width' go together", { kind = "stft", height = 4 } },
      { "'normalise' is all", { kind = "stft", normalise = "all" } },
      { "more than 3600 seconds", { kind = "stft", hop = 2 ^ 20, frames = 1000 } },
      { "'frames' is 2097152", { kind = "stft", size = 16, hop = 1, frames = 2 ^ 21 } },
      { "1024 frames of 16385 numbers", { kind = "stft", size = 2 ^ 15, frames = 1024, hop = 1 } },
      { "'height' and 'width' are 65536 and 65536", { kind = "stft", height = 2 ^ 16, width = 2 ^ 16 } },
    }
    local front = fronts.new({ kind = "stft" }, 8000, 2000)
    local function misuse(pattern, ...)
      local done, message = pcall(...)
      assert.is_false(done)
      assert.matches("^spec/fronts_spec.lua:%d+: ", message)
      assert.is_truthy(message:find(pattern, 1, true), message)
    end
    for _, case in ipairs(cases) do
      misuse(case[1], function() return (fronts.new(case[2], 8000, 2000)) end)
    end
    misuse("#1 to 'new' (table expected", function() return (fronts.new(nil, 8000, 2000)) end)
    misuse("#2 to 'new' (999,", function() return (fronts.new({ kind = "raw" }, 999, 2000)) end)
    misuse("#3 to 'new' (0,", function() return (fronts.new({ kind = "raw" }, 8000, 0)) end)
    misuse("#1 to 'apply' (tensor expected", function() return (front:apply(nil)) end)
    misuse("expected f32 (sounds, 2000)", function() return (front:apply(sounds(1, 1999))) end)
    misuse("(tensor i16 (1, 2000)", function() return (front:apply(ym.tensor.new({ 1, 2000 }, "i16"))) end)
  end)

  it("tell a network what it cannot hear", function()
    assert.error_matches(function()
      nn.graph(function(g) return { out = fronts.as_image(g:input("x", { 100 })) } end)
    end, "pictures, %(time, frequency%), but its front end gives rows of %(100%)")
    assert.error_matches(function()
      nn.graph(function(g) return { out = fronts.as_sequence(g:input("x", { 10, 5 })) } end)
    end, "hears samples, but its front end gives rows of %(10, 5%)")
  end)
end)
