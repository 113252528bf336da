-- Published networks trained on sounds of a synthesizer: data sets, training, resuming,
-- telling.
local lfs = require "lfs"
local parameters = require "ym2612ml.synths.parameters"
local support = require "spec.support"
local targets = require "ym2612ml.networks.targets"
local ym = require "ym2612ml"

local RATE, LENGTH = 4000, 0.256

-- A sine of five pitches, soft or loud, with or without its octave.
local SOURCE = [[return {
  name = "toy", rate = %d, length = %g, parameters = {
    { name = "pitch", kind = "class", values = { 200, 300, 450, 700, 1100 } },
    { name = "level", kind = "continuous", least = 0.01, most = 1, scale = "log", classes = 8 },
    { name = "octave", kind = "switch" },
    { name = "unheard", kind = "integer", least = 0, most = 3 },
    { name = "constant", kind = "integer", least = 0, most = 3, fixed = 2 },
  },
  render = function(values, rate, length)
    local samples = {}
    for i = 1, math.floor(rate * length) do
      local angle = 2 * math.pi * values.pitch * i / rate
      samples[i] = values.level * (math.sin(angle) + values.octave * 0.5 * math.sin(2 * angle))
    end
    return samples
  end,
}]]

local function numbers(count)
  local list = {}
  for i = 1, count do
    list[i] = i
  end
  return list
end

