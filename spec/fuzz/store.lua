-- Reads damaged files of tensors and networks, which must be refused or read, and never
-- raise or crash:   lua5.4 spec/fuzz/store.lua [count] [seed]
package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = package.cpath .. ";./lua/?.so"
local ym = require "ym2612ml"
local store, nn = ym.store, ym.nn

local count, seed = tonumber(arg[1] or 20000), tonumber(arg[2] or 1)
local rng = ym.rng.new { seed = seed }
local path = os.tmpname()

local net = nn.graph(function(g)
  local x = nn.dense(g:input("x", { 6 }):reshape { 2, 3 }, 4, { activation = "gelu" })
  local y = x:matmul(g:param("p", { 4, 4 })):slice(3, 1, 2):concat(x * 0.5, { axis = 3 }):dropout(0.1)
  local out = y:softmax():sum(2) + g:const { 1, 2, 3, 4, 5, 6 }
  return { out = out, loss = out:head_cross_entropy(g:input("t", { 2 }), { widths = { 2, 4 } }) }
end)

-- Numbers and words that a file might say instead of its own.
local WORDS = {
  "0", "1", "-1", "2", "7", "65536", "4294967296", "1e300", "0.5", "null", "true", '"x"', "[]", "{}",
  "[1,2]", '"F64"', '"BF16"', '"I64"', '"BOOL"', '"relu"', '"linear"', '"param"',
}

local function write(bytes)
  local file <close> = assert(io.open(path, "wb"))
  file:write(bytes)
end

local function damage(text)
  local at = rng:integer(1, #text)
  local kind = rng:integer(1, 4)
  if kind == 1 then
    return text:sub(1, at - 1) .. string.char(text:byte(at) ~ 1 << rng:integer(0, 7)) .. text:sub(at + 1)
  elseif kind == 2 then
    return text:sub(1, at) .. text:sub(at + rng:integer(1, 9))
  end
  local first, last = text:find(kind == 3 and "%-?%d+" or "%b\"\"", at)
  local word = WORDS[rng:integer(1, #WORDS)]
  return first and text:sub(1, first - 1) .. word .. text:sub(last + 1) or text
end

local tensors, metadata = assert(store.decode(net:dump()))
local plain = store.encode(tensors, metadata):gsub('"crc32":"%x+",', "", 1)
plain = string.pack("<i8", string.unpack("<i8", plain) - #'"crc32":"00000000",') .. plain:sub(9)
assert(store.decode(plain))

local raised, read = 0, 0
local function try(f, ...)
  local done, result, message = pcall(f, ...)
  if not done or (not result and type(message) ~= "string") then
    raised = raised + 1
    print(result)
  end
  read = read + (done and result and 1 or 0)
  return done and result
end

for _ = 1, count do
  local damaged = plain
  for _ = 1, rng:integer(1, 3) do
    damaged = damage(damaged)
  end
  try(store.decode, damaged)
  write(damaged)
  try(net.load_weights, net, path, { partial = true, layout = rng:uniform() < 0.5 and "torch" or "own" })
  metadata.graph = damage(net.recipe)
  store.save(path, tensors, metadata)
  local other = try(nn.load, path)
  local inputs = other and other.inputs
  if inputs and inputs.x and #inputs.x == 1 and inputs.x[1] == 6 then
    -- What was read may be run: an input it now lacks is the caller's mistake.
    pcall(other.run, other, { x = ym.tensor.new({ 3, 6 }):fill(0.5) })
  end
end

assert(store.write_npy(path, ym.tensor.from { { 1, 2 }, { 3, 4 } }))
local file = assert(io.open(path, "rb"))
local npy = file:read("a")
file:close()
for _ = 1, count // 4 do
  write(damage(npy))
  try(store.read_npy, path)
end
os.remove(path)
print(("store: %d damaged files, seed %d: %d read, %d raised"):format(3 * count + count // 4, seed, read, raised))
os.exit(raised == 0 and 0 or 1)
