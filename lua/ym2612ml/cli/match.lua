-- ym2612ml match: patches that sound like recordings, with an audition of each.
local arguments = require "ym2612ml.cli.arguments"
local estimate = require "ym2612ml.estimate"
local heard = require "ym2612ml.cli.match.heard"
local json = require "ym2612ml.json"
local ledgers = require "ym2612ml.cli.match.ledger"
local locks = require "ym2612ml.cli.locks"
local loss = require "ym2612ml.cli.loss"
local outputs = require "ym2612ml.cli.match.outputs"
local paths = require "ym2612ml.cli.paths"
local console = require "ym2612ml.cli.console"
local settings_of = require "ym2612ml.cli.match.settings"
local sounds = require "ym2612ml.sounds"
local tell = require "ym2612ml.cli.match.tell"
local work = require "ym2612ml.ranks.work"
local ym = require "ym2612ml"

local M = {}

local OFTEN = 2 -- seconds between two writings of the best so far, or more:
local COSTLY = 20 -- times what a writing took

local function define_search(command)
  arguments.add(command, "--budget", "TIME", settings_of.budget, "Time for each sound: fast (50 ms), default "
    .. "(5 s), best (60 s), or seconds such as 0.2s. More comes closer.")
  arguments.add(command, "--renders", "COUNT", arguments.integer(8, 10 ^ 8 | 0), "Patches to try for each sound. "
    .. "Without --budget there is then no limit of time, and the same seed gives the same patches.")
  command:option("--method", "search (the best), or networks: only what the networks of the eight algorithms propose.")
    :choices({ "search", "networks" }):default("search")
  arguments.add(command, "--seed", "NUMBER", arguments.integer(0, 1 << 53), "Start of the random guesses.", "1")
  arguments.add(command, "--lock", "LIST", arguments.list(locks.one), "Registers that keep a value, such "
    .. "as algorithm=4,op1.mul=3; without =VALUE, that of the patch to --start from.")
  command:option("--start", "Patch to begin from; the search may leave it."):argname("PATCH")
  command:flag("--lfo", "Vibrato and tremolo may be used. Not every --format holds them: "
    .. settings_of.holding_lfo() .. " do.")
end

--- Adds the arguments to an argparse command.
---@param command table
function M.define(command)
  command:summary("Find patches that sound like recordings.")
  command:description("Listens to recordings of single notes and writes for each the patches "
    .. "that come closest on the chip: NAME_RANK_algK.y12 for its algorithm K, rank 1 the "
    .. "closest, and beside it how it sounds, as .wav. They take the place of those that an "
    .. "earlier run wrote for a sound of that name. A distance is in decibels, the mean over "
    .. "time and spectrum; 0 is the same sound. The best so far is always on disk, and Ctrl-C "
    .. "keeps it. The same command goes on where it was stopped: sounds that were matched with "
    .. "the same settings are not matched again.")
  command:argument("FILE", "Sound files, or folders of them: WAV, FLAC, AIFF, Ogg, MP3 and "
    .. "others, at any rate.")
    :args("+"):target("sounds")
  command:option("-o --output", "Folder for the patches."):argname("DIR"):default("matches")
  arguments.add(command, "--format", "LIST", arguments.list(settings_of.format), "Formats of the patch files, one "
    .. "or several such as y12,fui: " .. table.concat(loss.written(), ", ") .. ". What a format does not hold is "
    .. "told.", "y12")
  define_search(command)
  command:flag("--group", "All sounds are one instrument at several pitches or velocities, to be matched by one "
    .. "patch. --note and --velocity are then lists such as C3,C4, one each. Without --note, the notes are "
    .. "taken from the ends of the files' names where all have one (piano_C4, piano_60), otherwise from "
    .. "the sounds.")
  arguments.add(command, "--note", "NOTE", arguments.list(arguments.note),
    "Note: a name such as C4 or F#3, or a MIDI number. Without it, taken from the sound.")
  arguments.add(command, "--velocity", "NUMBER", arguments.list(arguments.integer(1, 127)),
    "Velocity the note was played with, 1..127: what the chip plays is made softer for it. Without it, as loud "
    .. "as the sound.")
  arguments.add_times(command, {}, "Without it, taken from the sound.")
  arguments.add_chip(command, "ym2612")
  command:option("--models", "Folder of trained networks. Without it, those that came along.")
    :argname("DIR")
  command:flag("--again", "Also match the sounds anew that were matched before.")
  command:option("--report", "At the end, write a page to listen to all of it, as `ym2612ml report` does.")
    :argname("FILE")
  command:flag("--json", "Print one JSON document instead of tables.")
