local cjson = require "cjson"
local core = require "ym2612ml.core"
local support = require "spec.support"
local parameters = require "ym2612ml.synths.parameters"
local ym = require "ym2612ml"

local EXAMPLE = "examples/09_synthesizer.lua"

-- A synthesizer that renders one sample of each kind of parameter, again and again.
local function definition(changes)
  local made = {
    name = "plain", rate = 2000, length = 0.1,
    parameters = {
      { name = "class", kind = "class", values = { 3, 1, 2.5 } },
      { name = "whole", kind = "integer", least = -2, most = 5 },
      { name = "even", kind = "continuous", least = 0, most = 1, classes = 5 },
      { name = "log", kind = "continuous", least = 0.01, most = 100, scale = "log", classes = 5 },
      { name = "switch", kind = "switch" },
    },
    render = function(values, rate, length)
      local samples = {}
      for i = 1, math.floor(rate * length) do
        samples[i] = ({ values.class, values.whole, values.even, values.log, values.switch })[(i - 1) % 5 + 1]
      end
      return samples
    end,
  }
  for key, value in pairs(changes or {}) do
    made[key] = value or nil
  end
  return made
end

describe("a synthesizer", function()
  it("knows its parameters and their classes", function()
    local synth = ym.synths.new(definition())
    local classes = {}
    for i, parameter in ipairs(synth.parameters) do
      assert.equal(i, parameter.index)
      assert.equal(parameter, synth.by_name[parameter.name])
      classes[i] = parameter.classes
    end
    assert.same({ 3, 8, 5, 5, 2 }, classes)
    assert.equal("synthesizer plain: 5 parameters, 0.1 s at 2000 Hz", tostring(synth))
  end)

  it("takes values to classes and back", function()
    local synth = ym.synths.new(definition())
    local values = synth:values { { 0, 0, 0, 0, 0 }, { 1, 7, 1, 1, 1 }, { 2, 2, 4, 4, 0 } }
    assert.same({ { 3, -2, 0, 0.0099999997764826, 0 }, { 1, 5, 0.25, 0.10000000149012, 1 }, { 2.5, 0, 1, 100, 0 } },
      cjson.decode(cjson.encode(values:totable())))
    assert.equal("i32", synth:classes(values):type())
    assert.same({ { 0, 0, 0, 0, 0 }, { 1, 7, 1, 1, 1 }, { 2, 2, 4, 4, 0 } }, synth:classes(values):totable())
    assert.same({ { 1, 7, 0, 2, 1 }, { 0, 0, 4, 0, 0 } },
      synth:classes({ { -1, 9, -1, 0.9, 2 }, { 9, -9, 9, -9, -9 } }):totable())
    assert.same({ 0, 5 }, synth:classes(ym.tensor.new { 0, 5 }):shape())
  end)

  it("takes any value to the nearest that can be rendered, and to its share of the range", function()
    local synth = ym.synths.new(definition())
    local wild = { { 2.6, 1.4, 0.3, 7, 0.7 }, { -1e9, 1e9, -3, 0, -2 } }
    local nearest = synth:nearest(wild)
    for p, expected in ipairs { 2.5, 1, 0.3, 7, 1 } do
      assert.near(expected, nearest:get(1, p), 1e-6)
    end
    for p, expected in ipairs { 1, 5, 0, 0.01, 0 } do
      assert.near(expected, nearest:get(2, p), 1e-6)
    end
    assert(synth:render(nearest))
    local shares = synth:shares(nearest)
    for p, expected in ipairs { 1, 3 / 7, 0.3, (math.log(7, 10) + 2) / 4, 1 } do
      assert.near(expected, shares:get(1, p), 1e-6)
      assert.near(nearest:get(1, p), parameters.at(synth.parameters[p], shares:get(1, p)), 1e-5)
    end
    local log = synth.by_name.log
    assert.near(1, synth:class_value(log, 2), 1e-9)
  end)

  it("makes rows of names, and names of rows", function()
    local synth = ym.synths.new(definition(), { fixed = { whole = 4 } })
    local row = synth:row { class = 1, even = 0.5, log = 1, switch = 1 }
    assert.same({ { 1, 4, 0.5, 1, 1 } }, row:totable())
    assert.same({ class = 1, whole = 4, even = 0.5, log = 1, switch = 1 }, synth:table(row))
    assert.same(synth:table(row), synth:table(row[1]))
  end)

  it("draws every class as often as the others, the same ones by seed and stream", function()
    local synth = ym.synths.new(definition())
    local values = synth:draw(2000, { seed = 5 })
    assert.equal(values:bytes(), synth:draw(2000, { seed = 5, stream = 0 }):bytes())
    assert.equal(values:slice(1, 10):bytes(), synth:draw(10, { seed = 5 }):bytes())
    assert.not_equal(values:bytes(), synth:draw(2000, { seed = 5, stream = 1 }):bytes())
    assert.equal(values:bytes(), synth:values(synth:classes(values)):bytes())
    for p, parameter in ipairs(synth.parameters) do
      local counts = {}
      for _, row in ipairs(synth:classes(values):totable()) do
        counts[row[p]] = (counts[row[p]] or 0) + 1
      end
      for class = 0, parameter.classes - 1 do
        assert.near(2000 / parameter.classes, counts[class], 5 * math.sqrt(2000 / parameter.classes))
      end
    end
    assert.same({ 0, 5 }, synth:draw(0):shape())
  end)

  it("has other classes, and draws anywhere in the range, when told so", function()
    local synth = ym.synths.new(definition(), { classes = 3 })
    assert.equal(3, synth.by_name.even.classes)
    assert.same({ { 3, -2, 0.5, 1, 0 } }, synth:values({ { 0, 0, 1, 1, 0 } }):totable())
    synth = ym.synths.new(definition(), { classes = 0 })
    assert.equal(5, synth.by_name.even.classes)
    local values, between = synth:draw(200), 0
    for row = 1, 200 do
      between = between + (values:get(row, 3) * 4 % 1 ~= 0 and 1 or 0)
    end
    assert.is_true(between > 190)
    assert(synth:render(values))
  end)

  it("holds what is fixed, whoever draws", function()
    local fixed = { whole = 3, switch = 0 }
    local drawn = function(_, count, list)
      assert.equal(3, list[2].fixed)
      local rows = {}
      for i = 1, count do
        rows[i] = { 3, 1, 0.5, 1, 1 }
      end
      return rows
    end
    for _, draw in ipairs { false, drawn } do
      local synth = ym.synths.new(definition { draw = draw }, { fixed = fixed })
      for _, row in ipairs(synth:draw(20):totable()) do
        assert.equal(3, row[2])
        assert.equal(0, row[5])
      end
      assert.is_false(synth:observable({ count = 1 }).whole)
      assert.equal(3, synth.by_name.whole.fixed)
    end
  end)

  it("renders what the definition gives, at any rate and length", function()
    local synth = ym.synths.new(definition())
    local values = { { 3, -1, 0.5, 1, 1 }, { 1, 2, 0.25, 10, 0 } }
    assert.same({ 2, 200 }, synth:render(values):shape())
    local sounds = assert(synth:render(values, { rate = 1001, length = 0.5 }))
    assert.same({ 2, 500 }, sounds:shape())
    assert.same({ 3, -1, 0.5, 1, 1, 3 }, sounds[1]:slice(1, 6):totable())
    local many = ym.synths.new(definition {
      render = false, render_batch = function(rows, rate, length)
        return ym.tensor.new({ #rows, math.floor(rate * length) }):fill(2)
      end,
    })
    assert.equal(2, many:render(values):get(2, 200))
    assert.same({ 0, 200 }, many:render(ym.tensor.new { 0, 5 }):shape())
  end)

  it("tells what can be heard", function()
    local synth = ym.synths.new(definition {
      render = function(values, rate, length)
        local samples = ym.tensor.new { math.floor(rate * length) }
        return samples:fill(values.whole + 10 + values.even * 1e-5 + (values.class == 2.5 and values.switch or 0))
      end,
    })
    assert.same({ class = true, whole = true, even = false, log = false, switch = true }, synth:observable())
  end)

  it("passes on what the world does wrong", function()
    local values = { { 3, -1, 0.5, 1, 1 } }
    local function failing()
      return nil, "no cable", "io"
    end
    for _, key in ipairs { "render", "render_batch" } do
      local synth = ym.synths.new(definition { render = false, [key] = failing })
      assert.same({ n = 3, nil, "plain: no cable", "io" }, table.pack(synth:render(values)))
      assert.same({ n = 3, nil, "plain: no cable", "io" }, table.pack(synth:observable()))
    end
    local synth = ym.synths.new(definition { draw = failing })
    assert.same({ n = 3, nil, "plain: no cable", "io" }, table.pack(synth:draw(3)))
    assert.same({ n = 3, nil, "plain: no cable", "io" }, table.pack(synth:observable()))
  end)

  it("raises at the caller's line for wrong arguments", function()
    local synth = ym.synths.new(definition())
    local function fails(expected, f, ...)
      local fine, message = pcall(f, ...)
      assert.is_false(fine, expected)
      assert.is_truthy(message:find(expected, 1, true), message)
    end
    fails("row 1: whole is 1.5, expected a whole number -2..5", synth.render, synth, { { 3, 1.5, 0, 1, 0 } })
    fails("row 2: class is 2, expected one of 3, 1, 2.5", synth.render, synth, { { 3, 1, 0, 1, 0 }, { 2, 1, 0, 1, 0 } })
    fails("row 1: log is 0, expected 0.01..100", synth.render, synth, { { 3, 1, 0, 0, 0 } })
    fails("row 1: switch is 0.5, expected 0 or 1", synth.render, synth, { { 3, 1, 0, 1, 0.5 } })
    fails("expected 0..1", synth.render, synth, { { 3, 1, 0 / 0, 1, 0 } })
    fails("shape is 1 x 2, expected rows of 5", synth.render, synth, { { 3, 1 } })
    fails("tensor expected, got number", synth.classes, synth, 3)
    fails("unknown option 'seed'", synth.render, synth, synth:draw(1), { seed = 1 })
    fails("option 'rate' is 10", synth.render, synth, synth:draw(1), { rate = 10 })
    fails("switch has no class 2, expected 0..1", synth.values, synth, { { 0, 0, 0, 0, 2 } })
    fails("-1, expected a whole number 0 or more", synth.draw, synth, -1)
    fails("option 'count' is 0", synth.observable, synth, { count = 0 })
    fails("plain has no parameter 'pitch'", synth.row, synth, { pitch = 1 })
    fails("even is nil, expected 0..1", synth.row, synth, { class = 1, whole = 1 })
    fails("shape is 2 x 5, expected 5", synth.table, synth, synth:draw(2))
    local short = ym.synths.new(definition { render = function() return { 1, 2 } end })
    fails("render of synthesizer 'plain' gave 2, expected 200 numbers", short.render, short, short:draw(1))
    local fine, message = pcall(function() synth:draw("many") end)
    assert.is_false(fine)
    assert.is_truthy(message:find("^spec/synths_spec.lua:%d+: "), message)
  end)

  it("says what is wrong with a definition", function()
    local function fails(expected, changes, options)
      local fine, message = pcall(ym.synths.new, type(changes) == "table" and definition(changes) or changes, options)
      assert.is_false(fine, expected)
      assert.is_truthy(message:find(expected, 1, true), message)
    end
    local function parameter(given)
      return { parameters = { given } }
    end
    fails("a nil, expected a table", nil)
    fails("unknown key 'speed'", { speed = 1 })
    fails("expected name, parameters, and render or render_batch", { render = false })
    fails("'rate' is nil, expected 1000..655350 Hz", { rate = false })
    fails("'length' is 0", { length = 0 })
    fails("'draw' is 3, expected a function", { draw = 3 })
    fails("it has no parameters", { parameters = {} })
    fails("parameter 1: is no table with a name", parameter {})
    fails("kind is float", parameter { name = "a", kind = "float" })
    fails("'a': unknown key 'min'", parameter { name = "a", kind = "switch", min = 0 })
    fails("needs classes, 2 or more, or values", parameter { name = "a", kind = "class", classes = 1 })
    fails("needs 2 values or more", parameter { name = "a", kind = "class", values = { 1 } })
    fails("has the value x", parameter { name = "a", kind = "class", values = { 1, "x" } })
    fails("other than as many values", parameter { name = "a", kind = "class", values = { 1, 2 }, classes = 3 })
    fails("needs whole numbers least and most", parameter { name = "a", kind = "integer", least = 0.5, most = 2 })
    fails("needs least and most", parameter { name = "a", kind = "continuous", least = 2, most = 1 })
    fails("least is not above 0", parameter { name = "a", kind = "continuous", least = 0, most = 1, scale = "log" })
    fails("is fixed at 3, expected 0 or 1", parameter { name = "a", kind = "switch", fixed = 3 })
    local twice = { name = "a", kind = "switch" }
    fails("the name of another one", { parameters = { twice, twice } })
    fails("plain has no parameter 'b'", {}, { fixed = { b = 1 } })
    fails("whole is 9, expected a whole number -2..5", {}, { fixed = { whole = 9 } })
    fails("option 'classes' is 1, expected 0, or 2 or more", {}, { classes = 1 })
    fails("unknown option 'note'", {}, { note = 60 })
  end)
end)

describe("the synthesizers of the module #c", function()
  it("are made again from their names and options", function()
    for _, name in ipairs(ym.synths.names) do
      local synth = assert(ym.synths.get(name, { classes = 8, rate = 8000, length = 0.25 }))
      local again = assert(ym.synths.get(synth.name, cjson.decode(cjson.encode(synth.options))))
      local values = synth:draw(6, { seed = 2 })
      collectgarbage()
      assert.equal(values:bytes(), again:draw(6, { seed = 2 }):bytes())
      local sounds = assert(synth:render(values))
      assert.same({ 6, 2000 }, sounds:shape())
      assert.equal(sounds:bytes(), again:render(values):bytes())
      for _, peak in ipairs(ym.audio.peaks(sounds)) do
        assert.is_true(peak < 8)
      end
    end
  end)

  it("give the same bits with any number of threads, and each sound alone", function()
    local before = ym.threads()
    finally(function() ym.threads(before) end)
    for _, name in ipairs(ym.synths.names) do
      local synth = assert(ym.synths.get(name))
      local values = synth:draw(5)
      local play = { rate = 22050, length = 0.5 }
      ym.threads(1)
      local one = assert(synth:render(values, play))
      ym.threads(2)
      assert.equal(one:bytes(), synth:render(values, play):bytes(), name)
      assert.same({ 5, 11025 }, one:shape())
      assert.equal(one[4]:bytes(), synth:render(values:slice(4, 4), play):bytes(), name)
    end
  end)

  it("are refused by other names", function()
    assert.error_matches(function() ym.synths.get "opn3" end,
      "synthesizer 'opn3', expected inversynth, opn2, simple_fm or the path of a Lua file")
    assert.error_matches(function() ym.synths.get(3) end, "string expected, got number")
    assert.error_matches(function() ym.synths.get("simple_fm", { note = 3 }) end, "unknown option 'note'")
  end)

  it("refuse what the binding does not check for them", function()
    for _, render in ipairs { core.synths.simple_fm, core.synths.inversynth } do
      assert.error(function() render(ym.tensor.new { 1, 5 }, 8000, 10) end)
      assert.error(function() render(ym.tensor.new { 1, 9 }, 0, 10) end)
      assert.error(function() render(ym.tensor.new { 1, 9 }:fill(0 / 0), 8000, 10) end)
    end
    assert.error(function() core.synths.resample(ym.tensor.new { 1, 9 }, 8000, 8000, 0) end)
    assert.error(function() core.synths.resample(ym.tensor.new { 1, 9 }, 8000, 8, 9) end)
    assert.error(function() core.synths.differences(ym.tensor.new { 1, 9 }, ym.tensor.new { 2, 9 }) end)
    local bad = ym.tensor.new { 2, 100 }
    bad:set(2, 50, 0 / 0)
    local sounds, message, kind = core.synths.resample(bad, 8000, 16000, 200)
    assert.is_nil(sounds)
    assert.is_truthy(message)
    assert.equal("input", kind)
  end)
end)

describe("a user's file", function()
  local path
  before_each(function() path = os.tmpname() .. ".lua" end)
  after_each(function()
    os.remove(path)
    os.remove((path:gsub("%.lua$", "")))
  end)

  local function fails(text, expected, kind)
    support.write_file(path, text)
    local synth, message, found = ym.synths.get(path)
    assert.is_nil(synth)
    assert.equal(1, (message:find(path .. ": ", 1, true)), message)
    assert.is_truthy(message:find(expected, 1, true), message)
    assert.equal(kind or "format", found)
  end

  it("defines a synthesizer, made again from its name and options", function()
    local synth = assert(ym.synths.get(EXAMPLE, { fixed = { octave = 1 }, length = 0.1 }))
    assert.equal("bell", synth.name)
    assert.equal(EXAMPLE, synth.options.path)
    local again = assert(ym.synths.get(synth.name, synth.options))
    local values = synth:draw(2)
    assert.equal(synth:render(values):bytes(), again:render(values):bytes())
    assert.is_nil(_G.definition)
  end)

  it("says what is wrong with it", function()
    os.remove(path)
    local synth, message, kind = ym.synths.get(path)
    assert.is_nil(synth)
    assert.equal(1, (message:find(path, 1, true)))
    assert.equal("io", kind)
    fails("return {", "is no Lua")
    fails("\27Lua", "is no Lua")
    fails("return 3", "defines no synthesizer: a number, expected a table")
    fails("error 'no luck'", "defines no synthesizer: ")
    fails("return { name = 'a', rate = 8000, length = 1, parameters = {}, render = print }", "has no parameters")
  end)
end)
