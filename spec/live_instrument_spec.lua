-- What Lua decides for the live instrument, with a client that is a table, and the
-- controllers that a patch is sent as.
local instruments = require "ym2612ml.live.instrument"
local sounds = require "spec.live.sounds"
local space = require "spec.live.space"
local support = require "spec.support"
local ym = require "ym2612ml"

local built, core = pcall(require, "ym2612ml.live.core")

local SINE, sine = sounds.SINE, sounds.sine

describe("what a live instrument decides", function()
  -- A client that keeps what it is sent, and gives the messages that are put in it.
  local function new_client()
    return {
      events = {}, patches = {}, full = false, gone = false, closed = 0,
      alive = function(self)
        if self.gone then
          return nil, "the server has gone", "io"
        end
        return true
      end,
      event = function(self)
        local event = table.remove(self.events, 1)
        if event then
          return event[1], event[2], event[3], 0
        end
      end,
      patch = function(self, patch)
        if not self.full then
          self.patches[#self.patches + 1] = patch
        end
        return not self.full
      end,
      about = function() return "fake", 48000, 256 end,
      counts = function() return { started = 0 } end,
      wait = function() end,
      silence = function() end,
      close = function(self) self.closed = self.closed + 1 end,
    }
  end

  local function new(options)
    local client = new_client()
    local settings = {
      space = space, seed = 1, temperature = 0.001, output = ".", latents = { table.unpack(space.centre) },
      patch = space:decode({ space.centre }, { temperature = 1, seed = 1 })[1],
    }
    for name, value in pairs(options or {}) do
      settings[name] = value
    end
    return instruments.new(client, settings), client
  end

  local function turn(client, number, value)
    client.events[#client.events + 1] = { 0xB0, number, value }
  end

  local function decoded(latents)
    return space:decode({ latents }, { temperature = 1, seed = 1 })[1]
  end

  it("learns the first controllers that are moved, in their order", function()
    local instrument, client = new()
    turn(client, 30, 64)
    turn(client, 12, 0)
    turn(client, 30, 127)
    local news = assert(instrument:poll())
    assert.same({ [30] = 1, [12] = 2 }, news.learned)
    assert.equal(3, news.events)
    assert.equal(space.centre[1] + 3 * space.spread[1], news.moved[1])
    assert.equal(space.centre[2] - 3 * space.spread[2], news.moved[2])
    assert.same({ 30, 12 }, instrument:status().controllers)
    assert.same({ decoded(instrument:status().latents) }, client.patches)
    for number = 40, 60 do
      turn(client, number, 100)
    end
    news = instrument:poll()
    assert.equal(6, #instrument:status().controllers - 2)
    assert.equal(8, news.learned[45])
    assert.is_nil(news.learned[46])
  end)

  it("does not learn pedals, banks and parameter numbers, nor anything when told the controllers", function()
    local instrument, client = new()
    for _, number in ipairs { 0, 6, 32, 38, 65, 66, 67, 68, 69, 96, 97, 98, 99, 100, 101 } do
      turn(client, number, 1)
    end
    assert.same({}, instrument:poll().learned)
    assert.same({}, client.patches)
    instrument, client = new { controllers = { 7, 0 } }
    turn(client, 5, 1)
    turn(client, 0, 127)
    local news = instrument:poll()
    assert.same({}, news.learned)
    assert.same({ [2] = space.centre[2] + 3 * space.spread[2] }, news.moved)
  end)

  it("makes one patch of all that came since the last poll, and none of nothing", function()
    local instrument, client = new()
    local before = space.decoded
    for value = 0, 100 do
      turn(client, 20, value)
    end
    assert.is_table(instrument:poll().patch)
    assert.is_nil(instrument:poll().patch)
    assert.equal(before + 1, space.decoded)
    assert.equal(1, #client.patches)
  end)

  it("reads a bounded number of messages a poll, and all in the end", function()
    local instrument, client = new()
    for _ = 1, 1000 do
      turn(client, 20, 7)
    end
    local events, polls = 0, 0
    repeat
      local news = instrument:poll()
      events, polls = events + news.events, polls + 1
    until news.events == 0
    assert.equal(1000, events)
    assert.is_true(polls > 2)
  end)

  it("sends the newest patch when a full client has room again", function()
    local instrument, client = new()
    client.full = true
    instrument:set(1, 0.2)
    instrument:set(1, -0.7)
    assert.same({}, client.patches)
    client.full = false
    instrument:poll()
    assert.same({ instrument:patch() }, client.patches)
    assert.equal(-0.7, instrument:status().latents[1])
  end)

  it("goes to the same points by program changes, and to new ones by random", function()
    local instrument, client = new()
    client.events = { { 0xC0, 5, 0 } }
    local news = instrument:poll()
    assert.equal(5, news.program)
    local five = instrument:status().latents
    local first = instrument:random()
    local latents = instrument:status().latents
    assert.not_same(five, latents)
    assert.same(decoded(latents), first)
    instrument:random()
    assert.not_same(latents, instrument:status().latents)
    client.events = { { 0xC0, 5, 0 } }
    instrument:poll()
    assert.same(five, instrument:status().latents)
    local other = new()
    other:random()
    assert.same(latents, other:status().latents) -- of the same seed
  end)

  it("undoes and redoes, gestures as one", function()
    local instrument, client = new()
    local first = instrument:patch()
    assert.is_false(instrument:undo())
    for value = 0, 127 do
      turn(client, 20, value)
      instrument:poll()
    end
    local second = instrument:patch()
    local third = instrument:random()
    assert.equal(2, instrument:status().undo)
    assert.is_true(instrument:undo())
    assert.same(second, instrument:patch())
    assert.equal(second, client.patches[#client.patches])
    assert.is_true(instrument:undo())
    assert.same(first, instrument:patch())
    assert.same(space.centre, instrument:status().latents)
    assert.is_false(instrument:undo())
    assert.is_true(instrument:redo())
    assert.is_true(instrument:redo())
    assert.same(third, instrument:patch())
    assert.is_false(instrument:redo())
    instrument:undo()
    instrument:set(1, 0)
    assert.is_false(instrument:redo())
    for _ = 1, 400 do
      instrument:random()
    end
    assert.is_true(instrument:status().undo < 400)
  end)

  it("loads a patch as it is, and moves on from its place", function()
    local instrument, client = new()
    instrument:load(support.PATCH)
    assert.equal(support.PATCH, instrument:patch())
    assert.equal(support.PATCH, client.patches[1])
    assert.is_true(math.abs(instrument:status().latents[3] - 2 / 3) < 1e-6)
    instrument:set(8, 1)
    assert.equal(5, instrument:patch().feedback)
    instrument:undo()
    assert.equal(support.PATCH, instrument:patch())
    assert.has_error(function() instrument:load { algorithm = 9 } end)
  end)

  it("takes another temperature", function()
    local instrument, client = new()
    assert.equal(0.001, instrument:temperature())
    assert.equal(0.5, instrument:temperature(0.5))
    assert.equal(1, #client.patches)
    instrument:temperature(0.5)
    assert.equal(1, #client.patches)
    for _, wrong in ipairs { 0, -1, 11, 0 / 0, "hot" } do
      assert.has_error(function() instrument:temperature(wrong) end)
    end
  end)

  it("saves where it is told, or under the next free name", function()
    local folder = support.new_folder()
    finally(function() support.remove_folder(folder) end)
    local instrument = new { output = folder .. "/saved" }
    assert.equal(folder .. "/one.tfi", instrument:save(folder .. "/one.tfi"))
    local path = assert(instrument:save())
    assert.equal(folder .. "/saved/live_001.y12", path)
    assert.equal(folder .. "/saved/live_002.y12", instrument:save())
    assert.equal(ym.crc32(ym.patch.pack { instrument:patch() }:bytes()),
      ym.crc32(ym.patch.pack { assert(ym.patch.read(path)) }:bytes()))
    assert.equal(folder .. "/saved/live_003.y12", new { output = folder .. "/saved" }:save())
    local shaking = sine {}
    shaking.ams, shaking.lfo, shaking[1].am = 2, 5, 1
    instrument:load(shaking)
    path = assert(instrument:save())
    assert.same({ 2, 5, 1 }, { ym.patch.read(path).ams, ym.patch.read(path).lfo, ym.patch.read(path)[1].am })
    local done, message, kind = instrument:save(folder .. "/none/x.y12")
    assert.is_nil(done)
    assert.equal("io", kind)
    assert.is_truthy(message:find(folder .. "/none/x.y12", 1, true))
    assert.equal("format", select(3, instrument:save(folder .. "/x.wav")))
    assert.has_error(function() instrument:save(5) end)
  end)

  it("tells when the server has gone", function()
    local instrument, client = new()
    client.gone = true
    local news, message, kind = instrument:poll()
    assert.is_nil(news)
    assert.equal("io", kind)
    assert.equal("the server has gone", message)
    instrument:close()
    assert.equal(1, client.closed)
  end)

  it("closes at the end of its block, and when it is collected", function()
    local client
    do
      local instrument <close>, kept = new()
      assert.is_truthy(tostring(instrument):find("8 latents"))
      client = kept
    end
    assert.equal(1, client.closed)
    client = select(2, new())
    collectgarbage()
    collectgarbage()
    assert.equal(1, client.closed)
  end)

  it("plays a patch without a space, and raises for what needs one", function()
    local client = new_client()
    local instrument = instruments.new(client, { patch = SINE, seed = 1, temperature = 0.001, output = "." })
    turn(client, 20, 5)
    client.events[2] = { 0xC0, 5, 0 }
    local news = instrument:poll()
    assert.same({ events = 2, moved = {}, learned = {} }, news)
    instrument:load(support.PATCH)
    assert.is_true(instrument:undo())
    assert.equal(SINE, instrument:patch())
    assert.has_error(function() instrument:random() end, "'random' needs an instrument with a space")
    assert.has_error(function() instrument:set(1, 0) end)
    assert.has_error(function() instrument:temperature(1) end)
  end)

  it("raises on misuse", function()
    local instrument = new()
    for _, wrong in ipairs { 0, 9, 1.5, "1" } do
      assert.has_error(function() instrument:set(wrong, 0) end)
    end
    for _, wrong in ipairs { 0 / 0, 1 / 0, 10001, -1e30, "1" } do
      assert.has_error(function() instrument:set(1, wrong) end,
        ("bad argument #2 to 'set' (%s, expected a number -10000..10000)"):format(tostring(wrong)))
    end
    assert.has_error(function() instrument:set(1) end)
    instrument:set(1, -10000)
    assert.equal(-10000, instrument:status().latents[1])
    assert.is_truthy(instruments.controllers_problem({ 1, 2, 1 }, 8):find("controller 3 is 1"))
    assert.is_truthy(instruments.controllers_problem({ 64 }, 8))
    assert.is_truthy(instruments.controllers_problem({ 120 }, 8))
    assert.is_truthy(instruments.controllers_problem({ 1, 2, 3 }, 2))
    assert.is_truthy(instruments.controllers_problem({ 1 }, 0):find("needs option 'space'", 1, true))
    assert.is_nil(instruments.controllers_problem({}, 0))
    assert.is_nil(instruments.controllers_problem({ 0, 119 }, 8))
  end)
end)

describe("sending a patch to a console #c", function()
  if not built then
    pending("ym2612ml.live was not built: there is no libjack")
    return
  end

  -- All messages that are due, as {channel, controller, value}.
  local function due(sender)
    local list = {}
    for message in function() return sender:next() end do
      local status, number, value = message:byte(1, 3)
      assert.equal(0xB, status >> 4)
      list[#list + 1] = { (status & 15) + 1, number, value }
    end
    return list
  end

  local function by_number(list)
    local values = {}
    for _, message in ipairs(list) do
      assert.is_nil(values[message[2]])
      values[message[2]] = message[3]
    end
    return values
  end

  it("has a controller of genMDM for every field, once", function()
    local patch = {
      algorithm = 5, feedback = 6, ams = 2, fms = 3, lfo = 4,
      { mul = 1, dt = -3, tl = 0, rs = 1, ar = 31, am = 1, dr = 10, sr = 20, rr = 9, sl = 8, ssg = 0 },
      { mul = 2, dt = 0, tl = 127, rs = 2, ar = 30, am = 0, dr = 11, sr = 21, rr = 10, sl = 7, ssg = 8 },
      { mul = 3, dt = 1, tl = 40, rs = 3, ar = 29, am = 0, dr = 12, sr = 22, rr = 11, sl = 6, ssg = 15 },
      { mul = 4, dt = 3, tl = 41, rs = 0, ar = 28, am = 1, dr = 13, sr = 23, rr = 12, sl = 5, ssg = 0 },
    }
    local list = due(core.sender(patch, 1))
    assert.equal(50, #list)
    local values = by_number(list)
    local expected = {
      [14] = 5 << 4, [15] = 6 << 4, [76] = 2 << 5, [75] = 3 << 4, [1] = 4 << 4, [74] = 127,
      -- The second controller of four is operator 3's, the third operator 2's.
      [16] = 127, [17] = 87, [18] = 0, [19] = 86, [20] = 8, [21] = 24, [22] = 16, [23] = 32,
      [24] = 7 << 4, [25] = 1 << 4, [26] = 0, [27] = 3 << 4, [39] = 32, [40] = 96, [41] = 64, [42] = 0,
      [43] = 124, [44] = 116, [45] = 120, [46] = 112, [70] = 64, [71] = 0, [72] = 0, [73] = 64,
      [47] = 40, [48] = 48, [49] = 44, [50] = 52, [51] = 80, [52] = 88, [53] = 84, [54] = 92,
      [59] = 72, [60] = 88, [61] = 80, [62] = 96, [55] = 64, [56] = 48, [57] = 56, [58] = 40,
      [90] = 0, [91] = 120, [92] = 64, [93] = 0,
    }
    assert.same(expected, values)
  end)

  it("sends only what changed, on every channel asked for", function()
    local sender = core.sender(SINE, 6)
    assert.equal(6 * 50, #due(sender))
    assert.same({}, due(sender))
    sender:patch(sine { tl = 5 })
    local list = due(sender)
    assert.equal(6, #list)
    for channel, message in ipairs(list) do
      assert.same({ channel, 16, 122 }, message)
    end
    assert.same({}, due(core.sender(SINE, 0)))
    assert.has_error(function() core.sender(SINE, 7) end)
  end)
end)