end

-- Takes the steps of a match to their end. Stopped by Ctrl-C, it keeps the best so far
-- before it lets the interruption pass.
---@return ym2612ml.Match[]? matches
---@return string? message  why they could not be kept
local function follow(steps, keep, progress)
  local last, due = nil, ym.clock() + OFTEN
  local fine, matches, message = pcall(function()
    for step in steps do
      last = step
      progress(step)
      local now = ym.clock()
      if now >= due then
        local _, problem = keep(step.matches, false)
        if problem then
          return nil, problem
        end
        due = ym.clock() + math.max(OFTEN, COSTLY * (ym.clock() - now))
      end
    end
    return last.matches
  end)
  if not fine then
    if last and console.is_interrupt(matches) then
      local _, problem = keep(last.matches, true)
      error({ interrupted = true, failure = problem }, 0)
    end
    error(matches, 0)
  end
  return matches, message
end

-- The sounds of an item, one or a group.
local function read_sounds(item, report)
  local list = {}
  for i, path in ipairs(item.paths) do
    local sound, message = ym.audio.read(path)
    if not sound then
      return nil, message
    end
    if sound.clipped > 0 then
      report:note(("%s: %d samples are clipped"):format(path, sound.clipped))
    end
    sound.path = path
    list[i] = sound
  end
  return item.group and list or list[1]
end

local function options_of(job, item)
  local options = { models = job.models, note = job.settings.note, velocity = job.settings.velocity }
  for name, value in pairs(job.settings.estimate) do
    options[name] = value
  end
  if item.group and not options.note then
    options.note = settings_of.notes_in_names(item.paths)
  end
  return options
end

-- Tells how far all sounds are when a step of one is done, and the time left.
local function progress_of(job, item)
  local started = ym.clock()
  return function(step)
    local left
    if step.eta then
      local each = job.matched > 0 and job.spent / job.matched or ym.clock() - started + step.eta
      left = step.eta + each * (job.pending - 1)
    end
    job.report:progress(job.done + step.share, #job.items, ("%s%s"):format(
      left and console.time_left(left) .. ", " or "", item.paths[1]:match("[^/]*$")))
  end
end

-- Tells what the files do not hold of the patches, but for names.
local function tell_losses(matches, entries, job)
  for rank, entry in ipairs(entries) do
    for _, format in ipairs(job.formats) do
      local path = paths.join(job.folder, paths.stem(entry.patch)) .. "." .. format.extension
      loss.tell({ ym.patch.canonical(matches[rank].patch) }, format, {}, path, job.report)
    end
  end
end

--- Matches one item and writes its files.
---@return table? document  with an error where not all could be written
---@return string? message
local function match_item(item, job)
  local sound, message = read_sounds(item, job.report)
  if not sound then
    return nil, message
  end
  local steps
  steps, message = ym.estimate_steps(sound, options_of(job, item))
  if not steps then
    return nil, ("%s: %s"):format(item.name, message)
  end
  local files, entries = outputs.new(job.folder, item.stem, job.inputs, job.formats), {}
  local function keep(matches, final)
    entries, message = files:write(matches, final)
    return entries, message
  end
  local matches, problem = follow(steps, keep, progress_of(job, item))
  if not matches then
    return nil, problem
  end
  keep(matches, true)
  tell_losses(matches, entries, job)
  if not matches[1].pitched then
    job.report:note(("%s: no pitch found, taken as %s; --note tells it"):format(item.name,
      arguments.note_name(matches[1].note)))
  end
  local document = tell.document(item.name, item.group and item.paths, matches, entries, job.settings.estimate.budget)
  document.error = message
  return document
