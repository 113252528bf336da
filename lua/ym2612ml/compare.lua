-- The published networks beside the matcher: all learn from the same notes of the chip in
-- the same time, and answer the same targets.
local check = require "ym2612ml.check"
local core = require "ym2612ml.core"
local cards = require "ym2612ml.evaluate.card"
local evaluation = require "ym2612ml.learner.evaluation"
local files = require "ym2612ml.files"
local judge = require "ym2612ml.evaluate.judge"
local learner = require "ym2612ml.learner"
local matchers = require "ym2612ml.learner.matcher"
local methods = require "ym2612ml.evaluate.methods"
local models = require "ym2612ml.models"
local opn2 = require "ym2612ml.synths.opn2"
local patches = require "ym2612ml.patch"
local priors = require "ym2612ml.prior"
local ranks = require "ym2612ml.ranks"
local results = require "ym2612ml.evaluate.results"
local soundsets = require "ym2612ml.synths.dataset"
local steps = require "ym2612ml.steps"
local store = require "ym2612ml.store"
local synths = require "ym2612ml.synths.registry"
local work = require "ym2612ml.ranks.work"

local M = { models = learner.names }

local must = steps.must

local RULES = {
  output = { type = "string", needed = true },
  models = { type = "table", default = learner.names },
  seconds = { type = "number", least = 1, default = 120 },
  count = { type = "integer", least = 1, default = 20000 },
  targets = { type = "integer", least = 1, default = 100 },
  searched = { type = "integer", least = 0, default = 20 },
  budget = { type = "string", default = "default" },
  rate = { type = "number", least = 8000, most = 53267, default = 22050 },
  patches = { type = "string" },
  fixed = { type = "table", default = {} },
  seed = { type = "integer", default = 1 },
  memory = { type = "number", least = 0, default = 1 << 31 },
  ranks = ranks.rule,
}

local SET = "notes" -- of the chip: how the card names the targets
local PLAY = { note = 60, held = 1, release = 0.5, chip = "ym2612" }

-- The data set of notes, made where it is missing.
local function data_of(options, report)
  local folder = options.output .. "/data"
  local synth = work.together(options.ranks, function()
    must(files.make_folder(options.output))
    return must(synths.get("opn2", {
      note = PLAY.note, held = PLAY.held, chip = PLAY.chip, patches = options.patches, fixed = options.fixed,
    }))
  end)
  local aside = math.max(options.targets, math.min(500, options.count))
  for step, message, kind in soundsets.steps {
    synth = synth, output = folder, count = options.count, validation = aside, test = aside, rate = options.rate,
    length = PLAY.held + PLAY.release, seed = options.seed, shard_records = 2048,
    ranks = options.ranks,
  } do
    must(step or nil, message, kind)
    report { stage = "notes", done = step.done, total = step.total, eta = step.eta }
  end
  return work.together(options.ranks, function()
    return must(soundsets.open(folder))
  end)
end

-- A trained network; of a way to learn values that has no classes, those by kind: the
-- algorithm is none.
local function train(name, set, options, report)
  local style = learner.architecture(name).targets
  local trained
  for step, message, kind in learner.steps {
    model = name, data = set, output = ("%s/%s"):format(options.output, name), seconds = options.seconds,
    style = style == "values" and "kinds" or style, schedule = "one_cycle", patience = 0, seed = options.seed,
    batch = math.max(16, learner.architecture(name).training.batch), memory = options.memory,
  } do
    must(step or nil, message, kind)
    trained = step.learner
    report { stage = name, done = step.done, total = step.total, eta = step.eta }
  end
  return trained
end

-- A target of the card for a row of the test set: what is heard is the sound of the data
-- set, and an answer is compared with the note as the chip plays it.
local function target_of(set, row, seed)
  local patch = opn2.patch(set.splits.test.values[row]:totable())
  return {
    set = SET, number = row, name = ("note %d"):format(row), samples = must(set.splits.test:sounds { row })[1],
    rate = set.rate, clean = core.render(patch, PLAY), note = PLAY.note, held = PLAY.held, release = PLAY.release,
    chip = PLAY.chip, patch = patch, heard = function(samples) return samples end, seed = seed * 1000003 + row,
  }
end

-- The answer of a method to a target.
local function answer_of(method, target, sources, report)
  if method.answers then
    local patch = method.answers[target.number]
    return { patch = patch, note = target.note, algorithms = { patch.algorithm }, seconds = 0, renders = 0 }
  end
  return must(methods.run(method, target, sources, report))
end

