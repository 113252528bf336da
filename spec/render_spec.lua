local support = require "spec.support"
local ym = require "ym2612ml"

local PATCH = support.PATCH

describe("render #c", function()
  it("equals the six-channel chip in every sample of random patches", function()
    local rng = ym.rng.new { seed = 3 }
    for case = 1, 400 do
      local patch, note = support.random_patch(rng), support.random_note(rng, 2500)
      assert.is_true(support.rendered(patch, note) == support.on_chip(patch, note), "case " .. case)
    end
  end)

  it("maps notes to block and fnum as the formula says", function()
    assert.same({ 4, 1083 }, { ym.pitch_of(69) })
    assert.same({ 4, 644 }, { ym.pitch_of(60) })
    assert.same({ 3, 1215 }, { ym.pitch_of(59) })
    assert.same({ 0, 644 }, { ym.pitch_of(12) })
    assert.same({ 0, 322 }, { ym.pitch_of(0) })
    assert.same({ 7, 2044 }, { ym.pitch_of(116) })
    assert.same({ 4, 1093 }, { ym.pitch_of(69, 7600489) }) -- PAL
    assert.has_error(function() ym.pitch_of(117) end)
    local same = ym.render(PATCH, { block = 4, fnum = 1083 }):bytes()
    assert.equal(same, ym.render(PATCH, { note = 69 }):bytes())
    assert.not_equal(same, ym.render(PATCH, { note = 69.2 }):bytes())
  end)

  it("scales to -1..1 around the stage's rest", function()
    for stage, swing in pairs { ym2612 = 789, ym3438 = 768, clean = 8192 } do
      local raw = ym.render(PATCH, { raw = true, chip = stage, held = 0.1, release = 0 })
      local samples, rate = ym.render(PATCH, { chip = stage, held = 0.1, release = 0 })
      assert.equal(53267, rate)
      assert.equal(5327, #samples)
      local rest = stage == "ym2612" and 72 or 0
      for i = 1, #raw do
        assert.is_true(math.abs((raw[i] - rest) / swing - samples[i]) < 1e-6)
      end
    end
  end)

  it("resamples to any rate", function()
    local samples, rate = ym.render(PATCH, { rate = 44100 })
    assert.equal(44100, rate)
    assert.is_true(math.abs(#samples - 66150) <= 1)
    local native = ym.render(PATCH, { rate = 53267 })
    assert.is_true(math.abs(#native - 79900) <= 1)
  end)

  it("turns velocity into carrier levels", function()
    local soft = ym.render(PATCH, { velocity = 64 }):bytes() -- 40 log10(127 / 64) = 11.9 dB: 16 steps
    local copy = ym.patch.canonical(PATCH)
    copy[2].tl, copy[4].tl = copy[2].tl + 16, copy[4].tl + 16
    assert.equal(ym.render(copy):bytes(), soft)
    assert.equal(ym.render(PATCH):bytes(), ym.render(PATCH, { velocity = 127 }):bytes())
  end)

  it("takes the LFO from the options or the patch", function()
    local wobbling = ym.patch.canonical(PATCH)
    wobbling.fms, wobbling.lfo = 6, 3
    local with = ym.render(wobbling):bytes()
    assert.not_equal(with, ym.render(wobbling, { lfo = -1 }):bytes())
    wobbling.lfo = nil
    assert.equal(with, ym.render(wobbling, { lfo = 3 }):bytes())
  end)

  it("raises on misuse, naming the option", function()
    for message, options in pairs {
      ["option 'held' is %-1"] = { held = -1 },
      ["option 'held' is inf"] = { held = math.huge },
      ["option 'note' is high"] = { note = "high" },
      ["option 'note' is 120"] = { note = 120 },
      ["unknown option 'Note'"] = { Note = 60 },
      ["'block' and 'fnum'"] = { block = 4 },
      ["option 'velocity' is 0"] = { velocity = 0 },
      ["option 'raw' is 1"] = { raw = 1 },
      ["'raw' and 'rate'"] = { raw = true, rate = 44100 },
    } do
      local fine, found = pcall(ym.render, PATCH, options)
      assert.is_false(fine)
      assert.matches(message, found)
    end
    assert.has_error(function() ym.render("patch") end)
  end)
end)
