-- A training far too small to be of use, but with all its parts, as a program.
--
--     lua5.4 spec/faults/training.lua FOLDER SEED
package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local ym = require "ym2612ml"

local output, seed = arg[1], math.tointeger(tonumber(arg[2]))

for step, message in ym.training.steps {
  output = output, work = output .. "/.work", prior = ym.models.folder() .. "/prior.json", seed = seed,
  records = 60, pca_records = 400, validation_records = 8, neighbours = 16, neighbour_components = { 8, 4 },
  epochs = 1, batch = 16, network_epochs = 1, network_batch = 16, hidden = { 8 }, hidden_network = { 8 },
  hidden_algorithm = { 8 }, dump_steps = 2,
} do
  if not step then
    io.stderr:write(message, "\n")
    os.exit(1)
  end
end
