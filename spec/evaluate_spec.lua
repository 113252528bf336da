-- The benchmark card: sets, judging, baselines, statistics, results on disk, and the command.
local cjson = require "cjson"
local baselines = require "ym2612ml.evaluate.baselines"
local judge = require "ym2612ml.evaluate.judge"
local json = require "ym2612ml.json"
local sets = require "ym2612ml.evaluate.sets"
local soundfont = require "ym2612ml.evaluate.soundfont"
local sounds = require "ym2612ml.evaluate.sounds"
local statistics = require "ym2612ml.evaluate.statistics"
local support = require "spec.support"
local ym = require "ym2612ml"

local PRIOR = assert(ym.prior.read(ym.models.folder() .. "/" .. ym.models.files.prior))

local function copy(patch, changes)
  local new = {}
  for key, value in pairs(patch) do
    new[key] = type(value) == "table" and copy(value, {}) or value
  end
  for key, value in pairs(changes) do
    new[key] = value
  end
  return new
end

local function open(name, more)
  return assert(sets.open(name, copy({ seed = 1, count = 3, chip = "clean", prior = PRIOR }, more or {})))
end

describe("statistics", function()
  it("are exact for few values", function()
    local summary = statistics.summary({ 3, 1, 2, 6 }, 1)
    assert.same({ 4, 3, 2.5 }, { summary.count, summary.mean, summary.median })
    assert.equal(2, statistics.median { 3, 1, 2 })
    assert.equal(0.5, statistics.share({ 1, 2, 3, 4 }, function(value) return value > 2 end))
    assert.is_nil(statistics.summary({}, 1))
    summary = statistics.summary({ 5 }, 1)
    assert.same({ { 5, 5 }, { 5, 5 } }, { summary.mean_interval, summary.median_interval })
  end)

  it("have intervals as wide as the theory says, the same for the same seed", function()
    local rng, values = ym.rng.new { seed = 3 }, {}
    for i = 1, 400 do
      values[i] = rng:normal(7, 2)
    end
    local summary = statistics.summary(values, 1)
    local low, high = table.unpack(summary.mean_interval)
    assert.near(2 * 1.96 * 2 / math.sqrt(400), high - low, 0.06)
    assert.near(summary.mean, (low + high) / 2, 0.03)
    low, high = table.unpack(summary.median_interval)
    assert.is_true(low < summary.median and summary.median < high)
    assert.near(2 * 1.96 * 1.2533 * 2 / math.sqrt(400), high - low, 0.2)
    assert.same(summary, statistics.summary(values, 1))
    assert.not_same(summary, statistics.summary(values, 2))
  end)
end)

