-- Pieces of work that a host's states do at once (threads.c), each of a second or less. A
-- piece answers with a text that depends on nothing but what it computed: the same alone
-- and among others, on any thread, in a forked child, and under signals.
local root = os.getenv("YM2612ML_ROOT") or "."
package.path = ("%s/lua/?.lua;%s/lua/?/init.lua;%s"):format(root, root, package.path)
local lfs = require "lfs"
local ym = require "ym2612ml"

local function patch(algorithm)
  local made = { name = "p" .. algorithm, algorithm = algorithm, feedback = 5 }
  for i = 1, 4 do
    made[i] = { mul = i, dt = 0, tl = 8 * i, rs = 0, ar = 31, dr = 8, sr = 2, rr = 7, sl = 3 }
  end
  return made
end

local function patches(count)
  local list = {}
  for i = 1, count do
    list[i] = patch(i % 8)
    list[i][1].tl = i % 100
  end
  return list
end

local function checksum(...)
  return ("%08x"):format(ym.crc32(table.concat({ ... }, "\n")))
end

-- Calls work with a folder of its own, which is empty before and gone after.
local function in_folder(work)
  local folder = os.tmpname()
  assert(os.remove(folder))
  assert(lfs.mkdir(folder))
  local fine, answer = xpcall(work, debug.traceback, folder)
  for name in lfs.dir(folder) do
    os.remove(folder .. "/" .. name)
  end
  assert(lfs.rmdir(folder))
  return assert(fine and answer, answer)
end

local function sound(algorithm, held)
  return ym.render(patch(algorithm), { note = 57, held = held or 0.3, release = 0.1 })
end

local M = {}

