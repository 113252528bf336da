-- The live instrument as a module, a client of a JACK server without a sound card, and a
-- command.
local instruments = require "ym2612ml.live.instrument"
local servers = require "spec.live.server"
local sounds = require "spec.live.sounds"
local space = require "spec.live.space"
local support = require "spec.support"
local ym = require "ym2612ml"

local built, core = pcall(require, "ym2612ml.live.core")

local SINE, RATE, frequency_of = sounds.SINE, sounds.RATE, sounds.frequency_of
local cents_from, loudness = sounds.cents_from, sounds.loudness

describe("the live module", function()
  it("says what it lacks where it was not built", function()
    local text = support.run([[lua5.4 -e "package.path = \"./lua/?.lua;./lua/?/init.lua;\" .. package.path
      package.cpath = \"./lua/?.so;\" .. package.cpath
      package.preload[\"ym2612ml.live.core\"] = function() error \"no such file\" end
      print(select(2, pcall(require, \"ym2612ml.live\")))"]], ".")
    assert.is_truthy(text:find("libjack-jackd2-dev", 1, true), text)
    assert.is_truthy(text:find("no such file", 1, true), text)
  end)

  if not built then
    pending("ym2612ml.live was not built: there is no libjack")
    return
  end
  local live = require "ym2612ml.live"

  it("exports one symbol", function()
    local symbols = support.run("nm -D --defined-only lua/ym2612ml/live/core.so", ".")
    assert.equal("luaopen_ym2612ml_live_core", symbols:match("%x+ %u ([^\n]+)\n$"))
  end)

  it("opens nothing where there is no server, and says so", function()
    local instrument, message, kind = live.open { patch = SINE, server = "there_is_no_such_server" }
    assert.is_nil(instrument)
    assert.equal("io", kind)
    assert.equal("there_is_no_such_server: no JACK server of this name is running", message)
  end)

  it("raises on misuse", function()
    assert.has_error(function() live.open {} end,
      "bad argument #1 to 'open' (neither option 'space' nor 'patch' is there)")
    assert.has_error(function() live.open { patch = SINE, controllers = { 20 } } end,
      "bad argument #1 to 'open' (option 'controllers' moves latents, which needs option 'space')")
    for _, wrong in ipairs {
      { space = {} }, { space = io.stdout }, { patch = SINE, volume = 1 }, { patch = SINE, chip = "ym2151" },
      { patch = { algorithm = 8 } }, { patch = SINE, bend = -1 }, { patch = SINE, send = 7 },
      { patch = SINE, controllers = { 1 } }, { space = space, controllers = { 1, 1 } },
      { space = space, temperature = 0 }, { patch = SINE, name = 5 },
    } do
      local made, message = pcall(live.open, wrong)
      assert.is_false(made)
      assert.is_truthy(message:find("bad argument #1 to 'open'", 1, true), message)
    end
  end)
end)

describe("a live instrument on a JACK server", function()
  if not servers.is_there() then
    pending("there is no jackd, or make did not build what plays (make specs)")
    return
  end
  local live = require "ym2612ml.live"

  -- What all knobs but the first are turned to, so that one operator is loud alone.
  local function turn_knobs(messages)
    for number = 20, 27 do
      messages[#messages + 1] = { 0, 0xB0, number, number <= 21 and 127 or 0 }
    end
  end

  it("plays notes in tune and at their frames", function()
    local server <close> = servers.start()
    local instrument, messages, notes, length = server:instrument(), {}, {}, RATE // 5
    turn_knobs(messages)
    for i = 0, 35 do -- twelve notes in each of three octaves, not in their order
      notes[i] = 36 + 24 * (i // 12) + i * 5 % 12
      messages[#messages + 1] = { RATE // 2 + i * length, 0x90, notes[i], 100 }
      messages[#messages + 1] = { RATE // 2 + (i + 1) * length - 2000, 0x80, notes[i], 0 }
    end
    local played = server:play(messages, 0.5 + 36 / 5, true)
    local left, counts = servers.left(played.bytes), instrument:finish()
    assert.equal(#messages, played.sent)
    assert.same({ "fine", 36, 8, 0, 0 },
      { counts.first, counts.started, counts.events, counts.dropped, counts.lost })
    for i = 0, 35 do
      local first = RATE // 2 + i * length
      local cents = cents_from(left, first + 800, length - 3200, frequency_of(notes[i]))
      assert.is_true(math.abs(cents) < 1, ("note %d is off by %.3f cents"):format(notes[i], cents))
      assert.is_true(loudness(left, first - 300, first) < 1e-4 and loudness(left, first + 60, first + 600) > 0.01, i)
    end
  end)

  it("answers a knob within two periods", function()
    local server <close> = servers.start()
    local instrument, messages, turned = server:instrument(), {}, {}
    turn_knobs(messages)
    for try = 1, 5 do -- silent, a note, and loud
      local at = 16000 * try
      turned[try] = at + 8000 + 53 * try
      for _, message in ipairs {
        { at, 0xB0, 20, 0 }, { at + 3000, 0x90, 69, 127 }, { turned[try], 0xB0, 20, 127 }, { at + 13000, 0x80, 69, 0 },
      } do
        messages[#messages + 1] = message
      end
    end
    local left = servers.left(server:play(messages, 2.1, true).bytes)
    assert.equal("fine", instrument:finish().first)
    local quickest = math.huge
    for _, frame in ipairs(turned) do
      local first = frame - 3000
      while math.abs(left[first]) < 1e-6 do
        first = first + 1
      end
      assert.is_true(first > frame, first - frame)
      quickest = math.min(quickest, first - frame) -- the others may have met a busy machine
    end
    assert.is_true(quickest <= 2 * servers.PERIOD, quickest)
  end)

  it("sends its patch to who listens, and what changes", function()
    local server <close> = servers.start()
    local instrument = server:instrument()
    local played = server:play({ { RATE // 2, 0xB0, 22, 127 } }, 1.2)
    assert.equal("fine", instrument:finish().first)
    local before, after = {}, {}
    for _, message in ipairs(played.heard) do
      local part = message[1] < RATE // 2 and before or after
      assert.equal(0xB0, message[2])
      part[message[3]] = message[4]
    end
    local sender = core.sender(space:decode({ space.centre }, { temperature = 1, seed = 1 })[1], 1)
    local count = 0
    for message in function() return sender:next() end do
      assert.equal(message:byte(3), before[message:byte(2)])
      count = count + 1
    end
    assert.equal(50, count)
    local latents = { table.unpack(space.centre) }
    latents[3] = instruments.reach(space, 3, 127)
    sender:patch(space:decode({ latents }, { temperature = 1, seed = 1 })[1])
    local expected = {}
    for message in function() return sender:next() end do
      expected[message:byte(2)] = message:byte(3)
    end
    assert.same(expected, after)
    assert.is_not_nil(next(after))
  end)

  it("ends when the server is ended or killed, and stays a fine Lua state", function()
    for _, signal in ipairs { "TERM", "KILL" } do
      local server <close> = servers.start()
      local instrument <close> = assert(live.open { space = space, server = server.name, name = "here" })
      assert.is_table(instrument:poll())
      local status = instrument:status()
      assert.same({ "here", RATE, servers.PERIOD }, { status.name, status.rate, status.period })
      instrument:silence()
      local other = server:instrument()
      server:kill(signal)
      assert.equal("ended io: the JACK server has gone", other:report().first)
      local news, message, kind
      servers.wait_for("the end", function()
        instrument:wait(0.1)
        news, message, kind = instrument:poll()
        return not news
      end)
      assert.equal("io", kind)
      assert.equal("the JACK server has gone", message)
      assert.equal("here", instrument:status().name)
      instrument:close()
      instrument:close()
      assert.has_error(function() instrument:poll() end, "the instrument is closed")
    end
  end)

  local resizes = os.execute("command -v jack_bufsize >/dev/null") and it or pending
  resizes("plays on when the server's periods become longer and shorter", function()
    local server <close> = servers.start()
    local instrument, messages = server:instrument(), {}
    for i = 0, 29 do
      messages[#messages + 1] = { 4000 * i, 0x90, 60 + i % 12, 100 }
      messages[#messages + 1] = { 4000 * i + 3000, 0x80, 60 + i % 12, 0 }
      messages[#messages + 1] = { 4000 * i + 3500, 0xB0, 20 + i % 8, i }
    end
    os.execute(("(for size in 1024 64 256; do sleep 0.5; JACK_DEFAULT_SERVER=%s jack_bufsize $size; done)"
      .. " >%s/bufsize.log 2>&1 &"):format(server.name, server.folder))
    assert.equal(#messages, server:play(messages, 2.8).sent)
    local counts = instrument:finish()
    assert.same({ "fine", 30, 30, 0 }, { counts.first, counts.started, counts.events, counts.lost })
  end)

  it("lives beside others, and comes again", function()
    local server <close> = servers.start()
    local list = {}
    for i = 1, 4 do
      list[i] = assert(live.open { patch = SINE, server = server.name, name = "same", connect = true })
    end
    assert.not_equal(list[1]:status().name, list[2]:status().name)
    list[1]:close()
    list[2], list[3], list[4] = nil, nil, nil
    collectgarbage()
    collectgarbage()
    local instrument <close> = assert(live.open { patch = SINE, server = server.name, name = "same" })
    assert.equal("same", instrument:status().name)
  end)

  it("is a command that ends as it is told", function()
    local server <close> = servers.start()
    assert(ym.patch.write(server.folder .. "/lead.y12", support.PATCH))
    local command = "lua5.4 lua/ym2612ml/cli.lua live --patch @/lead.y12 -o @/saved --server " .. server.name
    local typed = [[s\nu\nl @/lead.y12\nu\ny\nn\ni\nr\n?\nq\n]]
    local text, complaint, status = support.run(("printf \"%s\" | %s --name keys"):format(typed, command),
      server.folder)
    assert.is_truthy(text:find("keys plays", 1, true), text .. complaint)
    for _, expected in ipairs {
      "saved " .. server.folder .. "/saved/live_001.y12", "nothing to undo", "undone", "redone", "0 notes (0 lost)",
      "lines: s [FILE]",
    } do
      assert.is_truthy(text:find(expected, 1, true), expected .. ": " .. text)
    end
    assert.same({ "", 0 }, { complaint, status }, text)
    text, complaint, status = support.run(command .. " --seconds 0.3", server.folder)
    assert.same({ "", 0 }, { complaint, status }, text)
    -- The end of the input ends a line: a q without one is obeyed.
    text, complaint, status = support.run("printf \"i\\nq\" | timeout 60 " .. command, server.folder)
    assert.same({ "", 0 }, { complaint, status }, text)
    support.assert_fails("lua5.4 lua/ym2612ml/cli.lua live --patch @/lead.y12 --server nosuch", server.folder,
      "nosuch: no JACK server of this name is running")
    support.assert_fails("lua5.4 lua/ym2612ml/cli.lua live --patch @/none.y12", server.folder, "none.y12")
    support.assert_fails("lua5.4 lua/ym2612ml/cli.lua live --controllers 5,x", server.folder,
      "option '--controllers': 'x' is no number of a controller", 2)
  end)

  it("is a command that Ctrl-C ends", function()
    local server <close> = servers.start()
    local patch, output, pid = server.folder .. "/lead.y12", server.folder .. "/output", server.folder .. "/own_pid"
    assert(ym.patch.write(patch, support.PATCH))
    support.write_file(output, "")
    local running = assert(io.popen(("echo $$ >%s; exec lua5.4 lua/ym2612ml/cli.lua live --patch %s --server %s "
      .. ">%s 2>&1"):format(pid, patch, server.name, output), "w"))
    servers.wait_for("the command's start", function() return support.read_file(output):find("plays", 1, true) end)
    os.execute("kill -s INT " .. support.read_file(pid))
    assert.same({ true, "exit", 0 }, { running:close() })
    assert.is_truthy(support.read_file(output):find("^ym2612ml plays[^\n]*\n$"))
  end)

  it("takes no memory and no lock in the audio callback, loses nothing and does not grow", function()
    local text, complaint, status = support.run("lua5.4 spec/live/soak.lua 5", ".")
    assert.equal(0, status, text .. complaint)
  end)

  it("is watched by what would see memory and locks", function()
    local server <close> = servers.start()
    local instrument = server:instrument(0, "WATCH_SELF=1")
    server:play({}, 0.2)
    instrument:finish()
    local watched = server:watched()
    assert.is_true(watched.callbacks > 10)
    assert.same({ 2 * watched.callbacks, watched.callbacks }, { watched.memory, watched.locks })
  end)
end)