describe("published networks on a synthesizer's sounds", function()
  local folder, set, code

  local function make(name, options)
    local all = {
      synth = assert(ym.synths.get(folder .. "/toy.lua")), output = folder .. "/" .. name, count = 96,
      validation = 32, test = 32, shard_records = 40,
    }
    for key, value in pairs(options or {}) do
      all[key] = value
    end
    return ym.synths.steps(all)
  end

  setup(function()
    folder = support.new_folder()
    support.write_file(folder .. "/toy.lua", SOURCE:format(RATE, LENGTH))
    support.finish(make "set")
    code = { synth = folder .. "/toy.lua" }
    set = assert(ym.synths.open(folder .. "/set", code))
  end)

  teardown(function()
    support.remove_folder(folder)
  end)

  -- Trains to the end: the learner and the summary.
  local function train(name, options)
    local all = { data = set, output = folder .. "/" .. name, patience = 0 }
    for key, value in pairs(options) do
      all[key] = value
    end
    local learner, summary
    for step, message in ym.learner.steps(all) do
      assert(step, message)
      learner, summary = step.learner, step.summary
    end
    return learner, summary
  end

  describe("a data set", function()
    it("holds what the synthesizer renders, in splits that share nothing", function()
      assert.same({ 96, 32, 32 }, { set.splits.train.rows, set.splits.valid.rows, set.splits.test.rows })
      local seen, overlap = {}, 0
      for _, name in ipairs { "train", "valid", "test" } do
        local split = set.splits[name]
        for row = 1, split.rows do
          local key = split.values[row]:slice(1, 3):bytes() -- the others are not heard
          overlap = overlap + (seen[key] and seen[key] ~= name and 1 or 0)
          seen[key] = name
        end
      end
      assert.equal(0, overlap)
      local rows = { 41, 3, 96 }
      local sounds = assert(set.splits.train:sounds(rows))
      local again = assert(set.synth:render(set.splits.train.values:rows(rows)))
      for i = 1, #rows do
        for at = 1, 1024, 97 do
          assert.near(again:get(i, at), sounds:get(i, at), 1e-3)
        end
      end
      assert.is_true(set.splits.train:keep(1 << 20))
      assert.is_true(set.splits.train:keep(1 << 20)) -- nothing is read again
      assert.same(sounds:totable(), assert(set.splits.train:sounds(rows)):totable())
      assert.is_false(set.splits.train:keep(100))
    end)

    it("knows what can be heard", function()
      assert.same({ pitch = true, level = true, octave = true, unheard = false, constant = false }, set.observable)
    end)

    it("goes on where it stopped, to the same bytes", function()
      do
        local next_step = make "again"
        assert(next_step())
        assert(next_step())
      end
      collectgarbage()
      support.finish(make "again")
      assert.same(support.snapshot(folder .. "/set"), support.snapshot(folder .. "/again"))
    end)

    it("refuses another folder's settings, wrong options and a changed synthesizer", function()
      support.assert_steps_fail(make("set", { seed = 2 }), "input", "begun with other settings")
      assert.has_error(function() make("x", { rate = 10 }) end)
      assert.has_error(function() ym.synths.steps { output = folder, count = 1, synth = "toy" } end)
      local source = SOURCE:format(RATE, LENGTH)
      support.write_file(folder .. "/other.lua", (source:gsub("most = 3, fixed", "most = 4, fixed")))
      support.finish(make("changed", {
        synth = assert(ym.synths.get(folder .. "/other.lua")), count = 4, validation = 0, test = 0,
      }))
      support.write_file(folder .. "/other.lua", source)
      local opened, message, kind = ym.synths.open(folder .. "/changed", { synth = folder .. "/other.lua" })
      assert.is_nil(opened)
      assert.equal("input", kind)
      assert.matches("other parameters", message)
      assert.is_nil((ym.synths.open(folder .. "/nowhere")))
    end)

    it("runs no code that it names, but what the caller names", function()
      local trap = ("io.open('%s/trapped', 'w'):close()"):format(folder)
      support.write_file(folder .. "/trap.lua", trap .. SOURCE:format(RATE, LENGTH))
      support.finish(make("named", { synth = assert(ym.synths.get(folder .. "/trap.lua")), count = 4, validation = 0,
        test = 0 }))
      assert(os.remove(folder .. "/trapped"))
      local opened, message, kind = ym.synths.open(folder .. "/named")
      assert.is_nil(opened)
      assert.equal("input", kind)
      assert.matches("named: .*trap.lua.*option 'synth'", message)
      assert.is_nil((io.open(folder .. "/trapped")))
      assert(ym.synths.open(folder .. "/named", code))
      local index = folder .. "/named/index.json"
      local text = support.read_file(index)
      for _, synth in ipairs {
        '{"name":"@/trap.lua","options":{}}', '{"name":"@/trap.lua","options":{"path":false}}',
        '{"name":"simple_fm","options":{"path":"@/trap.lua"}}',
      } do
        synth = synth:gsub("@", folder)
        support.write_file(index, (text:gsub('("synth": ){[^\n]*}', "%1" .. synth)))
        opened, message = ym.synths.open(folder .. "/named")
        assert.is_nil(opened)
        assert.matches("option 'synth'", message)
      end
      assert.is_nil((io.open(folder .. "/trapped")))
    end)

    it("is refused when it is damaged", function()
      support.finish(make("damaged", { count = 4, validation = 0, test = 0 }))
      local function assert_damaged(name, change, expected)
        local path = folder .. "/damaged/" .. name
        local before = support.read_file(path)
        support.write_file(path, change(before))
        local opened, message, kind = ym.synths.open(folder .. "/damaged", code)
        assert.is_nil(opened)
        assert.equal("format", kind)
        assert.is_truthy(message:find(expected, 1, true), message)
        support.write_file(path, before)
      end
      assert_damaged("train_00001/values.npy", function(bytes)
        return bytes:sub(1, -5) .. "\0\0\xc0\x7f" -- not a number
      end, "values.npy: is damaged (its checksum is wrong)")
      assert_damaged("index.json", function(text) return (text:gsub('"path"', '"paths"')) end, "index is damaged")
      assert_damaged("index.json", function(text) return (text:gsub('"samples": %d+', '"samples": 7')) end,
        "what a record holds")
      local opened = assert(ym.synths.open(folder .. "/damaged", code))
      local path = folder .. "/damaged/train_00001/sounds.npy"
      support.write_file(path, support.read_file(path):sub(1, -2))
      local sounds, message, kind = opened.splits.train:sounds { 4 }
      assert.is_nil(sounds)
      assert.equal("format", kind)
      assert.matches("sounds.npy", message)
    end)

    it("leaves out sounds that nobody hears, and ends when there are only such", function()
      local silent = ym.synths.new {
        name = "silent", rate = RATE, length = 0.01,
        parameters = { { name = "x", kind = "continuous", least = 0, most = 1 } },
        render = function() return ym.tensor.new { 40 } end,
      }
      support.assert_steps_fail(make("silent", { synth = silent }), "input", "none that can be heard")
      local broken = ym.synths.new {
        name = "broken", rate = RATE, length = 0.01, parameters = { { name = "x", kind = "switch" } },
        render = function()
          local samples = ym.tensor.new { 40 }
          samples:fill(0 / 0)
          return samples
        end,
      }
      support.assert_steps_fail(make("broken", { synth = broken }), "input", "nan")
    end)
  end)

  describe("targets", function()
    local synth = ym.synths.new(assert(load(SOURCE:format(RATE, LENGTH)))())

    it("give values again from what is told", function()
      local values = ym.tensor.from { { 450, 0.01, 1, 3, 2 }, { 1100, 1, 0, 0, 2 } }
      for _, style in ipairs(targets.styles) do
        local made = targets.new(synth, { "pitch", "level", "octave", "unheard" }, style)
        local told, outputs = made:encode(values), {}
        if told.classes then
          local rows = {}
          for row, classes in ipairs(told.classes:totable()) do
            rows[row] = {}
            for i, parameter in ipairs(made.class) do
              for class = 0, parameter.classes - 1 do
                table.insert(rows[row], class == classes[i] and 4 or -4)
              end
            end
          end
          outputs.logits = ym.tensor.from(rows)
        end
        outputs.values = told.values
        if told.switches then
          outputs.switches = ym.tensor.from { { 2 }, { -2 } }
        end
        local again = ym.tensor.new { 2, 5 }
        local scores = made:decode(outputs, 2, again)
        for row = 1, 2 do
          for column = 1, 4 do
            assert.near(values:get(row, column), again:get(row, column), 1e-5, style)
          end
        end
        for _, name in ipairs { "pitch", "level", "octave", "unheard" } do
          local parameter = synth.by_name[name]
          assert.same({ 2, parameter.classes }, scores[name]:shape())
          for row = 1, 2 do
            local right = parameters.class(parameter, values:get(row, parameter.index)) + 1
            for class = 1, parameter.classes do
              assert.is_true(scores[name]:get(row, right) >= scores[name]:get(row, class))
            end
          end
        end
      end
    end)

    it("have a loss of 1 where nothing is known", function()
      for style, loss in pairs { classes = "softmax", kinds = "softmax" } do
        local made = targets.new(synth, { "pitch", "octave" }, style, loss)
        local net = ym.nn.graph(function(g)
          return made:finish(g, g:input("x", { 3 }) * 0)
        end)
        for _, values in pairs(net:parameters()) do
          values:fill(0)
        end
        local data = made:encode(ym.tensor.from { { 450, 0.01, 1, 3, 2 }, { 1100, 1, 0, 0, 2 } })
        data.x = ym.tensor.new { 2, 3 }
        assert.near(1, net:evaluate(data), 1e-5)
      end
    end)

    it("give each class a probability of its own where that is asked for", function()
      local made = targets.new(synth, { "pitch", "level" }, "classes", "bce")
      local net = ym.nn.graph(function(g)
        return made:finish(g, g:input("x", { 3 }) * 0)
      end)
      for _, values in pairs(net:parameters()) do
        values:fill(0)
      end
      local data = made:encode(ym.tensor.from { { 450, 0.01, 1, 3, 2 } })
      data.x = ym.tensor.new { 1, 3 }
      assert.near(math.log(2), net:evaluate(data), 1e-5)
      assert.same({ 1, 13 }, net:run({ x = data.x }).logits:shape())
    end)
  end)

  -- Small ones of each: epochs and rate with which they do better than who tells the mean.
  local CONV, FC = { hidden = 32 }, { components = 20, hidden = 32 }
  local SMALL = {
    conv1 = { 10, 5e-3, CONV }, conv2 = { 10, 5e-3, CONV }, conv3 = { 10, 5e-3, CONV }, conv4 = { 10, 5e-3, CONV },
    conv5 = { 8, 3e-3, CONV }, conv6 = { 8, 3e-3, CONV }, conv6_xl = { 5, 3e-3, CONV }, conv_e2e = { 5, 3e-3, CONV },
    fc_linear = { 15, 1e-2, { components = 20 } },
    fc1 = { 15, 5e-3, FC }, fc2 = { 15, 5e-3, FC }, fc3 = { 15, 5e-3, FC },
    s2g_cnn = { 10, 5e-3, {} }, s2g_pca = { 20, 2e-3, { components = 20 } },
    antithesis_mel = { 10, 5e-3, { filters = { 8, 16 } } }, antithesis_lstm = { 40, 1e-2, { filters = 8, units = 16 } },
    sr_cnn = { 6, 5e-3, {} }, sr_raw = { 8, 5e-3, {} }, sr_autoencoder = { 6, 5e-3, { latent = 16, channels = 4 } },
  }
  local PICTURE = { stft = { size = 64, hop = 64 }, mel = { size = 128, hop = 64, frames = 16, bands = 16 },
    spectrogram = { size = 64, overlap = 16, height = 17, width = 17, scale = "db" } }

  -- By style the loss of a network that tells the mean of the training data whatever it
  -- hears.
  local unknowing = {}

  local function loss_of_unknowing(learner)
    local style = learner.settings.style
    if unknowing[style] then
      return unknowing[style]
    end
    local net = ym.nn.graph(function(g)
      return learner.targets:finish(g, g:input("x", { 1 }) * 0)
    end)
    local data = learner.targets:encode(set.splits.train.values)
    data.x = ym.tensor.new { set.splits.train.rows, 1 }
    assert(ym.train.fit(net, data, { epochs = 150, batch = 96, rate = 0.05 }))
    unknowing[style] = assert(net:evaluate(data))
    return unknowing[style]
  end

  for _, name in ipairs(ym.learner.names) do
    it("learn: " .. name, function()
      local front = ym.learner.architecture(name).front(RATE, LENGTH)
      local learner, summary = train(name, {
        model = name, epochs = SMALL[name][1], batch = 8, rate = SMALL[name][2], options = SMALL[name][3],
        front = PICTURE[front.kind], style = name:find "conv" and "classes" or "kinds", loss = "softmax",
      })
      assert.same({ "pitch", "level", "octave" }, learner.parameters)
      assert.equal("not heard", learner.dropped.unheard)
      assert.equal("fixed", learner.dropped.constant)
      assert.equal(96, summary.rows)
      local sounds = assert(set.splits.train:sounds(numbers(96)))
      local data = learner.targets:encode(set.splits.train.values)
      data.x = assert(learner.input:apply(sounds))
      local loss, mean = learner.network:evaluate(data), loss_of_unknowing(learner)
      assert.is_true(loss < 0.9 * mean, ("loss %.3f, of the mean %.3f"):format(loss, mean))
      local loaded = assert(ym.learner.load(folder .. "/" .. name, code))
      local told, again = assert(learner:predict(sounds)), assert(loaded:predict(sounds))
      assert.same(told.values:totable(), again.values:totable())
      assert.equal(2, again.values:get(5, 5))
      local found = assert(ym.learner.reconstruct(loaded, sounds[1], RATE))
      assert.equal(1024, #found.sound)
    end)
  end

  it("go on where they stopped, to the same bits", function()
    local options = { model = "antithesis_mel", epochs = 3, batch = 16, front = PICTURE.mel, style = "kinds" }
    local straight = train("straight", options)
    local all = { data = set, output = folder .. "/stopped", patience = 0 }
    for key, value in pairs(options) do
      all[key] = value
    end
    for step in ym.learner.steps(all) do
      if step.epoch == 2 then break end -- after the state of the first
    end
    assert.is_truthy(lfs.attributes(folder .. "/stopped/network.state"))
    local resumed = train("stopped", options)
    assert.same(straight.network:parameters()["values.weight"]:totable(),
      resumed.network:parameters()["values.weight"]:totable())
    assert.same(straight.settings.result.loss, resumed.settings.result.loss)
    local known = train("stopped", options) -- it is there: nothing is learned
    assert.equal(resumed.settings.result.seconds, known.settings.result.seconds)
    options.batch = 8
    local next_step = ym.learner.steps { data = set, output = folder .. "/stopped", patience = 0, model = options.model,
      epochs = 3, batch = 8, front = options.front, style = "kinds" }
    support.assert_steps_fail(next_step, "input", "begun with other settings")
  end)

  it("learn as much as the time allows, and keep to it when taken up again", function()
    local options = {
      model = "fc_linear", data = set, output = folder .. "/timed", patience = 0, seconds = 1, batch = 16, epochs = 40,
      front = PICTURE.stft, options = { components = 8 },
    }
    local summary = support.finish(ym.learner.steps(options))
    assert.is_true(summary.epochs >= 1 and summary.epochs <= 40)
    local plan = folder .. "/timed/network.plan.json"
    assert.is_truthy(lfs.attributes(plan))
    os.remove(folder .. "/timed/model.json")
    support.write_file(plan, '{"rows": 7, "epochs": 2}')
    local again = support.finish(ym.learner.steps(options))
    assert.same({ 7, 2 }, { again.rows, again.epochs })
    for _, text in ipairs { '{"rows": 7', '{"rows": 97, "epochs": 2}', '{"rows": 7, "epochs": 0}' } do
      os.remove(folder .. "/timed/model.json")
      support.write_file(plan, text)
      support.assert_steps_fail(ym.learner.steps(options), "format", "network.plan.json: is damaged")
    end
  end)

  it("hear what they are given in their own rate and length only", function()
    local refused, message, kind = ym.learner.load(folder .. "/fc_linear")
    assert.is_nil(refused)
    assert.equal("input", kind)
    assert.matches("fc_linear/model.json: .*toy.lua.*option 'synth'", message)
    local learner = assert(ym.learner.load(folder .. "/fc_linear", code))
    assert.has_error(function() learner:predict(ym.tensor.new { 2, 100 }) end)
    local found = assert(ym.learner.reconstruct(learner, assert(set.splits.test:sounds { 1 })[1], 2 * RATE))
    assert.equal(1024, #found.heard)
  end)

  it("are refused when damaged or unknown", function()
    assert.has_error(function() ym.learner.steps { model = "nothing", data = set, output = folder .. "/x" } end)
    assert.has_error(function()
      ym.learner.steps { model = "conv1", data = set, output = folder .. "/x", width = 3 }
    end)
    support.assert_steps_fail(ym.learner.steps {
      model = "conv1", data = folder .. "/none", output = folder .. "/x",
    }, "io", "none")
    local loaded, message, kind = ym.learner.load(folder .. "/none")
    assert.is_nil(loaded)
    assert.matches("none/model.json", message)
    assert.equal("io", kind)
    local network = folder .. "/fc2/network.safetensors"
    support.write_file(network, support.read_file(folder .. "/conv1/network.safetensors"))
    loaded, message, kind = ym.learner.load(folder .. "/fc2", code)
    assert.is_nil(loaded)
    assert.equal("format", kind)
    assert.matches("fc2/network.safetensors: is of another model", message)
    support.write_file(folder .. "/fc1/model.json", "{}")
    loaded, message, kind = ym.learner.load(folder .. "/fc1", code)
    assert.is_nil(loaded)
    assert.equal("format", kind)
    assert.matches("model.json", message)
  end)
end)
