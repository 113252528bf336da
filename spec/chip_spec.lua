local cjson = require "cjson"
local ym = require "ym2612ml"

-- The samples of one side as the vectors hold them: 16 bits, little endian.
local function bytes(samples)
  return samples:to("i16"):bytes()
end

local function replay(case)
  local chip, frame = ym.chip.new { chip = case.chip }, 0
  local left, right = {}, {}
  local function run(count)
    local l, r = chip:run(count)
    left[#left + 1], right[#right + 1] = bytes(l), bytes(r)
    frame = frame + count
  end
  for _, write in ipairs(case.writes) do
    run(math.tointeger(write[1]) - frame)
    chip:write(math.tointeger(write[2]), math.tointeger(write[3]), math.tointeger(write[4]))
  end
  run(math.tointeger(case.total) - frame)
  return table.concat(left), table.concat(right)
end

-- A note on channel 1 with something of everything: feedback, LFO, SSG-EG.
local NOTE = {
  { 0, 0x22, 0x0B }, { 0, 0x30, 0x71 }, { 0, 0x40, 0x1E }, { 0, 0x50, 0x1F }, { 0, 0x60, 0x8A },
  { 0, 0x80, 0x26 }, { 0, 0x34, 0x32 }, { 0, 0x44, 0x12 }, { 0, 0x54, 0x5C }, { 0, 0x64, 0x0C },
  { 0, 0x84, 0x47 }, { 0, 0x94, 0x0A }, { 0, 0x38, 0x01 }, { 0, 0x48, 0x08 }, { 0, 0x58, 0x1F },
  { 0, 0x68, 0x85 }, { 0, 0x88, 0x18 }, { 0, 0x3C, 0x02 }, { 0, 0x4C, 0x06 }, { 0, 0x5C, 0x1F },
  { 0, 0x6C, 0x04 }, { 0, 0x8C, 0x37 }, { 0, 0xB0, 0x2C }, { 0, 0xB4, 0xE3 }, { 0, 0xA4, 0x22 },
  { 0, 0xA0, 0x69 }, { 0, 0x28, 0xF0 },
}

local function sounding(stage)
  local chip = ym.chip.new { chip = stage }
  for _, write in ipairs(NOTE) do
    chip:write(table.unpack(write))
  end
  return chip
end

describe("chip #c", function()
  it("is silent at its stage's level of rest", function()
    for stage, rest in pairs { ym2612 = 72, ym3438 = 0, clean = 0 } do
      local left, right = ym.chip.new({ chip = stage }):run(100)
      for i = 1, 100 do
        assert.equal(rest, left[i])
        assert.equal(rest, right[i])
      end
    end
  end)

  it("gives the samples of its golden note", function()
    for stage, crc in pairs { ym2612 = 0x255BF109, ym3438 = 0xA1EECF3F, clean = 0x59B2EC18 } do
      local left = sounding(stage):run(20000)
      assert.equal(crc, ym.crc32(bytes(left)), stage)
    end
  end)

  it("goes on from a saved state as if nothing had happened", function()
    local chip = sounding("ym2612")
    chip:run(1000)
    chip:write(0, 0x28, 0)
    local state = chip:save()
    local straight = bytes((chip:run(3000)))
    local other = ym.chip.new { chip = "clean" }
    assert.equal(other, other:restore(state))
    assert.equal(straight, bytes((other:run(3000))))
  end)

  it("refuses what is no saved state and stays as it was", function()
    local chip = sounding("ym3438")
    chip:run(500)
    local state = chip:save()
    local damaged = state:sub(1, 200) .. string.char(state:byte(201) ~ 1) .. state:sub(202)
    for _, bad in ipairs { "", "nonsense", state:sub(1, -2), state .. "\0", damaged } do
      local result, message, kind = chip:restore(bad)
      assert.is_nil(result)
      assert.equal("format", kind)
      assert.matches("saved", message)
    end
    assert.equal(state, chip:save())
  end)

  it("refuses a state in which a write waits for a port that is none", function()
    local function waiting(port)
      local chip = ym.chip.new()
      chip:write(port, 0x30, 0)
      return chip:save()
    end
    local state, other, place = waiting(0), waiting(1), 17 -- after the mark, the checksum and the size
    while state:byte(place) == other:byte(place) do
      place = place + 1
    end
    local function with(port)
      local rest = state:sub(17, place - 1) .. string.char(port) .. state:sub(place + 1)
      return state:sub(1, 8) .. string.pack("=I4", ym.crc32(rest)) .. state:sub(13, 16) .. rest
    end
    assert.equal(other, with(1))
    assert.truthy(ym.chip.new():restore(with(1)))
    for _, port in ipairs { 2, 128, 255 } do
      local result, _, kind = ym.chip.new():restore(with(port))
      assert.is_nil(result)
      assert.equal("format", kind)
    end
  end)

  it("takes one write a frame, in order", function()
    local chip = ym.chip.new { chip = "ym3438" }
    chip:write(0, 0x2B, 0x80)
    chip:write(0, 0x2A, 0xFF)
    chip:write(0, 0x2A, 0x00)
    local left = chip:run(5)
    assert.same({ 0, 0, 3 * 254, 3 * -256, 3 * -256 }, left:totable())
  end)

  it("raises when more writes wait than the queue holds", function()
    local chip = ym.chip.new()
    for _ = 1, 1024 do
      chip:write(0, 0x30, 0)
    end
    assert.has_error(function() chip:write(0, 0x30, 0) end)
    chip:run(1)
    chip:write(0, 0x30, 0)
  end)

  it("ignores registers and channels that do not exist", function()
    local chip = ym.chip.new { chip = "ym3438" }
    for _, reg in ipairs { 0x00, 0x21, 0x33, 0x9F, 0xA3, 0xAB, 0xB3, 0xB7, 0xFF } do
      chip:write(0, reg, 0xFF)
      chip:write(1, reg, 0xFF)
    end
    chip:write(0, 0x28, 0xF3)
    chip:write(0, 0x28, 0xF7)
    local left = chip:run(2000)
    assert.equal(0, left[2000])
  end)

  it("raises on misuse", function()
    local chip = ym.chip.new()
    assert.has_error(function() ym.chip.new { chip = "ym2151" } end,
      "bad argument #1 to 'new' (option 'chip' is ym2151, expected 'ym2612', 'ym3438', 'clean')")
    assert.has_error(function() ym.chip.new { model = "ym2612" } end,
      "bad argument #1 to 'new' (unknown option 'model')")
    assert.has_error(function() chip:write(2, 0x30, 0) end)
    assert.has_error(function() chip:write(0, 256, 0) end)
    assert.has_error(function() chip:write(0, 0x30, -1) end)
    assert.has_error(function() chip:run(-1) end)
    assert.has_error(function() chip.run({}, 1) end)
  end)

  for _, set in ipairs { "public", "multi", "midwrite" } do
    local folder = "../shared/data/vectors/" .. set
    local index = io.open(folder .. "/index.json")
    if index then
      it("is exact on the reference vectors of " .. set, function()
        local cases = cjson.decode(index:read("a")).cases
        index:close()
        for i = 1, #cases, set == "public" and 8 or 1 do
          local left, right = replay(cases[i])
          assert.equal(cases[i].crc32_l, ("%08x"):format(ym.crc32(left)), "case " .. i)
          assert.equal(cases[i].crc32_r, ("%08x"):format(ym.crc32(right)), "case " .. i)
        end
      end)
    end
  end
end)
