-- For spec/bench/mpi.lua: trains the matcher's network on made-up rows, with one thread,
-- alone or on the ranks of mpirun. Prints the median of the milliseconds a step and the
-- SHA-256 of the weights:   lua5.4 spec/bench/mpi_training.lua [STEPS] [BATCH]
package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local matcher = require "ym2612ml.networks.matcher"
local ym = require "ym2612ml"

local steps, batch = tonumber(arg[1] or 60), tonumber(arg[2] or 512)
local ranks = os.getenv "OMPI_COMM_WORLD_SIZE" and assert(require "ym2612ml.mpi".start()) or nil
ym.threads(1)

local rng, rows = ym.rng.new { seed = 1 }, 4 * batch
local net = matcher.build { hidden = { 768, 768 }, dropout = 0.05, seed = 1 }
local data = {}
for _, input in ipairs { { "x", "f16" }, { "told", "i16" }, { "target", "i16" } } do
  local name, width = input[1], net.inputs[input[1]][1]
  data[name] = ym.tensor.new({ rows, width }, input[2])
  for row = 1, rows do
    for column = 1, width do
      data[name]:set(row, column, name == "x" and rng:normal() or rng:integer(0, 1))
    end
  end
end
local optimizer = ym.nn.optimizer(net, { method = "adamw", rate = 1e-3, clip = 1 })
local order, times = ym.rng.new({ seed = 2 }):order(rows), {}
for step = 1, steps do
  local first = (step - 1) % 4 * batch + 1
  if ranks then
    assert(ranks:barrier())
  end
  local began = ym.clock()
  assert(net:step(data, optimizer, { order = order, first = first, count = batch, ranks = ranks }))
  times[step] = 1000 * (ym.clock() - began)
end
table.sort(times)
if not ranks or ranks.rank == 0 then
  print(("%.2f %s"):format(times[(steps + 1) // 2], ym.store.sha256(net.core:weights():bytes())))
end
if ranks then
  assert(ranks:close())
end
