local ym = require "ym2612ml"

describe("tensor #c", function()
  it("keeps shape, type and values", function()
    local t = ym.tensor.from { { 1, 2, 3 }, { 4, 5, 6 } }
    assert.same({ 2, 3 }, t:shape())
    assert.equal("f32", t:type())
    assert.equal(2, #t)
    assert.equal(6, t:get(2, 3))
    assert.equal("tensor f32 (2, 3)", tostring(t))
    assert.same({ { 1, 2, 3 }, { 4, 5, 6 } }, t:totable())
  end)

  it("views rows, slices and shapes without copying", function()
    local t = ym.tensor.from { { 1, 2 }, { 3, 4 }, { 5, 6 } }
    local row, slice, flat = t[2], t:slice(2, 3), t:reshape { 6 }
    t:set(2, 1, 30)
    assert.equal(30, row[1])
    assert.equal(30, slice:get(1, 1))
    assert.equal(30, flat[3])
    assert.same({}, t:slice(2, 1):totable())
  end)

  it("views axes in another order", function()
    local t = ym.tensor.from { { { 1, 2 }, { 3, 4 }, { 5, 6 } } }
    local turned = t:permute { 3, 1, 2 }
    assert.same({ { { 1, 3, 5 } }, { { 2, 4, 6 } } }, turned:totable())
    t:set(1, 2, 2, 40)
    assert.equal(40, turned:get(2, 1, 2))
    assert.same({ 1, 3, 5, 2, 40, 6 }, ym.tensor.new({ 2, 1, 3 }):copy(turned):reshape({ 6 }):totable())
    assert.equal(turned:to("f32"):bytes(), turned:bytes())
    assert.has_error(function() turned:reshape { 6 } end)
    for _, axes in ipairs { {}, { 1, 2 }, { 1, 2, 2 }, { 0, 1, 2 }, { 1, 2, 4 }, { 1, 2, "x" } } do
      assert.has_error(function() t:permute(axes) end, "bad argument #1 to 'permute' (expected every axis once)")
    end
  end)

  it("keeps the memory of a view alive", function()
    local row = ym.tensor.from { { 1, 2 }, { 3, 4 } }[2]
    for _ = 1, 50 do
      ym.tensor.new { 1000 }
      collectgarbage()
    end
    assert.same({ 3, 4 }, row:totable())
  end)

  it("copies named rows", function()
    local t = ym.tensor.from({ { 1, 2 }, { 3, 4 }, { 5, 6 } }, "u8")
    assert.same({ { 5, 6 }, { 1, 2 }, { 5, 6 } }, t:rows({ 3, 1, 3 }):totable())
  end)

  it("rounds and clamps into whole number types", function()
    assert.same({ 0, 255, 3 }, ym.tensor.from({ -5, 300, 2.6 }, "u8"):totable())
    assert.same({ -32768, 32767 }, ym.tensor.from({ -1e9, 1e9 }, "i16"):totable())
  end)

  it("converts to binary16 and back, rounding to even", function()
    local values = { 0, 1, -2, 65504, 2 ^ -24, 1 + 2 ^ -11, 1 + 3 * 2 ^ -11, 1 / 3 }
    local expected = { 0, 1, -2, 65504, 2 ^ -24, 1, 1 + 2 ^ -9, 0.333251953125 }
    assert.same(expected, ym.tensor.from(values, "f16"):totable())
    assert.equal(math.huge, ym.tensor.from({ 65520 }, "f16")[1])
    local nan = ym.tensor.from({ 0 / 0 }, "f16")[1]
    assert.is_true(nan ~= nan)
  end)

  it("gives its bytes", function()
    assert.equal(string.pack("<i2i2", -2, 258), ym.tensor.from({ -2, 258 }, "i16"):bytes())
  end)

  it("raises on misuse", function()
    local t = ym.tensor.new { 2, 3 }
    assert.has_error(function() t:get(3, 1) end, "bad argument #1 to 'get' (index 3 is outside 1..2)")
    assert.has_error(function() t:get(1, 0) end)
    assert.has_error(function() t:slice(0, 1) end)
    assert.has_error(function() t:slice(1, 3) end)
    assert.has_error(function() t:reshape { 5 } end)
    assert.has_error(function() ym.tensor.new({ 0, 3 }):reshape { 0, -1 } end,
      "bad argument #1 to 'reshape' (a size is not a whole number >= 0)")
    assert.has_error(function() t:reshape { 6, 1.5 } end)
    assert.has_error(function() t:reshape {} end)
    assert.has_error(function() t:copy(ym.tensor.new { 3, 2 }) end)
    assert.has_error(function() t:to("f64") end)
    assert.has_error(function() ym.tensor.new {} end)
    assert.has_error(function() ym.tensor.new { -1 } end)
    assert.has_error(function() ym.tensor.new { 1 << 40, 1 << 40 } end)
    assert.has_error(function() ym.tensor.new { 0, 1 << 62, 1 << 62 } end)
    assert.has_error(function() ym.tensor.new({ 0 }):reshape { 1 << 32, 0, 1 << 32 } end)
    assert.has_error(function() ym.tensor.from { { 1, 2 }, { 3 } } end)
    assert.has_error(function() ym.tensor.from { "one" } end)
    assert.has_error(function() ym.tensor.from { { { { { { { 1 } } } } } } } end)
    assert.has_error(function() t:rows { 1, 3 } end, "bad argument #1 to 'rows' (row 3 is not in 1..2)")
    assert.has_error(function() t:rows { "x" } end, "bad argument #1 to 'rows' (row x is not in 1..2)")
  end)
end)
