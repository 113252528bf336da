-- The samples of VGM files: what streams write, however much a file of a few bytes asks for.
local core = require "ym2612ml.core"
local decoders = require "ym2612ml.vgm.decoder"
local handmade = require "spec.handmade"
local vgm = require "ym2612ml.vgm.file"
local ym = require "ym2612ml"

local RATE = 44100

local file_of = handmade.file_of

local function wait(ticks)
  return ("\x61\xFF\xFF"):rep(ticks // 0xFFFF) .. string.pack("<BI2", 0x61, ticks % 0xFFFF)
end

local function block(bytes)
  return handmade.block(0, bytes)
end

-- A stream of the register 0x2A on bank 0.
local function stream(id, frequency)
  return string.pack("<BBBBB", 0x90, id, 2, 0, 0x2A) .. string.pack("<BBI4", 0x92, id, frequency)
end

local BACKWARDS, AGAIN = 0x10, 0x80

local function start(id, offset, flags, count)
  return string.pack("<BBI4BI4", 0x93, id, offset, flags | 1, count)
end

local function decode(commands)
  return ym.vgm.decode(file_of(commands .. "\x66"))
end

-- Times and values of the samples.
local function samples(commands)
  local writes = assert(decode(commands))
  local times, values = {}, {}
  for i = 1, #writes do
    times[i], values[i] = writes:get(i, 1), writes:get(i, 4)
  end
  return times, values
end

describe("streams of samples #c", function()
  it("keep time for as long as they play", function()
    for _, frequency in ipairs { 14000, 11025, 22050, 32000, 44099, 7 } do
      local times = samples(block("\1\2\3") .. stream(0, frequency) .. start(0, 0, AGAIN, 3) .. wait(10 * RATE))
      assert.equal(10 * frequency, #times)
      for i = 1, #times do
        if times[i] ~= (i - 1) * RATE // frequency then
          assert.equal((i - 1) * RATE // frequency, times[i])
        end
      end
    end
  end)

  it("change their pace after the next sample", function()
    local times = samples(block(("x"):rep(9)) .. stream(0, 441) .. start(0, 0, 0, 9) .. wait(150)
      .. string.pack("<BBI4", 0x92, 0, 4410) .. wait(100))
    assert.same({ 0, 100, 200, 210, 220, 230, 240 }, times)
  end)

  it("fall silent for good without a pace", function()
    local times = samples(block(("x"):rep(9)) .. stream(0, 441) .. start(0, 0, 0, 9) .. wait(150)
      .. string.pack("<BBI4", 0x92, 0, 0) .. wait(1000) .. string.pack("<BBI4", 0x92, 0, 441) .. wait(1000))
    assert.same({ 0, 100, 200 }, times)
  end)

  it("are written in order of time, with what is written between", function()
    local commands = block("\1\2\3\4") .. stream(0, RATE // 10) .. stream(1, RATE // 20)
      .. start(0, 0, 0, 3) .. "\x71" .. start(1, 2, BACKWARDS, 2) .. wait(8) .. "\x52\x2A\9" .. wait(100)
    local times, values = samples(commands)
    assert.same({ 0, 2, 10, 10, 20, 22 }, times)
    assert.same({ 1, 4, 9, 2, 3, 3 }, values)
  end)

  it("play what is added to their bank in the meantime", function()
    local times, values = samples(block("\1\2") .. stream(0, RATE // 10) .. start(0, 0, 0, 6) .. wait(35)
      .. block("\3\4\5\6") .. wait(100))
    assert.same({ 0, 10, 40, 50 }, times)
    assert.same({ 1, 2, 5, 6 }, values)
  end)

  it("pass over billions of samples outside their bank", function()
    local all = 0xFFFFFFFF
    local outside = block("\1\2\3") .. stream(0, RATE) .. stream(1, RATE)
      .. start(0, 1 << 31, AGAIN, all) .. start(1, 2, BACKWARDS | AGAIN, all) .. wait(1 << 29)
    assert.same({}, (samples(outside)))
    local times, values = samples(block("\1\2\3") .. stream(0, RATE) .. start(0, 1, AGAIN, 1 << 28) .. wait(1 << 29))
    assert.same({ 0, 1, 1 << 28, (1 << 28) + 1 }, times)
    assert.same({ 2, 3, 2, 3 }, values)
  end)

  it("are refused where they are more than memory should hold", function()
    local four = block("\1")
    for id = 0, 3 do
      four = four .. stream(id, RATE) .. start(id, 0, AGAIN, 1)
    end
    local writes, message, kind = decode(four .. wait(1 << 29))
    assert.is_nil(writes)
    assert.equal("more than 12582912 writes", message)
    assert.equal("format", kind)
    assert.equal(12000000, #assert(decode(four .. wait(3000000))))
  end)

  it("add no block that lies in another, which a repetition may begin with", function()
    local inner = block("ab")
    local commands = block(inner .. inner) .. "\xE0" .. string.pack("<I4", 2 * #inner) .. "\x80\x81\x66"
    local source = assert(vgm.parse(file_of(commands, { [0x1C] = 0x40 + 7 - 0x1C }))) -- the outer block's bytes
    local writes = core.vgm.writes(ym.tensor.new({ 9, 4 }, "i32"))
    local decoder = decoders.new(source, { loops = 3, samples = writes })
    decoder:run(math.huge, function() writes:add(0, 0, 0x2A, 0) end)
    assert.same({ true, 3, 0 }, { decoder.ended, decoder.tick, writes:count() })
  end)

  it("want arguments that a file can have", function()
    local streams = core.vgm.streams("12345678")
    for expected, call in pairs {
      ["expected 0..63"] = function() streams:add_block(64, 1, 1) end,
      ["outside the file"] = function() streams:add_block(0, 9, 1) end,
      ["expected 0..255"] = function() streams:set_up(256, 2, 0, 0) end,
      ["expected 0..2^32-1"] = function() streams:start(0, -1, 0, 0, 0) end,
      ["expected 0..65535"] = function() streams:start_block(0, 65536, 0, 0) end,
      ["expected a count of ticks"] = function()
        streams:advance(-1, core.vgm.writes(ym.tensor.new({ 0, 4 }, "i32")))
      end,
      ["expected a contiguous i32 tensor"] = function() core.vgm.writes(ym.tensor.new { 2, 4 }) end,
    } do
      local fine, message = pcall(call)
      assert.is_false(fine)
      assert.matches(expected, message, 1, true)
    end
    assert.is_true(streams:add_block(0, 1, 8))
    local fine, message = pcall(streams.add_block, streams, 0, 1, 1)
    assert.is_false(fine)
    assert.matches("more bytes than the file has", message, 1, true)
  end)

  it("hold their file and their rows, and nothing once closed", function()
    local rows = ym.tensor.new({ 4, 4 }, "i32")
    local writes, streams = core.vgm.writes(rows), core.vgm.streams(("\7"):rep(1000))
    collectgarbage()
    streams:add_block(0, 1, 1000)
    streams:set_up(0, 2, 0, 0x2A)
    streams:set_frequency(0, RATE)
    streams:start_block(0, 0, 0, 0)
    streams:advance(6, writes)
    assert.equal(6, writes:count()) -- of which four found a row
    assert.same({ 3, 0, 0x2A, 7 }, { rows:get(4, 1), rows:get(4, 2), rows:get(4, 3), rows:get(4, 4) })
    getmetatable(streams).__close(streams)
    assert.is_nil(streams:sample(0, 0))
    streams:advance(100, writes)
    assert.equal(6, writes:count())
  end)
end)

describe("packed music", function()
  it("is refused where it unpacks to more than music does", function()
    local writes, message, kind = ym.vgm.decode(ym.gzip(file_of(("\x70"):rep(3000000))))
    assert.is_nil(writes)
    assert.equal("unpacks to more than 2097152 bytes", message)
    assert.equal("format", kind)
    assert.is_truthy(ym.vgm.decode(ym.gzip(file_of(("\x70"):rep(2000000) .. "\x66"))))
  end)
end)
