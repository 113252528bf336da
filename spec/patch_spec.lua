local support = require "spec.support"
local ym = require "ym2612ml"

-- A patch with distinct values in every field.
local function patch()
  return {
    name = "flute", algorithm = 4, feedback = 5, ams = 0, fms = 0,
    { mul = 1, dt = 0, tl = 30, rs = 0, ar = 31, am = 0, dr = 10, sr = 3, rr = 7, sl = 4, ssg = 0 },
    { mul = 1, dt = 3, tl = 10, rs = 1, ar = 25, am = 1, dr = 8, sr = 2, rr = 6, sl = 3, ssg = 9 },
    { mul = 2, dt = -3, tl = 25, rs = 2, ar = 20, am = 0, dr = 12, sr = 4, rr = 8, sl = 5, ssg = 0 },
    { mul = 15, dt = -1, tl = 127, rs = 3, ar = 1, am = 1, dr = 31, sr = 31, rr = 15, sl = 15, ssg = 15 },
  }
end

local function with(changes, operator)
  local p = patch()
  for name, value in pairs(changes) do
    (operator and p[operator] or p)[name] = value
  end
  return p
end

describe("patch table", function()
  it("names 49 fields, in the order of a packed patch", function()
    local fields = ym.patch.fields()
    assert.equal(49, #fields)
    assert.equal("algorithm", fields[1].name)
    assert.equal("mul", fields[6].name)
    assert.equal(1, fields[6].operator)
    assert.equal("ssg", fields[49].name)
    assert.equal(4, fields[49].operator)
  end)

  it("is checked field by field, and the message says which", function()
    assert.truthy(ym.patch.check(patch()))
    assert.has_error(function() ym.patch.check(with({ tl = 200 }, 3)) end,
      "bad argument #1 to 'check' (field 'tl' of operator 3 is 200, expected 0..127)")
    assert.has_error(function() ym.patch.check(with { algorithm = 8 }) end,
      "bad argument #1 to 'check' (field 'algorithm' is 8, expected 0..7)")
    assert.has_error(function() ym.patch.check(with({ dt = -4 }, 1)) end)
    assert.has_error(function() ym.patch.check(with({ ar = 1.5 }, 2)) end)
    assert.has_error(function() ym.patch.check(with({ ar = "31" }, 2)) end)
    assert.has_error(function() ym.patch.check { algorithm = 0, feedback = 0 } end,
      "bad argument #1 to 'check' (operator 1 is nil, expected a table)")
    local incomplete = patch()
    incomplete[2].rr = nil
    assert.has_error(function() ym.patch.check(incomplete) end,
      "bad argument #1 to 'check' (field 'rr' of operator 2 is nil, expected 0..15)")
  end)

  it("accepts every field at both ends of its range, packed and unpacked #c", function()
    for i, field in ipairs(ym.patch.fields()) do
      for _, value in ipairs { field.minimum, field.maximum } do
        local p = patch()
        if field.operator then
          p[field.operator][field.name] = value
        else
          p[field.name] = value
        end
        local packed = ym.patch.pack { p, p }
        assert.equal(value - field.minimum, packed:get(2, i))
        local back = ym.patch.unpack(packed)[2]
        local found = (field.operator and back[field.operator] or back)[field.name]
        assert.equal(value, found or -1, field.name) -- no LFO is an absent field
      end
    end
  end)

  it("says which patch of a list cannot be packed #c", function()
    local list = { patch(), patch(), with({ tl = 200 }, 3) }
    assert.has_error(function() ym.patch.pack(list) end,
      "bad argument #1 to 'pack' (patch 3: field 'tl' of operator 3 is 200, expected 0..127)")
    list[2] = with { algorithm = 8 }
    assert.has_error(function() ym.patch.pack(list) end,
      "bad argument #1 to 'pack' (patch 2: field 'algorithm' is 8, expected 0..7)")
    list[1] = with { [4] = 7 }
    assert.has_error(function() ym.patch.pack(list) end,
      "bad argument #1 to 'pack' (patch 1: operator 4 is number, expected a table)")
    list[1] = "flute"
    assert.has_error(function() ym.patch.pack(list) end,
      "bad argument #1 to 'pack' (patch 1: is string, expected a table)")
  end)

  it("knows the carriers of each algorithm", function()
    assert.same({ 4 }, ym.patch.carriers(0))
    assert.same({ 2, 4 }, ym.patch.carriers(4))
    assert.same({ 2, 3, 4 }, ym.patch.carriers(6))
    assert.same({ 1, 2, 3, 4 }, ym.patch.carriers(7))
  end)

  it("lists its register writes", function()
    local writes = ym.patch.registers(patch(), 5)
    assert.equal(31, #writes)
    assert.same({ 0, 0x22, 0 }, writes[1])
    local value = {}
    for _, write in ipairs(writes) do
      value[write[1] * 256 + write[2]] = write[3]
    end
    assert.equal(0x31, value[0x139]) -- operator 2 lies at +8; dt 3, mul 1
    assert.equal(0x72, value[0x135]) -- operator 3 at +4; dt -3 is 7
    assert.equal(0xC1, value[0x15D]) -- operator 4: rs 3, ar 1
    assert.equal(0xFF, value[0x18D])
    assert.equal(0x2C, value[0x1B1])
    assert.equal(0xC0, value[0x1B5])
  end)
end)

describe("Y12 #c", function()
  it("lies where the format says", function()
    local bytes = ym.patch.encode(patch(), "y12")
    assert.equal(128, #bytes)
    assert.same({ 0x01, 30, 0x1F, 10, 3, 0x47, 0 }, { bytes:byte(1, 7) })
    assert.same({ 0x72, 25, 0x94, 12, 4, 0x58, 0 }, { bytes:byte(17, 23) }) -- operator 3
    assert.same({ 0x31, 10, 0x59, 0x88, 2, 0x36, 9 }, { bytes:byte(33, 39) }) -- operator 2
    assert.same({ 4, 5 }, { bytes:byte(65, 66) })
    assert.equal("flute" .. ("\0"):rep(11), bytes:sub(81, 96))
  end)

  it("comes back byte for byte", function()
    local p = patch()
    p.name, p.dumper, p.game = "sixteen letters!", "a", ""
    local bytes = ym.patch.encode(p, "y12")
    local back, note = ym.patch.decode(bytes, "y12")
    assert.is_nil(note)
    assert.equal("sixteen letters!", back.name)
    assert.equal(bytes, ym.patch.encode(back, "y12"))
  end)

  it("cuts names longer than its 16 bytes", function()
    local bytes = ym.patch.encode(with { name = ("x"):rep(40) }, "y12")
    assert.equal(("x"):rep(16), ym.patch.decode(bytes, "y12").name)
  end)

  it("drops stray bits and detune 4, and says so", function()
    local clean = ym.patch.encode(patch(), "y12")
    local function changed(offset, byte)
      return clean:sub(1, offset) .. string.char(byte) .. clean:sub(offset + 2)
    end
    for offset, byte in pairs { [0x01] = 30 | 0x80, [0x00] = 0x41, [0x4F] = 1, [0x0F] = 9, [0x5A] = 65 } do
      local back, note = ym.patch.decode(changed(offset, byte), "y12")
      assert.matches("1 byte", note)
      assert.matches("offset " .. offset .. ":", note, 1, true)
      assert.equal(clean, ym.patch.encode(back, "y12"))
    end
  end)

  it("refuses what is no Y12", function()
    local clean = ym.patch.encode(patch(), "y12")
    for _, bad in ipairs { "", clean:sub(1, 127), clean .. "\0", clean:sub(1, 64) .. "\8" .. clean:sub(66) } do
      local result, message, kind = ym.patch.decode(bad, "y12")
      assert.is_nil(result)
      assert.is_string(message)
      assert.equal("format", kind)
    end
  end)

  it("is read from and written to files, or says why not", function()
    local path = os.tmpname() .. ".y12"
    assert.is_true(ym.patch.write(path, patch()))
    assert.equal(30, ym.patch.read(path)[1].tl)
    os.remove(path)
    local _, message, kind = ym.patch.read(path)
    assert.equal("io", kind)
    assert.matches(path, message, 1, true)
    _, message, kind = ym.patch.write("/nowhere/x.y12", patch())
    assert.equal("io", kind)
    assert.matches("^/nowhere/x.y12: ", message)
    _, _, kind = ym.patch.write("patch.xyz", patch())
    assert.equal("format", kind)
    assert.has_error(function() ym.patch.read(path, "xyz") end)
    assert.has_error(function() ym.patch.write(path, with({ tl = 128 }, 1)) end)
    assert.is_nil(io.open(path))
  end)

  it("raises at the caller's line, for the argument that is wrong", function()
    local path = os.tmpname() .. ".y12"
    for _, case in ipairs {
      { "#1 to 'write' (string expected, got nil)", ym.patch.write, nil, patch() },
      { "#2 to 'write' (table expected, got nil)", ym.patch.write, path },
      { "#2 to 'write' (field 'tl' of operator 1 is 128, expected 0..127)", ym.patch.write, path,
        with({ tl = 128 }, 1) },
      { "#2 to 'write' (field 'name' is 42, expected a string)", ym.patch.write, path, with { name = 42 } },
      { "#3 to 'write' (format xyz, ", ym.patch.write, path, patch(), "xyz" },
      { "#1 to 'encode' (field 'game' is true, expected a string)", ym.patch.encode, with { game = true }, "y12" },
      { "#1 to 'check_all' (patch 2: operator 1 is nil, expected a table)", ym.patch.check_all,
        { patch(), { algorithm = 0, feedback = 0 } } },
      { "#1 to 'check_all' (table expected, got nil)", ym.patch.check_all },
      { "#1 to 'is_carrier' (8, expected algorithm 0..7)", ym.patch.is_carrier, 8, 1 },
    } do
      local fine, message = pcall(table.unpack(case, 2, 5))
      assert.is_false(fine, case[1])
      assert.matches("^spec/patch_spec.lua:%d+: bad argument ", message)
      assert.matches(case[1], message, 1, true)
    end
    assert.is_nil(io.open(path))
  end)
end)

describe("canonical form #c", function()
  it("gives the same samples on the chip", function()
    local rng, changed = ym.rng.new { seed = 7 }, 0
    for _ = 1, 300 do
      local p, note = support.random_patch(rng), support.random_note(rng, 1500)
      local q = ym.patch.canonical(p)
      assert.is_true(support.rendered(p, note) == support.rendered(q, note))
      changed = changed + (ym.patch.pack({ p }):bytes() ~= ym.patch.pack({ q }):bytes() and 1 or 0)
      assert.same(q, ym.patch.canonical(q))
    end
    assert.is_true(changed > 200) -- dead fields are common in random patches
  end)

  it("sorts the operators that the chip treats alike", function()
    local p = with { algorithm = 7 }
    p[2], p[3], p[4] = p[3], p[4], p[2]
    local q = with { algorithm = 7 }
    assert.same(ym.patch.canonical(q), ym.patch.canonical(p))
  end)

  it("is that of packed patches, too", function()
    local rng, list, expected = ym.rng.new { seed = 8 }, {}, {}
    for i = 1, 50 do
      list[i] = support.random_patch(rng)
      expected[i] = ym.patch.canonical(list[i])
    end
    local packed = ym.patch.pack(list)
    local before = packed:bytes()
    local canonical = ym.patch.canonical(packed)
    assert.is_true(canonical:bytes() == ym.patch.pack(expected):bytes())
    assert.is_true(packed:bytes() == before)
    assert.same({ 0, 49 }, ym.patch.canonical(packed:slice(1, 0)):shape())
    assert.has_error(function() ym.patch.canonical(ym.tensor.new({ 3, 48 }, "u8")) end)
  end)

  it("puts dead operators to rest", function()
    local q = ym.patch.canonical(with({ tl = 104 }, 2)) -- the carrier over operator 1
    assert.equal(127, q[1].tl)
    assert.equal(127, q[2].tl)
    assert.equal(0, q.feedback)
  end)
end)
