-- What `match` tells of its results: a document of each sound, its table, and a summary
-- of all.
local arguments = require "ym2612ml.cli.arguments"
local json = require "ym2612ml.json"
local paths = require "ym2612ml.cli.paths"
local ranking = require "ym2612ml.match.ranking"
local statistics = require "ym2612ml.evaluate.statistics"
local ym = require "ym2612ml"

local M = {}

local CLOSE = 1 -- dB: the share of sounds closer than this is told

-- Fields that are silent in nearly every patch, and not worth telling when they are.
local RARE = { ams = true, fms = true, lfo = true, am = true, ssg = true }
local USUAL = 9 -- fields of an operator besides those

-- What a patch, or a table like one, holds, with its operators as op1 to op4.
local function named(patch)
  local object = {}
  for _, field in ipairs(ym.patch.fields()) do
    local into, from = object, patch
    if field.operator then
      local key = ("op%d"):format(field.operator)
      object[key] = object[key] or {}
      into, from = object[key], patch[field.operator]
    end
    into[field.name] = from[field.name]
  end
  return object
end

--- The document of a sound that was matched.
---@param file string  its path, or the name of a group
---@param group string[]?  paths of the group's sounds
---@param matches ym2612ml.Match[]
---@param entries table[]  the files written, see outputs.write
---@param budget number?  seconds that were allowed
---@return table document
function M.document(file, group, matches, entries, budget)
  local first, ranked = matches[1], {}
  for rank, match in ipairs(matches.ranking) do
    ranked[rank] = { algorithm = match.algorithm, distance = match.distance, registers = named(match.patch) }
  end
  return {
    file = file, group = group, note = first.note, held = first.held, onset = first.onset, pitched = first.pitched,
    matches = entries, ranking = ranked, sensitivity = first.sensitivity and named(first.sensitivity), budget = budget,
    renders = matches.renders, seconds = matches.seconds,
  }
end

-- The document with the files' whole paths.
local function located(document, folder)
  local copy = {}
  for key, value in pairs(document) do
    copy[key] = value
  end
  if document.matches then
    copy.matches = {}
    for i, entry in ipairs(document.matches) do
      copy.matches[i] = {
        rank = entry.rank, algorithm = entry.algorithm, distance = entry.distance,
        patch = paths.join(folder, entry.patch), audition = paths.join(folder, entry.audition),
      }
    end
  end
  return copy
end

-- Names of the registers whose change passes a test, operator by operator.
local function registers_where(sensitivity, test)
  local parts, by_operator = {}, {}
  for _, field in ipairs(ym.patch.fields()) do
    local owner = field.operator and ("op%d"):format(field.operator)
    local change = (owner and sensitivity[owner] or sensitivity)[field.name]
    if change and test(change, field.name) then
      local part = by_operator[owner or ""]
      if not part then
        part = owner and { owner } or {}
        parts[#parts + 1], by_operator[owner or ""] = part, part
      end
      part[#part + 1] = field.name
    end
  end
  for i, part in ipairs(parts) do
    parts[i] = #part > USUAL and part[1] .. " (all)" or table.concat(part, " ")
  end
  return #parts > 0 and table.concat(parts, ", ") or "none"
end

local function tell_sensitivity(sensitivity)
  print("certain: " .. registers_where(sensitivity, function(change)
    return change > ranking.CERTAIN
  end))
  print("without effect: " .. registers_where(sensitivity, function(change, name)
    return change < ranking.IDLE and not RARE[name]
  end))
end

local function tell_ranking(ranked)
  local list = {}
  for rank, entry in ipairs(ranked) do
    list[rank] = ("%d (%.2f)"):format(entry.algorithm, entry.distance)
  end
  print("closest of all, by algorithm: " .. table.concat(list, ", "))
end

--- Prints what was found for a sound.
---@param document table
---@param folder string  of the files
---@param report table
function M.matches(document, folder, report)
  report:clear()
  local of = document.group and ("%d sounds, the first "):format(#document.group) or ""
  print(("%s: %snote %s, held %.2f s%s"):format(document.file, of, arguments.note_name(document.note), document.held,
    document.before and " (matched before)" or ""))
  local rows = {}
  for index, entry in ipairs(document.matches) do
    rows[index] = {
      index, ("%d"):format(entry.algorithm), ("%.2f"):format(entry.distance), paths.join(folder, entry.patch),
    }
  end
  report:columns({ "rank", "alg", "distance", "patch" }, rows)
  if document.ranking then
    tell_ranking(document.ranking)
  end
  if document.sensitivity then
    tell_sensitivity(document.sensitivity)
  end
  print()
end

--- What all sounds amount to.
---@param documents table[]  of every sound, in order; those that failed have an error
---@param failed integer  failures, of arguments without any sound included
---@param seconds number  since the start
---@return table summary  {matched, before, failed, seconds, median?, below?}: sounds that
---  this run matched, that an earlier one did, that failed; over the closest patches of
---  all, the median distance in dB and the share below 1 dB
function M.summary(documents, failed, seconds)
  local distances, close, matched, before = {}, 0, 0, 0
  for _, document in ipairs(documents) do
    if not document.error then
      local distance = document.matches[1].distance
      distances[#distances + 1] = distance
      close = close + (distance < CLOSE and 1 or 0)
      matched, before = matched + (document.before and 0 or 1), before + (document.before and 1 or 0)
    end
  end
  return {
    matched = matched, before = before, failed = failed, seconds = seconds,
    median = #distances > 0 and statistics.median(distances) or nil,
    below = #distances > 0 and close / #distances or nil,
  }
end

--- Prints the summary.
---@param summary table
---@param folder string  of the files
---@param report table
function M.tell_summary(summary, folder, report)
  report:clear()
  local before = summary.before > 0 and ("%d matched before, "):format(summary.before) or ""
  print(("%d matched, %s%d failed, in %.0f s"):format(summary.matched, before, summary.failed, summary.seconds))
  if summary.median then
    print(("median distance %.2f dB, %.0f %% of the sounds below %g dB; patches and auditions: %s"):format(
      summary.median, 100 * summary.below, CLOSE, folder))
  end
end

--- Prints everything as one JSON document.
---@param documents table[]
---@param summary table
---@param folder string  of the files
---@param report table
function M.json(documents, summary, folder, report)
  report:clear()
  local texts = {}
  for i, document in ipairs(documents) do
    texts[i] = json.encode(located(document, folder))
  end
  print(('{"files":[%s],"summary":%s}'):format(table.concat(texts, ","), json.encode(summary)))
end

return M
