local cjson = require "cjson"
local core = require "ym2612ml.core"
local support = require "spec.support"
local ym = require "ym2612ml"

local RATE = 53267

local tone = support.fm_tone

local TARGET = tone(220, 2, 2, 16000)

-- By the definitions in NumPy and double precision.
local GOLDEN = {
  { "another modulation index", tone(220, 2.5, 2, 16000), {
    mss = 1.934829, wmfcc = 1.956772, sot = 0.004135, rms_cosine = 0.998393, pcc = 0.988680, lsd = 1.724740,
  } },
  { "another pitch", tone(222, 2, 2, 16000), {
    mss = 0.847253, wmfcc = 5.177630, sot = 0.000462, rms_cosine = 0.999999, pcc = 0.984513, lsd = 1.958038,
  } },
  { "another decay", tone(220, 2, 6, 16000), {
    mss = 2.039139, wmfcc = 3.106651, sot = 0.000181, rms_cosine = 0.959859, pcc = 0.988485, lsd = 1.241547,
  } },
  { "another level and offset", tone(220, 2, 2, 16000, 0.05, 0), {
    mss = 0, wmfcc = 0, sot = 0, rms_cosine = 1, pcc = 1, lsd = 0,
  } },
  { "a shorter sound", tone(220, 2, 2, 5000), {
    mss = 14.761416, wmfcc = 13.618247, sot = 0.615950, rms_cosine = 0.648207, pcc = 0.537110, lsd = 8.852782,
  } },
  { "a longer sound", tone(220, 2, 2, 24000), {
    mss = 6.941701, wmfcc = 5.962765, sot = 0.266450, rms_cosine = 0.918465, pcc = 0.844091, lsd = 3.516963,
  } },
  { "silence", ym.tensor.new { 100 }, { mss = 20.223920, sot = 0.973731, rms_cosine = 0, pcc = 0, lsd = 11.914287 } },
}

