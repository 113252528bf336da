-- The host in examples/embed (built by make test): what it plays, and how it ends. When its
-- threads run is the machine's affair, so no time is asserted.
local lfs = require "lfs"
local support = require "spec.support"
local ym = require "ym2612ml"

local HOST = ".build/host"
local LUA = 'LUA_PATH="./lua/?.lua;./lua/?/init.lua;;" LUA_CPATH="./lua/?.so;;" '
local FLUTE = "examples/samples/flute_C5.flac"

describe("the tracker in small", function()
  local folder
  local runs = lfs.attributes(HOST, "mode") and it or pending

  before_each(function()
    folder = support.new_folder()
  end)

  after_each(function()
    support.remove_folder(folder)
  end)

  -- Its output, what it says on stderr, and its exit status.
  local function run(arguments)
    return support.run(LUA .. HOST .. " " .. arguments, folder)
  end

  -- The same, of a run that is interrupted once its output has a line with this in it.
  local function run_until(pattern, arguments)
    return run(('-s 1000 %s >@/out & host=$!; until grep -qs "%s" @/out || ! kill -0 $host; do sleep 0.1; done; '
      .. "sleep 1; kill -INT $host; wait $host; status=$?; cat @/out; exit $status"):format(arguments, pattern))
  end

  -- What it played, which must be as long as it says.
  local function recorded(out, path)
    local blocks = assert(tonumber(out:match("(%d+) blocks of 256 frames at 48000 Hz")), out)
    local sound = assert(ym.audio.read(path))
    assert.same({ blocks * 256, 48000, 2 }, { #sound.samples, sound.rate, sound.channels })
    return sound
  end

  runs("plays its song while patches come", function()
    local out, complaint, status = run_until("dB, algorithm", "-w @/song.wav " .. FLUTE)
    assert.equal(0, status, complaint)
    assert.equal("", complaint)
    local sound = recorded(out, folder .. "/song.wav")
    assert.is_true(ym.audio.peaks(sound.samples:reshape { 1, #sound.samples })[1] > 0.1)
    assert.truthy(out:find("flute_C5.flac: %d+%.%d+ dB, algorithm %d\n"), out)
    local sent, taken = out:match("(%d+) patches handed over, (%d+) taken")
    assert.is_true(tonumber(taken) >= 1 and tonumber(taken) <= tonumber(sent), out)
  end)

  runs("ends in order when it is interrupted", function()
    local out, complaint, status = run("-s 100 -w @/song.wav " .. FLUTE
      .. " & host=$!; while [ ! -s @/song.wav ]; do sleep 0.1; done; sleep 1; kill -INT $host; wait $host")
    assert.equal(0, status, complaint)
    assert.is_true(#recorded(out, folder .. "/song.wav").samples < 100 * 48000)
  end)

  runs("goes on with sounds that cannot be matched, and says so", function()
    support.write_file(folder .. "/noise.wav", "no sound")
    local out, _, status = run_until("noise.wav: ", "@/noise.wav")
    assert.equal(0, status)
    assert.truthy(out:find(folder .. "/noise.wav: ", 1, true), out)
    assert.truthy(out:find("0 patches handed over, 0 taken", 1, true), out)
  end)

  runs("ends when a script fails, and says why", function()
    support.write_file(folder .. "/player.lua", "return function() error('out of tune', 0) end")
    support.assert_fails(LUA .. HOST .. " -f @ " .. FLUTE, folder, "host: out of tune")
    support.write_file(folder .. "/player.lua", "return function() return '' end")
    support.assert_fails(LUA .. HOST .. " -f @ " .. FLUTE, folder, "host: the script plays no more")
    support.write_file(folder .. "/player.lua", "return function() return ('x'):rep(2 ^ 20) end")
    support.assert_fails(LUA .. HOST .. " -f @ " .. FLUTE, folder, "1048576 bytes of sound at once")
    os.remove(folder .. "/player.lua")
    support.assert_fails(LUA .. HOST .. " -f @ " .. FLUTE, folder, "player.lua")
  end)

  runs("calls nothing in its audio thread that allocates, locks or knows Lua", function()
    local out, complaint, status = support.run("nm -u .build/embed/audio.o", folder)
    assert.equal(0, status, complaint)
    local allowed = {
      memcpy = true, clock_gettime = true, clock_nanosleep = true, pthread_self = true,
      pthread_setschedparam = true, _GLOBAL_OFFSET_TABLE_ = true, __stack_chk_fail = true,
    }
    for name in out:gmatch("U ([%w_]+)") do
      assert.is_true(allowed[name], name)
    end
    assert.truthy(out:find("clock_nanosleep", 1, true))
  end)
end)
