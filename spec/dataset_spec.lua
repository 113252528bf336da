local ym = require "ym2612ml"

local function patch(changes)
  local p = {
    algorithm = 4, feedback = 3,
    { mul = 1, dt = 0, tl = 30, rs = 0, ar = 31, dr = 10, sr = 3, rr = 7, sl = 4, am = 0, ssg = 0 },
    { mul = 1, dt = 1, tl = 10, rs = 1, ar = 25, dr = 8, sr = 2, rr = 6, sl = 3, am = 1, ssg = 9 },
    { mul = 2, dt = 0, tl = 25, rs = 0, ar = 31, dr = 12, sr = 4, rr = 8, sl = 5, am = 0, ssg = 0 },
    { mul = 1, dt = -1, tl = 12, rs = 0, ar = 28, dr = 9, sr = 2, rr = 7, sl = 2, am = 0, ssg = 0 },
  }
  for name, value in pairs(changes or {}) do
    p[name] = value
  end
  return p
end

local function bytes(list)
  return ym.patch.pack(list):bytes()
end

describe("dataset #c", function()
  local prior
  setup(function()
    prior = ym.prior.fit { patch(), patch { algorithm = 0 }, patch { feedback = 7 } }
  end)

  it("counts how often values occur, carriers' levels relative to the loudest", function()
    assert.same({ 1, 0, 0, 0, 2, 0, 0, 0 }, prior.algorithm)
    assert.equal(2, prior.feedback[4])
    assert.equal(2, prior.level[11]) -- algorithm 4: operator 2 has 10
    assert.equal(1, prior.level[13]) -- algorithm 0: operator 4 has 12
    assert.equal(3, prior.carrier.tl[1])
    assert.equal(2, prior.carrier.tl[3])
    assert.equal(3, prior.modulator.mul[3]) -- operator 3's 2 in all, carriers in none
    assert.equal(0, prior.carrier.mul[3])
  end)

  it("writes and reads the prior, the same bytes each time", function()
    local path = os.tmpname()
    local texts = {}
    for run = 1, 2 do
      assert(ym.prior.write(path, prior))
      local file = assert(io.open(path))
      texts[run] = file:read("a")
      file:close()
    end
    assert.equal(texts[1], texts[2])
    local back = assert(ym.prior.read(path))
    assert.same(prior.carrier, back.carrier)
    local again = os.tmpname()
    assert(ym.prior.write(again, back))
    local copy = assert(io.open(again))
    assert.equal(texts[1], copy:read("a"))
    copy:close()
    os.remove(again)
    assert.near(prior.repeats.dr, back.repeats.dr, 1e-6)
    local short, nameless = texts[1]:gsub('"feedback":%[', "%0-1,"), texts[1]:gsub('"repeats"', '"gone"')
    for _, bad in ipairs { "{}", "nonsense", short, nameless } do
      local file = assert(io.open(path, "w"))
      file:write(bad)
      file:close()
      local result, message, kind = ym.prior.read(path)
      assert.is_nil(result)
      assert.equal("format", kind)
      assert.matches(path .. ": is no prior: ", message, 1, true)
    end
    os.remove(path)
  end)

  it("draws valid patches without LFO, AM and SSG-EG, the same for the same seed", function()
    for _, real in ipairs { false, { patch(), patch { algorithm = 7 } } } do
      local found = {}
      for run = 1, 2 do
        local sampler, list = ym.dataset.sampler { prior = prior, patches = real or nil, seed = 9 }, {}
        for i = 1, 300 do
          list[i] = ym.patch.check(sampler:next())
          for o = 1, 4 do
            assert.equal(0, list[i][o].am)
            assert.equal(0, list[i][o].ssg)
          end
        end
        found[run] = bytes(list)
      end
      assert.is_true(found[1] == found[2])
      local other = ym.dataset.sampler { prior = prior, seed = 10 }
      assert.is_true(bytes { other:next() } ~= found[1]:sub(1, 49))
    end
  end)

  -- The models shipped were made from such draws: theirs must be drawn again by who
  -- trains them again.
  it("draws for a seed what it always drew", function()
    for digest, real in pairs {
      c70432a40db0af7d5351e2b0e3602defa5889a43d50cbb00c9968290b01e46f2 = {},
      ["9be02517cc21b78c9d08acb0d3f64d3405e9702c177dcf54a8c6fcc188247d82"] = {
        patch(), patch { algorithm = 7 }, patch { feedback = 1 },
      },
    } do
      local sampler = ym.dataset.sampler { prior = prior, patches = real, seed = 9 }
      assert.equal(digest, ym.store.sha256(sampler:draw(2000):bytes()))
    end
  end)

  it("draws one by one and many at once the same, and another sequence in each stream", function()
    local real, list = { patch(), patch { algorithm = 2 } }, {}
    local one = ym.dataset.sampler { prior = prior, patches = real }
    local many = ym.dataset.sampler { prior = prior, patches = real }
    collectgarbage()
    for i = 1, 50 do
      list[i] = one:next()
    end
    local packed = many:draw(50)
    assert.is_true(packed:bytes() == bytes(list))
    assert.is_true(many:draw(1):bytes() == bytes { one:next() })
    assert.same({ 0, 49 }, many:draw(0):shape())
    local other = ym.dataset.sampler { prior = prior, patches = real, stream = 1 }
    assert.is_false(other:draw(50):bytes() == packed:bytes())
  end)

  it("never changes the real patches it mutates", function()
    local real = { patch() }
    local before = bytes(real)
    local sampler = ym.dataset.sampler { prior = prior, patches = real, seed = 1 }
    for _ = 1, 200 do
      sampler:next()
    end
    assert.is_true(bytes(real) == before)
    assert.equal(1, real[1][2].am)
  end)

  it("raises misuse at the caller's line", function()
    local dataset, priors, path = ym.dataset, ym.prior, os.tmpname()
    local unfit = patch { feedback = 8 }
    local short = {}
    for name, value in pairs(prior) do
      short[name] = value
    end
    short.level = { 1, 2 }
    local function sampler(changes)
      local options = { prior = prior }
      for name, value in pairs(changes) do
        options[name] = value
      end
      return dataset.sampler, options
    end
    local source = dataset.sampler { prior = prior }
    for _, case in ipairs {
      { "#1 to 'sampler' (option 'prior' is missing", dataset.sampler },
      { "#1 to 'sampler' (table expected, got number)", dataset.sampler, 1 },
      { "#1 to 'sampler' (option 'prior': level is not a list of 128 weights)", sampler { prior = short } },
      { "#1 to 'sampler' (option 'patches' is 3, ", sampler { patches = 3 } },
      { "#1 to 'sampler' (patch 2: field 'feedback' is 8", sampler { patches = { patch(), unfit } } },
      { "#1 to 'sampler' (option 'seed' is 1.5, ", sampler { seed = 1.5 } },
      { "#1 to 'sampler' (option 'mix': expected shares", sampler { mix = { rael = 1 } } },
      { "#1 to 'sampler' (option 'mix': expected shares", sampler { mix = { real = -1, prior = 2 } } },
      { "#1 to 'sampler' (option 'mix': expected shares", sampler { mix = {} } },
      { "#1 to 'sampler' (unknown option 'seeds')", sampler { seeds = 1 } },
      { "#1 to 'sampler' (option 'stream' is 0.5, ", sampler { stream = 0.5 } },
      { "#1 to 'draw' (many, expected a whole number)", source.draw, source, "many" },
      { "#1 to 'draw' (-1, expected 0 or more)", source.draw, source, -1 },
      { "#1 to 'read_patches' (string expected, got nil)", dataset.read_patches },
      { "#1 to 'plain' (table expected, got nil)", dataset.plain, nil },
      { "#1 to 'plain' (field 'feedback' is 8", dataset.plain, unfit },
      { "#1 to 'random_note' (userdata expected, got nil)", dataset.random_note },
      { "#1 to 'fit' (table expected, got nil)", priors.fit },
      { "#1 to 'fit' (patch 1: field 'feedback' is 8", priors.fit, { unfit } },
      { "#1 to 'write' (string expected, got nil)", priors.write, nil, prior },
      { "#2 to 'write' (not an object)", priors.write, path },
      { "#2 to 'write' (level is not a list of 128 weights)", priors.write, path, short },
      { "#1 to 'read' (string expected, got nil)", priors.read },
    } do
      local fine, message = pcall(table.unpack(case, 2, 4))
      assert.is_false(fine, case[1])
      assert.matches("^spec/dataset_spec.lua:%d+: bad argument ", message)
      assert.matches(case[1], message, 1, true)
    end
    assert.equal(0, #assert(io.open(path)):read("a"))
    os.remove(path)
  end)

  it("draws only what the mix asks for", function()
    local real = { patch { algorithm = 5 } }
    local sampler = ym.dataset.sampler { prior = prior, patches = real, mix = { real = 1 } }
    local plain = bytes { ym.dataset.plain(real[1]) }
    for _ = 1, 20 do
      assert.is_true(bytes { sampler:next() } == plain)
    end
  end)

  it("draws notes to play", function()
    local rng = ym.rng.new { seed = 1 }
    for _ = 1, 200 do
      local note, held, more = ym.dataset.random_note(rng)
      assert.is_true(math.type(note) == "integer" and note >= 30 and note <= 84)
      assert.is_true(held >= 0.1 and held <= 2)
      assert.is_nil(more)
    end
  end)

  it("reads folders of patch files and tables", function()
    local folder = os.tmpname()
    os.remove(folder)
    assert(os.execute(("mkdir -p '%s/deeper'"):format(folder)))
    assert(ym.patch.write(folder .. "/a.y12", patch()))
    assert(ym.patch.write(folder .. "/deeper/b.y12", patch { feedback = 1 }))
    local names, values = {}, {}
    for _, field in ipairs(ym.patch.fields()) do
      names[#names + 1] = field.operator and ("op%d_%s"):format(field.operator, field.name) or field.name
      values[#values + 1] = field.name == "dt" and 5 or math.max(field.minimum, 0)
    end
    local file = assert(io.open(folder .. "/c.csv", "w"))
    file:write("split,name,", table.concat(names, ","), "\n", 'valid,"a, ""b""",', table.concat(values, ","), "\n")
    file:close()
    assert(os.execute(("mkdir '%s/hollow'"):format(folder)))
    local nothing, message, kind = ym.dataset.read_patches(folder .. "/hollow")
    assert.is_nil(nothing)
    assert.equal("input", kind)
    assert.equal(folder .. "/hollow: holds no patches", message)
    local rows = assert(ym.dataset.read_patches(folder))
    assert.equal(3, #rows)
    assert.equal(3, rows[1].patch.feedback)
    assert.equal("valid", rows[2].split)
    assert.equal('a, "b"', rows[2].patch.name)
    assert.equal(-1, rows[2].patch[3].dt)
    assert.equal(1, rows[3].patch.feedback)
    assert(os.execute(("rm -r '%s'"):format(folder)))
  end)

  it("reads a single patch file, and a table with a byte order mark", function()
    local path, names, values = os.tmpname(), { "split" }, { "valid" }
    os.remove(path)
    assert(ym.patch.write(path .. ".y12", patch()))
    local rows = assert(ym.dataset.read_patches(path .. ".y12"))
    os.remove(path .. ".y12")
    assert.same({ 1, 3 }, { #rows, rows[1].patch.feedback })
    for _, field in ipairs(ym.patch.fields()) do
      names[#names + 1] = field.operator and ("op%d_%s"):format(field.operator, field.name) or field.name
      values[#values + 1] = math.max(field.minimum, 0)
    end
    local function read_table(row)
      local file = assert(io.open(path, "w"))
      file:write("\xEF\xBB\xBF", table.concat(names, ","), "\r\n", table.concat(row, ","), "\r\n")
      file:close()
      local read, message = ym.dataset.read_patches(path)
      os.remove(path)
      return read, message
    end
    assert.equal("valid", assert(read_table(values))[1].split)
    for i, name in ipairs(names) do
      values[i] = name == "lfo" and "fast" or values[i]
    end
    assert.equal(path .. ": row 2: column lfo is fast, expected a whole number", select(2, read_table(values)))
  end)

  it("says what is wrong with a table", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write("algorithm,feedback\n9,0\n")
    file:close()
    local rows, message, kind = ym.dataset.read_patches(path)
    assert.is_nil(rows)
    assert.equal("format", kind)
    assert.matches(path .. ": row 2: ", message, 1, true)
    os.remove(path)
    rows, message, kind = ym.dataset.read_patches(path)
    assert.is_nil(rows)
    assert.equal("io", kind)
    assert.matches(path, message, 1, true)
  end)
end)
