local ym = require "ym2612ml"

local PATCH = {
  algorithm = 4, feedback = 3,
  { mul = 2, dt = 0, tl = 30, rs = 0, ar = 31, dr = 9, sr = 2, rr = 7, sl = 4 },
  { mul = 1, dt = 0, tl = 4, rs = 0, ar = 31, dr = 8, sr = 5, rr = 8, sl = 3 },
  { mul = 1, dt = 0, tl = 28, rs = 0, ar = 31, dr = 8, sr = 4, rr = 8, sl = 5 },
  { mul = 1, dt = 0, tl = 0, rs = 0, ar = 31, dr = 9, sr = 5, rr = 8, sl = 2 },
}

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

  it("gives the same matches for the same seed", function()
    local target = sound { note = 60, rate = 44100 }
    local first = bytes(ym.estimate(target, { note = 60, renders = 100 }))
    assert.is_true(first == bytes(ym.estimate(target, { note = 60, renders = 100 })))
    assert.is_true(first ~= bytes(ym.estimate(target, { note = 60, renders = 100, seed = 2 })))
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
      assert.is_true(step.matches[1].distance <= last)
      assert.is_true(step.done <= step.total)
      last = step.matches[1].distance
    end
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

  it("tries as many patches as it is told", function()
    for _, renders in ipairs { 8, 20, 100 } do
      local steps = assert(ym.estimate_steps(sound(), { note = 69, renders = renders }))
      local last
      for step in steps do
        last = step
      end
      assert.equal(renders, last.done)
      assert.equal(renders, last.total)
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
