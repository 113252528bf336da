local support = require "spec.support"
local ym = require "ym2612ml"

-- Enough to fill a bundle on every level, and some left over that are rendered alone.
local COUNT = 40

local function draw(count)
  local rng, list = ym.rng.new { seed = 5 }, {}
  for i = 1, count do
    list[i] = support.random_patch(rng)
    list[i].ams, list[i].fms, list[i].lfo = 0, 0, nil
  end
  return list
end

-- Calls check on every level of instructions that this CPU has.
local function each_level(check)
  local levels = support.levels()
  finally(function() ym.simd(levels[#levels]) end)
  for _, level in ipairs(levels) do
    ym.simd(level)
    check(level)
  end
end

describe("batch #c", function()
  local list, packed
  setup(function()
    list = draw(COUNT)
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
    each_level(function(level)
      for count = 1, 250, 83 do -- a lone note, bundles of mixed algorithms, full ones
        local some, some_notes = { table.unpack(patches, 1, count) }, { table.unpack(notes, 1, count) }
        for i, bytes in ipairs(support.rendered_batch(some, some_notes)) do
          assert.is_true(bytes == expected[i], ("%s: %d of %d"):format(level, i, count))
        end
      end
    end)
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
    local options = { note = 57, held = {}, release = 0.005, velocity = {}, chip = "ym2612" }
    for i = 1, COUNT do
      options.held[i], options.velocity[i] = i / 2000, 50 + i
    end
    each_level(function(level)
      options.raw = nil
      local samples, rate = ym.render_batch(list, options)
      assert.equal(53267, rate)
      assert.same({ COUNT, 1331 }, samples:shape()) -- 1065 + 266
      for i = 1, COUNT do
        local alone = ym.render(list[i], {
          note = 57, held = options.held[i], release = 0.005, velocity = options.velocity[i],
        })
        assert.is_true(alone:bytes() == samples[i]:slice(1, #alone):bytes(), ("%s: %d"):format(level, i))
        assert.is_true(samples[i]:slice(#alone + 1, 1331):bytes():find("[^\0]") == nil)
      end
      options.raw = true
      assert.equal(72, ym.render_batch(list, options):get(1, 1331))
    end)
  end)

  it("takes the numbers of a list as they are, not in single precision", function()
    for i = 1, 20 do
      local options = { held = { (500000 + i + 0.501) / support.RATE }, release = 0, raw = true }
      assert.equal(500001 + i, ym.render_batch({ support.PATCH }, options):shape()[2])
    end
  end)

  it("measures what rendering and comparing one by one gives", function()
    local options = { note = 50, chip = "ym3438", held = 0.2, release = 0.1 }
    local sound = ym.render(list[1], options)
    each_level(function()
      local target = ym.target.new(sound)
      local distances = ym.batch.distances(packed, target, options)
      assert.near(0, distances[1], 1e-4)
      for i, patch in ipairs(list) do
        assert.near(target:distance((ym.render(patch, options))), distances[i], 1e-4)
      end
    end)
  end)

  it("plays and measures notes too long for a bundle among others", function()
    local longest = 2 ^ 20 / support.RATE -- bundle.h
    local options = { held = {}, release = 0, raw = true }
    local some = {}
    for i = 1, 14 do
      some[i] = list[i]
      options.held[i] = i % 7 == 0 and longest + 0.001 or i == 1 and longest or 0.01
    end
    local samples = ym.render_batch(some, options)
    assert.same({ 14, 2 ^ 20 + 53 }, samples:shape())
    for i, patch in ipairs(some) do
      local alone = ym.render(patch, { held = options.held[i], release = 0, raw = true })
      assert.is_true(alone:bytes() == samples[i]:slice(1, #alone):bytes(), "patch " .. i)
    end
    local target = ym.target.new((ym.render(support.PATCH, { held = 0.1, release = 0 })))
    options = { held = { longest + 0.001, 0.1 }, release = 0 }
    local distances = ym.batch.distances({ support.PATCH, support.PATCH }, target, options)
    local long = ym.render(support.PATCH, { held = options.held[1], release = 0 })
    assert.near(target:distance(long), distances[1], 1e-4)
    assert.near(0, distances[2], 1e-4)
  end)

  it("hears what a render's features say", function()
    local held = ym.tensor.new { COUNT }
    for i = 1, COUNT do
      held[i] = 0.1 * (1 + i % 3)
    end
    local f0 = 644 * 7670454 / 144 / 2 ^ 20 * 8
    each_level(function()
      local features = ym.features.new { { kind = "harmonics", size = 1024, bands = 8, on = { 0.05 }, off = { 0.02 } } }
      local values, audible = ym.batch.features(packed, features, { note = 60, held = held, release = 0.1 })
      assert.same({ COUNT, 16 }, values:shape())
      local heard = 0
      for i, patch in ipairs(list) do
        local samples = ym.render(patch, { note = 60, held = held[i], release = 0.1 })
        local alone = features:extract(samples, { f0 = f0, held = held[i] })
        assert.equal(alone and 1 or 0, audible[i])
        for k = 1, 16 do
          assert.near(alone and alone[k] or 0, values:get(i, k), 2e-3) -- half precision
        end
        heard = heard + audible[i]
      end
      assert.is_true(heard > COUNT // 2)
    end)
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
    local features = ym.features.new { { size = 512, bands = 3, on = { 0 } } }
    for _, none in ipairs { {}, packed:slice(1, 0) } do
      assert.same({ 0 }, ym.batch.distances(none, target, { held = {}, chip = {} }):shape())
      local values, audible = ym.batch.features(none, features)
      assert.same({ 0, 3 }, values:shape())
      assert.same({ 0 }, audible:shape())
      assert.same({ 0, 0 }, ym.render_batch(none):shape())
    end
  end)

  it("raises on misuse, naming option, value and patch", function()
    local target = ym.target.new((ym.render(list[1])))
    local two = packed:slice(1, 2)
    for message, options in pairs {
      ["option 'note' has 3 values, expected one for each of 2 patches"] = { note = ym.tensor.from { 60, 61, 62 } },
      ["option 'note' is 120.0 for patch 1, above what the chip can play (fnum 2047, block 7)"] = { note = 120 },
      ["option 'note' is tensor f32 (1, 2), expected a number, or a list or tensor of them"] = {
        note = ym.tensor.new { 1, 2 },
      },
      ["option 'held' is -1.0 for patch 2, expected a number 0.0..600.0"] = { held = ym.tensor.from { 1, -1 } },
      ["option 'release' is long for patch 2, expected a number 0.0..600.0"] = { release = { 1, "long" } },
      ["option 'velocity' is 0 for patch 1, expected a whole number 1..127"] = { velocity = { 0, 1 } },
      ["option 'fnum' is 600.5 for patch 2, expected a whole number 0..2047"] = { block = 4, fnum = { 600, 600.5 } },
      ["option 'block' is 8, expected a whole number 0..7"] = { block = 8, fnum = 600 },
      ["expected option 'note', or 'block' and 'fnum'"] = { note = 60, fnum = 600, block = 4 },
      ["option 'chip' is sid for patch 2, expected 'ym2612', 'ym3438' or 'clean'"] = { chip = { "ym2612", "sid" } },
      ["option 'chip' has 1 values, expected one for each of 2 patches"] = { chip = { "ym2612" } },
      ["unknown option 'volume'"] = { volume = 1 },
    } do
      assert.has_error(function() ym.render_batch(two, options) end,
        ("bad argument #2 to 'render_batch' (%s)"):format(message))
    end
    local function raises(message, ...)
      local arguments = table.pack(...)
      assert.error_matches(function() ym.batch.distances(table.unpack(arguments, 1, arguments.n)) end, message, 1, true)
    end
    raises("unknown option 'raw'", two, target, { raw = true })
    raises("patch 1: field 'algorithm' is 8, expected 0..7", { { algorithm = 8 } }, target)
    raises("the chip gives samples at 52781.", two, target, { clock = 7600489 })
    raises("ym2612ml.target expected, got string", two, "target")
    raises("expected a packed patch tensor", two:to("f32"), target)
    assert.has_error(function() ym.batch.features(two, target) end)
    local features = ym.features.new { rate = 44100, { size = 512, bands = 3, on = { 0 } } }
    assert.error_matches(function() ym.batch.features(two, features) end, "bad argument #2 .*expected 44100.0 Hz")
  end)
end)
