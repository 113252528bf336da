local support = require "spec.support"
local tiny = require "spec.tiny_space"
local ym = require "ym2612ml"
local draws = require "ym2612ml.space.draws"
local frechet = require "ym2612ml.space.frechet"
local hearing = require "ym2612ml.space.hearing"

local function moments(mean, covariance)
  return { mean = mean, covariance = covariance }
end

-- Normal rows (count, 3) around a point.
local function rows(count, seed, at)
  local rng, list = ym.rng.new { seed = seed }, {}
  for i = 1, count do
    local a, b = rng:normal(), rng:normal()
    list[i] = { at + 2 * a, b - a, at * 2 + b }
  end
  return ym.tensor.from(list)
end

describe("the Frechet distance", function()
  it("has moments with the divisor of a sample", function()
    local found = frechet.moments(ym.tensor.from { { 1, 2 }, { 3, 8 }, { 5, 2 } })
    local expected = { mean = { 3, 4 }, covariance = { { 4, 0 }, { 0, 12 } } }
    for i = 1, 2 do
      assert.near(expected.mean[i], found.mean[i], 1e-12)
      for j = 1, 2 do
        assert.near(expected.covariance[i][j], found.covariance[i][j], 1e-12)
      end
    end
  end)

  it("is a sum of known squares where both lie along the same axes", function()
    local a = moments({ 1, 2, 3 }, { { 4, 0, 0 }, { 0, 9, 0 }, { 0, 0, 0 } })
    local b = moments({ 1, 5, 3 }, { { 1, 0, 0 }, { 0, 25, 0 }, { 0, 0, 16 } })
    assert.near(9 + (2 - 1) ^ 2 + (3 - 5) ^ 2 + 16, frechet.distance(a, b), 1e-9)
    assert.near(frechet.distance(a, b), frechet.distance(b, a), 1e-9)
    local turned = moments({ 0, 0 }, { { 2, 1 }, { 1, 2 } }) -- variances 3 and 1
    local wide = moments({ 0, 0 }, { { 8, 4 }, { 4, 8 } }) -- 12 and 4
    assert.near(3 + 1, frechet.distance(turned, wide), 1e-9)
  end)

  it("is that of the formula for two columns along different axes", function()
    -- the trace of a root is the root of the trace plus twice the root of the determinant
    local a, b = { { 2, 1 }, { 1, 3 } }, { { 5, -2 }, { -2, 1.5 } }
    local trace = 2 * 5 + 2 * 1 * -2 + 3 * 1.5
    local determinant = (2 * 3 - 1) * (5 * 1.5 - 4)
    local expected = 2 + 3 + 5 + 1.5 - 2 * math.sqrt(trace + 2 * math.sqrt(determinant))
    assert.near(expected, frechet.distance(moments({ 0, 0 }, a), moments({ 0, 0 }, b)), 1e-9)
  end)

  it("is nothing for the same, small for alike, and grows", function()
    local one = frechet.moments(rows(2000, 1, 0))
    assert.near(0, frechet.distance(one, one), 1e-6) -- of a covariance without full rank
    local alike = frechet.distance(one, frechet.moments(rows(2000, 2, 0)))
    assert.is_true(alike < 0.1, alike)
    assert.near(5 * 2 ^ 2, frechet.distance(one, frechet.moments(rows(2000, 2, 2))), 1.5)
  end)
end)

