-- Training: step by step, whole, over folds of the data, and over several trials.
local fit = require "ym2612ml.train.fit"
local history = require "ym2612ml.train.history"
local steps = require "ym2612ml.train.steps"
local trials = require "ym2612ml.train.trials"

local M = {}

M.steps = steps.steps
M.fit = fit.fit
M.folds = trials.folds
M.trials = trials.trials
M.summary = trials.summary
M.write_history = history.write

return M
