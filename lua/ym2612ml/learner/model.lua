-- A trained network with what belongs to it: from sounds to the parameters of a
-- synthesizer. A folder holds model.json, network.safetensors and, where the network is
-- fed by a fitted stage, pca.safetensors or autoencoder.safetensors.
local attempt = require "ym2612ml.attempt"
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local files = require "ym2612ml.files"
local inputs = require "ym2612ml.learner.input"
local json = require "ym2612ml.json"
local line = require "ym2612ml.line"
local nn = require "ym2612ml.nn"
local pca = require "ym2612ml.pca"
local published = require "ym2612ml.networks.published"
local synths = require "ym2612ml.synths.registry"
local targets = require "ym2612ml.networks.targets"

local M = {}

local FORMAT, VERSION = "model of ym2612ml", 1
local CHUNK = 64 -- sounds answered at a time

--- Names of the files in a folder of a model.
M.files = {
  model = "model.json", network = "network.safetensors", pca = "pca.safetensors",
  autoencoder = "autoencoder.safetensors",
}

---@class ym2612ml.Learner
---@field synth ym2612ml.Synth
---@field parameters string[]  names of those that the network tells
---@field dropped table<string, string>  why the others are not learned
---@field usual table<string, number>  the value that those are given
---@field rate number  Hz
---@field length number  seconds
---@field architecture table
---@field settings table  what it was made with
---@field network ym2612ml.Network
local Learner = {}
Learner.__index = Learner
Learner.__name = "ym2612ml.Learner"

--- Joins the parts of a model.
---@param settings table  as model.json holds them: model, options, front, synth {name,
---  options}, rate, length, parameters, dropped, usual, style, loss
---@param synth ym2612ml.Synth
---@return ym2612ml.Learner  without network and stage
function M.new(settings, synth)
  local architecture = published.get(settings.model)
  local samples = math.floor(settings.rate * settings.length)
  return setmetatable({
    settings = settings, synth = synth, architecture = architecture, parameters = settings.parameters,
    dropped = settings.dropped, usual = settings.usual, rate = settings.rate, length = settings.length,
    samples = samples, input = inputs.new(architecture, settings, settings.rate, samples),
    targets = targets.new(synth, settings.parameters, settings.style, settings.loss),
  }, Learner)
end

--- What a network answers to sounds.
---@param sounds ym2612ml.Tensor  f32 (sounds, samples), at the model's rate and of its length
---@return {values: ym2612ml.Tensor, scores: table<string, ym2612ml.Tensor>}? answer  values:
---  f32 (sounds, parameters of the synthesizer), of those that were not learned the usual
---  ones; scores: by name, f32 (sounds, classes): higher, likelier
---@return string? message
---@return string? kind  "input": a sample is not a number
function Learner:predict(sounds)
  check.tensor(sounds, 1, "predict")
  local shape = sounds:shape()
  check.no_problem((#shape ~= 2 or shape[2] ~= self.samples) and ("shape is (%s), expected (sounds, %d)"):format(
    table.concat(shape, ", "), self.samples) or nil, 1, "predict")
  local count = shape[1]
  local answer = { values = core.tensor.new { count, #self.synth.parameters }, scores = {} }
  for _, name in ipairs(self.parameters) do
    answer.scores[name] = core.tensor.new { count, self.synth.by_name[name].classes }
  end
  for name, value in pairs(self.usual) do
    for row = 1, count do
      answer.values:set(row, self.synth.by_name[name].index, value)
    end
  end
  for first = 1, count, CHUNK do
    local last = math.min(first + CHUNK - 1, count)
    local x, message, kind = self.input:apply(sounds:slice(first, last))
    if not x then
      return nil, message, kind
    end
    local scores = self.targets:decode(self.network:run { x = x }, last - first + 1, answer.values:slice(first, last))
    for name, part in pairs(scores) do
      answer.scores[name]:slice(first, last):copy(part)
    end
  end
  return answer
end

--- Writes all but the stage, which is on disk when it is fitted. model.json comes last: a
--- folder that has it is whole.
---@param folder string
---@return true? done
---@return string? message
---@return string? kind  "io"
function Learner:save(folder)
  local done, message, kind = self.network:save(folder .. "/" .. M.files.network)
  if not done then
    return nil, message, kind
  end
  self.settings.format, self.settings.version = FORMAT, VERSION
  return files.write(folder .. "/" .. M.files.model, json.document(self.settings))
end

-- The settings in a folder; or nil, message, kind.
local function read_settings(folder)
  local path = folder .. "/" .. M.files.model
  local bytes, message, kind = files.read(path)
  if not bytes then
    return nil, message, kind
  end
  local fine, settings = attempt(json.decode, bytes)
  if not fine or type(settings) ~= "table" or settings.format ~= FORMAT then
    return nil, path .. ": is no model of ym2612ml", "format"
  elseif settings.version ~= VERSION then
    return nil, ("%s: is of another version than %d"):format(path, VERSION), "format"
  end
  return settings
end

-- Whether a network hears and answers what the model says.
local function suits(self, network)
  local heard, told, classes = network.inputs.x or {}, network.outputs, 0
  for _, width in ipairs(self.targets.widths) do
    classes = classes + width
  end
  local widths = { logits = classes, values = #self.targets.value, switches = #self.targets.switch }
  for name, width in pairs(widths) do
    if (told[name] and told[name][1] or 0) ~= width then
      return false
    end
  end
  return table.concat(heard, " ") == table.concat(self.input.shape, " ")
end

--- Reads a model that `train` made.
---@param folder string
---@param options? {synth: string}  the Lua file of a synthesizer that a user wrote, which is run
---@return ym2612ml.Learner? learner
---@return string? message  names the file
---@return string? kind  "io", "format"; "input": the synthesizer is a user's, and no file was
---  given
function M.load(folder, options)
  check.type(folder, "string", 1, "load")
  options = check.options(options, synths.recall_rules, 2, "load")
  local settings, message, kind = read_settings(folder)
  if not settings then
    return nil, message, kind
  end
  local fine, self = attempt(function()
    local synth
    synth, message, kind = synths.recall(settings.synth, options.synth)
    return synth and M.new(settings, synth)
  end)
  if not fine then
    local problem = tostring(self):gsub("^[^:]*:%d+: ", "") -- without the line of code that met it
    return nil, ("%s/%s: is damaged (%s)"):format(folder, M.files.model, line(problem)), "format"
  elseif not self then
    return nil, ("%s/%s: %s"):format(folder, M.files.model, message), kind
  end
  local stage = self.architecture.stage
  if stage then
    local load = stage == "pca" and pca.load or nn.load
    local fitted
    fitted, message, kind = load(folder .. "/" .. M.files[stage])
    if not fitted then
      return nil, message, kind
    end
    if stage == "autoencoder" and not fitted.outputs.latent then
      return nil, ("%s/%s: is of another model"):format(folder, M.files[stage]), "format"
    end
    self.input[stage == "pca" and "set_pca" or "set_encoder"](self.input, fitted)
  end
  self.network, message, kind = nn.load(folder .. "/" .. M.files.network)
  if not self.network then
    return nil, message, kind
  elseif not suits(self, self.network) then
    return nil, ("%s/%s: is of another model"):format(folder, M.files.network), "format"
  end
  return self
end

return M
