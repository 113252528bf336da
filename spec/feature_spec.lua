local support = require "spec.support"
local ym = require "ym2612ml"

local RATE = 53267

local function tone(f0, count, gain, offset)
  local samples = ym.tensor.new { count }
  for i = 1, count do
    local t = (i - 1) / RATE
    local phase = 2 * math.pi * f0 * t
    samples[i] = (gain or 0.5) * math.exp(-2 * t)
      * math.sin(phase + 2 * math.exp(-3 * t) * math.sin(2 * phase)) + (offset or 0.1)
  end
  return samples
end

local RECIPE = {
  { kind = "mel", size = 512, bands = 4, on = { 0, 0.05 }, off = { 0.02 } },
  { kind = "harmonics", size = 1024, bands = 6, on = { 0.1 } },
}
local TONE = tone(220, 16000)
local NOTE = { f0 = 220, held = 0.15 }

local function distance(a, b)
  local most = 0
  for i = 1, #a do
    most = math.max(most, math.abs(a[i] - b[i]))
  end
  return most
end

describe("features #c", function()
  it("are the recipe computed by NumPy: blocks, frames, bands", function()
    local features = ym.features.new(RECIPE)
    local expected = {
      0.923332, 0.829492, 0.538633, 0.350791, -- onset
      0.992268, 0.834267, 0.227672, 1.5e-05, -- 0.05 s later
      0.970378, 0.707914, 0.040323, 0.0, -- 0.02 s after the key-off
      0.835263, 0.976135, 0.835319, 0.252377, 0.668452, 0.802275,
    }
    assert.equal(18, #features)
    assert.equal(18, features:count())
    assert.matches("18 values", tostring(features))
    local found = features:extract(TONE, NOTE)
    assert.same({ 18 }, found:shape())
    assert.is_true(distance(ym.tensor.from(expected), found) < 3e-6)
  end)

  it("are the same within 1e-5 on every level of instructions", function()
    local recipe = ym.recipes.three_scales(0.15, 0.1)
    recipe[4] = { kind = "harmonics", size = 4096, bands = 64, on = { 0, 0.05, 0.1, 0.15 }, off = { 0.02, 0.4 } }
    recipe[5] = { size = 600, bands = 7, on = { 0, 0.05 } } -- a size without a kernel
    local before, first = ym.simd(), nil
    finally(function() ym.simd(before) end)
    for _, level in ipairs(support.levels()) do
      ym.simd(level)
      local features = ym.features.new(recipe)
      local found = features:extract(TONE, NOTE)
      first = first or found
      assert.is_true(distance(first, found) < 1e-5, level)
    end
  end)

  it("do not hear level or constant offset", function()
    local features = ym.features.new(RECIPE)
    local found = features:extract(tone(220, 16000, 0.01, -0.3), NOTE)
    assert.is_true(distance(features:extract(TONE, NOTE), found) < 1e-4)
  end)

  it("are 0 at the floor and 1 at the reference", function()
    local features = ym.features.new { floor = 1e-3, { size = 2048, bands = 1, on = { 0.1, 1 } } }
    local found = features:extract(TONE, NOTE)
    assert.is_true(math.abs(found[1] - 1) < 2e-4)
    assert.is_true(math.abs(found[2]) < 1e-6)
  end)

  it("hear frames beyond the sound as silence", function()
    local features = ym.features.new { { size = 512, bands = 8, on = { 0.01 }, off = { 0.5 } } }
    local found = features:extract(TONE, { f0 = 220, held = 100 })
    for i = 9, 16 do
      assert.is_true(math.abs(found[i]) < 1e-6)
    end
    local short = features:extract(tone(220, 800), NOTE)
    assert.is_true(distance(found:slice(1, 8), short:slice(1, 8)) < 1e-6)
  end)

  it("extract the same after notes of any other length and pitch", function()
    local features = ym.features.new(RECIPE)
    local first = features:extract(TONE, NOTE):bytes()
    for _, note in ipairs { { 3000, 55 }, { 30000, 4000 }, { 1, 220 }, { 16000, 20000 } } do
      features:extract(tone(220, note[1]), { f0 = note[2], held = 0.3 })
      collectgarbage()
    end
    assert.equal(first, features:extract(TONE, NOTE):bytes())
  end)

  it("are 0 in a block that hears nothing", function()
    local features = ym.features.new {
      { size = 512, bands = 8, on = { 0.1 } }, { size = 512, bands = 3, on = { 2 } },
    }
    local found = features:extract(TONE, NOTE)
    for i = 9, 11 do
      assert.equal(0, found[i])
    end
  end)

  it("return silence and values that are not numbers as failures", function()
    local features = ym.features.new(RECIPE)
    for message, samples in pairs {
      silent = ym.tensor.new({ 1000 }):fill(0.3), ["is silent"] = ym.tensor.new { 0 },
      ["not numbers"] = ym.tensor.from { 0, 1, 0 / 0 },
    } do
      local result, found, kind = features:extract(samples, NOTE)
      assert.is_nil(result)
      assert.matches(message, found)
      assert.equal("input", kind)
    end
    assert.truthy(features:extract(TONE, NOTE))
  end)

  it("raise on misuse", function()
    local function raises(message, recipe)
      assert.error_matches(function() ym.features.new(recipe) end, message)
    end
    raises("0 blocks given", {})
    raises("table expected", "mel")
    raises("block 1 is string", { "mel" })
    raises("unknown option 'rates'", { rates = 1, RECIPE[1] })
    raises("unknown option '3'", { [1] = RECIPE[1], [3] = RECIPE[2] })
    raises("unknown option 'time'", { { time = { 0 } } })
    raises("'kind' is fft, expected 'mel', 'harmonics'", { { kind = "fft", on = { 0 } } })
    raises("'size' is not even", { { size = 513, on = { 0 } } })
    raises("option 'on' is not given", { { size = 512 } })
    raises("value 2 of option 'on' is %-1", { { on = { 0, -1 } } })
    raises("option 'floor'", { floor = 0, RECIPE[1] })
    local many = {}
    for i = 1, 17 do
      many[i] = RECIPE[1]
    end
    raises("17 blocks given, expected 1..16", many)
    local times = {}
    for i = 1, 300 do
      times[i] = i / 100
    end
    raises("600 times", { { on = times, off = times } })
    local features = ym.features.new(RECIPE)
    assert.error_matches(function() features:extract(TONE) end, "option 'f0' is not given")
    assert.error_matches(function() features:extract(TONE, { f0 = 220 }) end, "option 'held' is not given")
    assert.error_matches(function() features:extract(TONE, { f0 = 30000, held = 1 }) end, "option 'f0'")
    assert.error_matches(function() features:extract(TONE, { f0 = 220, hold = 1 }) end, "unknown option 'hold'")
    assert.error_matches(function() features.extract(TONE, NOTE) end, "bad argument #1")
  end)

  it("free what they held", function()
    for _ = 1, 20 do
      ym.features.new(RECIPE):extract(TONE, NOTE)
      collectgarbage()
    end
    local features = ym.features.new(RECIPE)
    getmetatable(features).__gc(features)
    assert.error_matches(function() return #features end, "collected")
  end)
end)

describe("recipes.three_scales", function()
  -- Frames of a block, the onset's and the key-off's, and what they lie between.
  local function frames(block, held, release)
    for _, part in ipairs { { block.on, held }, { block.off or {}, release } } do
      local last = -1
      for _, time in ipairs(part[1]) do
        assert.is_true(time > last and time <= part[2] + 1e-9)
        last = time
      end
      assert.is_true(#part[1] == 0 or math.abs(last - part[2]) < 1e-9)
    end
    return #block.on + #(block.off or {})
  end

  it("spread as many frames over any note, densest where it begins", function()
    for _, note in ipairs { { 1, 0.5 }, { 0.05, 0.01 }, { 0.3, 2 }, { 7, 0.5 } } do
      local recipe = ym.recipes.three_scales(note[1], note[2])
      local counts = {}
      for i, block in ipairs(recipe) do
        counts[i] = frames(block, note[1], note[2])
        assert.equal(0, block.on[1])
        assert.is_true(block.on[2] <= note[1] / 20)
      end
      assert.same({ 64, 48, 40 }, counts)
      assert.equal(64 * 40 + 48 * 64 + 40 * 96, ym.features.new(recipe):count())
    end
    local scales = ym.recipes.three_scales(1, 0.5)
    assert.is_true(math.abs(scales[1].on[2] - 0.005) < 1e-12)
    assert.is_true(math.abs(scales[2].on[2] - 0.0125) < 1e-12)
    assert.is_true(math.abs(scales[1].off[1] - 0.01) < 1e-12)
  end)

  it("leave out the release where there is none", function()
    for _, block in ipairs(ym.recipes.three_scales(1, 0)) do
      assert.is_nil(block.off)
    end
    assert.truthy(ym.features.new(ym.recipes.three_scales(1, 0)):extract(TONE, { f0 = 220, held = 1 }))
  end)

  it("raise on misuse", function()
    local function raises(message, ...)
      local arguments = table.pack(...)
      assert.error_matches(function() ym.recipes.three_scales(table.unpack(arguments, 1, arguments.n)) end, message)
    end
    raises("bad argument #1 to 'three_scales' %(number expected, got nil%)")
    raises("bad argument #2 to 'three_scales' %(number expected, got string%)", 1, "long")
    raises("bad argument #1 to 'three_scales' %(0 seconds, expected 0.001..3600%)", 0, 1)
    raises("bad argument #2 to 'three_scales' %(%-1 seconds", 1, -1)
    raises("bad argument #1", 0 / 0, 1)
    raises("bad argument #2", 1, 1 / 0)
  end)
end)
