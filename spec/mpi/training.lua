-- For spec/mpi_spec.lua: trains small networks, alone or on the ranks of mpirun, and prints
-- what they came to, to the bit.
package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local ym = require "ym2612ml"

local ranks = os.getenv "OMPI_COMM_WORLD_SIZE" and assert(require "ym2612ml.mpi".start()) or nil

local rng, rows = ym.rng.new { seed = 3 }, 90
local x, y = ym.tensor.new { rows, 20, 3 }, ym.tensor.new { rows, 2 }
for row = 1, rows do
  for at = 1, 20 do
    for channel = 1, 3 do
      x[row][at]:set(channel, rng:normal())
    end
  end
  y:set(row, 1, x[row][3]:get(1))
  y:set(row, 2, x[row][5]:get(2))
end

local bodies = {
  dense = function(input)
    local wide = ym.nn.dense(input:reshape { 60 }, 300, { activation = "relu" }):dropout { rate = 0.1 }
    return ym.nn.dense(wide, 100, { activation = "relu" })
  end,
  conv = function(input)
    local h = ym.nn.batch_norm(ym.nn.conv(input, 8, { activation = "relu" }))
    return ym.nn.batch_norm(ym.nn.conv(h, 8, { stride = 2, activation = "relu" })):reshape { 80 }
  end,
  lstm = function(input)
    local h = ym.nn.lstm(input, 12)
    return ym.nn.attention(h, h, h, { heads = 2 }):mean { axis = 2 }
  end,
}

-- With a parameter that only what is computed from it alone brings into the loss.
local function build(body)
  return ym.nn.graph(function(g)
    local scale = g:param("scale", { 2 }, { init = "ones" }):exp()
    return { loss = (ym.nn.dense(body(g:input("x", { 20, 3 })), 2) * scale):mse(g:input("y", { 2 })) }
  end, { seed = 5 })
end

-- The same rows, read as they are needed.
local source = {
  rows = rows,
  take = function(_, list)
    list = list:totable()
    return { x = x:rows(list), y = y:rows(list) }
  end,
}

local function train(name, data)
  local net, last = build(bodies[name]), nil
  for step, message in assert(ym.train.steps(net, data, {
    ranks = ranks, batch = 34, epochs = 3, clip = 1, validation = { x = x, y = y },
  })) do
    assert(step, message)
    last = step
  end
  return net, last, assert(last:dump())
end

local function tell(...)
  if not ranks or ranks.rank == ranks.size - 1 then
    print(...)
  end
end

for _, name in ipairs { "dense", "conv", "lstm" } do
  local net, last, state = train(name, { x = x, y = y })
  tell(name, ("%.17g"):format(last.loss), ym.store.sha256(net:dump()), ym.store.sha256(state))
  local again = train(name, source)
  assert(again:dump() == net:dump())
end

-- Large minibatches have more parts.
local many = { x = ym.tensor.new { 1300, 20, 3 }, y = ym.tensor.new { 1300, 2 } }
for row = 1, 1300 do
  many.x[row]:copy(x[row % rows + 1])
  many.y[row]:copy(y[row % rows + 1])
end
local net = build(bodies.dense)
local optimizer = ym.nn.optimizer(net, { method = "sgd", rate = 0.01, momentum = 0.5 })
for _ = 1, 3 do
  assert(net:step(many, optimizer, { ranks = ranks }))
end
if ranks then -- each has a slice of what it remembers
  local stepped, refusal = pcall(net.step, net, many, optimizer)
  assert(not stepped and refusal:find("call optimizer:complete() first", 1, true), refusal)
end
assert(optimizer:complete())
tell("large", ym.store.sha256(net:dump()), ym.store.sha256(optimizer:dump()))

-- What is wrong is the same everywhere, and nothing has changed.
local before = net:dump()
many.y:set(700, 1, 0 / 0)
local loss, message, kind = net:step(many, optimizer, { ranks = ranks })
assert(not loss and net:dump() == before)
tell("diverged", message, kind)
if ranks then
  assert(ranks:close())
end
