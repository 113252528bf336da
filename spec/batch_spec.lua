local support = require "spec.support"
local ym = require "ym2612ml"

local function draw(count)
  local rng, list = ym.rng.new { seed = 5 }, {}
  for i = 1, count do
    list[i] = support.random_patch(rng)
    list[i].ams, list[i].fms, list[i].lfo = 0, 0, nil
  end
  return list
end

describe("batch #c", function()
  local list, packed
  setup(function()
    list = draw(9)
    packed = ym.patch.pack(list)
  end)
  after_each(function() ym.threads(2) end)

  it("renders what the six-channel chip plays, at every level, in bundles of any mix", function()
    local rng = ym.rng.new { seed = 11 }
    local patches, notes, expected = {}, {}, {}
    for i = 1, 250 do
      patches[i] = support.random_patch(rng)
      notes[i] = support.random_note(rng, i % 3 == 0 and 12 or 1500)
      expected[i] = support.on_chip(patches[i], notes[i])
    end
    finally(function() ym.simd(support.levels()[#support.levels()]) end)
    for _, level in ipairs(support.levels()) do
      ym.simd(level)
      for count = 1, 250, 83 do -- a lone note, bundles of mixed algorithms, full ones
        local some, some_notes = { table.unpack(patches, 1, count) }, { table.unpack(notes, 1, count) }
        for i, bytes in ipairs(support.rendered_batch(some, some_notes)) do
          assert.is_true(bytes == expected[i], ("%s: %d of %d"):format(level, i, count))
        end
      end
    end
  end)

  it("lets go of an SSG-EG in the very frame in which its attack ends", function()
    local silent = { mul = 1, dt = 0, tl = 127, rs = 0, ar = 0, dr = 0, sr = 0, rr = 0, sl = 0 }
    local patch = {
      algorithm = 4, feedback = 0, silent, silent, silent,
      { mul = 1, dt = -1, tl = 7, rs = 3, ar = 9, dr = 0, sr = 3, rr = 10, sl = 10, ssg = 11 },
    }
    local patches, notes = {}, {}
    for held = 200, 400 do
      patches[#patches + 1] = patch
      notes[#notes + 1] = { block = 7, fnum = 552, chip = "ym2612", held = held, release = 20 }
    end
    for i, bytes in ipairs(support.rendered_batch(patches, notes)) do
      assert.is_true(bytes == support.on_chip(patch, notes[i]), ("held %d frames"):format(notes[i].held))
    end
  end)

  it("gives floats as render does, and rest after the end of shorter notes", function()
    local options = { note = 57, held = { 0.01, 0.02 }, release = 0.005, velocity = { 127, 60 }, chip = "ym2612" }
    local samples, rate = ym.render_batch({ list[1], list[2] }, options)
    assert.equal(53267, rate)
    assert.same({ 2, 1331 }, samples:shape()) -- 1065 + 266
    for i = 1, 2 do
      local alone = ym.render(list[i], {
        note = 57, held = options.held[i], release = 0.005, velocity = options.velocity[i],
      })
      assert.equal(alone:bytes(), samples[i]:slice(1, #alone):bytes())
      for k = #alone + 1, 1331 do
        assert.equal(0, samples[i][k])
      end
    end
    options.raw = true
    assert.equal(72, ym.render_batch({ list[1], list[2] }, options):get(1, 1331))
  end)

  it("measures what rendering and comparing one by one gives", function()
    local sound = ym.render(list[1], { note = 50, chip = "ym3438", held = 0.2, release = 0.1 })
    local target = ym.target.new(sound)
    local distances = ym.batch.distances(packed, target, { note = 50, chip = "ym3438", held = 0.2, release = 0.1 })
    assert.near(0, distances[1], 1e-4)
    for i, patch in ipairs(list) do
      local alone = ym.render(patch, { note = 50, chip = "ym3438", held = 0.2, release = 0.1 })
      assert.near(target:distance(alone), distances[i], 1e-4)
    end
  end)

  it("hears what a render's features say", function()
    local features = ym.features.new { { kind = "harmonics", size = 1024, bands = 8, on = { 0.05 }, off = { 0.02 } } }
    local held = ym.tensor.from { 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3 }
    local values, audible = ym.batch.features(packed, features, { note = 60, held = held, release = 0.1 })
    assert.same({ 9, 16 }, values:shape())
    local f0 = 644 * 7670454 / 144 / 2 ^ 20 * 8
    local heard = 0
    for i, patch in ipairs(list) do
      local samples = ym.render(patch, { note = 60, held = held[i], release = 0.1 })
      local alone = features:extract(samples, { f0 = f0, held = held[i] })
      assert.equal(alone and 1 or 0, audible[i])
      for k = 1, alone and 16 or 0 do
        assert.near(alone[k], values:get(i, k), 2e-3) -- half precision
        heard = heard + 1
      end
    end
    assert.is_true(heard > 16)
  end)

  it("gives the same bytes with any number of threads", function()
    local features = ym.features.new { { kind = "mel", size = 512, bands = 20, on = { 0, 0.1 }, off = {} } }
    local target = ym.target.new((ym.render(list[2], { held = 0.2, release = 0 })))
    local found = {}
    for threads = 1, 3 do
      ym.threads(threads)
      found[threads] = ym.batch.features(packed, features, { held = 0.2, release = 0 }):bytes()
        .. ym.batch.distances(packed, target, { held = 0.2, release = 0 }):bytes()
    end
    assert.is_true(found[1] == found[2] and found[2] == found[3])
  end)

  it("takes an empty batch", function()
    local target = ym.target.new((ym.render(list[1])))
    assert.equal(0, #ym.batch.distances(packed:slice(1, 0), target))
  end)

  it("raises on misuse", function()
    local target = ym.target.new((ym.render(list[1])))
    assert.has_error(function() ym.batch.distances(packed, target, { note = ym.tensor.from { 60, 61 } }) end)
    assert.has_error(function() ym.batch.distances(packed, target, { note = 120 }) end)
    assert.has_error(function() ym.batch.distances(packed, target, { volume = 1 }) end)
    assert.has_error(function() ym.batch.distances(packed, target, { raw = true }) end)
    assert.has_error(function() ym.render_batch(packed, { note = { 60, 61 } }) end,
      "bad argument #2 to 'render_batch' (option 'note' has 2 values, expected one for each of 9 patches)")
    assert.has_error(function() ym.render_batch(packed, { chip = { "ym2612", "sid" } }) end,
      "bad argument #2 to 'render_batch' (option 'chip' is sid for patch 2)")
    assert.has_error(function() ym.render_batch(packed, { note = 60, fnum = 600, block = 4 }) end,
      "bad argument #2 to 'render_batch' (expected option 'note', or 'block' and 'fnum')")
    assert.has_error(function() ym.render_batch({ { algorithm = 8 } }) end)
    assert.has_error(function() ym.batch.distances(packed, "target") end)
    assert.has_error(function() ym.batch.distances(packed:to("f32"), target) end)
    assert.has_error(function()
      ym.batch.distances(packed:slice(1, 2), target, { held = ym.tensor.from { 1, -1 } })
    end)
  end)
end)
