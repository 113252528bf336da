-- What a host does with the module, in sections short enough to be run once for every
-- request for memory in them. Each gives one string of what it came to, always the same.
local support = require "spec.support"

local M = {}

-- A failure as data, raised through the section to its end.
local Failure = {}
Failure.__index = Failure
M.Failure = Failure

local function must(value, message, kind, ...)
  if not value then
    error(setmetatable({ message = message, kind = kind }, Failure), 0)
  end
  return value, message, kind, ...
end

local OPERATOR = { mul = 1, dt = 0, tl = 20, rs = 0, ar = 31, am = 0, dr = 10, sr = 3, rr = 9, sl = 4, ssg = 0 }

local function patch_of(algorithm, level)
  local patch = { name = "p" .. algorithm, algorithm = algorithm, feedback = 4, ams = 0, fms = 0 }
  for o = 1, 4 do
    patch[o] = {}
    for field, value in pairs(OPERATOR) do
      patch[o][field] = value
    end
    patch[o].mul, patch[o].tl = o, level + 5 * (4 - o)
  end
  return patch
end

-- A bank of one DX7 voice, 32 times.
local function dx7_bank()
  local operator = string.char(90, 2, 3, 4, 99, 98, 97, 0, 39, 10, 11, 9, 27, 21, 80, 3, 50)
  local data = (operator:rep(6) .. string.char(1, 2, 3, 4, 50, 51, 52, 53, 4, 14, 35, 5, 20, 30, 57, 12)
    .. "E.PIANO 1 "):rep(32)
  local sum = 0
  for i = 1, #data do
    sum = sum + data:byte(i)
  end
  return "\xF0\x43\0\9\x20\0" .. data .. string.char(-sum & 0x7F) .. "\xF7"
end

