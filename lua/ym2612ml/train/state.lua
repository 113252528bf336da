-- The state of a training between two steps, as a string: weights and moments, counts,
-- what was best so far, and the history.
local attempt = require "ym2612ml.attempt"
local check = require "ym2612ml.check"
local json = require "ym2612ml.json"
local store = require "ym2612ml.store"

local M = {}

-- What a state must agree on with the training it is to resume.
local SIGNED = {
  "epochs", "batch", "optimizer", "rate", "momentum", "weight_decay", "clip", "seed", "patience", "improvement",
  "keep_best",
}

--- The same for trainings that can go on from each other's states.
---@param options table
---@param schedule table
---@param rows integer  of the data
---@return string
function M.signature(options, schedule, rows)
  local parts = {}
  for _, key in ipairs(SIGNED) do
    parts[#parts + 1] = ("%s=%s"):format(key, json.encode(options[key]))
  end
  parts[#parts + 1] = ("schedule=%s"):format(schedule.signature)
  parts[#parts + 1] = ("rows=%d"):format(rows)
  parts[#parts + 1] = options.subject ~= "" and ("subject=%s"):format(options.subject) or nil
  return table.concat(parts, " ")
end

--- Views of all of a network that training changes, by names for a file.
---@param net ym2612ml.Network
---@return table<string, ym2612ml.Tensor>
function M.learned(net)
  local views = { weights = net.core:weights() }
  for name, leaf in pairs(net.leaves) do
    if leaf.kind == "state" then
      views["state " .. name] = net.core:leaf(leaf.index)
    end
  end
  return views
end

-- The history as it goes into a dump: what took how long differs from run to run.
local function timeless(history)
  local rows = {}
  for i, row in ipairs(history) do
    rows[i] = {}
    for key, value in pairs(row) do
      if key ~= "seconds" then
        rows[i][key] = value
      end
    end
  end
  return rows
end

--- All that is needed to go on from where a training is.
---@param training table
---@return string
function M.dump(training)
  local progress = {}
  for key, value in pairs(training.progress) do
    progress[key] = value
  end
  progress.history = timeless(progress.history)
  local metadata = {
    signature = training.signature,
    graph = training.net.recipe,
    step = tostring(training.step),
    steps = tostring(training.net.steps),
    seed = tostring(training.net.seed),
    optimizer = tostring(training.optimizer:steps()),
    progress = json.encode(progress),
    schedule = json.encode(training.schedule.state),
  }
  local tensors = M.learned(training.net)
  for name, tensor in pairs(training.best or {}) do
    tensors["best " .. name] = tensor
  end
  tensors.moments = training.optimizer.core:moments()
  return store.encode(tensors, metadata)
end

local function are_numbers(values, names)
  for _, name in ipairs(names) do
    if type(values[name]) ~= "number" then
      return false
    end
  end
  return true
end

-- The numbers of a state, or nil where they are not those of a training of `most` steps.
local function read_counts(metadata, most)
  local counts = {}
  for _, name in ipairs { "step", "steps", "optimizer", "seed" } do
    counts[name] = math.tointeger(tonumber(metadata[name]))
    if not counts[name] or name ~= "seed" and counts[name] < 0 then
      return nil
    end
  end
  for _, name in ipairs { "progress", "schedule" } do
    local done, value = attempt(json.decode, metadata[name])
    if not done or type(value) ~= "table" then
      return nil
    end
    counts[name] = value
  end
  local fits = are_numbers(counts.progress, { "loss", "norm", "waited" }) and type(counts.progress.history) == "table"
    and are_numbers(counts.schedule, { "factor", "waited" }) and counts.step <= most
  return fits and counts or nil
end

-- A state that is one of this training: its tensors and counts; or nil, why not, kind,
-- where kind "other" is that of another training of the same network.
local function read(training, bytes)
  local tensors, metadata, kind = store.decode(bytes, { checked = true })
  if not tensors then
    return nil, metadata, kind
  end
  local function suits(name, own)
    local tensor = tensors[name]
    return tensor and table.concat(tensor:shape(), " ") == table.concat(own:shape(), " ")
  end
  local counts = read_counts(metadata, training.options.epochs * training.per_epoch)
  local keeps = counts and counts.progress.best and training.options.keep_best
  local whole = counts and suits("moments", training.optimizer.core:moments())
  for name, own in pairs(M.learned(training.net)) do
    if metadata.graph ~= training.net.recipe or not suits(name, own) then
      return nil, "is of another network", "format"
    end
    whole = whole and (not keeps or suits("best " .. name, own))
  end
  if not whole then
    return nil, "is not one of a training", "format"
  elseif metadata.signature ~= training.signature then
    return nil, ("is of a training with %s, not %s"):format(metadata.signature, training.signature), "other"
  end
  return tensors, counts
end

--- Puts back what `dump` gave. A state of other options is misuse, unless it came from a
--- file.
---@param training table
---@param bytes string
---@param path? string  the file it came from, for messages
---@return true? done
---@return string? message
---@return string? kind  "format": damaged, or of another network; "input": of other options
function M.restore(training, bytes, path)
  local tensors, counts, kind = read(training, bytes)
  if not tensors and kind == "other" and not path then
    check.misuse("option 'resume' " .. counts)
  elseif not tensors then
    return nil, (path and path .. ": " or "resume: the state ") .. counts, kind == "other" and "input" or kind
  end
  local keeps = counts.progress.best and training.options.keep_best
  training.best = keeps and {} or nil
  for name, own in pairs(M.learned(training.net)) do
    own:copy(tensors[name])
    if keeps then
      training.best[name] = tensors["best " .. name]
    end
  end
  training.optimizer.core:moments():copy(tensors.moments)
  training.optimizer.core:steps(counts.optimizer)
  training.net.steps, training.net.seed, training.step = counts.steps, counts.seed, counts.step
  training.progress = counts.progress
  training.schedule:restore(counts.schedule)
  return true
end

return M
