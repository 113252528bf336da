-- Joins the core and the parts in Lua into the module table; nothing else.
local core = require "ym2612ml.core"
local estimate = require "ym2612ml.estimate"

local M = {}
for name, value in pairs(core) do
  M[name] = value
end
M.dataset = require "ym2612ml.dataset"
M.dx7 = require "ym2612ml.dx7"
M.estimate = estimate.estimate
M.estimate_each = estimate.estimate_each
M.estimate_steps = estimate.steps
M.evaluate = require "ym2612ml.evaluate"
M.learner = require "ym2612ml.learner"
M.metrics = require "ym2612ml.metrics"
M.models = require "ym2612ml.models"
M.neighbours = require "ym2612ml.neighbours"
M.nn = require "ym2612ml.nn"
M.patch = require "ym2612ml.patch"
M.pca = require "ym2612ml.pca"
M.prepare = require "ym2612ml.prepare".one
M.prior = require "ym2612ml.prior"
M.propose = require "ym2612ml.propose"
M.recipes = require "ym2612ml.recipes"
M.report = require "ym2612ml.report"
M.rom = require "ym2612ml.rom"
M.space = require "ym2612ml.space"
M.store = require "ym2612ml.store"
M.synths = require "ym2612ml.synths"
M.train = require "ym2612ml.train"
M.training = require "ym2612ml.training"
M.vgm = require "ym2612ml.vgm"
return M
