local support = require "spec.support"
local ym = require "ym2612ml"

local PATCH = support.PLUCK

local function sound(options)
  local samples, rate = ym.render(PATCH, options)
  return { samples = samples, rate = rate }
end

local function bytes(matches)
  local list = {}
  for i, match in ipairs(matches) do
    list[i] = match.patch
  end
  return ym.patch.pack(list):bytes()
end

describe("estimate", function()
  it("ranks the best patch of each algorithm by what it sounds like", function()
    local target = sound { note = 57, chip = "clean" }
    local matches = assert(ym.estimate(target, { note = 57, held = 1, chip = "clean", renders = 160 }))
    assert.equal(8, #matches)
    local judge = ym.target.new(target.samples)
    for rank, match in ipairs(matches) do
      assert.truthy(ym.patch.check(match.patch))
      assert.equal(match.algorithm, match.patch.algorithm)
      assert.is_true(rank == 1 or match.distance >= matches[rank - 1].distance)
      local samples = ym.render(match.patch, {
        note = match.note, held = match.held, release = match.release, chip = match.chip,
      })
      assert.near(judge:distance(samples), match.distance, 0.02)
    end
    assert.is_true(matches[1].distance < 4)
  end)

  it("ranks the best of all whatever their algorithms, and says what they took", function()
    local matches = assert(ym.estimate(sound { note = 57 }, { note = 57, held = 1, renders = 300 }))
    assert.equal(8, #matches.ranking)
    assert.equal(matches[1].patch, matches.ranking[1].patch)
    for rank = 2, 8 do
      assert.is_true(matches.ranking[rank].distance >= matches.ranking[rank - 1].distance)
    end
    assert.is_true(matches.renders >= 300)
    assert.is_true(matches.seconds > 0)
  end)

  it("gives the same matches for the same seed", function()
    local target = sound { note = 60, rate = 44100 }
    local first = bytes(ym.estimate(target, { note = 60, renders = 300 }))
    assert.is_true(first == bytes(ym.estimate(target, { note = 60, renders = 300 })))
    assert.is_true(first ~= bytes(ym.estimate(target, { note = 60, renders = 300, seed = 2 })))
  end)

  it("finds the sound itself, tells what matters in it and makes it simple", function()
    local target = sound { note = 57, chip = "clean" }
    local near = ym.patch.unpack(ym.patch.pack { PATCH })[1]
    near[1].tl, near[2].dr, near[3].sl, near[4].rs = 33, 10, 3, 1
    local matches = assert(ym.estimate(target, { note = 57, held = 1, chip = "clean", renders = 2500, start = near }))
    local best = matches[1]
    assert.is_true(best.distance < 0.7)
    assert.is_true(best.sensitivity[4].mul > 0.5)
    assert.is_nil(matches[2].sensitivity)
    local judge = ym.target.new(target.samples)
    local samples = ym.render(best.patch, { note = 57, held = 1, release = 0.5, chip = "clean" })
    assert.near(judge:distance(samples), best.distance, 0.02)
    for o = 1, 4 do
      assert.equal(0, best.patch[o].dt) -- as the sound has none
    end
  end)

  it("draws from the networks of the algorithms when told", function()
    local target = sound { note = 57, chip = "clean" }
    local options = { note = 57, held = 1, chip = "clean", method = "networks", renders = 100 }
    local matches = assert(ym.estimate(target, options))
    assert.equal(8, #matches)
    assert.equal(100, matches.renders)
    assert.is_true(bytes(matches) == bytes(ym.estimate(target, options)))
  end)

  it("keeps locked registers and begins where it is told", function()
    local target = sound { note = 57, chip = "clean" }
    local lock = { algorithm = 4, [2] = { tl = 9, dr = 3 }, feedback = 2 }
    local matches = assert(ym.estimate(target, { note = 57, chip = "clean", renders = 2000, lock = lock }))
    assert.equal(1, #matches)
    for _, match in ipairs(matches.ranking) do
      assert.same({ 4, 2, 9, 3 }, { match.patch.algorithm, match.patch.feedback, match.patch[2].tl, match.patch[2].dr })
    end
    matches = assert(ym.estimate(target, { note = 57, held = 1, chip = "clean", renders = 100, start = PATCH }))
    assert.near(0, matches[1].distance, 0.001)
  end)

  it("matches a group by one patch", function()
    local list = {}
    for i, note in ipairs { 45, 57, 69 } do
      list[i] = sound { note = note, velocity = 127 - 20 * i, chip = "clean" }
    end
    local matches = assert(ym.estimate(list, {
      note = { 45, 57, 69 }, held = { 1, 1, 1 }, velocity = { 107, 87, 67 }, chip = "clean", renders = 100,
      start = PATCH,
    }))
    assert.near(0, matches[1].distance, 0.001)
    list[2] = { samples = ym.tensor.new { 5000 }, rate = 44100 }
    local _, message, kind = ym.estimate(list, { renders = 50 })
    assert.equal("input", kind)
    assert.is_string(message)
  end)

  it("ends in time, with what it has", function()
    local matches = assert(ym.estimate(sound { note = 57 }, { note = 57, held = 1, budget = 0.001 }))
    assert.is_true(#matches >= 1)
    assert.is_true(#matches.ranking >= 1)
    matches = assert(ym.estimate(sound { note = 57 }, { note = 57, held = 1, budget = 0.1 }))
    assert.is_nil(matches[1].sensitivity) -- which takes longer than the budget
  end)

  it("finds note and held time where they are not given", function()
    local prepared = assert(ym.prepare(sound { note = 64, rate = 44100 }))
    assert.near(64, prepared.note, 0.1)
    assert.near(1, prepared.held, 0.15)
    assert.near(1.5, prepared.held + prepared.release, 0.02)
  end)

  it("improves with every step, and stops when not called", function()
    local steps = assert(ym.estimate_steps(sound { note = 50 }, { note = 50, renders = 300 }))
    local last = math.huge
    for _ = 1, 3 do
      local step = steps()
      assert.is_true(step.matches[1].distance <= last + 0.1) -- the search sees D nearly
      assert.is_true(step.share > 0 and step.share <= 1)
      last = step.matches[1].distance
    end
  end)

  it("ranks a step that is asked when all is over as the last one", function()
    local first, last
    for step in assert(ym.estimate_steps(sound { note = 50 }, { note = 50, renders = 300 })) do
      first, last = first or step, step
    end
    assert.is_true(first ~= last)
    assert.equal(last.matches, first.matches)
  end)

  it("takes files and folders, reports a bad one and goes on", function()
    local folder = os.tmpname()
    os.remove(folder)
    assert(os.execute(("mkdir -p '%s/empty' '%s/full'"):format(folder, folder)))
    finally(function() os.execute(("rm -r '%s'"):format(folder)) end)
    local good = folder .. "/full/a.wav"
    assert(ym.audio.write(good, sound({ note = 60, rate = 22050 }).samples, 22050))
    assert(io.open(folder .. "/full/b.wav", "w")):close()
    local seen = {}
    local paths = { "/nowhere.wav", folder .. "/full", folder .. "/empty" }
    for path, matches, message, kind in ym.estimate_each(paths, { renders = 64 }) do
      seen[#seen + 1] = { path, matches and #matches, message, kind }
    end
    assert.equal(4, #seen)
    assert.same({ good, 8 }, seen[2])
    for i, kind in pairs { "io", false, "input", "input" } do
      if kind then
        assert.is_nil(seen[i][2])
        assert.equal(kind, seen[i][4])
        assert.equal(seen[i][1] .. ": ", seen[i][3]:sub(1, #seen[i][1] + 2))
      end
    end
  end)

  it("matches the first ten seconds of a long sound", function()
    local target = sound { note = 60, held = 12, release = 1, rate = 8000 }
    local matches = assert(ym.estimate(target, { note = 60, renders = 8 }))
    assert.near(10, matches[1].held + matches[1].release, 0.01)
    assert.truthy(ym.estimate(target, { note = 60, held = 500, renders = 8 }))
  end)

  it("tries about as many patches as it is told", function()
    for _, renders in ipairs { 8, 20, 300 } do
      local steps = assert(ym.estimate_steps(sound(), { note = 69, renders = renders }))
      local last
      for step in steps do
        last = step
      end
      assert.is_true(last.done >= renders and last.done < renders + 150)
      assert.equal(1, last.share)
    end
  end)

  it("refuses sounds without content", function()
    for _, samples in ipairs { ym.tensor.new { 1000 }, ym.tensor.from { 0.5 }, ym.tensor.new { 0 } } do
      local matches, message, kind = ym.estimate({ samples = samples, rate = 44100 })
      assert.is_nil(matches)
      assert.is_string(message)
      assert.equal("input", kind)
    end
    local bad = ym.tensor.new { 1000 }
    bad[500] = 0 / 0
    local _, _, kind = ym.estimate { samples = bad, rate = 44100 }
    assert.equal("input", kind)
  end)

  it("raises on misuse", function()
    assert.has_error(function() ym.estimate(sound(), { Note = 60 }) end)
    assert.has_error(function() ym.estimate(sound(), { note = 200 }) end)
    assert.has_error(function() ym.estimate(sound(), { chip = "opl3" }) end)
    assert.has_error(function() ym.estimate("flute.wav") end)
    assert.has_error(function() ym.estimate(sound(), { lock = { algorithm = 8 } }) end)
    assert.has_error(function() ym.estimate(sound(), { lock = { [2] = { tk = 8 } } }) end)
    assert.has_error(function() ym.estimate(sound(), { start = { algorithm = 1 } }) end)
    assert.has_error(function() ym.estimate(sound(), { budget = 0 }) end)
    assert.has_error(function() ym.estimate({ sound(), 5 }, {}) end)
    local function raised(pattern, name, ...)
      local arguments = table.pack(...)
      local fine, message = pcall(function() ym[name](table.unpack(arguments, 1, arguments.n)) end)
      assert.is_false(fine)
      assert.matches(("^spec/estimate_spec.lua:%%d+: bad argument #%%d to '%s' %%(%s"):format(name, pattern), message)
    end
    local samples = sound().samples
    raised("option 'note' is 200", "estimate", sound(), { note = 200 })
    raised("option 'note' is table", "estimate_steps", sound(), { note = { 60 } })
    raised("option 'velocity' has 1 values", "estimate", { sound(), sound() }, { velocity = { 60 } })
    raised("option 'held' is %-1", "estimate_each", {}, { held = -1 })
    raised("option 'lock': field 'tl' of operator 2 is 128", "estimate", sound(), { lock = { [2] = { tl = 128 } } })
    raised("options 'lock', 'start' and 'lfo'", "estimate", sound(), { lock = { algorithm = 1 }, method = "networks" })
    raised("option 'models' is table: [^,]*, expected ym2612ml.Models", "estimate", sound(), { models = {} })
    local many = {}
    for i = 1, 65 do
      many[i] = { samples = samples, rate = 44100 }
    end
    raised("65 sounds, expected 64 at most", "estimate", many)
    raised("rate is 999 Hz, expected 1000..655350", "estimate", { samples = samples, rate = 999 })
    raised("rate is %-?nan Hz", "prepare", { samples = samples, rate = 0 / 0 })
    raised("samples: rank is 2", "estimate", { { samples = ym.tensor.new { 5000, 2 }, rate = 44100 } })
    raised("expected {samples = tensor", "estimate_steps", { samples = io.stdout, rate = 44100 })
    for _, name in ipairs { "estimate", "estimate_steps", "prepare" } do
      local _, message = pcall(function() ym[name](nil) end)
      assert.matches("^spec/estimate_spec.lua:%d+: bad argument #1 to '" .. name .. "'", message)
      _, message = pcall(function() ym[name](sound(), { foo = 1 }) end)
      assert.matches("^spec/estimate_spec.lua:%d+: bad argument #2 to '" .. name .. "'", message)
    end
  end)
end)

describe("models", function()
  local folder
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute(("cp -r '%s' '%s'"):format(ym.models.folder(), folder)))
  end)
  after_each(function() os.execute(("rm -r '%s'"):format(folder)) end)

  local function change(name, edit)
    local path = folder .. "/" .. name
    local file = assert(io.open(path, "rb"))
    local content = file:read("a")
    file:close()
    file = assert(io.open(path, "wb"))
    file:write(edit(content))
    file:close()
  end

  it("are read from any folder", function()
    local models = assert(ym.models.load(folder))
    local matches = assert(ym.estimate(sound(), { models = models, renders = 64 }))
    assert.equal(8, #matches)
  end)

  it("are refused when damaged, with the file's name", function()
    local edits = {
      truncated = function(content) return content:sub(1, #content // 2) end,
      empty = function() return "" end,
      flipped = function(content)
        local at = #content - 1000
        return content:sub(1, at - 1) .. string.char(content:byte(at) ~ 0x40) .. content:sub(at + 1)
      end,
    }
    for what, edit in pairs(edits) do
      for _, name in ipairs { "pca.safetensors", "algorithm.safetensors", "registers_3.safetensors" } do
        local original
        change(name, function(content)
          original = content
          return edit(content)
        end)
        local models, message, kind = ym.models.load(folder)
        assert.is_nil(models, what)
        assert.equal("format", kind)
        assert.matches(folder .. "/" .. name .. ": ", message, 1, true)
        change(name, function() return original end)
      end
    end
    os.remove(folder .. "/registers_7.safetensors")
    local _, _, kind = ym.models.load(folder)
    assert.equal("io", kind)
  end)
end)
