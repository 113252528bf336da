-- Feeds damaged files to everything that reads one: each must be read, or refused with
-- a message and a kind.   lua5.4 spec/fuzz/files.lua [count] [seed]
package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = (arg[3] or "./lua/?.so") .. ";" .. package.cpath
local ym = require "ym2612ml"
local files = require "ym2612ml.files"

local count, seed = tonumber(arg[1] or 2000), tonumber(arg[2] or 1)
local rng = ym.rng.new { seed = seed }
local path = os.tmpname()

local samples = ym.tensor.new { 400 }
for i = 1, #samples do
  samples[i] = math.sin(i / 5)
end

-- The bytes of a file that a function writes at path.
local function written(write)
  assert(write())
  return assert(files.read(path))
end

local net = ym.nn.graph(function(g)
  local x = g:input("x", { 3 })
  return { y = ym.nn.dense(x, 2, { activation = "relu" }) }
end)
local matrix = ym.tensor.from { { 1, 2 }, { 3, 4 }, { 5, 7 } }
local chip = ym.chip.new()
chip:run(10)

local readers = {
  { "y12", ("\1"):rep(128), function(bytes) return ym.patch.decode(bytes, "y12") end },
  { "chip state", chip:save(), function(bytes) return ym.chip.new():restore(bytes) end },
  { "wav", written(function() return ym.audio.write(path, samples, 44100) end),
    function() return ym.audio.read(path) end },
  { "flac", written(function() return ym.audio.write(path, samples, 44100, { format = "flac" }) end),
    function() return ym.audio.read(path) end },
  { "network", written(function() return net:save(path) end), function() return ym.nn.load(path) end },
  { "pca", written(function() return ym.pca.fit(matrix, { components = 1 }):save(path) end),
    function() return ym.pca.load(path) end },
  { "npy", written(function() return ym.store.write_npy(path, matrix) end),
    function() return ym.store.read_npy(path) end },
  { "prior", assert(files.read(ym.models.folder() .. "/prior.json")), function() return ym.prior.read(path) end },
}

-- Cut short, grown, with bytes changed, most of them near the beginning where headers are.
local function damaged(bytes)
  local kind = rng:uniform()
  if kind < 0.2 then
    return bytes:sub(1, rng:integer(0, #bytes))
  elseif kind < 0.3 then
    return bytes .. ("\255"):rep(rng:integer(1, 100))
  end
  for _ = 1, rng:integer(1, 8) do
    local at = rng:integer(1, rng:uniform() < 0.7 and math.min(#bytes, 120) or #bytes)
    bytes = bytes:sub(1, at - 1) .. string.char(rng:integer(0, 255)) .. bytes:sub(at + 1)
  end
  return bytes
end

local accepted, refused = 0, 0
for case = 1, count do
  local name, bytes, read = table.unpack(readers[(case - 1) % #readers + 1])
  local bad = damaged(bytes)
  assert(files.write(path, bad))
  local result, message, kind = read(bad)
  if result then
    accepted = accepted + 1
  else
    refused = refused + 1
    assert(type(message) == "string" and type(kind) == "string", name .. ": refused without a reason")
  end
end
os.remove(path)
print(("files: %d damaged files, seed %d: %d read, %d refused"):format(count, seed, accepted, refused))