describe("sets", function()
  it("begin alike whatever their number, and keep to the notes", function()
    local few, many = open("prior"), open("prior", { count = 100 })
    for number = 1, 3 do
      local target, other = few(), many()
      assert.equal(number, target.number)
      assert.same({ target.patch, target.note, target.seed }, { other.patch, other.note, other.seed })
      assert.is_true(target.samples:bytes() == other.samples:bytes())
      assert.is_true(target.note >= 36 and target.note <= 79)
      assert.near(1.5, #target.clean / sounds.RATE, 1e-3)
      assert.near(0, ym.distance(target.clean, target.samples), 1e-3) -- but for the level
      assert.equal(0, target.patch[1].am)
    end
    assert.is_true(open("prior", { seed = 2 })().samples:bytes() ~= open("prior")().samples:bytes())
  end)

  it("take real patches once each, and those only that were held out", function()
    local folder = support.new_folder()
    finally(function() support.remove_folder(folder) end)
    local head, row = { "split", "algorithm", "feedback", "ams", "fms" }, { "train", "4", "3", "0", "0" }
    for operator = 1, 4 do
      for _, name in ipairs { "mul", "dt", "tl", "rs", "ar", "am", "dr", "sr", "rr", "sl", "ssg" } do
        head[#head + 1] = ("op%d_%s"):format(operator, name)
        row[#row + 1] = tostring(name == "tl" and 20 or support.PATCH[operator][name] or 0):gsub("^%-1$", "5")
      end
    end
    local lines = { table.concat(head, ",") }
    for i, split in ipairs { "train", "valid", "test" } do
      row[1], row[3] = split, tostring(i)
      lines[i + 1] = table.concat(row, ",")
    end
    support.write_file(folder .. "/bank.csv", table.concat(lines, "\n"))
    local list = sets.held_out(folder .. "/bank.csv")
    assert.same({ 2, 3 }, { list[1].feedback, list[2].feedback })
    local next_target, feedbacks = open("real", { patches = list }), {}
    for target in next_target do
      feedbacks[target.number] = target.patch.feedback
    end
    table.sort(feedbacks)
    assert.same({ 2, 3 }, feedbacks)
    local nothing, reason = sets.open("real", {})
    assert.same({ nil, "real: needs real patches" }, { nothing, reason })
  end)

  it("record a console with its filter and noise", function()
    local target = open("chip", { patches = { support.PATCH } })()
    assert.same({ "ym2612", 44100 }, { target.chip, target.rate })
    local plain = ym.render(target.patch, { note = target.note })
    local D = ym.distance(plain, target.clean)
    assert.is_true(D > 1, D)
    assert.is_true(ym.distance(target.clean, target.heard(plain)) < 1e-6)
    local recorded = ym.audio.resample(target.samples, 44100, sounds.RATE)
    local noise = ym.distance(target.clean, recorded)
    assert.is_true(noise > 0.05 and noise < D + 3, noise)
  end)

  local installed = soundfont.find() and os.execute("command -v fluidsynth >/dev/null") and it or pending
  installed("play notes of a soundfont", function()
    local options = { count = 1, soundfont = soundfont.find() }
    local first, second = open("gm", options), open("drums", options)
    for _, next_target in ipairs { first, second } do
      local target = next_target()
      assert.equal(1, target.number)
      assert.equal(72000, #target.samples)
      assert.is_nil(target.patch)
      assert.is_nil(next_target())
    end
    local list, message, kind = soundfont.render({ { key = 60, program = 0 } }, "no such font.sf2")
    assert.same({ nil, "io" }, { list, kind })
    assert.matches("^no such font.sf2: ", message)
  end)

  installed("find the pitch of a soundfont's notes where it should be", function()
    local list, rate = soundfont.render({ { key = 69, program = 73 }, { key = 45, program = 80 } }, soundfont.find())
    assert.near(440, ym.pitch(list[1], { rate = rate }), 5)
    assert.near(110, ym.pitch(list[2], { rate = rate }), 2)
  end)
end)

describe("disturbed sounds", function()
  local samples = ym.render(support.PATCH, { note = 69, chip = "clean" })
  local clean = { samples = samples, rate = sounds.RATE }

  -- D of the clean sound to the disturbed one.
  local function changed(kind)
    local sound = sounds.disturbed(clean, kind, ym.rng.new { seed = 1 })
    local again = sounds.resampled(sound.samples, sound.rate, sounds.RATE)
    return ym.distance(samples, again), sound
  end

  it("keep what is said of them", function()
    for _, kind in ipairs { "44100", "48000", "32000", "22050" } do
      local sound = sounds.disturbed(clean, kind)
      assert.equal(tonumber(kind), sound.rate)
      assert.near(1.5, #sound.samples / sound.rate, 1e-3)
    end
    for _, kind in ipairs { "48000", "stereo", "-30dB", "16bit" } do
      assert.is_true(changed(kind) < 0.3, kind)
    end
    for _, kind in ipairs { "+10c", "-10c" } do
      local _, sound = changed(kind)
      local cents = 1200 * math.log(ym.pitch(sound.samples) / ym.pitch(samples), 2)
      assert.near(tonumber(kind:match("[+-]%d+")), cents, 1, kind)
    end
    local _, late = changed("late")
    assert.equal(math.floor(0.005 * sounds.RATE + 0.5), #late.samples - #samples)
    local D = changed("noise")
    assert.is_true(D > 0.3 and D < 10, D)
    assert.equal(11, #sounds.disturbances)
  end)
end)

describe("judging", function()
  local target = open("prior")()

  it("gives the true patch everything", function()
    local result = judge.measure(target, {
      patch = target.patch, note = target.note, algorithms = { target.patch.algorithm },
    })
    assert.same({ 0, true, true, true, 1 }, {
      result.distance, result.top1, result.top3, result.equivalent, result.registers,
    })
    assert.near(0, result.mss, 1e-6)
  end)

  it("counts the algorithm among three, and what sounds the same", function()
    local wrong = copy(target.patch, { algorithm = (target.patch.algorithm + 1) % 8 })
    local algorithms = { wrong.algorithm, (target.patch.algorithm + 2) % 8, target.patch.algorithm }
    local result = judge.measure(target, { patch = wrong, note = target.note, algorithms = algorithms })
    assert.same({ false, true }, { result.top1, result.top3 })
    assert.equal(result.distance <= 0.5, result.equivalent)
    assert.is_nil(result.registers)
    algorithms[3] = (target.patch.algorithm + 3) % 8
    assert.is_false(judge.measure(target, { patch = wrong, note = target.note, algorithms = algorithms }).top3)
  end)

  it("compares registers whatever the order of equal operators", function()
    local function swapped(patch, a, b)
      return copy(patch, { [a] = patch[b], [b] = patch[a] })
    end
    local organ = copy(support.PATCH, { algorithm = 7 })
    assert.equal(1, judge.register_share(swapped(organ, 2, 4), organ, "ym2612"))
    assert.is_true(judge.register_share(swapped(organ, 1, 4), organ, "ym2612") < 1) -- 1 feeds back
    local still = copy(organ, { feedback = 0 })
    assert.equal(1, judge.register_share(swapped(still, 1, 4), still, "ym2612"))
    local pair = copy(support.PATCH, { feedback = 0 }) -- of algorithm 4
    assert.equal(1, judge.register_share(swapped(swapped(pair, 1, 3), 2, 4), pair, "ym2612"))
    assert.is_true(judge.register_share(swapped(pair, 1, 3), pair, "ym2612") < 1)
    assert.is_nil(judge.register_share(copy(pair, { algorithm = 5 }), pair, "ym2612"))
  end)

  it("does not count a level that cannot be heard", function()
    local soft = copy(support.PATCH, {})
    for _, operator in ipairs(ym.patch.carriers(soft.algorithm)) do
      soft[operator].tl = soft[operator].tl + 8
    end
    assert.equal(1, judge.register_share(soft, support.PATCH, "clean"))
    assert.equal(36 / 38, judge.register_share(soft, support.PATCH, "ym2612"))
  end)

  it("calls chaotic what no step of a register leaves alone", function()
    local calm = copy(support.PATCH, {})
    for operator = 1, 4 do
      calm[operator] = copy(calm[operator], { tl = operator == 4 and 10 or 127 })
    end
    local note = { note = 60, held = 1, release = 0.5, chip = "clean" }
    assert.is_false(judge.is_chaotic(copy(note, { patch = calm })))
    local wild = copy(support.PATCH, { algorithm = 0, feedback = 7 })
    for operator = 1, 4 do
      wild[operator] = copy(wild[operator], { tl = 0, mul = 2 * operator, dr = 0, sr = 0, sl = 0 })
    end
    assert.is_true(judge.is_chaotic(copy(note, { patch = wild, chip = "ym2612" })))
    assert.is_nil(judge.is_chaotic(note))
  end)
end)

describe("baselines", function()
  local target = open("prior")()
  local options = { prior = PRIOR, models = assert(ym.models.load()) }

  local function run(name, renders)
    local shares = {}
    local answer = baselines.run(name, target, { renders = renders }, options, function(share)
      shares[#shares + 1] = share
    end)
    assert.equal(1, shares[#shares])
    local samples = ym.render(answer.patch, { note = answer.note, chip = "clean" })
    return ym.distance(target.clean, samples), answer
  end

  it("use the renders they are given, the same way each time", function()
    for _, name in ipairs { "random", "genetic" } do
      local D, answer = run(name, 110)
      assert.equal(110, answer.renders)
      assert.equal(answer.patch.algorithm, answer.algorithms[1])
      assert.equal(D, (run(name, 110)))
    end
    local D, answer = run("nearest", 10)
    assert.equal(2000, answer.renders)
    assert.is_true(D < run("random", 110))
  end)

  it("improve by evolution", function()
    assert.is_true(run("genetic", 600) < run("genetic", 100))
    assert.equal(run("random", 100), (run("genetic", 100))) -- the first population
  end)

  it("stop when the time is up", function()
    local answer = baselines.run("genetic", target, { seconds = 0.02 }, options, function() end)
    assert.is_true(answer.renders >= 100 and answer.renders % 100 == 0)
  end)
end)

describe("evaluate", function()
  local folder
  before_each(function() folder = support.new_folder() end)
  after_each(function() support.remove_folder(folder) end)

  local function settings(more)
    return copy({
      sets = { "prior" }, count = 2, budgets = { "8" }, chip = "clean", baselines = { "random" },
      work = folder .. "/work",
    }, more or {})
  end

  -- A card without what depends on time.
  local function timeless(card)
    for _, result in ipairs(card.results) do
      result.seconds = nil
    end
    for _, set in pairs(card.sets) do
      for _, summary in pairs(set.methods) do
        summary.seconds = nil
      end
    end
    return card
  end

  local function finish(options)
    return timeless(support.finish(ym.evaluate.steps(options)))
  end

  it("makes a card of sets, methods and comparisons", function()
    local done, total = 0, nil
    local card
    for step, message in ym.evaluate.steps(settings {
      count = 1, disturb = { "late" }, pitch_unknown = true,
    }) do
      assert(step, message)
      assert.is_true(step.done >= done and step.done <= step.total and step.eta >= 0)
      done, total, card = step.done, step.total, step.summary
    end
    assert.same({ 4, 4, 4 }, { done, total, #card.results })
    local methods = card.sets.prior.methods
    local search = methods["search 8"]
    assert.same({ 1, 0, 1 }, { search.count, search.failed, search.distance.count })
    assert.is_true(search.distance.below["0.5"] <= search.distance.below["2"])
    assert.equal("search 8", card.results[1].method)
    assert.equal(card.results[1].distance, search.distance.mean)
    assert.is_number(methods["random 8"].search_wins)
    assert.is_number(methods["search 8, pitch unknown"].no_worse)
    assert.is_number(methods["search 8, late"].growth.mean)
    assert.is_nil(search.growth)
    for _, name in ipairs(ym.metrics.names) do
      assert.equal(1, search[name].count, name)
    end
    assert.is_truthy(cjson.decode(json.document(card)))
  end)

  it("goes on from where it stopped, even within a line, and may ask for more", function()
    local straight = finish(settings())
    local path = folder .. "/work/results.jsonl"
    local bytes = support.read_file(path)
    support.write_file(path, bytes:sub(1, #bytes * 3 // 5))
    local answers, next_step = 0, ym.evaluate.steps(settings())
    local step = next_step()
    while step do
      answers = answers + (step.result and 1 or 0)
      local last = step
      step = next_step()
      if not step then
        assert.same(straight, timeless(last.summary))
      end
    end
    assert.equal(4, answers)
    local more = finish(settings { count = 3, baselines = {} })
    assert.equal(3, #more.results)
    assert.same(straight.results[1], more.results[1])
  end)

  it("refuses a work folder of other settings, and what is no work", function()
    finish(settings { count = 1, baselines = {} })
    local answer, message, kind = ym.evaluate.steps(settings { seed = 2 })()
    assert.same({ false, "input" }, { answer, kind })
    assert.matches("results.jsonl: was begun with other settings", message)
    for text, reason in pairs {
      ["no JSON\n"] = "line 1 is no JSON object", [""] = "begun with other settings",
    } do
      support.write_file(folder .. "/work/results.jsonl", text)
      answer, message = ym.evaluate.steps(settings())()
      assert.is_false(answer)
      assert.is_truthy(message:find(reason, 1, true), message)
    end
    support.write_file(folder .. "/file", "")
    answer, message, kind = ym.evaluate.steps(settings { work = folder .. "/file" })()
    assert.same({ false, "io" }, { answer, kind })
    assert.matches("/file: ", message)
    answer, message, kind = ym.evaluate.steps(settings { patches = folder .. "/none.csv" })()
    assert.same({ false, "io" }, { answer, kind })
    assert.matches("none.csv", message)
  end)

  it("says which sets there cannot be", function()
    local card = finish(settings { sets = { "real" } })
    assert.same({ { "real: needs real patches" }, {} }, { card.settings.skipped, card.results })
  end)

  it("raises on what is no setting", function()
    local function misuse(options, message)
      assert.error_matches(function() ym.evaluate.steps(options) end, message, 1, true)
    end
    misuse({ set = {} }, "unknown option 'set'")
    misuse({ sets = { "unreal" } }, "option 'sets': 'unreal', expected real, prior, gm, drums, chip, each once")
    misuse({ sets = {} }, "option 'sets' is empty")
    misuse({ budgets = { "5x" } }, "option 'budgets': '5x' is no budget")
    misuse({ budgets = { "8", "8" } }, "named twice")
    misuse({ budgets = {} }, "option 'budgets' is empty")
    misuse({ baselines = { "random", "random" } }, "option 'baselines': 'random'")
    misuse({ disturb = { 5 } }, "option 'disturb': '5'")
    misuse({ count = 0 }, "option 'count' is 0")
    misuse({ models = {} }, "expected ym2612ml.Models")
    misuse({ patches = { {} } }, "patch 1: ")
  end)

  it("knows budgets by name, seconds and renders", function()
    assert.same({ name = "fast", seconds = 0.05 }, ym.evaluate.budget("fast"))
    assert.same({ name = "0.2s", seconds = 0.2 }, ym.evaluate.budget("0.2s"))
    assert.same({ name = "640", renders = 640 }, ym.evaluate.budget("640"))
    for _, text in ipairs { "", "0s", "0.0001s", "7", "-5s", "s", "1e3", "slow" } do
      assert.is_nil(ym.evaluate.budget(text), text)
    end
    assert.error_matches(function() ym.evaluate.budget(5) end, "string expected, got number")
  end)
end)

describe("the command evaluate", function()
  local folder
  before_each(function() folder = support.new_folder() end)
  after_each(function() support.remove_folder(folder) end)

  local function run(arguments)
    return support.run("lua5.4 lua/ym2612ml/cli.lua evaluate " .. arguments, folder)
  end

  it("prints tables and writes the card", function()
    local text, complaint, status = run("--sets real,prior --count 1 --budget 8 --chip clean --baselines random "
      .. "--disturb late --work @/a/b --json @/card.json")
    assert.equal(0, status, complaint)
    assert.matches("skipped real: needs real patches", complaint)
    assert.matches("prior  search 8 +1 +%d+%.%d%d  %d+%.%d%d%.%.%d+%.%d%d", text)
    assert.matches("prior: the search is better than random 8 on %d+ %% of the targets", text)
    assert.matches("prior: search 8, late: D grows by", text)
    assert.matches("worst of prior: draw %d+ at %u", text)
    local card = cjson.decode(support.read_file(folder .. "/card.json"))
    assert.equal(3, #card.results)
    assert.same({ "search 8", "search 8, late", "random 8" }, card.settings.methods)
    local again = run("--sets prior --count 1 --budget 8 --chip clean --work @/a/b")
    assert.matches("prior  search 8 +1", again)
  end)

  it("says what is wrong with its arguments", function()
    for arguments, message in pairs {
      ["--sets prior,unreal"] = "option '--sets': 'unreal' is none of real, prior, gm, drums, chip",
      ["--sets prior,prior"] = "'prior' is named twice",
      ["--budget quick"] = "'quick' is no budget",
      ["--count 0"] = "'0' is not a whole number",
      ["--disturb 48k"] = "'48k' is none of 44100",
    } do
      local _, complaint, status = run(arguments)
      assert.equal(2, status)
      assert.is_truthy(complaint:find(message, 1, true), complaint)
    end
    for arguments, message in pairs {
      ["--sets prior --models @/none"] = "/none/",
      ["--sets real --patches @/none.csv"] = "/none.csv",
      ["--sets real"] = "no set to be evaluated",
      ["--sets gm --soundfont lua/ym2612ml/cli.lua"] = "lua/ym2612ml/cli.lua: is no soundfont",
      ["--sets prior --count 1 --budget 8 --json @/none/card.json"] = "/none/card.json",
    } do
      local _, complaint, status = run(arguments)
      assert.equal(1, status, complaint)
      assert.is_truthy(complaint:find(message, 1, true), complaint)
    end
  end)
end)
