local lfs = require "lfs"
local support = require "spec.support"
local tiny = require "spec.tiny_space"
local ym = require "ym2612ml"
local examples = require "ym2612ml.space.examples"
local marginals = require "ym2612ml.space.marginals"
local network = require "ym2612ml.networks.patch_vae"
local tokens = require "ym2612ml.space.tokens"
local widen = require "ym2612ml.space.widen"

local COUNT = tokens.count

local folder, space, figures

setup(function()
  folder = support.new_folder()
  space, figures = tiny.train(folder .. "/space.safetensors")
end)

teardown(function() support.remove_folder(folder) end)

-- Asserts that a call raises at this file, with a text in the message.
local function assert_misuse(expected, call, ...)
  local fine, message = pcall(call, ...)
  assert.is_false(fine, "was not refused: " .. expected)
  assert.is_truthy(message:find(expected, 1, true), message)
  assert.is_truthy(message:find("^[%w_/.]*spec/"), message)
end

describe("tokens", function()
  it("are the fields of a patch but the LFO's speed, the algorithm first", function()
    assert.equal(#ym.patch.fields() - 1, COUNT)
    assert.equal("algorithm", tokens.registers[1].label)
    assert.is_nil(tokens.place.lfo)
    for place, register in ipairs(tokens.registers) do
      assert.equal(place, tokens.place[register.label])
      assert.is_true(register.classes <= tokens.most)
    end
  end)

  it("give the patch back that stands for all that sound the same", function()
    for _, patch in ipairs(tiny.patches(200, 7)) do
      local back = tokens.patches(tokens.classes { patch })[1]
      assert.is_nil(back.lfo)
      assert.is_nil(ym.patch.problem(back))
      assert.equal(ym.patch.pack({ tokens.normal(patch) }):bytes(), ym.patch.pack({ back }):bytes())
      assert.equal(tiny.bytes { patch }, tiny.bytes { back })
    end
  end)

  it("leave the sound as it is", function()
    local note = { block = 4, fnum = 1083, held = 3000, release = 1000, chip = "ym2612" }
    for _, patch in ipairs(tiny.patches(40, 8)) do
      if patch.algorithm ~= 1 and patch.algorithm < 4 then -- no operators that sound alike
        patch.lfo = nil
        local back = tokens.patches(tokens.classes { patch })[1]
        assert.equal(support.rendered(patch, note), support.rendered(back, note))
      end
    end
  end)

  it("are the same for operators that change places", function()
    local patch, other = { algorithm = 7, feedback = 0 }, { algorithm = 7, feedback = 0 }
    for operator = 1, 4 do
      patch[operator] = support.PLUCK[operator]
      other[operator] = support.PLUCK[5 - operator]
    end
    assert.equal(tiny.bytes { patch }, tiny.bytes { other })
    other.algorithm = 2
    patch.algorithm = 2
    assert.is_true(tiny.bytes { patch } ~= tiny.bytes { other })
  end)
end)

describe("patches changed to learn from", function()
  it("are patches, and leave the one they come from as it is", function()
    local rng, list = ym.rng.new { seed = 4 }, tiny.patches(300, 9)
    local changes = 0
    for _, patch in ipairs(list) do
      local before = ym.patch.pack({ patch }):bytes()
      local changed = widen.changed(patch, rng, { patch })
      assert.is_nil(ym.patch.problem(changed))
      assert.equal(patch.algorithm, changed.algorithm)
      assert.equal(before, ym.patch.pack({ patch }):bytes())
      changes = changes + (ym.patch.pack({ changed }):bytes() ~= before and 1 or 0)
    end
    assert.is_true(changes > 200, changes)
  end)
end)

-- Rows for the whole network: classes drawn in the order in which `given` come first, of which
-- only the steps that `asked` tells of are paid for.
local function rows_in_order(list, given, asked)
  local data, order = examples.whole(list, space.size), examples.order(given)
  local classes = tokens.classes(list)
  for row = 1, #list do
    local last, last_place = network.START, COUNT + 1
    for step, place in ipairs(order) do
      local class = classes:get(row, place)
      data.before:set(row, step, last)
      data.before_place:set(row, step, last_place - 1)
      data.place:set(row, step, place - 1)
      data.role:set(row, step, step > 1 and examples.role(classes:get(row, 1), place) or network.NO_ROLE)
      data.target:set(row, step, asked(step, place) and class or -1)
      last, last_place = class, place
    end
  end
  return data
end

describe("the network", function()
  it("has no fewer weights than are foretold, and not many more", function()
    for _, sizes in ipairs {
      { width = 1, heads = 1, wider = 1, encoder = 1, decoder = 1, latents = 1, flows = 0, dropout = 0 },
      { width = 64, heads = 8, wider = 1, encoder = 3, decoder = 1, latents = 2, flows = 0, dropout = 0 },
      { width = 96, heads = 2, wider = 4, encoder = 1, decoder = 3, latents = 24, flows = 3, dropout = 0 },
    } do
      local count = network.build(sizes):count()
      assert.is_true(network.fewest_weights(sizes) <= count)
      -- besides there are tables of a thousand rows, and what conditions the layers
      assert.is_true(count - network.fewest_weights(sizes) < 3000 * sizes.width + 20000)
    end
  end)

  local list

  setup(function()
    list = tiny.patches(9, 11)
    for i = 1, #list do
      list[i] = tokens.normal(list[i])
    end
  end)

  it("pays for a patch what its drawing does, whatever is given", function()
    local rng = ym.rng.new { seed = 2 }
    for trial = 1, 4 do
      local given, patch = {}, list[trial]
      local classes = tokens.classes({ patch })[1]:totable()
      for place = 1, COUNT do
        given[place] = trial > 1 and rng:uniform() < 0.5 and classes[place] or nil
      end
      local data = rows_in_order({ patch }, given, function(_, place) return not given[place] end)
      for latent = 1, space.size do
        data.noise:set(1, latent, rng:normal())
      end
      local whole = assert(space.net:run(data))
      local numbers = ym.tensor.new { 1, COUNT }
      local drawn, costs = space.drawer:draw(whole.z, numbers, 1, given)
      -- pays for the classes that were drawn in this order, behind the same latent
      local own = {}
      for place = 1, COUNT do
        own[place] = math.tointeger(drawn:get(1, place))
      end
      local paid, last, last_place = data, network.START, COUNT + 1
      for step, place in ipairs(examples.order(given)) do
        paid.before:set(1, step, last)
        paid.before_place:set(1, step, last_place - 1)
        paid.role:set(1, step, step > 1 and examples.role(own[1], place) or network.NO_ROLE)
        paid.target:set(1, step, given[place] and -1 or own[place])
        last, last_place = own[place], place
      end
      assert.near(assert(space.net:run(paid)).reconstruction[1], costs[1], 1e-3)
    end
  end)

  it("knows nothing of what is drawn later", function()
    for _, step in ipairs { 1, 2, 9, 30, COUNT } do
      local data = rows_in_order(list, {}, function(at) return at == step end)
      local before = space.net:run(data).reconstruction:totable()
      for row = 1, #list do
        for later = step + 1, COUNT do
          data.before:set(row, later, (row * 7 + later) % 8)
        end
      end
      assert.same(before, space.net:run(data).reconstruction:totable())
      if step > 1 then -- but of what is drawn before
        for row = 1, #list do
          data.before:set(row, step, (data.before:get(row, step) + 1) % 2)
        end
        local after = space.net:run(data).reconstruction:totable()
        assert.is_true(table.concat(after, " ") ~= table.concat(before, " "))
      end
    end
  end)

  it("is a normal posterior without flows, whose divergence has a formula", function()
    local sizes = {}
    for name, value in pairs(space.sizes) do
      sizes[name] = value
    end
    sizes.flows = 0
    local net, data = network.build(sizes, { seed = 5 }), examples.whole(list, sizes.latents)
    local outputs = net:run(data)
    for row = 1, #list do
      local expected = 0 -- without noise the point is the mean
      for latent = 1, sizes.latents do
        assert.near(outputs.mean:get(row, latent), outputs.z:get(row, latent), 1e-6)
        expected = expected - math.log(outputs.deviation:get(row, latent)) + outputs.mean:get(row, latent) ^ 2 / 2
      end
      assert.near(expected, outputs.divergence[row], 1e-4)
    end
  end)
end)

describe("a space of patches", function()
  local list, points

  setup(function()
    list = tiny.patches(12, 21)
    points = (space:encode(list))
  end)

  it("tells of itself", function()
    assert.equal(4, space.size)
    assert.same({ 4, 4 }, { #space.centre, #space.spread })
    assert.equal("space of patches (4 latents)", tostring(space))
    assert.equal(1, space.settings.seed)
    assert.equal(figures.patches, space.figures.patches)
    assert.equal(96, figures.patches + figures.aside)
    assert.near(figures.negative_elbo, figures.reconstruction + figures.divergence, 1e-6)
    assert.is_true(figures.accuracy > 0 and figures.accuracy < 1)
    assert.is_true(figures.marginals > 0)
  end)

  it("keeps what is given, in any combination", function()
    local rng = ym.rng.new { seed = 3 }
    for trial = 1, 12 do
      local lock, share = {}, rng:uniform()
      for _, register in ipairs(tokens.registers) do
        if rng:uniform() < share then
          local into = lock
          if register.operator then
            lock[register.operator] = lock[register.operator] or {}
            into = lock[register.operator]
          end
          into[register.name] = register.minimum + rng:integer(0, register.classes - 1)
        end
      end
      local made = space:generate(3, { lock = lock, seed = trial })
      table.move(space:complete(lock, { count = 3, seed = trial }), 1, 3, 4, made)
      table.move(space:vary(list[trial], { count = 2, lock = lock, strength = 0.7 }), 1, 2, 7, made)
      table.move(space:decode(points, { lock = lock }), 1, 2, 9, made)
      for _, patch in ipairs(made) do
        assert.is_nil(ym.patch.problem(patch))
        for name, value in pairs(lock) do
          for inner, own in pairs(type(value) == "table" and value or {}) do
            assert.equal(own, patch[name][inner])
          end
          if type(value) ~= "table" then
            assert.equal(value, patch[name])
          end
        end
      end
    end
  end)

  it("gives patches back from their coordinates", function()
    local many = tiny.patches(140, 22) -- more than are drawn at once
    local z, numbers = space:locate(many)
    assert.same({ 140, 4 }, z:shape())
    assert.same({ 140, COUNT }, numbers:shape())
    assert.equal(tiny.bytes(many), tiny.bytes(space:decode(z, { numbers = numbers })))
  end)

  it("decodes each point alike, among whichever others and with any number of threads", function()
    local z = ym.tensor.new { 150, 4 }
    local rng = ym.rng.new { seed = 5 }
    for row = 1, 150 do
      for latent = 1, 4 do
        z:set(row, latent, rng:normal())
      end
    end
    local all = space:decode(z, { temperature = 1, seed = 6 })
    assert.equal(tiny.bytes(all), tiny.bytes(space:decode(z:totable(), { temperature = 1, seed = 6 })))
    for _, row in ipairs { 1, 77, 128, 129, 150 } do
      assert.equal(tiny.bytes { all[row] },
        tiny.bytes(space:decode(z:slice(row, row), { temperature = 1, seed = 6 })))
    end
    local threads = ym.threads()
    finally(function() ym.threads(threads) end)
    ym.threads(1)
    assert.equal(tiny.bytes(all), tiny.bytes(space:decode(z, { temperature = 1, seed = 6 })))
    assert.is_true(tiny.bytes(all) ~= tiny.bytes(space:decode(z, { temperature = 1, seed = 7 })))
  end)

  it("decodes to the most likely patch at temperature 0, and else to the middle", function()
    local likely = tiny.bytes(space:decode(points, { temperature = 0 }))
    assert.equal(likely, tiny.bytes(space:decode(points, { temperature = 0, seed = 9 })))
    assert.equal(likely, tiny.bytes(space:decode(points, { temperature = 1e-4, seed = 9 })))
    local middle = tiny.bytes(space:decode(points))
    local numbers = ym.tensor.new { #points, COUNT }
    numbers:fill(0.5)
    assert.equal(middle, tiny.bytes(space:decode(points, { temperature = 0.5, numbers = numbers })))
    assert.is_true(middle ~= tiny.bytes(space:decode(points, { temperature = 0.5, seed = 9 })))
    assert.is_true(middle ~= tiny.bytes(space:decode(points, { temperature = 3 })))
  end)

  it("generates patches by their number, however many there are", function()
    local few, z = space:generate(5, { seed = 3 })
    assert.same({ 5, 4 }, z:shape())
    local many = space:generate(140, { seed = 3 })
    assert.equal(tiny.bytes(few), tiny.bytes(table.move(many, 1, 5, 1, {})))
    assert.is_true(tiny.bytes(few) ~= tiny.bytes(space:generate(5, { seed = 4 })))
    assert.is_true(tiny.bytes { many[1] } ~= tiny.bytes { many[2] })
  end)

  it("generates patches that have a voice, unless they may not", function()
    local views = space.net:parameters()["classes.bias"]
    local path = folder .. "/quiet.safetensors"
    for o = 1, 4 do -- levels of 104 and more are likely
      for class = 105, 128 do
        views:set(tokens.place["op" .. o .. ".tl"], class, 4)
      end
    end
    assert(space:save(path))
    for o = 1, 4 do
      for class = 105, 128 do
        views:set(tokens.place["op" .. o .. ".tl"], class, 0)
      end
    end
    local quiet, silent = assert(ym.space.load(path)), 0
    for _, patch in ipairs(quiet:generate(60)) do
      local loudest = ym.patch.carrier_level(patch)
      silent = silent + (loudest >= 104 and 1 or 0)
    end
    local drawn = quiet:complete({}, { count = 60 })
    local before = 0
    for _, patch in ipairs(drawn) do
      before = before + (ym.patch.carrier_level(patch) >= 104 and 1 or 0)
    end
    assert.is_true(before > 20 and silent < before / 2, before .. " " .. silent)
    local lock = { algorithm = 0, [4] = { tl = 127 } }
    assert.equal(127, space:generate(1, { lock = lock })[1][4].tl)
  end)

  it("completes patches by their number too", function()
    local lock = { algorithm = 5, [2] = { mul = 3 } }
    local few, many = space:complete(lock, { count = 3, seed = 2 }), space:complete(lock, { seed = 2 })
    assert.equal(8, #many)
    assert.equal(tiny.bytes(few), tiny.bytes(table.move(many, 1, 3, 1, {})))
  end)

  it("varies a patch by nothing, a little and much", function()
    local function changed(strength)
      local count = 0
      for _, patch in ipairs(list) do
        local from = tokens.classes({ patch })[1]:totable()
        for _, other in ipairs(space:vary(patch, { strength = strength, count = 4, seed = 2 })) do
          for place, class in ipairs(tokens.classes({ other })[1]:totable()) do
            count = count + (class ~= from[place] and 1 or 0)
          end
        end
      end
      return count
    end
    local little = changed(0.1)
    assert.equal(0, changed(0))
    assert.is_true(little > 0 and little < changed(1), little)
    assert.equal(8, #space:vary(list[1]))
  end)

  it("varies by nothing where a patch's own registers are kept, whatever the algorithm", function()
    for algorithm = 0, 7 do
      local patch = support.random_patch(ym.rng.new { seed = algorithm + 1 })
      patch.algorithm, patch.lfo = algorithm, nil
      for o = 1, 4 do
        patch[o].tl, patch[o].ar, patch[o].ssg = 40 - o, 31, 0
      end
      local made = space:vary(patch, { strength = 0, count = 1, lock = { [4] = patch[4], [2] = patch[2] } })[1]
      assert.equal(tokens.classes({ patch }, true):bytes(), tokens.classes({ made }, true):bytes())
    end
  end)

  it("meets a patch whose registers are as good as impossible", function()
    local odd = support.random_patch(ym.rng.new { seed = 3 })
    odd.lfo = nil
    for o = 1, 4 do
      odd[o].ssg = 15
    end
    local views = space.net:parameters()["classes.bias"]
    for row = 1, COUNT do
      views:set(row, 1, views:get(row, 1) + 40)
    end
    local path = folder .. "/certain.safetensors"
    assert(space:save(path))
    for row = 1, COUNT do
      views:set(row, 1, views:get(row, 1) - 40)
    end
    local certain = assert(ym.space.load(path))
    local z, numbers = certain:locate { odd }
    assert.equal(1, #certain:decode(z, { numbers = numbers }))
    assert.equal(tiny.bytes { odd }, tiny.bytes { certain:interpolate(odd, list[1], { steps = 3 })[1] })
  end)

  it("refuses points that are nowhere near", function()
    for _, latent in ipairs { 0 / 0, 1e30, -1 / 0 } do
      assert_misuse("a latent is", space.decode, space, { { latent, 0, 0, 0 } })
      assert_misuse("a latent is", space.interpolate, space, { 0, 0, 0, latent }, { 0, 0, 0, 0 })
    end
    assert_misuse("option 'from' is", space.sweep, space, 1, { from = -1e300 })
    assert_misuse("lock: there is no field 'foo'", space.complete, space, { foo = 1 })
  end)

  it("is the same when saved and read", function()
    local path = folder .. "/again.safetensors"
    assert(space:save(path))
    local other = assert(ym.space.load(path))
    assert.equal(tiny.bytes(space:generate(20)), tiny.bytes(other:generate(20)))
    assert.same(space.sizes, other.sizes)
    assert.same(space.settings, other.settings)
    assert.same({ space.centre, space.spread, space.figures }, { other.centre, other.spread, other.figures })
    local done, message, kind = space:save(folder .. "/missing/x.safetensors")
    assert.is_nil(done)
    assert.equal("io", kind)
    assert.is_truthy(message:find("missing/x", 1, true))
  end)

  it("is not read from files that hold none", function()
    local function refused(path, kind)
      local loaded, message, found = ym.space.load(path)
      assert.is_nil(loaded)
      assert.equal(kind, found)
      assert.is_truthy(message:find(path, 1, true), message)
    end
    refused(folder .. "/missing.safetensors", "io")
    support.write_file(folder .. "/junk", "no space")
    refused(folder .. "/junk", "format")
    local net = ym.nn.graph(function(g)
      return { loss = ym.nn.dense(g:input("x", { 2 }), 1) }
    end)
    local description = { sizes = space.sizes, centre = space.centre, spread = space.spread }
    local json = require "ym2612ml.json"
    for _, metadata in ipairs { {}, { space = "{" }, { space = json.encode(description) } } do
      assert(net:save(folder .. "/net", { metadata = metadata }))
      refused(folder .. "/net", "format")
    end
    for _, wrong in ipairs {
      { sizes = 3 }, { sizes = { latents = 4 } }, { centre = { 1 } }, { spread = { "a", "b", "c", "d" } },
    } do
      local other = {}
      for name, value in pairs(description) do
        other[name] = wrong[name] or value
      end
      assert(space.net:save(folder .. "/net", { metadata = { space = json.encode(other) } }))
      refused(folder .. "/net", "format")
    end
  end)

  it("is not built of sizes that its file has too few weights for", function()
    local sizes = {}
    for name, size in pairs(space.sizes) do
      sizes[name] = size
    end
    sizes.width, sizes.encoder, sizes.decoder = 8192, 256, 256 -- three terabytes
    assert(space.net:save(folder .. "/net", { metadata = { space = require("ym2612ml.json").encode {
      sizes = sizes, centre = space.centre, spread = space.spread,
    } } }))
    local build = network.build
    finally(function() network.build = build end)
    network.build = function() error "this is built" end
    local loaded, message, kind = ym.space.load(folder .. "/net")
    assert.is_nil(loaded)
    assert.equal("format", kind)
    assert.is_truthy(message:find(folder .. "/net", 1, true))
  end)

  it("comes along, or is told to be missing", function()
    local shipped, message, kind = ym.space.shipped()
    if lfs.attributes(ym.models.folder() .. "/" .. ym.models.files.space) then
      assert.equal(shipped, ym.space.shipped())
      assert.is_nil(ym.patch.problem(shipped:generate(1)[1]))
    else
      assert.is_nil(shipped)
      assert.equal("io", kind)
      assert.is_truthy(message:find("space.safetensors", 1, true))
    end
  end)

  it("raises what is used wrongly, at the caller's line", function()
    local patch = list[1]
    assert_misuse("#1 to 'load'", ym.space.load, 3)
    assert_misuse("#1 to 'save'", space.save, space)
    assert_misuse("expected (rows, 4)", space.decode, space, { { 1, 2, 3 } })
    assert_misuse("expected (rows, 4)", space.decode, space, { 1, 2, 3, 4 })
    assert_misuse("#1 to 'decode'", space.decode, space, "here")
    assert_misuse("unknown option 'heat'", space.decode, space, points, { heat = 1 })
    assert_misuse("option 'numbers' has shape (1, 48)", space.decode, space, points,
      { numbers = ym.tensor.new { 1, COUNT } })
    for _, name in ipairs { "encode", "locate" } do
      assert_misuse("no patches", space[name], space, {})
      assert_misuse("patch 1", space[name], space, { { algorithm = 9 } })
    end
    assert_misuse("option 'samples' is 1", space.encode, space, list, { samples = 1 })
    assert_misuse("#1 to 'generate'", space.generate, space, 0)
    assert_misuse("option 'temperature' is -1", space.generate, space, 1, { temperature = -1 })
    assert_misuse("option 'temperature' is 101", space.generate, space, 1, { temperature = 101 })
    assert_misuse("no field 'mull' of operator 2", space.generate, space, 1, { lock = { [2] = { mull = 1 } } })
    assert_misuse("field 'algorithm' is 8", space.generate, space, 1, { lock = { algorithm = 8 } })
    assert_misuse("register 'lfo'", space.generate, space, 1, { lock = { lfo = 1 } })
    assert_misuse("#1 to 'complete'", space.complete, space)
    assert_misuse("no field 'alg'", space.complete, space, { alg = 1 })
    assert_misuse("option 'count' is 0", space.complete, space, {}, { count = 0 })
    assert_misuse("#1 to 'vary'", space.vary, space, {})
    assert_misuse("option 'strength' is 2", space.vary, space, patch, { strength = 2 })
  end)
end)

describe("the plainest model of patches", function()
  it("counts registers by themselves, one added to each", function()
    local a, b = tokens.normal(support.PATCH), tokens.normal(support.PLUCK)
    local counts, classes, expected = marginals.fit { a, b, b }, tokens.classes { a, b }, 0
    for place, register in ipairs(tokens.registers) do
      local same = classes:get(1, place) == classes:get(2, place)
      expected = expected - math.log((same and 4 or 2) / (3 + register.classes))
    end
    assert.near(expected, counts:cost { a }, 1e-9)
    local drawn = counts:draw(300, 4)
    assert.equal(tiny.bytes(drawn), tiny.bytes(counts:draw(300, 4)))
    local fours = 0
    for _, patch in ipairs(drawn) do
      assert.is_nil(ym.patch.problem(patch))
      fours = fours + (patch.algorithm == 4 and 1 or 0)
    end
    assert.near(300 * 4 / 11, fours, 30)
  end)
end)

describe("the training of a space", function()
  it("goes on where it was stopped, to the same bits", function()
    local path, work = folder .. "/stopped.safetensors", folder .. "/work.state"
    local straight = tiny.options(folder .. "/straight.safetensors", { epochs = 2, free = 0, anneal = 0.9 })
    support.finish(ym.space.steps(straight))
    local stopped = tiny.options(path, { epochs = 2, free = 0, anneal = 0.9, work = work, state_steps = 1 })
    local rounds = 0
    repeat
      rounds = rounds + 1
      local next_step, last = ym.space.steps(stopped), nil
      for _ = 1, 2 do
        last = assert(next_step())
      end
    until last.summary or lfs.attributes(path) or rounds > 20
    if not lfs.attributes(path) then
      support.finish(ym.space.steps(stopped))
    end
    assert.is_true(rounds > 1)
    assert.is_nil(lfs.attributes(work))
    assert.is_true(support.read_file(straight.output) == support.read_file(path))
  end)

  it("takes the patches of files and their split", function()
    local list, bank = tiny.patches(10, 5), folder .. "/bank.wopn"
    for i, patch in ipairs(list) do
      patch.name = "patch " .. i
    end
    assert(ym.patch.write(bank, list))
    local _, found = tiny.train(folder .. "/small.safetensors", { patches = bank, validation = 0 })
    assert.same({ 10, 0 }, { found.patches, found.aside })
    assert.is_nil(found.negative_elbo)
    _, found = tiny.train(folder .. "/small.safetensors", { patches = bank, validation = 0.3, flows = 0 })
    assert.same({ 7, 3 }, { found.patches, found.aside })
  end)

  it("ends with what the world does wrong", function()
    local function fails(kind, expected, more)
      support.assert_steps_fail(ym.space.steps(tiny.options(folder .. "/x.safetensors", more)), kind, expected)
    end
    fails("io", "missing.csv", { patches = folder .. "/missing.csv" })
    fails("input", "1 patches to learn from", { patches = { support.PATCH } })
    support.write_file(folder .. "/bad.csv", "algorithm\n9\n")
    fails("format", "bad.csv: row 2", { patches = folder .. "/bad.csv" })
    fails("io", "nowhere", { output = folder .. "/nowhere/x.safetensors" })
    support.write_file(folder .. "/no.state", "no state")
    fails("format", "no.state", { work = folder .. "/no.state" })
    local begun = tiny.options(folder .. "/x.safetensors", { work = folder .. "/begun.state", state_steps = 1 })
    local next_step = ym.space.steps(begun)
    while not lfs.attributes(begun.work) do
      assert(next_step())
    end
    fails("input", "begun.state: is of a training with", { work = begun.work, patches = tiny.patches(96, 2) })
    fails("input", "begun.state: is of a training with", { work = begun.work, anneal = 0.2 })
  end)

  it("raises what is used wrongly", function()
    local function wrong(expected, more)
      assert_misuse(expected, ym.space.steps, tiny.options(folder .. "/x.safetensors", more))
    end
    assert_misuse("option 'output' is missing", ym.space.steps, { patches = {} })
    assert_misuse("option 'patches' is missing", ym.space.steps, { output = "x" })
    wrong("unknown option 'layers'", { layers = 2 })
    wrong("option 'heads' is 3, which does not divide", { heads = 3 })
    wrong("option 'flows' is -1", { flows = -1 })
    wrong("option 'dropout' is 1", { dropout = 1 })
    wrong("option 'epochs' is 0", { epochs = 0 })
  end)
end)
