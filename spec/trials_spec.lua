local ym = require "ym2612ml"
local tensor, train = ym.tensor, ym.train

-- Rows that tell their own number.
local function numbered(rows)
  local x, y = tensor.new { rows, 2 }, tensor.new({ rows, 1 }, "i32")
  for row = 1, rows do
    x:set(row, 1, row)
    y:set(row, 1, row)
  end
  return { x = x, y = y }
end

local function numbers(part)
  local list = {}
  for row = 1, #part.y do
    list[row] = part.y:get(row, 1)
    assert.equal(list[row], part.x:get(row, 1))
  end
  return list
end

describe("folds #c", function()
  it("set every row aside once, in parts of about one size", function()
    local seen = {}
    for fold, training, aside in train.folds(numbered(23), 5, { seed = 4 }) do
      local inside = {}
      for _, row in ipairs(numbers(training)) do
        inside[row] = true
      end
      for _, row in ipairs(numbers(aside)) do
        assert.is_nil(seen[row])
        assert.is_nil(inside[row])
        seen[row] = fold
      end
      assert.is_true(#aside.x == 4 or #aside.x == 5)
      assert.equal(23, #training.x + #aside.x)
    end
    assert.equal(23, #seen)
  end)

  it("are the same for the same seed alone", function()
    local function first(seed)
      local _, _, aside = train.folds(numbered(40), 4, { seed = seed })()
      return aside.y:bytes()
    end
    assert.equal(first(1), first(1))
    assert.not_equal(first(1), first(2))
  end)

  it("do not part what belongs together", function()
    local groups = {}
    for row = 1, 30 do
      groups[row] = ("family %d"):format(row % 7)
    end
    local count = 0
    for _, training, aside in train.folds(numbered(30), 3, { groups = groups }) do
      local inside = {}
      for _, row in ipairs(numbers(training)) do
        inside[groups[row]] = true
      end
      for _, row in ipairs(numbers(aside)) do
        assert.is_nil(inside[groups[row]])
      end
      count = count + #aside.x
    end
    assert.equal(30, count)
  end)
end)

describe("trials", function()
  it("give mean and deviation of a sample", function()
    local seeds = {}
    local summary, results = assert(train.trials(4, function(seed, trial)
      seeds[trial] = seed
      return { loss = ({ 2, 4, 4, 6 })[trial], step = 1 }
    end, { seed = 11 }))
    assert.same({ 11, 12, 13, 14 }, seeds)
    assert.equal(4, #results)
    assert.equal(4, summary.loss.mean)
    assert.near(math.sqrt(8 / 3), summary.loss.deviation, 1e-12)
    assert.same({ 2, 6 }, { summary.loss.least, summary.loss.most })
    assert.same({ 2, 4, 4, 6 }, summary.loss.values)
    assert.equal(0, summary.step.deviation)
    assert.equal(0, assert(train.trials(1, function() return { a = 3 } end)).a.deviation)
  end)

  it("end with the failure of one", function()
    local found, message, kind = train.trials(3, function(_, trial)
      if trial == 2 then
        return nil, "step 7: the loss is not finite", "diverged"
      end
      return { a = 1 }
    end)
    assert.same({ nil, "trial 2: step 7: the loss is not finite", "diverged" }, { found, message, kind })
  end)
end)

describe("misuse of folds and trials", function()
  it("is told at the caller's line", function()
    local data = numbered(5)
    local function misuse(pattern, f, ...)
      local arguments = table.pack(...)
      local done, message = pcall(function() f(table.unpack(arguments, 1, arguments.n)) end)
      assert.is_false(done)
      assert.is_truthy(message:find("trials_spec.lua:%d+: "), message)
      assert.is_truthy(message:find(pattern), message)
    end
    misuse("#1 to 'folds'", train.folds, 7, 2)
    misuse("#1 to 'folds' %('x': tensor expected, got table%)", train.folds, { x = {} }, 2)
    misuse("#2 to 'folds' %(1, expected a whole number 2 or more%)", train.folds, data, 1)
    misuse("#2 to 'folds' %(6, expected 2..5%)", train.folds, data, 6)
    misuse("4 groups for 5 rows", train.folds, data, 2, { groups = { 1, 2, 3, 4 } })
    misuse("expected 2..1", train.folds, data, 2, { groups = { 1, 1, 1, 1, 1 } })
    misuse("unknown option 'shuffle'", train.folds, data, 2, { shuffle = true })
    misuse("#1 to 'trials' %(0, expected a whole number 1 or more%)", train.trials, 0, print)
    misuse("#2 to 'trials' %(function expected", train.trials, 2, 3)
    misuse("trial 1 gave 7, expected a table of numbers", train.trials, 2, function() return 7 end)
    misuse("trial 1 gave nil, expected a table of numbers", train.trials, 2, function() end)
    misuse("trials: figure 'a' of trial 1 is x, expected a number", train.trials, 2, function() return { a = "x" } end)
    misuse("summary: figure 'a' of trial 1 is x", train.summary, { { a = "x" } })
    misuse("summary: trial 2 gave 7", train.summary, { { a = 1 }, 7 })
  end)
end)
