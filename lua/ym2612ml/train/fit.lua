-- A whole training in one call, which keeps on disk what is needed to go on.
local check = require "ym2612ml.check"
local files = require "ym2612ml.files"
local history = require "ym2612ml.train.history"
local lfs = require "ym2612ml.filesystem"
local steps = require "ym2612ml.train.steps"
local store = require "ym2612ml.store"

local M = {}

local rules = {
  each = { type = "function" },
  finish = { type = "function" },
  history = { type = "string" },
  save = { type = "string" },
  state = { type = "string" },
  state_steps = { type = "integer", least = 0, default = 0 },
}
for name, rule in pairs(steps.rules) do
  rules[name] = rule
end

-- What goes to disk after a step; nil, message, kind where it does not. Of ranks all call
-- it, and the first one writes.
local function keep(net, step, options)
  local row, group = step.row, options.ranks
  local due = row or options.state_steps > 0 and step.step % options.state_steps == 0
  local state = options.state and due and not step.last
  local bytes, done, message, kind = nil, true, nil, nil
  if state then
    bytes, message, kind = step:dump()
    if not bytes then
      return nil, message, kind
    end
  end
  local writes = not group or group.rank == 0
  if writes and options.save and row and row.best then
    done, message, kind = net:save(options.save)
  end
  if writes and done and options.history and row then
    done, message, kind = history.write(options.history, step:history())
  end
  if writes and done and state then
    done, message, kind = files.write(options.state, bytes)
  end
  if group and (row or state) then
    return group:agree(message, kind)
  end
  return done, message, kind
end

-- The state that a training left in a file, false without one; nil, message, kind where it
-- cannot be read, or ranks find others.
local function read_state(path, group)
  local bytes, message, kind = false, nil, nil
  if path then
    bytes, message, kind = files.read(path)
  end
  local well = bytes ~= nil or nil
  if group then
    well, message, kind = group:agree(message, kind)
  end
  if well and group then
    well, message, kind = group:alike { { "finds another state of the training", store.sha256(bytes or "") } }
  end
  if not well then
    return nil, message, kind
  end
  return bytes
end

-- Removes the state of a training that has come to its end: left there, it would be taken
-- for that of the next one.
local function remove_state(path, group)
  local removed, message = true, nil
  if not (group and group.rank > 0) and lfs.symlinkattributes(path, "mode") then
    removed, message = os.remove(path)
  end
  if group then
    return group:agree(message, "io")
  end
  return removed, message, "io"
end

---@class ym2612ml.Fit
---@field history ym2612ml.Epoch[]  finished epochs
---@field last string  why it ended: "epochs", "patience" or "cancelled" (by each)
---@field steps integer  taken
---@field best integer?  the epoch with the smallest loss of those that are watched
---@field loss number?  that loss

--- Trains a network to the end, by `ym.train.steps`.
---
---     local result = assert(ym.train.fit(net, data, {
---       epochs = 100, validation = aside, patience = 10, keep_best = true, history = "history.csv",
---     }))
---
---@param net ym2612ml.Network  with an output `loss`
---@param data table<string, ym2612ml.Tensor>|ym2612ml.Source  as for `steps`
---@param options? table  those of `steps`, and: each, a function called with every step,
---  which ends the training by returning false; history, the path of a table of all epochs
---  (.csv or .json), written after each; save, the path of a file for the network, written
---  after each epoch that is the best so far; state, the path of a file with all that is
---  needed to go on, written after each epoch and every state_steps (0: no more) steps: a
---  training that finds it goes on from there, and removes it at its end. Of ranks the first
---  writes these files; finish, a function of the result that is called at the end, to save
---  what was learned: what it raises passes through, and the state stays to go on from
---@return ym2612ml.Fit? result
---@return string? message  names the step or the path
---@return string? kind  "diverged", "input", "format" or "io"
function M.fit(net, data, options)
  options = check.options(options, rules, 3, "fit")
  if options.history then
    check.no_problem(history.problem(options.history), 3, "fit")
  end
  local own = {}
  for name in pairs(steps.rules) do
    own[name] = options[name]
  end
  local path = options.state and lfs.attributes(options.state, "mode") and options.state
  local found, unread, why = read_state(path, options.ranks)
  if found == nil then
    return nil, unread, why
  end
  own.resume = found or nil
  local next_step, training, kind = steps.start(net, data, own, "fit", path)
  if not next_step then
    return nil, training, kind
  end
  local ended
  for step, message, sort in next_step do
    if not step then
      return nil, message, sort
    end
    local kept, reason
    kept, reason, sort = keep(net, step, options)
    if not kept then
      return nil, reason, sort
    elseif options.each and options.each(step) == false then
      ended = "cancelled"
      break
    end
  end
  local progress = training.progress
  local result = {
    history = progress.history, steps = training.step, last = progress.last or ended,
    best = progress.best_epoch, loss = progress.best,
  }
  if progress.last and options.finish then
    options.finish(result)
  end
  if progress.last and options.state then
    local removed, reason, sort = remove_state(options.state, options.ranks)
    if not removed then
      return nil, reason, sort
    end
  end
  return result
end

return M