-- Answers of all methods to the targets, judged; of ranks only the first has them.
local function judge_all(list, set, options, sources, kept, report)
  local all, total, group = {}, options.targets * #list, options.ranks
  local target
  work.each(group, total, {
    perform = function(item, tick)
      local row, method = (item - 1) // #list + 1, list[(item - 1) % #list + 1]
      if not method.answers and row > options.searched then
        return work.pack(group, {})
      end
      local result = kept:get(SET, row, method.name)
      local new = not result
      if new then
        target = target and target.number == row and target or target_of(set, row, options.seed)
        local answer = answer_of(method, target, sources, function(share) tick(math.min(share, 1)) end)
        result = judge.measure(target, answer)
        result.set, result.number, result.name, result.method = SET, row, target.name, method.name
        result.seconds, result.renders = answer.seconds, answer.renders
      end
      return work.pack(group, { result = result, new = new })
    end,
    taken = function(_, packed)
      local found = work.unpack(group, packed)
      if found.new then
        must(kept:add(found.result))
      end
      all[#all + 1] = found.result
    end,
    tell = function(done)
      report { stage = "targets", done = done, total = total }
    end,
  })
  return all
end

-- What a learner tells of the test set: the answers to the targets, packed, and its
-- figures.
local function answers_of(trained, set, options, report)
  local result
  for step, message, kind in evaluation.steps(trained, set) do
    must(step or nil, message, kind)
    result = step.summary
    report { stage = "figures of " .. trained.architecture.name, done = step.done, total = step.total }
  end
  local answers = {}
  if trained.patches then
    answers = must(trained:patches(must(set.splits.test:sounds(soundsets.numbers(1, options.targets)))))
  else
    for row = 1, options.targets do
      answers[row] = opn2.patch(result.told[row]:totable())
    end
  end
  local figures = evaluation.document(result, trained)
  figures.result = trained.settings and trained.settings.result
  return patches.pack(answers), figures
end

-- All networks, trained and judged each on whichever rank is free: as methods with the
-- answers to the targets, and their figures.
local function answer_all(set, shipped, options, budget, report)
  local group, list, figures = options.ranks, {}, {}
  local count = #options.models + 1
  work.each(group, count, {
    perform = function(item, tick)
      local function tell(step)
        if not group then
          report(step)
        end
        tick(step.total > 0 and math.min(step.done / step.total, 1) or 0)
      end
      local name = options.models[item]
      local trained = name and train(name, set, options, tell) or must(matchers.new(set, shipped))
      local answers, found = answers_of(trained, set, options, tell)
      return work.pack(group, { name = trained.architecture.name, answers = answers:bytes(), figures = found })
    end,
    taken = function(item, packed)
      list[item] = work.unpack(group, packed)
      figures[item], list[item].figures = list[item].figures, nil
    end,
    tell = function(done)
      report { stage = "networks", done = done, total = count }
    end,
  })
  list = work.shared(group, list)
  for i, answered in ipairs(list) do
    local packed = core.tensor.new({ options.targets, #patches.fields() }, "u8")
    for row = 1, options.targets do
      for field = 1, #patches.fields() do
        packed:set(row, field, answered.answers:byte((row - 1) * #patches.fields() + field))
      end
    end
    list[i] = { name = answered.name, kind = "published", budget = budget, answers = patches.unpack(packed) }
  end
  return list, figures
end

local function run(options, report)
  local budget, problem = methods.budget(options.budget)
  check.no_problem(problem and "option 'budget': " .. problem or nil, 1, "steps")
  local group, set = options.ranks, data_of(options, report)
  local shipped, prior, data = work.together(group, function()
    local found = must(models.shipped())
    return found, must(priors.read(found.folder .. "/" .. models.files.prior)),
      store.sha256(must(files.read(options.output .. "/data/index.json")))
  end)
  local sources = { seed = options.seed, chip = PLAY.chip, models = shipped, prior = prior }
  local list, figures = answer_all(set, shipped, options, budget, report)
  for _, method in ipairs(methods.list({ budget }, { disturb = {}, baselines = { "networks" } })) do
    list[#list + 1] = method
  end
  local kept = results.shared(group, options.output, {
    data = data, seconds = options.seconds, seed = options.seed,
  })
  local all, names = judge_all(list, set, options, sources, kept, report), {}
  for i, method in ipairs(list) do
    names[i] = method.name
  end
  report {
    stage = "done", done = 1, total = 1, summary = not (group and group.rank > 0) and {
      card = cards.make(all, list, {
        seed = options.seed, count = options.targets, chip = PLAY.chip, sets = { SET }, budgets = { options.budget },
        methods = names, skipped = {},
      }),
      figures = figures,
    } or nil,
  }
end

--- Compares the published networks with the matcher, a step a call: stop by not calling;
--- called again with the same settings it goes on where it stopped. All networks learn
--- from the same random notes (C4, held for 1 s of 1.5), for the same time; then they, the
--- matcher's own network alone, the networks of the single algorithms with renders, and
--- the matcher's search answer notes that none has learned from.
---@param options table  output: folder; models: names of published networks, default all;
---  seconds: that each learns, default 120; count: notes to learn from, default 20000;
---  targets: notes to be answered, default 100; searched: of them, those that are answered
---  by methods that render, default 20; budget: of these, as of `ym.evaluate.budget`,
---  default "default" (5 s); rate: Hz of what published networks hear, default 22050;
---  patches: real patches to draw from too; fixed: registers that all notes have, such as
---  {algorithm = 4}; seed: default 1; memory: see ym.learner.steps; ranks
---  (ym2612ml.Ranks): who share networks and answers, each calls this alike, and rank 0
---  has the summary
---@return fun(): table|false|nil, string?, string? next  steps {stage, done, total, eta?,
---  and with the last one summary = {card: see evaluate/card.lua, figures: for each network
---  what evaluation.document gives, and result: of its training}}; nil at the end; or
---  false, message, kind
function M.steps(options)
  options = check.options(options, RULES, 1, "steps")
  for _, name in ipairs(options.models) do
    learner.architecture(name)
  end
  return steps.new(function(report)
    run(options, report)
  end)
end

return M
