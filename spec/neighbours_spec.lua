local registers = require "ym2612ml.networks.registers"
local support = require "spec.support"
local ym = require "ym2612ml"

local core = require("ym2612ml.core").neighbours

-- Codes of rows that lie so far from the centre.
local function codes_of(rows)
  for _, row in ipairs(rows) do
    for column, value in ipairs(row) do
      row[column] = value + 128
    end
  end
  return ym.tensor.from(rows, "u8")
end

local function lists(...)
  local found = {}
  for i, tensor in ipairs { ... } do
    found[i] = tensor:totable()
  end
  return found
end

describe("neighbours in codes #c", function()
  it("are the nearest by all columns, by the first and by the others", function()
    local codes = codes_of { { 0, 0, 9 }, { 3, 0, 0 }, { -1, 1, 4 }, { 20, 20, 0 } }
    local found = lists(core.find(codes, ym.tensor.from { 0, 0, 0 }, 2, 4))
    assert.same({ 2, 3, 1, 4 }, found[1])
    assert.same({ 1, 3, 2, 4 }, found[2])
    assert.same({ 2, 4, 3, 1 }, found[3]) -- of equals the earlier
    found = lists(core.find(codes, ym.tensor.from { 2.6, 0.4, -3 }, 2, 2))
    assert.same({ 2, 3 }, found[1])
  end)

  it("agree with a search by hand", function()
    local rng, rows = ym.rng.new { seed = 2 }, {}
    for i = 1, 300 do
      rows[i] = {}
      for column = 1, 33 do
        rows[i][column] = rng:integer(-127, 127)
      end
    end
    local query, order = { table.unpack(rows[300]) }, {}
    for column = 1, 33, 3 do
      query[column] = query[column] + 40
    end
    local distances = {}
    for i, row in ipairs(rows) do
      order[i], distances[i] = i, 0
      for column, value in ipairs(row) do
        distances[i] = distances[i] + (value - query[column]) ^ 2
      end
    end
    table.sort(order, function(a, b)
      return distances[a] < distances[b] or distances[a] == distances[b] and a < b
    end)
    local found = lists(core.find(codes_of(rows), ym.tensor.from(query), 20, 50))
    assert.same({ table.unpack(order, 1, 50) }, found[1])
  end)

  it("end where the bank does, and take any number for a query", function()
    local codes = codes_of { { 0, 0 }, { 5, 5 } }
    for _, number in ipairs { 1e30, -1e30, math.huge, 0 / 0 } do
      local found = lists(core.find(codes, ym.tensor.from { number, 0 }, 1, 10))
      assert.equal(2, #found[1])
    end
    assert.same({ {}, {}, {} }, lists(core.find(codes, ym.tensor.from { 0, 0 }, 1, 0)))
  end)

  it("say what is wrong", function()
    local codes = codes_of { { 0, 0 }, { 5, 5 } }
    assert.has_error(function() core.find(codes, ym.tensor.from { 0 }, 1, 1) end)
    assert.has_error(function() core.find(codes, ym.tensor.from { 0, 0 }, 3, 1) end)
    assert.has_error(function() core.find(codes, ym.tensor.from { 0, 0 }, 1, -1) end)
    assert.has_error(function() core.find(ym.tensor.new { 2, 2 }, ym.tensor.from { 0, 0 }, 1, 1) end)
    assert.has_error(function() core.cross(ym.patch.pack { support.PATCH }, ym.patch.pack {}) end)
  end)

  it("cross the spectrum of one with the envelopes of the other", function()
    local spectrum = support.random_patch(ym.rng.new { seed = 1 })
    local envelope = support.random_patch(ym.rng.new { seed = 2 })
    spectrum.algorithm, envelope.algorithm = 5, 4 -- operator 3: carrier here, modulator there
    local crossed = ym.patch.unpack(core.cross(ym.patch.pack { spectrum }, ym.patch.pack { envelope }))[1]
    assert.equal(5, crossed.algorithm)
    assert.equal(spectrum.feedback, crossed.feedback)
    for o = 1, 4 do
      for _, name in ipairs { "mul", "dt", "tl" } do
        assert.equal(spectrum[o][name], crossed[o][name])
      end
      for _, name in ipairs { "rs", "ar", "dr", "sr", "rr", "sl" } do
        assert.equal(envelope[o == 3 and 4 or o][name], crossed[o][name])
      end
    end
    spectrum.algorithm, envelope.algorithm = 4, 5
    crossed = ym.patch.unpack(core.cross(ym.patch.pack { spectrum }, ym.patch.pack { envelope }))[1]
    assert.equal(spectrum[3].ar, crossed[3].ar) -- a modulator keeps its own there
    assert.equal(envelope[2].ar, crossed[2].ar)
  end)
end)

describe("a bank of neighbours", function()
  local bank, packed, values

  setup(function()
    local sampler = ym.dataset.sampler { prior = ym.prior.read(ym.models.folder() .. "/prior.json"), seed = 5 }
    local features = ym.features.new(registers.recipe)
    packed = sampler:draw(200)
    values = ym.batch.features(packed, features, { note = 57, chip = "clean" })
    bank = assert(ym.neighbours.fit(packed, values, { 24, 8 }))
  end)

  it("finds a patch by its sound, whatever the pitch", function()
    local features, found = ym.features.new(registers.recipe), 0
    local higher = ym.batch.features(packed, features, { note = 64, chip = "clean" })
    for i = 1, 200, 10 do
      local all = bank:find(values[i], 5)
      assert.equal(i, all[1])
      found = found + (bank:find(higher[i], 5)[1] == i and 1 or 0)
    end
    assert.is_true(found >= 12, found .. " of 20")
  end)

  it("is the same when saved and read", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    assert(bank:save(path))
    local again = assert(ym.neighbours.load(path))
    collectgarbage()
    assert.equal("neighbours (200 patches)", tostring(again))
    assert.is_true(packed:bytes() == again.patches:bytes())
    for _, i in ipairs { 1, 77, 200 } do
      assert.same(lists(bank:find(values[i], 20)), lists(again:find(values[i], 20)))
    end
  end)

  it("refuses files that hold none, and says what it cannot read", function()
    local none, message, kind = ym.neighbours.load "no/such"
    assert.is_nil(none)
    assert.equal("io", kind)
    assert.matches("no/such", message)
    none, message, kind = ym.neighbours.load(ym.models.folder() .. "/" .. ym.models.files.pca)
    assert.is_nil(none)
    assert.equal("format", kind)
    assert.matches("not a bank of neighbours", message)
    none, message, kind = bank:save "no/such/folder"
    assert.is_nil(none)
    assert.equal("io", kind)
    assert.matches("no/such/folder", message)
  end)

  it("raises on misuse", function()
    assert.has_error(function() bank:find({}, 1) end)
    assert.has_error(function() bank:find(values[1], -1) end)
    assert.has_error(function() ym.neighbours.load(1) end)
  end)
end)
