-- What a host may do with the module, a little of each, with files in a folder: what is in
-- them, and in the text that this returns, must not depend on how the host has set up its
-- process or the thread that calls.
local support = require "spec.support"
local ym = require "ym2612ml"

local M = {}

-- Patches in every format that is written, and read again.
local function patches(folder)
  for _, format in ipairs(ym.patch.formats()) do
    if format.writes then
      local path = folder .. "/patch." .. format.extension
      assert(ym.patch.write(path, support.PATCH, format.name))
      assert(ym.patch.read(path))
    end
  end
end

-- Sounds, what is heard in them, and principal components of that.
local function sounds(folder)
  local samples, rate = ym.render(support.PATCH, { note = 60.5, held = 0.3, release = 0.1, rate = 44100 })
  assert(ym.audio.write(folder .. "/note.wav", samples, rate, { bits = 24 }))
  assert(ym.audio.write(folder .. "/note.flac", samples, rate, { format = "flac" }))
  local sound = assert(ym.audio.read(folder .. "/note.flac", { rate = 32000 }))
  local mel = assert(ym.mel(sound.samples, { rate = 32000, size = 1024, bands = 16 }))
  assert(ym.pitch(sound.samples, { rate = 32000 }))
  local pca = assert(ym.pca.fit(mel, { components = 4, scale = true }))
  assert(pca:save(folder .. "/pca.safetensors"))
  assert(ym.pca.load(folder .. "/pca.safetensors"))
  return sound
end

-- A network that is trained, saved, and goes on.
local function networks(folder)
  local net = ym.nn.graph(function(g)
    local x = ym.nn.dense(g:input("x", { 4 }), 8, { activation = "leaky_relu" }):dropout(0.25)
    local y = ym.nn.dense(x, 2)
    return { y = y, loss = y:mse(g:input("target", { 2 })) }
  end, { seed = 1 })
  local rng = ym.rng.new { seed = 2 }
  local x, target = ym.tensor.new { 64, 4 }, ym.tensor.new { 64, 2 }
  for i = 1, 64 do
    for j = 1, 4 do
      x:set(i, j, rng:normal())
    end
    target:set(i, 1, x:get(i, 1) * x:get(i, 2))
  end
  assert(ym.train.fit(net, { x = x, target = target },
    { epochs = 3, batch = 16, rate = 1e-3, schedule = "one_cycle", history = folder .. "/history.csv" }))
  assert(net:save(folder .. "/net.safetensors"))
  local again = assert(ym.nn.load(folder .. "/net.safetensors"))
  return again:run({ x = x }).y
end

-- Data sets, whose settings are JSON with fractions in it.
local function sets(folder)
  support.finish(ym.dataset.steps { output = folder .. "/notes", count = 32, seed = 1 })
  local set = assert(ym.dataset.open(folder .. "/notes"))
  assert(ym.dataset.read(set.shards[1]))
  local synth = assert(ym.synths.get("simple_fm"))
  support.finish(ym.synths.steps { synth = synth, output = folder .. "/sounds", count = 16, validation = 4, test = 4 })
  assert(ym.synths.open(folder .. "/sounds"))
end

-- Statistics of patches, and a cartridge that plays some.
local function collections(folder, list)
  assert(ym.prior.write(folder .. "/prior.json", ym.prior.fit(list)))
  assert(ym.prior.read(folder .. "/prior.json"))
  local rom, index = ym.rom.build(list, { note = 60.5, held = 0.3 })
  support.write_file(folder .. "/rom.bin", assert(rom, index))
  support.write_file(folder .. "/rom.json", ym.rom.encode_index(index))
  assert(ym.rom.read_index(folder .. "/rom.json"))
end

-- A sound matched, and what is made of that.
local function matches(folder, sound)
  local found = assert(ym.estimate(sound, { note = 60.5, held = 0.3, renders = 64, seed = 1 }))
  local best = found[1]
  assert(ym.report.write(folder .. "/report.html", {
    { name = "note", sound = sound, matches = found },
  }))
  assert(ym.vgm.write(folder .. "/note.vgz", { best.patch }, { note = 60.5 }))
  assert(ym.vgm.read(folder .. "/note.vgz"))
  local space = assert(ym.space.shipped())
  local drawn = space:generate(2, { temperature = 0.8, seed = 1 })
  collections(folder, drawn)
  return ("%d"):format(best.algorithm) .. ym.patch.encode(best.patch, "text") .. ym.patch.encode(drawn, "text")
end

--- Does it all.
---@param folder string  empty
---@return string told
function M.run(folder)
  patches(folder)
  local sound = sounds(folder)
  local y = networks(folder)
  sets(folder)
  return matches(folder, sound) .. ("%08x"):format(ym.crc32(y:bytes()))
end

return M
