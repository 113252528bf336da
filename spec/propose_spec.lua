local support = require "spec.support"
local ym = require "ym2612ml"

local packed_of = ym.propose.packed

-- A note of this patch as it comes from ym.prepare.
local function note_of(patch, options)
  options = options or {}
  options.note, options.held = options.note or 57, options.held or 1
  local samples = ym.render(patch, options)
  return { samples = samples, note = options.note, held = options.held }
end

describe("proposals", function()
  local models, sound, patch
  setup(function()
    models = assert(ym.models.shipped())
    patch = support.PATCH
    sound = note_of(patch, { chip = "clean" })
  end)

  it("are as many as asked for, the modes of all algorithms first", function()
    local packed, probabilities = packed_of(models, sound, { count = 100, chip = "clean" })
    assert.same({ 100, 49 }, packed:shape())
    local sum, last, seen = 0, math.huge, {}
    for _, probability in ipairs(probabilities) do
      sum = sum + probability
    end
    assert.near(1, sum, 1e-6)
    for i, mode in ipairs(ym.patch.unpack(packed:slice(1, 8))) do
      local probability = probabilities[mode.algorithm + 1]
      assert.is_true(probability <= last and not seen[mode.algorithm], "mode " .. i)
      last, seen[mode.algorithm] = probability, true
    end
    for _, count in ipairs { 1, 8, 9, 2000 } do
      assert.equal(count, #packed_of(models, sound, { count = count }))
    end
    local few = packed_of(models, sound, { count = 40, chip = "clean" })
    assert.is_true(few:slice(1, 8):bytes() == packed:slice(1, 8):bytes())
  end)

  it("are near the sound, and better the more they are", function()
    local target = ym.target.new(sound.samples)
    local packed = packed_of(models, sound, { count = 300, chip = "clean" })
    local distances = ym.batch.distances(packed, target, { note = 57, held = 1, chip = "clean" }):totable()
    assert.is_true(math.min(table.unpack(distances)) < 4)
    table.sort(distances)
    assert.is_true(distances[150] < 9, "median " .. distances[150])
  end)

  it("are the same for the same seed", function()
    local function bytes(seed, threads)
      local before = ym.threads()
      ym.threads(threads)
      local packed = packed_of(models, sound, { count = 64, seed = seed })
      ym.threads(before)
      return packed:bytes()
    end
    assert.is_true(bytes(3, 1) == bytes(3, 2))
    assert.is_true(bytes(3, 1) ~= bytes(4, 1))
  end)

  it("have the loudest carrier at level 0 on the clean stage alone", function()
    for _, level in ipairs(ym.heads.levels(packed_of(models, sound, { count = 200, chip = "clean" })):totable()) do
      assert.equal(0, level)
    end
    local other = 0
    for _, level in ipairs(ym.heads.levels(packed_of(models, sound, { count = 200, chip = "ym2612" })):totable()) do
      other = other + (level > 0 and 1 or 0)
    end
    assert.is_true(other > 20, other .. " of 200")
  end)

  it("come from the draws and the bank in the share asked for", function()
    local row, all = ("."):rep(49), {}
    for bytes in models.neighbours.patches:bytes():gmatch(row) do
      all[bytes] = true
    end
    local function banked(share)
      local count, packed = 0, packed_of(models, sound, { count = 208, chip = "clean", bank = share })
      for bytes in packed:bytes():gmatch(row) do
        count = count + (all[bytes] and 1 or 0)
      end
      return count
    end
    assert.equal(0, banked(0))
    assert.is_true(banked(1) >= 90)
  end)

  it("take short, noisy, low and wrongly told sounds", function()
    local noisy = note_of(patch)
    local rng = ym.rng.new { seed = 1 }
    for i = 1, #noisy.samples do
      noisy.samples[i] = noisy.samples[i] + 0.02 * (rng:uniform() - 0.5)
    end
    for _, other in ipairs {
      noisy, note_of(patch, { held = 0.02, release = 0 }), note_of(patch, { note = 0 }),
      note_of(patch, { note = 110 }), { samples = sound.samples, note = 33.3, held = 9 },
      { samples = sound.samples:slice(1, 900), note = 57, held = 1 },
    } do
      for _, method in ipairs { "matcher", "networks" } do
        assert.equal(50, #assert(packed_of(models, other, { count = 50, method = method })))
      end
    end
  end)

  it("say that a sound is silent, and raise on misuse", function()
    local silent = { samples = ym.tensor.new { 5000 }, note = 60, held = 1 }
    local packed, message, kind = packed_of(models, silent)
    assert.is_nil(packed)
    assert.matches("silent", message)
    assert.equal("input", kind)
    local wrong = { { count = 0 }, { counts = 3 }, { bank = 1.5 }, { chip = "opl" }, { method = "guess" } }
    for _, options in ipairs(wrong) do
      assert.has_error(function() packed_of(models, sound, options) end)
    end
    assert.has_error(function() packed_of(nil, sound) end)
    assert.has_error(function() packed_of(models, sound.samples) end)
  end)
end)
