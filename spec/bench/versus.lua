-- Our side of spec/bench/versus.py: does what it is told on its input, a line each,
--   NAME SECONDS   repeats the task for about so long: seconds a call, and a figure
-- and answers with a line.   lua5.4 spec/bench/versus.lua FOLDER
package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local ym = require "ym2612ml"
local models = require "ym2612ml.models"
local specimens = require "spec.networks"

local folder = assert(arg[1], "a folder is missing")
local rng = ym.rng.new { seed = 1 }

local function noise(shape)
  local count = 1
  for _, size in ipairs(shape) do
    count = count * size
  end
  local flat = ym.tensor.new { count }
  for at = 1, count do
    flat[at] = rng:normal()
  end
  return flat:reshape(shape)
end

local function mlp()
  return ym.nn.graph(function(g)
    local y = g:input("x", { 200 })
    for _ = 1, 3 do
      y = ym.nn.dense(y, 512, { activation = "relu" })
    end
    local out = ym.nn.dense(y, 64)
    return { out = out, loss = out:mse(g:input("target", { 64 })) }
  end)
end

local function inversynth(name, shape)
  return function()
    return ym.nn.graph(specimens.inversynth(name, shape))
  end
end

local networks = {
  mlp = { make = mlp, input = { 200 }, outputs = 64 },
  conv6xl = { make = inversynth("conv6_xl", { 64, 257 }), input = { 64, 257 }, outputs = 368 },
  conve2e = { make = inversynth("conv_e2e", { 16384 }), input = { 16384 }, outputs = 368 },
}

local made = {}

local function network(name)
  made[name] = made[name] or networks[name].make()
  return made[name], networks[name]
end

-- A task is a function that does it once.
local makers = {}

function makers.train(name, batch)
  local net, kind = network(name)
  local inputs = { x = noise { batch, table.unpack(kind.input) }, target = noise { batch, kind.outputs } }
  local optimizer = ym.nn.optimizer(net)
  return function()
    assert(net:step(inputs, optimizer))
  end
end

function makers.infer(name, batch)
  local net, kind = network(name)
  local inputs = { x = noise { batch, table.unpack(kind.input) } }
  return function()
    assert(net:run(inputs))
  end
end

-- Something done to 1,000 clips of a second, fifty of them at once, as on the other side.
local function over_clips(rate, apply, options)
  local block = noise { 50, rate }
  return function()
    for _ = 1, 1000 // #block do
      assert(apply(block, options))
    end
  end
end

function makers.stft(rate, size)
  return over_clips(rate, ym.spectrogram, { rate = rate, size = size, hop = size // 4 })
end

function makers.logmel(rate, size)
  local options = { rate = rate, size = size, hop = size // 4, bands = 64, scale = "db", high = rate / 2 }
  return over_clips(rate, ym.mel, options)
end

-- Log-mel spectrograms of 8,192 values of 5,600 random patches; also written for the
-- other side.
local function spectrograms()
  local prior = assert(ym.prior.read("models/" .. models.files.prior))
  local sampler, notes = ym.dataset.sampler { prior = prior, seed = 1 }, ym.rng.new { seed = 1 }
  local times = {}
  for i = 1, 64 do
    times[i] = (i - 1) / 64
  end
  local features = ym.features.new { { kind = "mel", size = 1024, bands = 128, on = times } }
  local all, rows = ym.tensor.new { 5600, 8192 }, 0
  while rows < 5600 do
    local patches, note, held = {}, {}, {}
    for i = 1, 400 do
      patches[i] = sampler:next()
      note[i], held[i] = ym.dataset.random_note(notes)
    end
    local part, heard = ym.batch.features(ym.patch.pack(patches), features,
      { note = ym.tensor.from(note), held = ym.tensor.from(held) })
    for i = 1, 400 do
      if heard[i] == 1 and rows < 5600 then
        rows = rows + 1
        all[rows]:copy(part[i])
      end
    end
  end
  assert(ym.store.write_npy(folder .. "/spectrograms.npy", all))
  return all
end

-- The figure is the share of the variance that is explained.
function makers.pca(components)
  local x = spectrograms()
  return function()
    local share = 0
    for _, ratio in ipairs(assert(ym.pca.fit(x, { components = components })):ratios()) do
      share = share + ratio
    end
    return share
  end
end

-- Median of the seconds a call takes, calls repeated for about so many seconds.
local function time(task, seconds)
  local times, began = {}, ym.clock()
  local figure
  repeat
    local before = ym.clock()
    figure = task()
    times[#times + 1] = ym.clock() - before
  until ym.clock() - began >= seconds
  table.sort(times)
  return times[(#times + 1) // 2], figure
end

local tasks = {}
for line in io.lines() do
  local name, seconds = line:match "^(%S+) (%S+)$"
  local kind, first, second = name:match "^(%a+)_(%w+)_?(%d*)$"
  if not tasks[name] then
    tasks[name] = makers[kind](tonumber(first) or first, tonumber(second))
    tasks[name]() -- takes memory and warms up
  end
  local took, figure = time(tasks[name], tonumber(seconds))
  io.write(("%.9g %.9g\n"):format(took, figure or 0))
  io.flush()
end
