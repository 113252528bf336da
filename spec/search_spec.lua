local core = require "ym2612ml.core"
local ym = require "ym2612ml"
local support = require "spec.support"

local PATCH = support.PATCH
local HELD, RELEASE = 0.3, 0.1
local WHOLE = { 1 << 20, 1 << 20, 1 << 20 } -- more frames than there are

local function copy(patch)
  return ym.patch.unpack(ym.patch.pack { patch })[1]
end

local function target_of(patch, options)
  local play = { note = 57, held = HELD, release = RELEASE, chip = "clean" }
  for key, value in pairs(options or {}) do
    play[key] = value
  end
  local samples, rate = ym.render(patch, play)
  return assert(ym.target.new(samples, { rate = rate })), samples
end

-- A search for the sound of a patch, with one take.
local function new_search(options, patch)
  local search = core.search.new({ { target = target_of(patch or PATCH), held = HELD } }, options)
  search:take("clean", { 57, HELD })
  return search
end

local function draws(count, seed)
  local prior = assert(ym.prior.read(ym.models.folder() .. "/prior.json"))
  return ym.dataset.sampler({ prior = prior, seed = seed or 1 }):draw(count)
end

local function best_of(search)
  local packed, takes, costs = search:results()
  local best = 1
  for i, cost in ipairs(costs) do
    best = cost < costs[best] and i or best
  end
  return costs[best], ym.patch.unpack(packed)[best], takes[best]
end

local function distances(packed)
  return core.batch.distances(packed, target_of(PATCH), { note = 57, held = HELD, release = RELEASE, chip = "clean" })
end

