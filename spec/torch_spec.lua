-- Values that PyTorch gave, in spec/vectors: spec/bench/parity.py wrote them.
local networks = require "spec.networks"
local ym = require "ym2612ml"

local function read(name)
  return assert(ym.store.load(("spec/vectors/torch_%s.safetensors"):format(name)))
end

local function flat(tensor)
  local size = 1
  for _, axis in ipairs(tensor:shape()) do
    size = size * axis
  end
  return tensor:to("f32"):reshape { size }
end

local function largest(tensor)
  local values, most = flat(tensor), 0
  for at = 1, #values do
    most = math.max(most, math.abs(values[at]))
  end
  return most
end

-- The largest difference, relative to the largest value or, where that is more, to least.
local function difference(ours, theirs, least)
  local a, b, apart = flat(ours), flat(theirs), 0
  for at = 1, #b do
    apart = math.max(apart, math.abs(a[at] - b[at]))
  end
  return apart / math.max(largest(theirs), least or 0)
end

describe("networks, compared with PyTorch", function()
  for name, write in pairs { lstm = networks.lstm_net, vae = networks.vae, conv = networks.conv_net } do
    it(("give the same outputs and gradients: %s"):format(name), function()
      local tensors, metadata = read(name)
      local net = ym.nn.graph(write)
      local inputs, least = {}, 0
      for key, tensor in pairs(tensors) do
        local kind, part = key:match "^(%w+) (.*)$"
        if kind == "weight" then
          net:parameters()[part]:copy(tensor)
        elseif kind == "input" then
          inputs[part] = tensor
        elseif kind == "gradient" then
          least = math.max(least, 1e-3 * largest(tensor)) -- some are zero but for rounding
        end
      end
      local outputs = assert(net:run(inputs))
      local gradients, loss = assert(net:gradients(inputs))
      assert.near(1, loss / tonumber(metadata.loss), 1e-5)
      local compared = 0
      for key, tensor in pairs(tensors) do
        local kind, part = key:match "^(%w+) (.*)$"
        if kind == "output" then
          assert.is_true(difference(outputs[part], tensor) < 1e-5, key)
        elseif kind == "gradient" then
          assert.is_true(difference(gradients[part], tensor, least) < 1e-4, key)
          compared = compared + 1
        end
      end
      local count = 0
      for _ in pairs(net:parameters()) do
        count = count + 1
      end
      assert.equal(count, compared)
    end)
  end
end)

describe("optimizers, compared with PyTorch", function()
  local options = {
    sgd = { method = "sgd", momentum = 0.9, decay = 0.1 }, adam = { method = "adam", decay = 0.1 },
    adamw = { method = "adamw", decay = 0.1 }, clip = { method = "sgd", clip = 1.5 },
  }
  for name, given in pairs(options) do
    it(("take the same steps: %s"):format(name), function()
      local tensors = read "optimizers"
      -- the gradient of a sum of products by one factor is the other
      local net = ym.nn.graph(function(g)
        return { loss = (g:param("p", { 8 }) * g:input("x", { 8 })):sum() }
      end)
      local p = net:parameters().p
      p:copy(tensors.start)
      given.rate = 0.05
      local optimizer = ym.nn.optimizer(net, given)
      for step = 1, #tensors.gradients do
        assert(net:step({ x = tensors.gradients:slice(step, step) }, optimizer))
        assert.is_true(difference(p, tensors[name][step]) < 1e-6, ("step %d"):format(step))
      end
    end)
  end
end)
