local support = require "spec.support"
local ym = require "ym2612ml"

-- A packed voice: operators from the sixth to the first, each with its number in it.
local function packed_voice(name)
  local bytes = ""
  for operator = 6, 1, -1 do
    bytes = bytes .. string.char(90 + operator, 2, 3, 4, 99, 98, 97, 0, 39, 10, 11, 1 | 2 << 2, 3 | operator << 3,
      1 | 5 << 2, 80 + operator, 1 | operator << 1, 50)
  end
  return bytes .. string.char(1, 2, 3, 4, 50, 51, 52, 53, 4, 6 | 1 << 3, 35, 5, 20, 30, 1 | 4 << 1 | 3 << 4, 12)
    .. (name .. (" "):rep(10)):sub(1, 10)
end

-- The same voice with a byte for each value.
local function voice(name)
  local bytes = ""
  for operator = 6, 1, -1 do
    bytes = bytes .. string.char(90 + operator, 2, 3, 4, 99, 98, 97, 0, 39, 10, 11, 1, 2, 3, 1, 5, 80 + operator, 1,
      operator, 50, operator)
  end
  return bytes .. string.char(1, 2, 3, 4, 50, 51, 52, 53, 4, 6, 1, 35, 5, 20, 30, 1, 4, 3, 12)
    .. (name .. (" "):rep(10)):sub(1, 10)
end

local function message(head, data)
  local sum = 0
  for i = 1, #data do
    sum = sum + data:byte(i)
  end
  return head .. data .. string.char(-sum & 0x7F) .. "\xF7"
end

local BANK = message("\xF0\x43\0\9\x20\0", packed_voice("E.PIANO 1"):rep(32))
local SINGLE = message("\xF0\x43\0\0\1\x1B", voice("E.PIANO 1"))

describe("DX7 voices", function()
  it("are read from banks, single messages and packed voices alone, alike", function()
    local bank, notes = ym.dx7.decode(BANK)
    assert.same({}, notes)
    assert.equal(32, #bank)
    local first = bank[1]
    assert.same({ "E.PIANO 1", 5, 6, -12, 4, 3 },
      { first.name, first.algorithm, first.feedback, first.transpose, first.lfo_wave, first.vibrato_sensitivity })
    assert.same({ 86, 6, 50, -1, 1, 3 }, {
      first[6].output_level, first[6].coarse, first[6].fine, first[6].detune, first[6].fixed_frequency,
      first[6].rate_scaling,
    })
    assert.same({ 91, 1, 2, 5 },
      { first[1].rate_1, first[1].left_curve, first[1].right_curve, first[1].velocity_sensitivity })
    local single, told = ym.dx7.decode(SINGLE)
    assert.same({}, told)
    assert.same(first, single[1])
    assert.same({ first, first }, (ym.dx7.decode(packed_voice("E.PIANO 1"):rep(2))))
    assert.equal(33, #ym.dx7.decode(BANK .. SINGLE))
  end)

  it("with a wrong checksum or values that are too high are read, and told", function()
    local _, notes = ym.dx7.decode(SINGLE:sub(1, -3) .. "\0\xF7")
    assert.matches("checksum", notes[1])
    local high = ym.dx7.decode(("\x7F"):rep(128))[1]
    assert.same({ 99, 5, 24, 7 }, { high[1].output_level, high.lfo_wave, high.transpose, high[1].detune })
  end)

  it("are no patches", function()
    local nothing, why, kind = ym.patch.decode_all(BANK)
    assert.same({ nil, "format" }, { nothing, kind })
    assert.matches("DX7", why)
  end)

  it("are refused where they are none", function()
    for _, bytes in ipairs {
      "", "\xF0", "\xF0\x43\0\9\x20\0abc", "\xF0\x43\0\2\x20\0" .. ("a"):rep(200), ("a"):rep(127), ("\xFF"):rep(128),
    } do
      local nothing, why, kind = ym.dx7.decode(bytes)
      assert.same({ nil, "string", "format" }, { nothing, type(why), kind })
    end
    local _, why, kind = ym.dx7.read("/nowhere.syx")
    assert.equal("io", kind)
    assert.matches("^/nowhere.syx", why)
    assert.has_error(function() ym.dx7.decode(5) end, "bad argument #1 to 'decode' (string expected, got number)")
    local path = os.tmpname()
    support.write_file(path, "no voices")
    assert.matches(path, select(2, ym.dx7.read(path)), 1, true)
    os.remove(path)
  end)
end)