describe("metrics #c", function()
  it("agree with the definitions in double precision", function()
    for _, case in ipairs(GOLDEN) do
      local measures = assert(ym.metrics.all(TARGET, case[2]))
      for name, value in pairs(case[3]) do
        -- there the resampler is another one
        local tolerance = (name == "pcc" or name == "lsd") and 0.03 or 2e-3
        assert.near(value, measures[name], 1e-3 + tolerance * value, case[1] .. ": " .. name)
      end
      assert.is_true(measures.wmfcc == measures.wmfcc)
    end
  end)

  it("are the same one by one", function()
    local measures = assert(ym.metrics.all(TARGET, GOLDEN[1][2]))
    local count = 0
    for _ in pairs(measures) do
      count = count + 1
    end
    assert.equal(count, #ym.metrics.names)
    for _, name in ipairs(ym.metrics.names) do
      assert.equal(measures[name], ym.metrics[name](TARGET, GOLDEN[1][2]), name)
      collectgarbage()
    end
  end)

  it("take other rates, and plain tables", function()
    local a, b = ym.audio.resample(TARGET, RATE, 44100), ym.audio.resample(GOLDEN[1][2], RATE, 44100)
    local measures = assert(ym.metrics.all(a, b, { rate = 44100 }))
    assert.near(GOLDEN[1][3].pcc, measures.pcc, 2e-3)
    assert.near(GOLDEN[1][3].rms_cosine, measures.rms_cosine, 1e-3)
    assert.equal(measures.mss, ym.metrics.mss(a:totable(), b, { rate = 44100 }))
  end)

  it("move a tone along the frequency axis by its share of the band", function()
    local function sine(f)
      local samples = ym.tensor.new { 30000 }
      for i = 1, #samples do
        samples[i] = math.sin(2 * math.pi * f * i / RATE)
      end
      return samples
    end
    -- the window spreads both alike, the sounds' ends a little more
    assert.near(2000 / (RATE / 2), ym.metrics.sot(sine(2000), sine(4000)), 0.01)
  end)

  it("align frames by the cheapest path", function()
    local rng = ym.rng.new { seed = 5 }
    local function picture(frames)
      local rows = {}
      for i = 1, frames do
        rows[i] = { rng:normal(), rng:normal() }
      end
      return rows
    end
    -- the cheapest of all paths from the frames i, j of a and b to the last ones
    local function cheapest(a, b, i, j)
      local cost = (math.abs(a[i][1] - b[j][1]) + math.abs(a[i][2] - b[j][2])) / 2
      local function here(weight, k, l)
        local rest = k <= #a and l <= #b and cheapest(a, b, k, l)
        if not rest then
          return math.huge
        end
        local next_cost = (math.abs(a[k][1] - b[l][1]) + math.abs(a[k][2] - b[l][2])) / 2
        return rest + weight * next_cost
      end
      if i == #a and j == #b then
        return 0, cost
      end
      return math.min(here(1, i + 1, j), here(1, i, j + 1), here(2, i + 1, j + 1)), cost
    end
    for _, sizes in ipairs { { 1, 1 }, { 1, 4 }, { 4, 1 }, { 5, 5 }, { 6, 4 } } do
      local a, b = picture(sizes[1]), picture(sizes[2])
      local rest, first = cheapest(a, b, 1, 1)
      assert.near((rest + first) / (#a + #b), core.metrics.warp(core.tensor.from(a), core.tensor.from(b)), 1e-6)
    end
  end)

  it("compare pictures as the formulas say", function()
    local a, b = core.tensor.from { { 1, 0.1 }, { 1e-9, 0 } }, core.tensor.from { { 10, 10 }, { 1, 10 } }
    -- in dB: 0, -10, -80, -80 and 0, 0, -10, 0
    assert.near((0 + 10 + 70 + 80) / 4, core.metrics.level_difference(a, b, 80), 1e-4)
    assert.near((math.sqrt((81 + 9.9 ^ 2) / 2) + math.sqrt((1 + 100) / 2)) / 2, core.metrics.spread(a, b), 1e-4)
    assert.near(1, core.metrics.correlation(a, a), 1e-12)
    assert.equal(0, core.metrics.correlation(a, core.tensor.from { { 2, 2 }, { 2, 2 } }))
  end)

  it("return what sounds do wrong", function()
    for _, name in ipairs { "all", table.unpack(ym.metrics.names) } do
      local _, message, kind = ym.metrics[name](TARGET, ym.tensor.from { 0, 0 / 0, 0 })
      assert.equal("input", kind)
      assert.matches("^sample 2 is %-?nan", message)
      _, message, kind = ym.metrics[name](ym.tensor.new { 0 }, TARGET)
      assert.same({ "input", "holds no samples" }, { kind, message }, name)
    end
  end)

  it("raise at the caller's line", function()
    for _, name in ipairs { "all", table.unpack(ym.metrics.names) } do
      local measure = ym.metrics[name]
      assert.has_error(function() measure(3, TARGET) end,
        ("bad argument #1 to '%s' (tensor expected, got number)"):format(name))
      assert.has_error(function() measure(TARGET) end,
        ("bad argument #2 to '%s' (tensor expected, got nil)"):format(name))
      assert.has_error(function() measure(TARGET, ym.tensor.new { 3, 2 }) end,
        ("bad argument #2 to '%s' (rank is 2, expected 1)"):format(name))
      assert.error_matches(function() measure(TARGET, TARGET, { rates = 1 }) end, "unknown option 'rates'")
      assert.error_matches(function() measure(TARGET, TARGET, { rate = 100 }) end, "option 'rate' is 100")
    end
    local a = core.tensor.new { 2, 3 }
    assert.error_matches(function() core.metrics.spread(a, core.tensor.new { 3, 2 }) end, "its shape is not")
    assert.error_matches(function() core.metrics.warp(a, core.tensor.new { 0, 3 }) end, "holds nothing")
    assert.error_matches(function() core.metrics.unit(a[1], RATE, 2, 3) end, "less than the sound's")
    assert.error_matches(function() core.metrics.envelope(a[1], a[2], 0, 1) end, "expected 1 or more")
  end)

  it("keep what they return", function()
    local unit = assert(core.metrics.unit(tone(100, 1, 1, 1001), RATE, 1500, 1001))
    collectgarbage()
    collectgarbage()
    local energy = 0
    for i = 1, #unit do
      energy = energy + unit[i] ^ 2
    end
    assert.equal(1500, #unit)
    assert.near(1001, energy, 0.1)
    assert.equal(0, unit[1002])
  end)

  local folder = "../shared/data/distance/"
  local golden = io.open(folder .. "golden.json")
  local compare = golden and it or pending
  compare("agree with the golden pairs of files", function()
    local rows = cjson.decode(golden:read("a"))
    golden:close()
    local names = { mss = "MSS", sot = "SOT", rms_cosine = "RMS_cosine", pcc = "PCC", lsd = "LSD" }
    local count = 0
    for _, row in ipairs(rows) do
      local target, candidate = ym.audio.read(folder .. row.target), ym.audio.read(folder .. row.candidate)
      if candidate and candidate.rate == RATE then -- the tool resamples more roughly, and knows silence
        count = count + 1
        local measures = assert(ym.metrics.all(target.samples, candidate.samples))
        for name, theirs in pairs(names) do
          assert.near(row[theirs], measures[name], 1e-3 + 1e-3 * row[theirs], row.candidate .. ": " .. name)
        end
      end
    end
    assert.is_true(count > 5)
  end)
end)
