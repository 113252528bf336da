local support = require "spec.support"
local ym = require "ym2612ml"

local finish = support.finish

local FILES = { "prior.json", "pca.safetensors", "neighbours.safetensors", "matcher.safetensors",
  "algorithm.safetensors", "registers_0.safetensors", "registers_7.safetensors" }

local function read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("a")
  file:close()
  return bytes
end

describe("training", function()
  local folder
  before_each(function() folder = support.new_folder() end)
  after_each(function() support.remove_folder(folder) end)

  -- A training far too small to be of use, but with all its parts.
  local function steps(name, changes)
    local options = {
      output = folder .. "/" .. name, work = folder .. "/" .. name .. ".work",
      prior = ym.models.folder() .. "/prior.json", records = 300, pca_records = 400,
      validation_records = 40, neighbours = 60, neighbour_components = { 8, 4 }, epochs = 2, batch = 64,
      network_epochs = 2, network_batch = 16, hidden = { 8, 8 }, hidden_network = { 8 }, hidden_algorithm = { 8 },
      dump_steps = 2,
    }
    for key, value in pairs(changes or {}) do
      options[key] = value
    end
    return ym.training.steps(options)
  end

  it("makes models that can be used, and the same bits when interrupted", function()
    local summary = finish(steps("straight"))
    assert.is_true(summary.records > 200 and summary.records <= 300)
    local interrupted = false
    for _, stop in ipairs { 1, 2, 5, 7, 3, 30 } do -- in the features, the data and the networks
      local next_step = steps("stopped")
      for _ = 1, stop do
        interrupted = next_step() ~= nil
      end
    end
    assert.is_true(interrupted)
    local resumed = finish(steps("stopped"))
    assert.equal(summary.sha256, resumed.sha256)
    for _, name in ipairs(FILES) do
      assert.is_true(read(folder .. "/straight/" .. name) == read(folder .. "/stopped/" .. name), name)
    end
    local models = assert(ym.models.load(folder .. "/straight"))
    local sampler = ym.dataset.sampler { prior = ym.prior.read(ym.models.folder() .. "/prior.json") }
    local sound = { samples = ym.render(sampler:next(), { note = 60 }), note = 60, held = 1 }
    for _, method in ipairs { "matcher", "networks" } do
      assert.equal(100, #assert(ym.propose.packed(models, sound, { count = 100, method = method })))
    end
  end)

  it("makes again what is missing", function()
    finish(steps("whole"))
    local path = folder .. "/whole/registers_3.safetensors"
    local before = read(path)
    assert(os.remove(path))
    finish(steps("whole"))
    assert.is_true(before == read(path))
  end)

  it("refuses to go on with other settings, and says what it cannot read", function()
    local first = steps("a")
    assert(first())
    local step, message, kind = steps("a", { records = 301 })()
    assert.is_false(step)
    assert.equal("input", kind)
    assert.matches("other settings", message)
    step, message, kind = steps("b", { prior = folder .. "/none.json" })()
    assert.is_false(step)
    assert.equal("io", kind)
    assert.matches("none.json", message)
    step, message = steps("c", { patches = folder })()
    assert.is_false(step)
    assert.matches("holds no patch", message)
    step, message = steps("d", { output = folder .. "/no/where" })()
    assert.is_false(step)
    assert.matches("no/where", message)
  end)

  it("raises on misuse", function()
    assert.has_error(function() steps("e", { record = 5 }) end)
    assert.has_error(function() steps("e", { records = 0 }) end)
    assert.has_error(function() ym.training.steps {} end)
  end)
end)
