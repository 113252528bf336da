-- The models of the main job, read from their folder and run.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local lfs = require "ym2612ml.filesystem"
local nn = require "ym2612ml.nn"
local pca = require "ym2612ml.pca"
local registers = require "ym2612ml.networks.registers"

local M = {}

--- Names of the files in a folder of models.
M.files = {
  pca = "pca.safetensors",
  prior = "prior.json",
  algorithm = "algorithm.safetensors",
  registers = "registers_%d.safetensors", -- 0 to 7
}

--- The folder of the models that come with the module: installed beside its sources,
--- in a checkout at the top.
---@return string
function M.folder()
  local here = debug.getinfo(1, "S").source:match("^@(.*)models%.lua$") or "./"
  local installed = here .. "models"
  if lfs.attributes(installed, "mode") == "directory" then
    return installed
  end
  return here .. "../../models"
end

---@class ym2612ml.Models
local Models = {}
Models.__index = Models
Models.__name = "ym2612ml.Models"

-- A network whose inputs and outputs are those this version works with.
local function load_network(path, logits)
  local net, message, kind = nn.load(path)
  if not net then
    return nil, message, kind
  end
  local input, output = net.inputs.x, net.outputs.logits
  if not (input and output and input[1] == registers.inputs and output[1] == logits) then
    return nil, ("%s: is a network for another version of ym2612ml"):format(path), "format"
  end
  return net
end

--- Reads a folder of models.
---@param folder? string  default: the models that come with the module
---@return ym2612ml.Models? models
---@return string? message  names the file
---@return string? kind  "io" or "format"
function M.load(folder)
  folder = folder or M.folder()
  check.type(folder, "string", 1, "load")
  local self = setmetatable({ folder = folder, registers = {} }, Models)
  local message, kind
  self.pca, message, kind = pca.load(folder .. "/" .. M.files.pca)
  if not self.pca then
    return nil, message, kind
  end
  self.algorithm, message, kind = load_network(folder .. "/" .. M.files.algorithm, 8)
  if not self.algorithm then
    return nil, message, kind
  end
  for algorithm = 0, 7 do
    local path = folder .. "/" .. M.files.registers:format(algorithm)
    self.registers[algorithm], message, kind = load_network(path, registers.logits)
    if not self.registers[algorithm] then
      return nil, message, kind
    end
  end
  self.features = core.features.new(registers.recipe)
  return self
end

local shipped

--- The models that come with the module, read once.
---@return ym2612ml.Models? models
---@return string? message
---@return string? kind
function M.shipped()
  if not shipped then
    local models, message, kind = M.load()
    if not models then
      return nil, message, kind
    end
    shipped = models
  end
  return shipped
end

--- What the networks say of a note.
---@param samples ym2612ml.Tensor  (samples) at 53,267 Hz, the onset at the first
---@param note number  MIDI
---@param held number  seconds
---@return {probabilities: number[], logits: table<integer, number[]>}? answer
---  probabilities of algorithms 0..7 (at 1..8), and for each algorithm the logits of its
---  registers (see networks/registers.lua)
---@return string? message
---@return string? kind  "input": the sound is silent
function Models:listen(samples, note, held)
  local f0 = 440 * 2 ^ ((note - 69) / 12)
  local values, message, kind = self.features:extract(samples, { f0 = f0, held = held })
  if not values then
    return nil, message, kind
  end
  local components = self.pca:transform(values:reshape { 1, #values })
  local x = core.tensor.new { 1, registers.inputs }
  x[1]:slice(1, registers.components):copy(components[1])
  local a, b = registers.note_inputs(note, held)
  x:set(1, registers.components + 1, a)
  x:set(1, registers.components + 2, b)
  local logits = self.algorithm:run({ x = x }).logits[1]:totable()
  local answer = { probabilities = registers.softmax(logits, 1, 8), logits = {} }
  for algorithm = 0, 7 do
    answer.logits[algorithm] = self.registers[algorithm]:run({ x = x }).logits[1]:totable()
  end
  return answer
end

function Models:__tostring()
  return ("models of %s"):format(self.folder)
end

return M
