-- A network of ours in PyTorch and back: it is saved, PyTorch rebuilds it from the file
-- alone (08_pytorch.py), gives the same answers, changes a weight and writes a file of
-- its own, which is loaded here. Skipped where Python has no PyTorch.
local ym = require "ym2612ml"

local python
for _, command in ipairs { "python3", "/usr/bin/python3" } do
  if os.execute(command .. " -c 'import numpy, torch' >/dev/null 2>&1") then
    python = command
    break
  end
end
if not python then
  print "skipped: there is no Python with PyTorch here (Debian: python3-torch)"
  return
end

local net = ym.nn.graph(function(g)
  local hidden = ym.nn.dense(g:input("x", { 10 }), 32, { activation = "gelu", name = "hidden" })
  return { y = ym.nn.dense(hidden, 3, { name = "out" }) }
end, { seed = 7 })

local rng, x = ym.rng.new(), ym.tensor.new { 4, 10 }
for row = 1, 4 do
  for column = 1, 10 do
    x:set(row, column, rng:normal())
  end
end

-- What both sides are to agree on travels beside the network.
local folder = os.tmpname()
os.remove(folder)
assert(os.execute("mkdir " .. folder))
assert(net:save(folder .. "/network.safetensors"))
assert(ym.store.save(folder .. "/case.safetensors", { x = x, y = net:run({ x = x }).y }))

local script = arg[0]:gsub("%.lua$", ".py")
local done = os.execute(("%s %s %s"):format(python, script, folder))
assert(done, "PyTorch does not agree")

-- PyTorch's own file has its names and its order of axes: (out, in).
local other = assert(ym.nn.load(folder .. "/network.safetensors"))
assert(other:load_weights(folder .. "/torch.safetensors", {
  layout = "torch",
  names = {
    ["hidden.weight"] = "0.weight", ["hidden.bias"] = "0.bias", ["out.weight"] = "2.weight", ["out.bias"] = "2.bias",
  },
}))
local theirs, ours = assert(ym.store.load(folder .. "/answers.safetensors")).y, other:run({ x = x }).y
local apart = 0
for row = 1, 4 do
  for column = 1, 3 do
    apart = math.max(apart, math.abs(theirs:get(row, column) - ours:get(row, column)))
  end
end
print(("loaded what PyTorch wrote: answers differ by %.1e at most"):format(apart))
assert(apart < 1e-5)
os.execute("rm -r " .. folder)