local function add(name, run)
  M[#M + 1] = { name = name, run = run }
end

add("render", function()
  local parts = {}
  for i = 0, 15 do
    parts[#parts + 1] = ym.render(patch(i % 8), { note = 40 + i, held = 0.1, raw = true }):bytes()
  end
  return checksum(table.unpack(parts))
end)

add("batch", function()
  ym.threads(3)
  local packed, options = ym.patch.pack(patches(40)), { note = 60, held = 0.1, release = 0 }
  local distances = ym.batch.distances(packed, ym.target.new((sound(2))), options)
  return checksum(ym.render_batch(patches(16), options):bytes(), distances:bytes())
end)

add("spectra", function()
  local samples, parts = sound(4), {}
  for size = 256, 4096, 768 do
    local options = { rate = 53267, size = size, bands = 16, hop = size }
    parts[#parts + 1] = assert(ym.mel(samples, options)):bytes()
    options.bands = nil
    parts[#parts + 1] = assert(ym.spectrogram(samples, options)):bytes()
  end
  parts[#parts + 1] = ("%.9g"):format(assert(ym.pitch(samples, { rate = 53267 })))
  return checksum(table.unpack(parts))
end)

add("components", function()
  local rng, x = ym.rng.new { seed = 3 }, ym.tensor.new { 120, 30 }
  for row = 1, 120 do
    for column = 1, 30 do
      x:set(row, column, rng:normal() / column)
    end
  end
  local pca = assert(ym.pca.fit(x, { components = 5 }))
  return checksum(pca:transform(x):bytes())
end)

local function network()
  return ym.nn.graph(function(g)
    local x = g:input("x", { 12, 6 })
    local h = ym.nn.lstm(x, 8, { last = true })
    h = h:concat(ym.nn.conv(x, 8, { activation = "relu" }):mean(2), { axis = 2 })
    local out = ym.nn.dense(ym.nn.dense(h, 32, { activation = "gelu" }):dropout(0.1), 3)
    return { out = out, loss = out:mse(g:input("target", { 3 })) }
  end, { seed = 2 })
end

add("training", function()
  ym.threads(2)
  local net, rng = network(), ym.rng.new()
  local x, target = ym.tensor.new { 64, 12, 6 }, ym.tensor.new { 64, 3 }
  for row = 1, 64 do
    for column = 1, 3 do
      x:set(row, column, column, rng:normal())
      target:set(row, column, x:get(row, column, column))
    end
  end
  local loss
  for step, message in assert(ym.train.steps(net, { x = x, target = target }, { epochs = 3, batch = 16 })) do
    loss = assert(step, message).loss
  end
  return checksum(("%.17g"):format(loss), assert(net:run { x = x }).out:bytes())
end)

add("estimate", function()
  local samples, rate = sound(4)
  local matches = assert(ym.estimate({ samples = samples, rate = rate }, { note = 57, renders = 60 }))
  local list = {}
  for i, match in ipairs(matches) do
    list[i] = match.patch
  end
  return checksum(ym.patch.pack(list):bytes())
end)

add("formats", function()
  return in_folder(function(folder)
    local parts = {}
    for _, format in ipairs(ym.patch.formats()) do
      if format.writes then
        local path = ("%s/x.%s"):format(folder, format.extension)
        assert(ym.patch.write(path, format.many and patches(4) or patch(3), format.name))
        for _, read in ipairs(assert(ym.patch.read_all(path, format.name))) do
          parts[#parts + 1] = format.name .. ym.patch.pack({ read }):bytes()
        end
      end
    end
    return checksum(table.unpack(parts))
  end)
end)

add("store", function()
  return in_folder(function(folder)
    local path, value = folder .. "/x", ym.tensor.new { 300, 200 }
    for row = 1, 300 do
      value:set(row, row % 200 + 1, row)
    end
    assert(ym.store.save(path .. ".safetensors", { value = value, half = value:to("f16") }, { made = "here" }))
    assert(ym.store.write_npy(path .. ".npy", value))
    local tensors = assert(ym.store.load(path .. ".safetensors"))
    local array = assert(ym.store.read_npy(path .. ".npy"))
    local packed = assert(ym.gunzip(ym.gzip(array:bytes())))
    return checksum(tensors.value:bytes(), tensors.half:bytes(), packed, ym.store.sha256_file(path .. ".npy"))
  end)
end)

add("music", function()
  return in_folder(function(folder)
    local path = folder .. "/x.vgm"
    assert(ym.vgm.write(path, patches(3), { note = { 48, 60 }, held = 0.1, release = 0.05 }))
    local parts = { assert(ym.vgm.render(path)):bytes() }
    for _, found in ipairs(assert(ym.vgm.mine(path))) do
      parts[#parts + 1] = ym.patch.pack({ found.patch }):bytes()
    end
    return checksum(table.unpack(parts))
  end)
end)

add("audio", function()
  return in_folder(function(folder)
    local parts, samples, rate = {}, sound(5)
    for _, format in ipairs { "wav", "flac" } do
      local path = folder .. "/x." .. format
      assert(ym.audio.write(path, samples, rate, { format = format, bits = 24 }))
      parts[#parts + 1] = assert(ym.audio.read(path, { rate = 44100 })).samples:bytes()
    end
    return checksum(table.unpack(parts))
  end)
end)

add("space", function()
  local space = assert(ym.space.shipped())
  local drawn = space:generate(2, { seed = 5 })
  local way = space:interpolate(drawn[1], drawn[2], { steps = 3 })
  return checksum(ym.patch.pack(drawn):bytes(), ym.patch.pack(way):bytes())
end)

add("dataset", function()
  return in_folder(function(folder)
    local summary
    local inner = folder .. "/set"
    for step, message in ym.dataset.steps { output = inner, count = 48, shard_records = 48 } do
      summary = assert(step, message).summary
    end
    local arrays = assert(ym.dataset.read(assert(ym.dataset.open(inner)).shards[1]))
    local answer = checksum(summary.records, arrays.patches:bytes(), arrays.features:bytes())
    assert(os.execute("rm -r " .. inner))
    return answer
  end)
end)

local live, engines = pcall(require, "ym2612ml.live.core")
if live then
  add("live", function()
    local engine, parts = engines.engine { rate = 48000, patch = patch(4), chip = "ym3438" }, {}
    for note = 40, 80, 4 do
      engine:midi(string.char(0x90, note, 100))
      parts[#parts + 1] = engine:run(1024):bytes()
    end
    return checksum(table.unpack(parts))
  end)
end

return M