--- The sections, each with what it needs ready.
---@param ym table  the module
---@param folder string  for files
---@return {name: string, run: fun(): string, before: fun(), stride: integer}[]  before: to be
---  called first; stride: of the requests that are tried, where a run takes too long for all
function M.sections(ym, folder)
  local at = function(name) return folder .. "/" .. name end
  local patches = {}
  for i = 1, 8 do
    patches[i] = patch_of(i - 1, 10 + i)
  end
  local packed = ym.patch.pack(patches)
  local many = packed:rows { 1, 2, 3, 4, 5, 6, 7, 8 }
  for _ = 1, 3 do
    local twice = ym.tensor.new({ 2 * #many, #many[1] }, "u8")
    twice:slice(1, #many):copy(many)
    twice:slice(#many + 1):copy(many)
    many = twice
  end
  local note = { note = 60, held = 0.05, release = 0.02 }
  local tone = ym.render(patches[4], { note = 57, held = 0.2, release = 0.1 })
  local short = tone:slice(1, 4096)
  local sound = { samples = tone, rate = 53267 }
  local heard = { samples = tone, note = 57, held = 0.2 }
  assert(ym.audio.write(at "tone.wav", tone, 53267))
  local models = assert(ym.models.shipped())
  local space = assert(ym.space.shipped())
  local prior = assert(ym.prior.read(ym.models.folder() .. "/" .. ym.models.files.prior))
  local bank = dx7_bank()
  local rng, numbers = ym.rng.new { seed = 3 }, ym.tensor.new { 40, 6 }
  for row = 1, 40 do
    for column = 1, 6 do
      numbers:set(row, column, rng:normal())
    end
  end
  local data = { x = numbers, y = numbers:slice(1, 40):copy(numbers) }

  -- one string of numbers, strings, tensors and tables without keys of their own
  local function sum(...)
    local crc = 0
    local function add(value)
      if type(value) == "userdata" then
        crc = ym.crc32(value:bytes(), crc)
      elseif type(value) == "table" then
        local keys = {}
        for key in pairs(value) do
          keys[#keys + 1] = tostring(key)
        end
        table.sort(keys)
        for _, key in ipairs(keys) do
          crc = ym.crc32(key, crc)
          local one = value[key]
          add(one == nil and value[tonumber(key)] or one)
        end
      else
        crc = ym.crc32(tostring(value), crc)
      end
    end
    for i = 1, select("#", ...) do
      add((select(i, ...)))
    end
    return ("%08x"):format(crc)
  end

  local function graph()
    return ym.nn.graph(function(g)
      local hidden = ym.nn.dense(g:input("x", { 6 }), 5, { activation = "relu" })
      local image = hidden:dropout(0.1):reshape { 1, 5 }
      local out = ym.nn.dense(ym.nn.batch_norm(image:reshape { 5 }), 6)
      return { out = out, loss = out:mse(g:input("y", { 6 })) }
    end, { seed = 2 })
  end

  local list = {}
  local function section(name, run, before, stride)
    list[#list + 1] = { name = name, run = run, before = before or function() end, stride = stride or 1 }
  end

  section("audio", function()
    local read = must(ym.audio.read(at "tone.wav"))
    local low = must(ym.audio.resample(read.samples, 53267, 44100))
    must(ym.audio.write(at "other.flac", low, 44100))
    local again = must(ym.audio.read(at "other.flac", { rate = 22050 }))
    local bytes = must(ym.audio.encode(short, 44100))
    return sum(again.samples, must(ym.audio.trim(read.samples, 53267)), bytes)
  end)
  section("render", function()
    local samples, rate = must(ym.render(patches[1], { note = 60, held = 0.05, release = 0.02, rate = 22050 }))
    return sum(samples, rate, ym.render(patches[2], note), ym.patch.registers(patches[3]),
      ym.patch.canonical(patches[7]))
  end)
  section("batch", function()
    local features = ym.features.new { { kind = "harmonics", size = 1024, bands = 8, on = { 0.01, 0.03 } },
      { kind = "mel", size = 512, bands = 8, on = { 0.01 } } }
    local target = must(ym.target.new(short))
    return sum(must(ym.render_batch(patches, note)), must(ym.batch.features(packed, features, note)),
      must(ym.batch.distances(packed, target, note)), ym.patch.unpack(packed))
  end)
  section("threads", function()
    ym.threads(4)
    local samples = must(ym.render_batch(many, note))
    ym.threads(2)
    return sum(samples, must(ym.batch.distances(many, must(ym.target.new(short)), note)))
  end)
  section("chip", function()
    local chip = ym.chip.new { chip = "ym3438" }
    for _, write in ipairs(ym.patch.registers(patches[8])) do
      chip:write(table.unpack(write))
    end
    chip:write(0, 0x28, 0xF0)
    local left = chip:run(300)
    local saved = chip:save()
    local other = must(ym.chip.new():restore(saved))
    return sum(left, saved, other:run(50), other:play(ym.tensor.from({ { 3, 0, 0x28, 0 } }, "i32"), 40, true))
  end)
  section("spectra", function()
    return sum(must(ym.spectrogram(short)), must(ym.mel(short, { bands = 12 })),
      must(ym.mfcc(short, { bands = 12, coefficients = 6 })),
      must(ym.harmonics(short, { f0 = 220, size = 2048, bands = 8 })))
  end)
  section("pitch", function()
    return sum(must(ym.pitch(tone)), must(ym.held(tone, 53267)), must(ym.survey(tone, 53267)))
  end)
  section("prepare", function()
    local ready = must(ym.prepare(sound))
    return sum(ready.samples, ready.note, ready.held)
  end)
  section("distance", function()
    local other = ym.render(patches[4], { note = 58, held = 0.2, release = 0.1 })
    return sum(must(ym.distance(tone, other)), must(must(ym.target.new(tone)):distance(other)))
  end)
  section("metrics", function()
    return sum(must(ym.metrics.all(short, tone:slice(2, 4097))))
  end)
  section("pca", function()
    local fitted = must(ym.pca.fit(numbers, { components = 3, scale = true }))
    local low = fitted:transform(numbers)
    must(fitted:save(at "pca.safetensors"))
    local again = must(ym.pca.load(at "pca.safetensors"))
    return sum(again:restore(low), must(ym.pca.fit(numbers:permute { 2, 1 }, { components = 2 })).components)
  end)
  section("graph", function()
    local net = graph()
    local outputs = net:run { x = numbers }
    must(net:save(at "net.safetensors"))
    local again = must(ym.nn.load(at "net.safetensors"))
    must(again:load_weights(at "net.safetensors"))
    return sum(outputs.out, net:dump(), again:run { x = numbers }.out)
  end)
  section("train", function()
    local net, state = graph(), nil
    for step, message, kind in ym.train.steps(net, data, { epochs = 1, batch = 20, seed = 1 }) do
      must(step, message, kind)
      state = step:dump()
    end
    return sum(net:dump(), state)
  end)
  section("search", function()
    local search = ym.search.new({ { target = must(ym.target.new(short)), held = 0.05 } }, { islands = 1 })
    search:take("ym2612", { 57, 0.05 })
    search:add(packed)
    search:evolve(16)
    local found, takes, costs = search:results()
    search:close()
    return sum(found, takes, costs)
  end)
  section("models", function()
    local shipped, files = ym.models.folder() .. "/", ym.models.files
    local fitted, net = must(ym.pca.load(shipped .. files.pca)), must(ym.nn.load(shipped .. files.matcher))
    return sum(fitted.components, net:dump(), #must(ym.neighbours.load(shipped .. files.neighbours)).patches)
  end)
  section("all models", function()
    return sum(must(ym.models.load()).registers[0]:dump())
  end, nil, 20)
  section("propose", function()
    return sum(must(ym.propose.packed(models, heard, { count = 12 })))
  end)
  section("estimate", function()
    local matches = must(ym.estimate(sound, { renders = 16, note = 57, held = 0.2, seed = 1 }))
    return sum(matches[1].patch, matches[1].distance, #matches)
  end)
  section("networks", function()
    local matches = must(ym.estimate(sound, { renders = 16, note = 57, held = 0.2, method = "networks" }))
    return sum(matches[1].patch, matches[1].distance, #matches)
  end)
  for _, format in ipairs(ym.patch.formats()) do
    if format.writes then
      section("format " .. format.name, function()
        local bytes = must(ym.patch.encode(patches[5], format.name))
        local path = at("patch." .. format.extensions[1])
        must(ym.patch.write(path, patches[5], format.name))
        return sum(bytes, must(ym.patch.decode_all(bytes, format.name)), (must(ym.patch.read(path))),
          ym.patch.lossy(patches[5], format.name))
      end)
    end
  end
  section("vgm", function()
    local index = must(ym.vgm.write(at "two.vgz", { patches[1], patches[2] }, { held = 0.02, release = 0.01 }))
    local writes, header = must(ym.vgm.read(at "two.vgz"))
    local mined = must(ym.vgm.mine(at "two.vgz"))
    return sum(index, writes, header.notes, #mined, (must(ym.vgm.render(at "two.vgz", { rate = 44100 }))))
  end)
  section("gzip", function()
    local bytes = short:bytes()
    return sum(must(ym.gunzip(must(ym.gzip(bytes)))))
  end)
  section("store", function()
    must(ym.store.write_npy(at "numbers.npy", numbers))
    must(ym.store.save(at "numbers.safetensors", { a = numbers, b = packed }, { told = "so" }))
    local tensors, metadata = must(ym.store.load(at "numbers.safetensors"))
    return sum(must(ym.store.read_npy(at "numbers.npy")), tensors.a, tensors.b, metadata.told,
      must(ym.store.sha256_file(at "numbers.npy")), must(ym.store.decode(ym.store.encode { a = numbers })).a)
  end)
  section("prior", function()
    must(ym.prior.write(at "prior.json", prior))
    local sampler = ym.dataset.sampler { prior = must(ym.prior.read(at "prior.json")), seed = 1 }
    return sum(sampler:draw(4))
  end)
  section("dx7", function()
    return sum(must(ym.dx7.decode(bank)))
  end)
  section("rom", function()
    return sum((must(ym.rom.build({ patches[1] }, { held = 0.02, release = 0.01 }))))
  end)
  section("synths", function()
    local synth = must(ym.synths.get("simple_fm", { rate = 8000, length = 0.05 }))
    local values = synth:draw(2, { seed = 1 })
    return sum(values, must(synth:render(values)))
  end)
  section("space", function()
    local mean = space:encode({ patches[1], patches[2] }, { samples = 2 })
    return sum(mean, space:decode(mean), space:generate(1, { seed = 1 }))
  end)
  section("report", function()
    must(ym.report.write(at "page.html", { { name = "a", sound = sound, matches = {} } }))
    return "written"
  end)
  section("dataset", function()
    local step, message, kind
    local steps = ym.dataset.steps { output = at "set", count = 4, shard_records = 4, seed = 1 }
    repeat
      step, message, kind = steps()
      must(step ~= false, message, kind)
    until not step
    local set = must(ym.dataset.open(at "set"))
    local arrays = must(ym.dataset.read(set.shards[1]))
    return sum(arrays.patches, arrays.features)
  end, function() support.remove_folder(at "set") end)
  return list
end

return M