end

-- Matches an item and reports a failure.
---@return table document
local function try_item(item, job)
  local document, reason = job.report:attempt(item.name, match_item, item, job)
  if not document then
    return { error = reason }
  elseif document.error then
    job.report:fail(document.error)
  end
  return document
end

-- Records what was matched, and tells of it.
local function settle(item, document, job)
  if not document.error and not document.before then
    job.ledger:record(item.stem, item.digest, job.settings.fingerprint, document, item.paths)
    job.ledger:save(false) -- what hinders it will hinder the last one too, which is told
  end
  document.file, document.group = item.name, item.group and item.paths
  job.documents[#job.documents + 1] = document
  job.done = job.done + 1
  if not job.json and document.matches and #document.matches > 0 then
    tell.matches(document, job.folder, job.report)
  end
end

-- Matches an item, unless it was before, and tells of it.
local function work_on(item, job)
  local document = item.before
  if not document then
    local started = ym.clock()
    document = try_item(item, job)
    job.pending = job.pending - 1
    if document.matches then
      job.matched, job.spent = job.matched + 1, job.spent + ym.clock() - started
    end
  end
  settle(item, document, job)
end

-- The sounds that the arguments mean. In folders, auditions of earlier runs are passed
-- over: the folder for the patches may lie within.
local function find_sounds(arguments_given, report)
  local named, found = {}, {}
  for _, path in ipairs(arguments_given) do
    named[path] = true
  end
  for _, path in ipairs(paths.expand(arguments_given, sounds.endings, "sounds", report)) do
    if named[path] or not outputs.is_audition(path) then
      found[#found + 1] = path
    end
  end
  return found
end

-- What is to be matched: each sound, or all of them as one.
local function items_of(found, options)
  if not options.group then
    local unique_stem, items = paths.unique_stems(), {}
    for i, path in ipairs(found) do
      items[i] = { name = path, stem = unique_stem(path), paths = { path } }
    end
    return items
  end
  if #found > estimate.GROUP then
    arguments.misuse(settings_of.COMMAND, ("option '--group': %d sounds, expected %d at most"):format(#found,
      estimate.GROUP))
  end
  for _, name in ipairs { "note", "velocity" } do
    local count = options[name] and #options[name] or 1
    if count ~= 1 and count ~= #found then
      arguments.misuse(settings_of.COMMAND, ("option '--%s': %d values for %d sounds"):format(name, count, #found))
    end
  end
  if #found == 0 then
    return {}
  end
  local name = settings_of.group_name(found)
  return { { name = name, stem = name, paths = found, group = true } }
end

-- Finds out what was matched before, and forgets the rest, whose files are to change.
local function plan(job, again)
  for _, item in ipairs(job.items) do
    item.digest = ledgers.digest(item.paths)
    if item.digest and not again then
      item.before = job.ledger:find(item.stem, item.digest, job.settings.fingerprint)
    end
    if not item.before then
      job.ledger:forget(item.stem)
      job.pending = job.pending + 1
    end
  end
end

-- Lets ranks work on all items, whichever is free. What they report comes with each.
local function share_all(job)
  local wanted, told, started = {}, 0, ym.clock()
  for i, item in ipairs(job.items) do
    wanted[#wanted + 1] = not item.before and i or nil
  end
  wanted = work.shared(job.ranks, wanted) -- the ledger is that of rank 0
  local function settle_before(last)
    while told < last do
      told = told + 1
      settle(job.items[told], job.items[told].before, job)
    end
  end
  work.each(job.ranks, #wanted, {
    perform = function(i, tick)
      local own = setmetatable({ report = console.new_listener(tick), items = { true }, done = 0, pending = 1 },
        { __index = job })
      local document = try_item(job.items[wanted[i]], own)
      return json.encode { document = document, heard = own.report.heard }
    end,
    taken = function(i, result)
      local found = json.decode(result)
      settle_before(wanted[i] - 1)
      told = wanted[i]
      job.report:again(found.heard)
      settle(job.items[told], found.document, job)
    end,
    tell = function(done)
      local left = done > 0 and (ym.clock() - started) / done * (#wanted - done) or nil
      job.report:progress(done, #wanted, left and console.time_left(left) or "")
    end,
  })
  if job.ranks.rank == 0 then
    settle_before(#job.items)
  end
end

-- Works on all items. Ctrl-C lets what was done be told, and says where it stopped.
local function work_on_all(job)
  if job.ranks then
    return share_all(job)
  end
  for _, item in ipairs(job.items) do
    local fine, problem = pcall(work_on, item, job)
    if not fine then
      if type(problem) == "table" and problem.interrupted then
        local kept = ("the best patches so far for %s are in %s"):format(item.name, job.folder)
        kept = #job.items > 1 and kept .. "; the same command goes on with it" or kept
        problem.interrupted = "interrupted: " .. (problem.failure or kept)
      end
      return problem
    end
  end
end

-- The page of all sounds that were matched, now or before. Of none there is none: one that
-- is there may well be of more.
local function write_report(path, job)
  local targets = {}
  for i, document in ipairs(job.documents) do
    if document.matches and #document.matches > 0 then
      local item = job.items[i]
      targets[#targets + 1] = heard.target({
        stem = item.stem, document = document, digest = item.digest, paths = item.paths,
      }, job.folder, job.report)
    end
  end
  if #targets > 0 then
    heard.write(path, targets, {}, job.report)
  end
end

-- All there is to do: what the options ask for, the sounds, and what was done before.
---@return table? job
---@return string? message
local function new_job(options, report)
  local settings, message = settings_of.new(options)
  if not settings then
    return nil, message
  end
  local models
  models, message = ym.models.load(options.models)
  if not models then
    return nil, message
  end
  local found = find_sounds(options.sounds, report)
  local items = items_of(found, options)
  local made
  made, message = paths.make_folder(options.output)
  if not made then
    return nil, message
  elseif options.report and not paths.is_folder(options.report:match("^(.*/)[^/]*$") or ".") then
    return nil, ("%s: there is no such folder"):format(options.report)
  end
  local job = {
    settings = settings, models = models, items = items, folder = options.output, report = report, json = options.json,
    formats = options.format, ranks = options.ranks, ledger = ledgers.open(options.output), inputs = {},
    documents = {}, done = 0, pending = 0, matched = 0, spent = 0,
  }
  for _, path in ipairs(found) do
    job.inputs[paths.identity(path) or path] = true
  end
  plan(job, options.again)
  if job.ranks and job.ranks.rank > 0 then
    return job
  end
  made, message = job.ledger:save() -- a folder that cannot be written to is told before the work
  return made and job, message
end

-- Whether all ranks are well, and see the same sounds. They hand each other items by their
-- numbers.
---@return true? agreed
---@return string? message
local function agree(ranks, job, message)
  local well, problem = ranks:agree(not job and message or nil)
  if not well then
    return nil, problem
  end
  local seen = {}
  for i, item in ipairs(job.items) do
    seen[i] = item.name .. "\0" .. (item.digest or "")
  end
  return ranks:alike { { "finds other sounds", ym.store.sha256(table.concat(seen, "\n")) } }
end

--- Runs the command.
---@param options table as defined above
---@param report table
function M.run(options, report)
  local started = ym.clock()
  local job, message = new_job(options, report)
  if options.ranks then
    local agreed, problem = agree(options.ranks, job, message)
    job, message = agreed and job, problem
  end
  if not job then
    return report:fail(message)
  end
  local problem = work_on_all(job)
  if report.quiet then
    return
  end
  local summary = tell.summary(job.documents, report.failures, ym.clock() - started)
  local saved, reason = job.ledger:save()
  if not saved then
    report:fail(reason)
  end
  if options.json then
    tell.json(job.documents, summary, job.folder, report)
  elseif #job.items > 1 then
    tell.tell_summary(summary, job.folder, report)
  end
  if problem then
    error(problem, 0)
  elseif options.report then
    write_report(options.report, job)
  end
end

return M
