-- The models of the matcher, read from their folder and run.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local lfs = require "ym2612ml.filesystem"
local matcher = require "ym2612ml.networks.matcher"
local neighbours = require "ym2612ml.neighbours"
local nn = require "ym2612ml.nn"
local pca = require "ym2612ml.pca"
local registers = require "ym2612ml.networks.registers"

local M = {}

--- Names of the files in a folder of models.
M.files = {
  pca = "pca.safetensors",
  prior = "prior.json",
  matcher = "matcher.safetensors",
  neighbours = "neighbours.safetensors",
  space = "space.safetensors",
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
local function load_network(path, outputs)
  local net, message, kind = nn.load(path)
  if not net then
    return nil, message, kind
  end
  local fits = net.inputs.x and net.inputs.x[1] == registers.inputs
  for name, count in pairs(outputs) do
    fits = fits and net.outputs[name] and net.outputs[name][1] == count
  end
  if not fits then
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
  -- Reads a file into this object's field; false, message, kind when it cannot.
  local function read(load, name, into, key, ...)
    local message, kind
    into[key], message, kind = load(folder .. "/" .. name, ...)
    return into[key] ~= nil, message, kind
  end
  local read_all = {
    { pca.load, M.files.pca, self, "pca" },
    {
      load_network, M.files.matcher, self, "matcher",
      { algorithm = 8, weights = matcher.components, logits = matcher.components * registers.logits },
    },
    { neighbours.load, M.files.neighbours, self, "neighbours" },
    { load_network, M.files.algorithm, self, "algorithm", { logits = 8 } },
  }
  for algorithm = 0, 7 do
    read_all[#read_all + 1] = {
      load_network, M.files.registers:format(algorithm), self.registers, algorithm, { logits = registers.logits },
    }
  end
  for _, arguments in ipairs(read_all) do
    local done, message, kind = read(table.unpack(arguments))
    if not done then
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

--- A note as the networks hear it.
---@param samples ym2612ml.Tensor  (samples) at 53,267 Hz, the onset at the first
---@param note number  MIDI
---@param held number  seconds
---@return {values: ym2612ml.Tensor, x: ym2612ml.Tensor}? heard  values: (features); x:
---  (1, inputs) of the networks
---@return string? message
---@return string? kind  "input": the sound is silent
function Models:hear(samples, note, held)
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
  return { values = values, x = x }
end

-- The answer of the matcher's network: all algorithms are told at once.
local function ask_matcher(self, x)
  local rows, told = core.tensor.new { 8, registers.inputs }, core.tensor.new { 8, 1 }
  for row = 1, 8 do
    rows[row]:copy(x[1])
    told:set(row, 1, row - 1)
  end
  local answer, shares = self.matcher:run { x = rows, told = told }, {}
  for row = 1, 8 do
    local own = registers.softmax(answer.weights[row]:totable())
    table.move(own, 1, #own, #shares + 1, shares)
  end
  return answer.algorithm[1]:totable(), answer.logits:reshape { #shares, registers.logits }, shares
end

-- The answer of the networks of the single algorithms.
local function ask_networks(self, x)
  local logits = core.tensor.new { 8, registers.logits }
  for algorithm = 0, 7 do
    logits[algorithm + 1]:copy(self.registers[algorithm]:run({ x = x }).logits[1])
  end
  return self.algorithm:run({ x = x }).logits[1]:totable(), logits, { 1, 1, 1, 1, 1, 1, 1, 1 }
end

---@class ym2612ml.Answer
---@field probabilities number[]  of algorithms 0..7 (at 1..8)
---@field logits ym2612ml.Tensor  (rows, logits): those of the registers (see
---  networks/registers.lua), as many rows for each algorithm, those of algorithm 0 first
---@field shares number[]  how probable each row is among those of its algorithm

--- What the networks say of a note.
---@param heard {x: ym2612ml.Tensor}  from hear
---@param method? "matcher"|"networks"  the one network of the matcher (default), or one
---  for each algorithm
---@return ym2612ml.Answer
function Models:answer(heard, method)
  local ask = method == "networks" and ask_networks or ask_matcher
  local algorithm, logits, shares = ask(self, heard.x)
  return { probabilities = registers.softmax(algorithm), logits = logits, shares = shares }
end

function Models:__tostring()
  return ("models of %s"):format(self.folder)
end

return M
