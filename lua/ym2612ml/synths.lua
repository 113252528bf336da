-- Synthesizers whose parameters can be learned from their sounds, and data sets of these.
local dataset = require "ym2612ml.synths.dataset"
local registry = require "ym2612ml.synths.registry"

return {
  names = registry.names,
  new = registry.new,
  get = registry.get,
  steps = dataset.steps,
  open = dataset.open,
}
