local check = require "ym2612ml.check"
local fronts = require "ym2612ml.networks.fronts"
local networks = require "spec.networks"
local published = require "ym2612ml.networks.published"
local targets = require "ym2612ml.networks.targets"
local ym = require "ym2612ml"
local nn = ym.nn

-- The options of an architecture with defaults for those that are not given.
local function options_of(architecture, options)
  return check.options(options or {}, architecture.options, 1, "options_of")
end

-- The network on an input of this shape, with so many numbers to tell.
local function record(architecture, shape, outputs, options)
  options = options_of(architecture, options)
  return nn.graph(function(g)
    local hidden = architecture.body(g, g:input("x", shape), shape, options)
    assert(#hidden:shape() == 1)
    local out = nn.dense(hidden, outputs)
    return { out = out, loss = out:mse(g:input("target", { outputs })) }
  end)
end

local function record_autoencoder(architecture, shape, options)
  options = options_of(architecture, options)
  return nn.graph(function(g)
    local x = g:input("x", shape)
    local latent = architecture.encode(g, x, shape, options)
    local again = architecture.decode(g, latent, shape, options)
    return { latent = latent, again = again, loss = again:mse(x) }
  end)
end

-- What a sound of this rate and length becomes before the network.
local function input_shape(architecture, rate, length)
  if architecture.stage then
    local options = options_of(architecture)
    return { options.components or options.latent }
  end
  return fronts.new(architecture.front(rate, length), rate, math.floor(rate * length)).shape
end

-- Decaying sines of several pitches and levels.
local function notes(count, rate, samples)
  local rng, sounds = ym.rng.new { seed = 5 }, ym.tensor.new { count, samples }
  for row = 1, count do
    local pitch, level = rng:uniform(), rng:uniform()
    local sound = sounds[row]
    for i = 1, samples do
      sound[i] = (0.02 + 0.9 * level) * math.exp(-i / samples) * math.sin(2 * math.pi * i * 100 * 16 ^ pitch / rate)
    end
  end
  return sounds
end

-- All numbers with mean 0 and deviation 1.
local function standardised(x)
  local count, shape = 1, x:shape()
  for _, size in ipairs(shape) do
    count = count * size
  end
  local net = nn.graph(function(g)
    local all = g:input("x", { count })
    local rest = all - all:mean { axis = 2, keep = true }
    return { out = rest / rest:square():mean({ axis = 2, keep = true }):sqrt() }
  end)
  return net:run({ x = x:reshape { 1, count } }).out:reshape(shape)
end

describe("published networks", function()
  it("say what they are", function()
    local styles, losses, seen = {}, {}, {}
    for _, style in ipairs(targets.styles) do
      styles[style] = true
    end
    for _, loss in ipairs(targets.losses) do
      losses[loss] = true
    end
    assert.is_true(#published.names > 0)
    for _, name in ipairs(published.names) do
      local architecture = published.get(name)
      assert.equal(published.by_name[name], architecture)
      assert.equal(name, architecture.name)
      assert.is_nil(seen[name])
      seen[name] = true
      assert.is_true(#architecture.title > 0 and #architecture.source > 0)
      assert.is_true(styles[architecture.targets], name)
      assert.is_true(architecture.loss == nil or losses[architecture.loss], name)
      for _, field in ipairs { "rate", "batch", "epochs" } do
        assert.is_true(architecture.training[field] > 0, name)
      end
      assert.equal("adam", architecture.training.optimizer)
      assert.equal("function", type(architecture.body))
      assert.equal(architecture.stage == "autoencoder", architecture.encode ~= nil and architecture.decode ~= nil)
      options_of(architecture)
    end
  end)

  it("have as many parameters as published", function()
    local counts = {
      conv1 = { 368, 1174978 }, conv2 = { 368, 1157110 }, conv3 = { 368, 1156338 }, conv4 = { 368, 1155494 },
      conv5 = { 368, 1155282 }, conv6 = { 368, 1155287 }, conv6_xl = { 368, 2279792 }, conv_e2e = { 368, 1916696 },
      s2g_cnn = { 37, 3005785 },
      s2g_pca = { 37, 273237 },
      sr_cnn = { 88, 1621096 - 3 * 16 * 5 * 5 }, -- one channel of input in the place of four
    }
    for name, count in pairs(counts) do
      local architecture = published.get(name)
      local net = record(architecture, input_shape(architecture, 16384, 1), count[1])
      assert.equal(count[2], net:count(), name)
    end
    assert.equal(2279792, nn.graph(networks.inversynth("conv6_xl", { 64, 257 })):count())
  end)

  it("are made for sounds of any rate and length", function()
    for _, name in ipairs(published.names) do
      local architecture = published.get(name)
      for _, case in ipairs { { 8000, 0.1 }, { 53267, 0.13 } } do
        local shape = input_shape(architecture, case[1], case[2])
        local out = record(architecture, shape, 5):run({ x = ym.tensor.new { 1, table.unpack(shape) } }).out
        assert.same({ 1, 5 }, out:shape())
      end
    end
  end)

  it("hear pictures of any size", function()
    for _, name in ipairs { "conv6_xl", "antithesis_mel", "antithesis_lstm", "sr_cnn", "s2g_cnn" } do
      local architecture = published.get(name)
      for _, shape in ipairs { { 31, 33 }, { 200, 40 }, { 17, 129 } } do
        local out = record(architecture, shape, 3):run({ x = ym.tensor.new { 2, table.unpack(shape) } }).out
        assert.same({ 2, 3 }, out:shape())
      end
    end
  end)

  it("give pictures of any size again", function()
    local architecture = published.get "sr_autoencoder"
    for _, shape in ipairs { { 32, 40 }, { 33, 47 }, { 1, 9 } } do
      local net = record_autoencoder(architecture, shape, { latent = 7, channels = 4 })
      local outputs = net:run { x = ym.tensor.new { 2, table.unpack(shape) } }
      assert.same({ 2, 7 }, outputs.latent:shape())
      assert.same({ 2, table.unpack(shape) }, outputs.again:shape())
    end
  end)

  -- that all of them learn is for learner_spec.lua to show
  it("learn to give a picture again", function()
    local rate, samples = 8000, 1024
    local front = fronts.new(fronts.even_mel(rate, samples / rate, 32, 32), rate, samples)
    local x = standardised(assert(front:apply(notes(16, rate, samples))))
    local net = record_autoencoder(published.get "sr_autoencoder", front.shape, { latent = 8, channels = 4 })
    local optimizer = nn.optimizer(net, { rate = 1e-3 })
    for _ = 1, 60 do
      assert(net:step({ x = x }, optimizer))
    end
    assert.is_true(net:evaluate { x = x } < 0.8) -- 1: of who tells the mean
  end)

  it("refuse what they do not know", function()
    local function misuse(pattern, call)
      local done, message = pcall(call)
      assert.is_false(done)
      assert.matches("^spec/published_spec.lua:%d+: ", message)
      assert.is_truthy(message:find(pattern, 1, true), message)
    end
    misuse("'conv7' is no model, expected one of conv1, conv2", function() return (published.get "conv7") end)
    misuse("(nil is no model", function() return (published.get(nil)) end)
    misuse("hears pictures", function() return (record(published.get "conv6", { 100 }, 2)) end)
    misuse("hears samples", function() return (record(published.get "conv_e2e", { 10, 10 }, 2)) end)
    misuse("'filters' has 0.5 at 2", function()
      return (record(published.get "antithesis_mel", { 20, 20 }, 2, { filters = { 4, 0.5 } }))
    end)
    misuse("unknown option 'size'", function() return (options_of(published.get "conv6", { size = 3 })) end)
  end)
end)
