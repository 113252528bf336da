local ym = require "ym2612ml"
local nn, store, tensor = ym.nn, ym.store, ym.tensor

local path = os.tmpname()
teardown(function() os.remove(path) end)

local function make(seed)
  return nn.graph(function(g)
    local x = nn.dense(g:input("x", { 3 }), 4, { activation = "tanh", name = "hidden" })
    local out = nn.dense(x, 2, { name = "out" }) * g:const { 1, 2 } + g:param("shift", { 2, 2 }):sum(1):reshape { 2 }
    return { out = out, loss = out:sum() }
  end, { seed = seed })
end

-- The weights as PyTorch's layers would have them.
local function as_torch(net)
  local tensors = {}
  for name, view in pairs(net:parameters()) do
    tensors["net." .. name] = name:find "%.weight$" and view:permute { 2, 1 } or view
  end
  return tensors
end

local function theirs(name)
  return "net." .. name
end

describe("weights of another program's file #c", function()
  local x = tensor.from { { 1, -2, 0.5 }, { 0.1, 0.2, 3 } }

  it("are taken by name, whatever else is in the file", function()
    local from, to = make(1), make(2)
    local tensors = from:parameters()
    tensors.count = tensor.from({ 7 }, "i32")
    assert(store.save(path, tensors))
    assert.is_true(to:load_weights(path))
    assert.equal(from:run({ x = x }).out:bytes(), to:run({ x = x }).out:bytes())
  end)

  it("are taken by other names, with PyTorch's order of axes", function()
    local from = make(1)
    assert(store.save(path, as_torch(from)))
    local map = {}
    for name in pairs(from:parameters()) do
      map[name] = theirs(name)
    end
    for _, names in ipairs { theirs, map } do
      local to = make(2)
      assert(to:load_weights(path, { names = names, layout = "torch" }))
      assert.equal(from:run({ x = x }).out:bytes(), to:run({ x = x }).out:bytes())
    end
  end)

  it("are turned as each layer of PyTorch has them", function()
    local networks = require "spec.networks"
    local function sequence(g)
      local y = nn.conv(g:input("x", { 9, 2 }), 3, { size = 5, name = "c" })
      return { y = nn.attention(y, y, y:sum(2):reshape { 1, 3 } + y, { heads = 1, name = "a" }) }
    end
    local cases = {
      [networks.conv_net] = { ["down.weight"] = { 4, 3, 1, 2 }, ["inside.weight"] = { 4, 3, 1, 2 },
        ["up.weight"] = { 3, 4, 1, 2 }, ["out.weight"] = { 2, 1 } },
      [networks.lstm_net] = { ["weight_[ih]h_l"] = { 2, 1 }, ["out.weight"] = { 2, 1 } },
      [networks.vae] = { ["in_proj_weight"] = { 2, 1 }, ["out_proj.weight"] = { 2, 1 }, ["e.weight"] = { 2, 1 },
        ["w.weight"] = { 2, 1 }, ["mean.weight"] = { 2, 1 }, ["spread.weight"] = { 2, 1 },
        ["film.weight"] = { 2, 1 }, ["^out.weight"] = { 2, 1 } },
      [sequence] = { ["c.weight"] = { 4, 3, 1, 2 }, ["in_proj_weight"] = { 2, 1 }, ["out_proj.weight"] = { 2, 1 } },
    }
    for write, turns in pairs(cases) do
      local from, to, tensors = nn.graph(write, { seed = 1 }), nn.graph(write, { seed = 2 }), {}
      for name, view in pairs(from:parameters()) do
        tensors[name] = view
        for pattern, axes in pairs(turns) do
          if name:find(pattern) then
            tensors[name] = view:permute(axes)
          end
        end
        local shape = tensors[name]:shape()
        if name == "c.weight" then -- of Conv1d: (out, in, size)
          tensors[name] = tensors[name]:to("f32"):reshape { shape[1], shape[2], shape[4] }
        end
      end
      assert(store.save(path, tensors))
      assert(to:load_weights(path, { layout = "torch", partial = true }))
      for name, view in pairs(from:parameters()) do
        assert.equal(view:bytes(), to:parameters()[name]:bytes(), name)
      end
    end
  end)

  it("are taken as F16", function()
    local from, to = make(1), make(2)
    local tensors = {}
    for name, view in pairs(from:parameters()) do
      tensors[name] = view:to "f16"
    end
    assert(store.save(path, tensors))
    assert(to:load_weights(path))
    assert.near(from:run({ x = x }).out:get(1, 1), to:run({ x = x }).out:get(1, 1), 1e-2)
  end)

  it("are taken all or none, unless some are enough", function()
    local net = make(1)
    local before = net:dump()
    local function refused(change, pattern, options)
      local tensors = as_torch(make(2))
      change(tensors)
      assert(store.save(path, tensors))
      local done, message, kind = net:load_weights(path, options or { names = theirs, layout = "torch" })
      assert.is_nil(done)
      assert.equal("format", kind)
      assert.equal(path .. ": ", message:sub(1, #path + 2))
      assert.is_truthy(message:find(pattern), message)
      assert.equal(before, net:dump())
    end
    refused(function(t) t["net.out.bias"] = nil end, "tensor 'net.out.bias', for 'out.bias', is missing")
    refused(function(t) t["net.out.bias"] = tensor.new { 3 } end, "'net.out.bias'.* shape %(3%), expected %(2%)")
    refused(function(t) t["net.out.weight"] = tensor.new { 4, 2 } end, "shape %(2, 4%) %(its axes in our order%)")
    refused(function(t) t["net.shift"]:set(1, 1, 0 / 0) end, "'net.shift'.* holds a value that is not finite")
    refused(function() end, "is missing", {})
    assert(store.save(path, { ["out.bias"] = tensor.from { 7, 8 } }))
    assert(net:load_weights(path, { partial = true }))
    assert.same({ 7, 8 }, net:parameters()["out.bias"]:totable())
    assert(store.save(path, { other = tensor.from { 7, 8 } }))
    local done, message, kind = net:load_weights(path, { partial = true })
    assert.same({ nil, path .. ": holds none of the tensors of the network", "format" }, { done, message, kind })
    assert.same({ nil, "/nowhere/x: No such file or directory", "io" }, { net:load_weights("/nowhere/x") })
  end)

  it("are not read for misuse", function()
    local net = make(1)
    local function misuse(f, pattern)
      local done, message = pcall(f)
      assert.is_false(done)
      assert.is_truthy(message:find("weights_spec.lua:%d+: .*" .. pattern), message)
    end
    misuse(function() net:load_weights() end, "string expected")
    misuse(function() net:load_weights(path, { layout = "keras" }) end, "expected one of own, torch")
    misuse(function() net:load_weights(path, { names = 7 }) end, "expected table or function")
    misuse(function() net:load_weights(path, { names = { ["ot.bias"] = "b" } }) end, "the network has no 'ot.bias'")
    misuse(function() net:load_weights(path, { strict = true }) end, "unknown option 'strict'")
  end)
end)