describe("what is drawn from a space", function()
  local folder, space

  setup(function()
    folder = support.new_folder()
    space = tiny.train(folder .. "/space.safetensors")
  end)

  teardown(function() support.remove_folder(folder) end)

  -- A draw of patches of which those with an odd number are silent.
  local function half_silent(count, seed)
    local list = space:generate(count, { seed = seed })
    for i, patch in ipairs(list) do
      local from = i % 2 == 0 and support.PLUCK or support.PATCH
      for operator = 1, 4 do
        patch[operator] = {}
        for name, value in pairs(from[operator]) do
          patch[operator][name] = value
        end
        patch[operator].tl = i % 2 == 0 and patch[operator].tl or 127
      end
    end
    return list
  end

  it("is known to be heard or not", function()
    local heard = hearing.audible(half_silent(9, 1))
    for i = 1, 9 do
      assert.equal(i % 2 == 0, heard[i])
    end
    assert.equal(4, #hearing.features(half_silent(9, 1)))
    assert.same({}, hearing.audible {})
  end)

  it("comes in blocks, the same however many are wanted", function()
    local function all(count, audible)
      local list = {}
      for part in draws.blocks(half_silent, count, 5, audible) do
        table.move(part, 1, #part, #list + 1, list)
      end
      return list
    end
    local many = all(300)
    assert.equal(300, #many)
    assert.equal(tiny.bytes(all(20)), tiny.bytes(table.move(many, 1, 20, 1, {})))
    local heard = all(300, true)
    assert.equal(300, #heard)
    for i, is_heard in ipairs(hearing.audible(heard)) do
      assert.is_true(is_heard, i)
    end
    local calls = 0
    local none = draws.blocks(function()
      calls = calls + 1
      return half_silent(1, 1)
    end, 5, 1, true)
    assert.is_nil(none())
    assert.is_true(calls > 1 and calls < 100)
  end)

  it("is heard however slow its attack is", function()
    local slow, silent = support.random_patch(ym.rng.new { seed = 1 }), support.random_patch(ym.rng.new { seed = 2 })
    for o = 1, 4 do
      slow[o].ar, slow[o].tl, slow[o].ssg, silent[o].tl = 8, 10, 0, 127
    end
    assert.same({ true, false }, require("ym2612ml.space.hearing").audible { slow, silent })
  end)

  it("is counted when it is the same", function()
    local function count(more)
      local options = { count = 300, temperature = 1 }
      for name, value in pairs(more or {}) do
        options[name] = value
      end
      return support.finish(ym.space.duplicates(space, options))
    end
    local found = count()
    assert.same({ 300, 300, 0, 0 }, { found.count, found.valid, found.patches, found.copied })
    assert.is_true(found.audible > 0 and found.audible <= 300 and found.distinct > 250)
    assert.same(found, count())
    assert.is_true(count { seed = 2 }.audible ~= found.audible or count { seed = 2 }.distinct ~= found.distinct)
    -- where points are nothing to the decoder there is one most likely patch
    local blind = assert(ym.space.load(folder .. "/space.safetensors"))
    for name, weights in pairs(blind.net:parameters()) do
      if name:find("^decoder%.latent") or name:find("^decoder%.condition") then
        weights:fill(0)
      end
    end
    assert(blind:save(folder .. "/blind.safetensors"))
    blind = assert(ym.space.load(folder .. "/blind.safetensors"))
    assert.equal(1, support.finish(ym.space.duplicates(blind, { count = 300, temperature = 0 })).distinct)
    local known = space:generate(7) -- the first block of the same seed
    known[8] = known[1]
    found = count { patches = known, count = 7 }
    assert.same({ 8, 7 }, { found.patches, found.copied })
    local path = folder .. "/bank.wopn"
    for i, patch in ipairs(known) do
      patch.name = "patch " .. i
    end
    assert(ym.patch.write(path, known))
    found = count { patches = path, count = 20 }
    assert.equal(7, found.patches) -- without the one that a training sets aside
    support.assert_steps_fail(ym.space.duplicates(space, { patches = folder .. "/missing" }), "io", "missing")
  end)

  it("is compared to patches that were set aside", function()
    local list = tiny.patches(96, 1)
    local found = support.finish(ym.space.frechet(space, { patches = list, count = 60 }))
    assert.equal(found.aside - 1, found.components)
    for _, name in ipairs { "space", "marginals", "training" } do
      assert.is_true(found[name] > 0 and found[name] < math.huge, name)
    end
    assert.is_true(found.training < found.marginals)
    assert.same(found, support.finish(ym.space.frechet(space, { patches = list, count = 60 })))
    support.assert_steps_fail(ym.space.frechet(space, { patches = list, validation = 0 }), "input",
      "expected 2 or more")
    support.assert_steps_fail(ym.space.frechet(space, { patches = folder .. "/missing" }), "io", "missing")
  end)

  it("is asked for rightly", function()
    for _, name in ipairs { "duplicates", "frechet" } do
      local function wrong(expected, ...)
        local fine, message = pcall(ym.space[name], ...)
        assert.is_false(fine)
        assert.is_truthy(message:find(expected, 1, true), message)
        assert.is_truthy(message:find("'" .. name .. "'", 1, true), message)
      end
      wrong("#1", {}, { patches = {} })
      wrong("#1", nil, { patches = {} })
      wrong("option 'count' is 0", space, { patches = {}, count = 0 })
      wrong("unknown option 'many'", space, { patches = {}, many = 1 })
      wrong("patch 1", space, { patches = { { algorithm = 9 } } })
    end
  end)
end)
