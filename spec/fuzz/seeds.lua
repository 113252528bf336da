-- What the fuzzer begins with: files of our own writers, and real ones where they are.
--   lua5.4 spec/fuzz/seeds.lua FOLDER [FOLDER OF REAL PATCHES]
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local core = require "ym2612ml.core"
local files = require "ym2612ml.files"
local json = require "ym2612ml.json"
local learned = require "spec.fuzz.learned"
local readers = require "spec.fuzz.readers"
local rom = require "ym2612ml.rom.index"
local support = require "spec.support"
local ym = require "ym2612ml"

local folder, real = arg[1], arg[2]
local rng = ym.rng.new { seed = 1 }
local scratch = os.tmpname()

local seeds = {}
for _, reader in ipairs(readers) do
  seeds[reader.name] = {}
end

local function add(name, bytes)
  table.insert(seeds[name], bytes)
end

local function named(name)
  local patch = support.random_patch(rng)
  patch.name = name
  return patch
end

-- The bytes of a file that a function writes at a path.
local function written(write)
  assert(write(scratch))
  return support.read_file(scratch)
end

local function add_formats()
  for _, format in ipairs(ym.patch.formats()) do
    if format.writes then
      add(format.name, ym.patch.encode(named "one", format.name))
      for _, version in ipairs(format.versions or {}) do
        add(format.name, ym.patch.encode(named "../one", format.name, { version = version }))
      end
      if format.many then
        add(format.name, ym.patch.encode({ named "one", named "two" }, format.name))
      end
    end
  end
  local envelope = "\0\26" .. ("\x33"):rep(25)
  add("bamboo", "BambooTrackerIst" .. ("\0"):rep(8) .. "INSTRMNT\14\0\0\0\4\0\0\0lead\0\0INSTPROP" .. "\36\0\0\0"
    .. envelope .. "\1\4\x53\xA2\30")
  add("bamboo", "BambooTrackerBnk" .. ("\0"):rep(8) .. "INSTRMNT\17\0\0\0\1" .. "\0\11\0\0\0\0\0\0\0\0\0\0"
    .. "INSTPROP" .. "\33\0\0\0\0\1\0\26" .. ("\x33"):rep(25))
  add("fui", "-Furnace instr.-" .. string.pack("<I2I2I4I8", 120, 0, 32, 0) .. "INST"
    .. string.pack("<I4I2BB", 0, 120, 1, 0) .. "lead\0" .. ("\1"):rep(140))
  add("gyb", "\26\12\2\1\1" .. ("\xFF"):rep(256) .. "\13" .. ("\x11"):rep(64) .. "\4lead\3hat????")
  add("dx7", "\xF0\x43\0\9\x20\0" .. ("\x20"):rep(4096) .. "\0\xF7")
  add("dx7", "\xF0\x43\0\0\1\x1B" .. ("\x20"):rep(155) .. "\0\xF7")
  add("dx7", ("\x20"):rep(128))
end

local function add_tensors()
  local tensors = {
    a = ym.tensor.from { { 1, 2, 3 }, { 4, 5, 6 } }, b = ym.tensor.from({ 1, 2, 300 }, "i32"),
    c = ym.tensor.from({ 1, 2, 255 }, "u8"), d = ym.tensor.from({ 0.5, 1 }):to "f16",
  }
  add("safetensors", ym.store.encode(tensors, { text = "a \"text\"" }))
  for dtype, bytes in pairs { BF16 = 2, F64 = 8, I64 = 8, BOOL = 1 } do
    local head = ('{"x":{"dtype":"%s","shape":[2],"data_offsets":[0,%d]}}'):format(dtype, 2 * bytes)
    add("safetensors", string.pack("<s8", head) .. ("\0"):rep(2 * bytes))
  end
  for _, tensor in pairs(tensors) do
    add("npy", written(function(path) return ym.store.write_npy(path, tensor) end))
  end
  local net = ym.nn.graph(function(g)
    local x = ym.nn.dense(g:input("x", { 6 }):reshape { 2, 3 }, 4, { activation = "gelu" })
    local y = x:matmul(g:param("p", { 4, 4 })):slice(3, 1, 2):concat(x * 0.5, { axis = 3 }):dropout(0.1)
    local out = y:softmax():sum(2) + g:const { 1, 2, 3, 4, 5, 6 }
    return { out = out, loss = out:head_cross_entropy(g:input("t", { 2 }), { widths = { 2, 4 } }) }
  end)
  add("network", net:dump())
  add("pca", written(function(path)
    return ym.pca.fit(ym.tensor.from { { 1, 2 }, { 3, 4 }, { 5, 7 } }, { components = 1, scale = true }):save(path)
  end))
  local chip = ym.chip.new()
  chip:run(10)
  add("chip", chip:save())
