-- The networks that others have published, by name; each file says where its own come
-- from.
local check = require "ym2612ml.check"

local M = {}

---@class ym2612ml.Architecture
---@field name string
---@field title string
---@field source string  paper or repository
---@field front fun(rate: number, length: number): table  settings of its published front
---  end (fronts.new) for sounds of so many seconds at so many Hz
---@field targets "classes"|"values"|"kinds"  see targets.styles
---@field loss? "softmax"|"bce"  of classes, see targets.losses
---@field training {optimizer: string, rate: number, batch: integer, epochs: integer}  as
---  published
---@field options table<string, table>  rules (check.options) of what can be chosen
---@field body fun(g: ym2612ml.Recorder, x: ym2612ml.Node, shape: integer[], options: table): ym2612ml.Node
---  the layers from an input of rows of this shape to the last hidden one, (batch,
---  features), to which heads are added
---@field stage? "pca"|"autoencoder"  fitted before; its output is then the body's input
---@field encode? fun(g: ym2612ml.Recorder, x: ym2612ml.Node, shape: integer[], options: table): ym2612ml.Node
---  of an autoencoder: from the input to (batch, latent)
---@field decode? fun(g: ym2612ml.Recorder, latent: ym2612ml.Node, shape: integer[], options: table): ym2612ml.Node
---  and back to an input of this shape
---@field standardise? "all"|"each"|false  of the input: one mean and deviation for all of
---  the training data (default), for each of its numbers, or none

local FILES = { "inversynth", "sample2genesis", "antithesis", "synth_reconstruct" }

--- The names of the architectures.
---@type string[]
M.names = {}
--- The architectures by name.
---@type table<string, ym2612ml.Architecture>
M.by_name = {}

for _, file in ipairs(FILES) do
  for _, architecture in ipairs(require("ym2612ml.networks." .. file).architectures) do
    M.names[#M.names + 1] = architecture.name
    M.by_name[architecture.name] = architecture
  end
end

--- An architecture.
---@param name string  one of `names`
---@return ym2612ml.Architecture
function M.get(name)
  local found = M.by_name[name]
  if not found then
    check.misuse(("bad argument #1 to 'get' (%s is no model, expected one of %s)"):format(
      type(name) == "string" and ("'%s'"):format(name) or type(name), table.concat(M.names, ", ")))
  end
  return found
end

return M