describe("search #c", function()
  it("judges by D where all frames are taken", function()
    local search = new_search { frames = WHOLE }
    search:add(draws(20))
    local packed, _, costs = search:results()
    local wanted = distances(packed)
    assert.is_true(#costs > 5)
    for i, cost in ipairs(costs) do
      assert.near(wanted[i], cost, 0.002)
    end
  end)

  it("comes close to D with few frames, and is 0 for the same sound", function()
    local search = new_search { frames = { 16, 16, 16 } }
    search:add(draws(30))
    local packed, _, costs = search:results()
    local wanted = distances(packed)
    for i, cost in ipairs(costs) do
      assert.near(1, cost / wanted[i], 0.25)
    end
    search:add(ym.patch.pack { PATCH })
    assert.near(0, (best_of(search)), 1e-4)
  end)

  it("gives up notes that begin badly", function()
    local search = new_search { early = 0.1 }
    search:add(draws(200))
    assert.is_true(search:renders() < 160)
    assert.is_true(search:renders() > 100)
  end)

  it("finds its way back from some wrong registers by local search", function()
    local wrong = copy(PATCH)
    wrong[2].dr, wrong[4].sl, wrong[4].rr = 9, 3, 9
    local search = new_search { frames = WHOLE }
    search:add(ym.patch.pack { wrong })
    local before = best_of(search)
    while search:polish() do
      local cost = best_of(search)
      assert.is_true(cost <= before)
      before = cost
    end
    assert.is_true(before < 0.05)
  end)

  it("improves by evolution", function()
    local search = new_search { islands = 2 }
    search:add(draws(100))
    local first, last = best_of(search), math.huge
    for _ = 1, 25 do
      search:evolve(64)
      local cost = best_of(search)
      assert.is_true(cost <= last)
      last = cost
    end
    assert.is_true(last < 0.6 * first)
    search:gather()
    search:evolve(64)
    assert.is_true((best_of(search)) <= last)
  end)

  it("does the same whatever the threads, and by another seed something else", function()
    local threads = ym.threads()
    finally(function() ym.threads(threads) end)
    local function run(seed, count)
      ym.threads(count)
      local search = new_search { seed = seed, early = 0.1 }
      search:add(draws(100))
      for _ = 1, 6 do
        search:evolve(96)
      end
      search:sharpen { frames = WHOLE }
      search:polish()
      return (search:results()):bytes()
    end
    local one = run(1, 1)
    assert.is_true(one == run(1, 3))
    assert.is_true(one ~= run(2, 1))
  end)

  it("keeps locked registers", function()
    local lock = {}
    for position, field in ipairs(ym.patch.fields()) do
      if field.name == "algorithm" then
        lock[#lock + 1] = { position, 5 }
      elseif field.name == "tl" and field.operator == 2 then
        lock[#lock + 1] = { position, 33 }
      end
    end
    local search = new_search { lock = lock }
    search:add(draws(60))
    for _ = 1, 4 do
      search:evolve(64)
    end
    search:polish()
    for _, patch in ipairs(ym.patch.unpack((search:results()))) do
      assert.equal(5, patch.algorithm)
      assert.equal(33, patch[2].tl)
    end
  end)

  it("leaves a patch to start from as it is where operators have locks", function()
    -- in its canonical form operators 3 and 4 would change places
    local start = copy(PATCH)
    start.algorithm, start.feedback = 6, 0
    start[3].mul, start[4].mul, start[3].tl, start[4].tl = 9, 1, 40, 30
    local position
    for i, field in ipairs(ym.patch.fields()) do
      position = field.operator == 3 and field.name == "mul" and i or position
    end
    local search = new_search({ lock = { { position, 9 } } }, start)
    search:add(ym.patch.pack { start })
    local cost, patch = best_of(search)
    assert.near(0, cost, 1e-4)
    assert.same({ 9, 1 }, { patch[3].mul, patch[4].mul })
  end)

  it("tells apart how the sound was played", function()
    local search = core.search.new({ { target = target_of(PATCH), held = HELD } }, {})
    assert.equal(1, search:take("clean", { 69, HELD }))
    assert.equal(2, search:take("clean", { 57, HELD }))
    search:add(ym.patch.pack { PATCH }, 1)
    assert.is_true((best_of(search)) > 1)
    search:add(ym.patch.pack { PATCH }, 2)
    local cost, _, take = best_of(search)
    assert.near(0, cost, 1e-4)
    assert.equal(2, take)
    assert.equal(3, search:take("clean", { 57, HELD }, 0.5))
    local other = core.search.new({ { target = target_of(PATCH), held = HELD } }, {})
    other:take("clean", { 57, HELD }, 0.5)
    other:add(ym.patch.pack { PATCH })
    assert.near(0.5, (best_of(other)), 1e-4)
    assert.has_error(function() other:take("clean", { 57, HELD }, -1) end)
  end)

  it("matches several sounds by one patch", function()
    local search = core.search.new({
      { target = target_of(PATCH, { note = 45, velocity = 127 }), held = HELD, velocity = 127 },
      { target = target_of(PATCH, { note = 70, velocity = 60 }), held = HELD, velocity = 60 },
    }, {})
    search:take("clean", { 45, HELD }, { 70, HELD })
    search:add(draws(20))
    assert.is_true((best_of(search)) > 0.5)
    search:polish() -- takes the views of both
    search:add(ym.patch.pack { PATCH })
    assert.near(0, (best_of(search)), 1e-4)
  end)

  it("matches sounds of different lengths, whatever their order", function()
    local plays = { { note = 45, held = 0.05, release = 0.01 }, { note = 60, held = 0.3, release = 0.1 } }
    local function polished(order)
      local targets, notes = {}, {}
      for i, k in ipairs(order) do
        targets[i] = { target = target_of(PATCH, plays[k]), held = plays[k].held }
        notes[i] = { plays[k].note, plays[k].held }
      end
      local search = core.search.new(targets)
      search:take("clean", table.unpack(notes))
      search:add(draws(20))
      while search:polish() do end
      return (best_of(search)), search:renders()
    end
    local cost, renders = polished { 1, 2 }
    local other_cost, other_renders = polished { 2, 1 }
    assert.near(cost, other_cost, 1e-5)
    assert.near(renders, other_renders, 0.05 * renders) -- a rounding may decide between equals
  end)

  it("keeps as many targets as there may be, and needs no list of them", function()
    local targets, notes = {}, {}
    for i = 1, 64 do
      targets[i] = { target = target_of(PATCH, { note = 30 + i % 40, held = 0.02, release = 0 }), held = 0.02 }
      notes[i] = { 30 + i % 40, 0.02 }
    end
    local search = core.search.new(targets, { islands = 16 })
    for i = 1, 64 do
      targets[i] = nil
    end
    collectgarbage()
    collectgarbage()
    search:take("clean", table.unpack(notes))
    search:add(ym.patch.pack { PATCH })
    search:evolve(1) -- one for each island
    search:sharpen { frames = WHOLE }
    assert.near(0, (best_of(search)), 1e-4)
    assert.error_matches(function() search:take("clean", notes[1]) end, "a note for each of 64 targets")
    table.insert(notes, notes[1])
    for i, note in ipairs(notes) do
      targets[i] = { target = target_of(PATCH, { held = 0.02 }), held = note[2] }
    end
    assert.error_matches(function() core.search.new(targets) end, "a list of 1..64 targets")
  end)

  it("goes on by the new measure after it was sharpened", function()
    local search = new_search { frames = { 4, 4, 4 }, islands = 2 }
    search:add(draws(60))
    search:evolve(32)
    search:sharpen { frames = WHOLE }
    for _ = 1, 3 do
      search:evolve(32)
    end
    local packed, _, costs = search:results()
    local wanted = distances(packed)
    for i, cost in ipairs(costs) do
      assert.near(wanted[i], cost, 0.002)
    end
  end)

  it("expects the noise that a target holds", function()
    local _, samples = target_of(PATCH)
    local rng, loudest = ym.rng.new { seed = 3 }, 0.003
    for i = 1, #samples do
      samples[i] = samples[i] + loudest * rng:normal()
    end
    local noisy = assert(ym.target.new(samples))
    local costs = {}
    for i, noise in ipairs { 0, loudest ^ 2 } do
      local search = core.search.new({ { target = noisy, held = HELD, noise = noise } }, {})
      search:take("clean", { 57, HELD })
      search:add(ym.patch.pack { PATCH })
      costs[i] = best_of(search)
    end
    assert.is_true(costs[2] < 0.3 * costs[1])
  end)

  it("uses SSG-EG and the LFO only where it may", function()
    -- What is kept of a search for a sound with SSG-EG on operator 4, and with vibrato.
    local sound = copy(PATCH)
    sound.lfo, sound.fms, sound[4].ssg, sound[4].dr, sound[4].sr, sound[4].rr = 6, 6, 14, 20, 15, 12
    local without = copy(sound)
    without.lfo, without.fms, without[4].ssg = nil, 0, 0
    local function tried(options)
      options.islands = 2
      local search = new_search(options, sound)
      search:add(ym.patch.pack { without })
      for _ = 1, 12 do
        search:evolve(96)
      end
      local ssg, lfo = false, false
      for _, patch in ipairs(ym.patch.unpack((search:results()))) do
        lfo = lfo or patch.lfo ~= nil
        for o = 1, 4 do
          ssg = ssg or patch[o].ssg > 0
        end
      end
      return { ssg, lfo }
    end
    assert.same({ false, false }, tried { ssg = false })
    assert.same({ true, false }, tried {})
    assert.same({ false, true }, tried { ssg = false, lfo = true })
    local search = new_search({}, sound)
    search:add(ym.patch.pack { sound })
    local cost, patch = best_of(search)
    assert.is_true(cost > 0.1)
    assert.is_nil(patch.lfo)
  end)

  it("outlives its targets' names, and raises on misuse", function()
    local search = new_search {}
    collectgarbage()
    search:add(draws(8))
    collectgarbage()
    search:evolve(16)
    assert.has_error(function() core.search.new({}, {}) end)
    assert.has_error(function() core.search.new({ { target = target_of(PATCH) } }, {}) end)
    assert.has_error(function() new_search { islands = 0 } end)
    assert.has_error(function() new_search { Islands = 1 } end)
    assert.has_error(function() new_search { lock = { { 1, 8 } } } end)
    assert.has_error(function() new_search { frames = { 0, 1, 1 } } end)
    for _, options in ipairs {
      { lock = 3 }, { lock = { 3 } }, { frames = 3 }, { frames = { 1, 1 } }, { clock = 8e6 },
    } do
      assert.has_error(function() new_search(options) end)
    end
    for key, values in pairs {
      held = { -1, 0 / 0, 1e300, "long" }, noise = { -1, 0 / 0 }, velocity = { 0, 128, 64.5 }, target = { PATCH },
    } do
      for _, value in ipairs(values) do
        local sound = { target = target_of(PATCH), held = HELD }
        sound[key] = value
        assert.error_matches(function() core.search.new { sound } end, "bad argument #1", 1, true)
      end
    end
    for _, note in ipairs { { 0 / 0, 1 }, { 60, 0 / 0 }, { 60, -1 }, { 200, 1 }, { 60 }, {} } do
      assert.error_matches(function() search:take("clean", note) end, "bad argument #2", 1, true)
    end
    assert.has_error(function() search:add(draws(1), 2 ^ 32 + 1) end)
    assert.has_error(function() search:polish(2 ^ 32) end)
    assert.has_error(function() search:take("opl", { 60, 1 }) end)
    assert.has_error(function() search:take("clean") end)
    assert.has_error(function() search:add(draws(1), 2) end)
    assert.has_error(function() search:evolve(0) end)
    assert.has_error(function() search:polish(9) end)
    for _ = search:take("clean", { 60, 1 }), 31 do
      search:take("clean", { 60, 1 })
    end
    assert.has_error(function() search:take("clean", { 60, 1 }) end)
    local empty = new_search {}
    empty:evolve(8)
    assert.equal(0, #empty:results())
  end)
end)