end

-- What was learned, and the descriptions that go with it.
local function add_learned()
  add("state", learned.state())
  add("space", json.encode {
    sizes = learned.sizes,
    centre = { 0, 1 }, spread = { 1, 0.5 }, figures = { elbo = 1 }, settings = { seed = 1 },
  })
  add("learner", json.document {
    format = "model of ym2612ml", version = 1, model = "conv1", rate = 8000, length = 0.1, style = "classes",
    loss = "softmax", synth = { name = "simple_fm", options = { rate = 8000, length = 0.1 } },
    parameters = { "carrier", "modulator" },
    usual = {}, dropped = {}, options = {}, front = { kind = "mel", size = 256, hop = 128, frames = 4, bands = 8 },
  })
  add("shard", json.document { records = 2, settings = "s", arrays = { a = "00000000" }, dropped = { silent = 1 } })
end

local function add_set()
  local place = support.new_folder()
  support.finish(ym.dataset.steps {
    output = place .. "/set", count = 2, shard_records = 2, held = { 0.05, 0.05 }, release = 0.01,
  })
  add("dataset", support.read_file(place .. "/set/index.json"))
  support.remove_folder(place)
end

local function add_music()
  local audition = assert(ym.vgm.encode({ named "one", named "two" }, { held = 0.02, release = 0, gap = 0.02 }))
  add("vgm", audition)
  -- characters of two units, and the half of one
  local tagged = ym.vgm.encode({ named "one" }, { held = 0.02, release = 0, gap = 0.02,
    tags = { track = "\u{1D11E}a", author = "\u{1F600}" } })
  add("vgm", tagged)
  add("vgm", (tagged:gsub("\x1E\xDDa\0", "a\0b\0")))
  -- one patch loud, quieter, so quiet that a carrier is silent, and of another balance
  local list = {}
  for i, levels in ipairs { { 20, 20, 20, 60 }, { 28, 28, 28, 68 }, { 100, 100, 100, 127 }, { 20, 28, 20, 60 } } do
    list[i] = {}
    for key, value in pairs(support.PATCH) do
      list[i][key] = value
    end
    list[i].algorithm = 7
    for operator, level in ipairs(levels) do
      list[i][operator] = {}
      for key, value in pairs(support.PATCH[operator]) do
        list[i][operator][key] = value
      end
      list[i][operator].tl = level
    end
  end
  add("vgm", ym.vgm.encode(list, { held = 0.02, release = 0, gap = 0.02 }))
  add("vgm", core.gzip(audition))
  add("gzip", core.gzip(audition))
  -- streams of samples, a data block, waits, a loop
  local commands = string.pack("<BBBI4", 0x67, 0x66, 0, 8) .. "\1\2\3\4\5\6\7\8"
    .. string.pack("<BBBI4", 0x67, 0x66, 0, 2) .. "\9\10"
    .. "\x90\0\2\0\x2A\x91\0\0\1\0" .. string.pack("<BBI4", 0x92, 0, 8000)
    .. string.pack("<BBI4BI4", 0x93, 0, 0, 0x81, 8) .. "\x61\x20\0\x95\0\0\0\1\x62\x94\0"
    .. string.pack("<BBI4BI4", 0x93, 0, 0, 2, 500) .. string.pack("<BI4", 0xE0, 0) .. "\x81\x90\0\2\0\x2A"
    .. string.pack("<BI4", 0xE0, 2) .. "\x81\x82\x52\x28\xF0\x70\x63\x4F\1\xA2\1\2\x66"
  local head = "Vgm " .. string.pack("<I4I4I4I4I4I4I4I4", 0, 0x160, 0, 0, 0, 500, 0x40 - 0x1C, 500)
    .. string.pack("<I4I4I4I4I4", 0, 0, 7670454, 0, 0x0C)
  add("vgm", head .. ("\0"):rep(0x40 - #head) .. commands)
  add("gzip", core.gzip(("\0"):rep(2 ^ 20)))
end

local function add_sounds()
  local samples = ym.tensor.new { 400 }
  for i = 1, 400 do
    samples[i] = math.sin(i / 5)
  end
  for _, as in ipairs { { "wav", 16 }, { "wav", 24 }, { "wav", 32 }, { "flac", 16 }, { "flac", 24 } } do
    add("audio", ym.audio.encode(samples, 44100, { format = as[1], bits = as[2] }))
  end
  add("audio", ym.audio.encode(ym.tensor.new { 100, 2 }:fill(0.5), 8000))
  -- other containers that libsndfile knows, of one sample each or a few
  add("audio", ".snd" .. string.pack(">I4I4I4I4I4", 24, 8, 3, 8000, 1) .. "\0\1\0\2\0\3\0\4")
  add("audio", "FORM" .. string.pack(">I4", 54) .. "AIFFCOMM" .. string.pack(">I4I2I4I2", 18, 1, 4, 16)
    .. "\x40\x0B\xFA\0\0\0\0\0\0\0SSND" .. string.pack(">I4I4I4", 16, 0, 0) .. "\0\1\0\2\0\3\0\4")
end

local function add_texts()
  local patch = named "one"
  add("prior", ym.prior.encode(ym.prior.fit { patch, named "two" }))
  add("cartridge", rom.encode {
    region = "NTSC", finish = 9,
    entries = { { number = 1, name = "a", note = 60, held = 1, release = 1, click = 0, start = 0.5, patch = patch } },
  })
  add("ledger", json.document {
    version = 1,
    sounds = { a = {
      digest = "d", settings = "s", paths = { "/a.wav" },
      document = {
        note = 60, held = 1, file = "a.wav",
        matches = { { distance = 1, patch = ".matches.json", audition = ".matches.json" } },
      },
    } },
  })
  local names, values = {}, {}
  for _, field in ipairs(ym.patch.fields()) do
    names[#names + 1] = field.operator and ("op%d_%s"):format(field.operator, field.name) or field.name
    values[#values + 1] = tostring((field.operator and patch[field.operator] or patch)[field.name] or "")
  end
  local row = table.concat(values, ",") .. ',"a ""b""",train,x\n'
  add("table", table.concat(names, ",") .. ",name,split,family\n" .. row)
end

local function add_real(path)
  local any = setmetatable({}, { __index = function() return true end })
  for _, found in ipairs((files.expand({ path }, any, "files"))) do
    local bytes = files.read(found, 20000)
    local format = bytes and ym.patch.detect(bytes, files.ending(found))
    if format then
      add(format, bytes)
    end
  end
end

add_formats()
add_tensors()
add_learned()
add_set()
add_music()
add_sounds()
add_texts()
if real then
  add_real(real)
end
for _, format in ipairs(ym.patch.formats()) do
  for i, bytes in ipairs(seeds[format.name]) do
    if i <= 3 then
      add("detect", bytes)
    end
  end
end
os.remove(scratch)
for name, list in pairs(seeds) do
  assert(files.make_folder(folder .. "/" .. name))
  for i, bytes in ipairs(list) do
    support.write_file(("%s/%s/seed_%d"):format(folder, name, i), bytes)
  end
end
