local handmade = require "spec.handmade"
local support = require "spec.support"
local ym = require "ym2612ml"

local PER_TICK = handmade.CLOCK / 144 / 44100 -- samples of the chip

local file_of, to, wait, block, set_up = handmade.file_of, handmade.to, handmade.wait, handmade.block, handmade.set_up
local pitch, key, note, copy, identity = handmade.pitch, handmade.key, handmade.note, handmade.copy, handmade.identity

-- The patch as played with its carriers so many steps quieter.
local function quieter(patch, steps)
  local twin = copy(patch)
  for _, operator in ipairs(ym.patch.carriers(patch.algorithm)) do
    twin[operator].tl = math.min(127, twin[operator].tl + steps)
  end
  return twin
end

describe("vgm, heard", function()
  local folder, path

  setup(function()
    folder = support.new_folder()
    path = folder .. "/a.vgm"
  end)

  teardown(function()
    support.remove_folder(folder)
  end)

  -- Writes a file and hands its path on.
  local function written(bytes)
    support.write_file(path, bytes)
    return path
  end

  describe("mine", function()
    it("gives back exactly the patches of an audition", function()
      local list = handmade.patches(40, 5)
      assert(ym.vgm.write(path, list, { note = { 48, 60.5 }, held = 0.02, release = 0.02 }))
      local found = assert(ym.vgm.mine(path))
      assert.equal(#list, #found)
      for i, entry in ipairs(found) do
        assert.equal(identity(list[i]), identity(entry.patch))
        assert.equal(2, #entry.heard)
        for at, expected in ipairs { 48, 60.5 } do
          local heard = entry.heard[at]
          assert.same({ path, 1, 0 }, { heard.path, heard.channel, heard.quieter })
          assert.is_true(math.abs(heard.note - expected) < 0.02)
        end
      end
    end)

    it("takes the volume away that a driver adds", function()
      local list = handmade.patches(2, 7)
      list[1].algorithm, list[2].algorithm = 5, 4
      local first = list[1]
      local commands = {}
      for i, steps in ipairs { 20, 0, 7, 100 } do
        commands[i] = note(quieter(first, steps), i)
      end
      commands[5] = note(list[2], 2)
      local unlike = copy(first) -- no common offset
      unlike[2].tl = unlike[2].tl + 5
      commands[6] = note(unlike, 6)
      local source = written(file_of(table.concat(commands) .. "\x66"))
      local found = assert(ym.vgm.mine(source))
      assert.equal(3, #found)
      assert.equal(identity(first), identity(found[1].patch))
      local steps, channels = {}, {}
      for i, heard in ipairs(found[1].heard) do
        steps[i], channels[i] = heard.quieter, heard.channel
      end
      assert.same({ 20, 0, 7 }, { table.unpack(steps, 1, 3) })
      assert.same({ 1, 2, 3 }, { table.unpack(channels, 1, 3) })
      assert.equal(identity(list[2]), identity(found[2].patch))
      assert.equal(identity(unlike), identity(found[3].patch))
      assert.is_true(#assert(ym.vgm.mine(source, { keep_levels = true })) >= 5)
    end)

    it("takes patches that sound the same as one", function()
      local patch = copy(support.PATCH)
      local twin = copy(patch)
      twin.fms, twin[1].ssg = 5, 3 -- without the LFO and below 8, nothing
      local found = assert(ym.vgm.mine(written(file_of(note(patch, 1) .. note(twin, 4) .. note(patch, 5) .. "\x66"))))
      assert.equal(1, #found)
      assert.same({ 1, 4, 5 }, { found[1].heard[1].channel, found[1].heard[2].channel, found[1].heard[3].channel })
      assert.equal(identity(patch), identity(found[1].patch))
    end)

    it("hears a note where a key goes down, of the operators whose key does", function()
      local patch = support.PATCH
      local commands = set_up(patch, 3) .. pitch(3) .. key(3, 0xF0) .. wait(5) .. key(3, 0xF0) .. wait(5) .. key(3)
        .. key(3, 0x30) .. wait(5) .. key(3) .. to(0, 0x28, 3 | 0xF0)
      local found = assert(ym.vgm.mine(written(file_of(commands .. "\x66"))))
      assert.equal(2, #found)
      assert.equal(identity(patch), identity(found[1].patch))
      assert.same({ { path = path, time = 0, channel = 3, note = 69, quieter = 0 } }, found[1].heard)
      local part = copy(patch)
      part[3].tl, part[4].tl = 127, 127
      assert.equal(identity(part), identity(found[2].patch))
    end)

    it("hears no note of channel 6 while it plays samples, and none that is silent", function()
      local silent = quieter(support.PATCH, 127)
      local commands = to(0, 0x2B, 0x80) .. note(support.PATCH, 6) .. note(silent, 1)
      local found, message, kind = ym.vgm.mine(written(file_of(commands .. "\x66")))
      assert.is_nil(found)
      assert.equal(path .. ": no note is played on a YM2612", message)
      assert.equal("input", kind)
      assert.equal(1, #assert(ym.vgm.mine(written(file_of(commands .. to(0, 0x2B, 0) .. note(support.PATCH, 6))))))
    end)

    it("searches several files as one", function()
      local list, other = handmade.patches(3, 9), folder .. "/other.vgm"
      assert(ym.vgm.write(path, { list[1], quieter(list[2], 9) }, { held = 0.01, release = 0 }))
      assert(ym.vgm.write(other, { list[2], list[3] }, { held = 0.01, release = 0 }))
      local found = assert(ym.vgm.mine { path, other })
      assert.equal(3, #found)
      for i, entry in ipairs(found) do
        assert.equal(identity(list[i]), identity(entry.patch))
      end
      assert.same({ path, other }, { found[2].heard[1].path, found[2].heard[2].path })
      assert.is_nil((ym.vgm.mine { path, folder .. "/none.vgm" }))
      assert.is_nil((ym.vgm.mine {}))
      assert.error_matches(function() ym.vgm.mine { path, 5 } end, "path 2 is number")
      assert.error_matches(function() ym.vgm.mine(path, { loud = true }) end, "unknown option 'loud'")
    end)
  end)

  describe("render", function()
    local tone = note(support.PATCH, 2)

    it("plays both sides, at the chip's rate or another", function()
      local commands = tone .. to(0, 0xB5, 0x80) .. key(2, 0xF0) .. wait(4410) .. "\x66"
      local samples, rate, notes = assert(ym.vgm.render(written(file_of("\x50\x9F" .. commands))))
      assert.equal(53267, rate)
      assert.same({ math.floor(4610 * PER_TICK), 2 }, samples:shape())
      assert.same({ "the PSG is not played" }, notes)
      local left, right = 0, 0
      for i = 2000, #samples do
        left, right = math.max(left, samples:get(i, 1)), math.max(right, samples:get(i, 2))
      end
      assert.is_true(left > 0.05 and right < 0.01)
      samples, rate = assert(ym.vgm.render(path, { rate = 44100 }))
      assert.same({ 44100, 2 }, { rate, #samples:shape() })
      assert.is_true(math.abs(#samples - 4610) <= 2)
      local raw = assert(ym.vgm.render(path, { raw = true, chip = "ym3438" }))
      assert.equal("i32", raw:type())
      assert.equal(0, raw:get(1, 1))
    end)

    it("repeats what a file repeats, and no longer than it is told", function()
      local head = file_of("")
      local bytes = file_of(tone .. wait(1000) .. tone .. "\x66", { [0x1C] = #head + #tone + 3 - 0x1C })
      written(bytes)
      local ticks = 200 + 1000 + 200
      for loops = 1, 3 do
        local samples = assert(ym.vgm.render(path, { loops = loops }))
        assert.equal(math.floor((ticks + (loops - 1) * 200) * PER_TICK), #samples)
      end
      local samples, _, notes = assert(ym.vgm.render(path, { longest = 0.01, loops = 100 }))
      assert.equal(math.floor(441 * PER_TICK), #samples)
      assert.same({ "what comes after 0.01 seconds is left out" }, notes)
    end)

    it("adds blocks of samples once, however often they are repeated", function()
      local head = file_of("")
      local commands = block(0, "\xFF\xC0") .. to(0, 0x2B, 0x80) .. "\xE0" .. string.pack("<I4", 2) .. "\x8F\x66"
      written(file_of(commands, { [0x1C] = #head - 0x1C }))
      local samples = assert(ym.vgm.render(path, { loops = 3 }))
      for i = 1, #samples do
        assert.equal(0, samples:get(i, 1))
      end
    end)

    it("plays at the clock and on the chip of the file", function()
      local pal = written(file_of(tone .. "\x66", { [0x2C] = 7600489 | 1 << 31 }))
      local samples, rate = assert(ym.vgm.render(pal, { raw = true }))
      assert.equal(52781, rate)
      assert.equal(0, samples:get(1, 1)) -- the YM3438's rest
    end)

    it("lags behind a burst of writes, and loses none", function()
      local burst = to(0, 0x2A, 0x80):rep(4000)
      local held = set_up(support.PATCH, 2) .. pitch(2) .. key(2, 0xF0) .. wait(4410) .. "\x66"
      local samples = assert(ym.vgm.render(written(file_of(burst .. held)), { raw = true }))
      local plain = assert(ym.vgm.render(written(file_of(held)), { raw = true }))
      assert.equal(#plain, #samples)
      assert.equal(72, samples:get(3900, 1))
      local loudest = 0
      for i = 4000, #samples do
        loudest = math.max(loudest, math.abs(samples:get(i, 1) - 72))
      end
      assert.is_true(loudest > 20)
    end)

    it("fails where there is nothing to hear", function()
      for _, commands in ipairs { "\x66", wait(5) .. "\x66", to(0, 0x28, 0) .. "\x66" } do
        local samples, message, kind = ym.vgm.render(written(file_of(commands)))
        assert.is_nil(samples)
        assert.equal(path .. ": plays nothing on a YM2612", message)
        assert.equal("input", kind)
      end
    end)

    it("raises for wrong options", function()
      written(file_of(tone .. "\x66"))
      for _, options in ipairs { { chip = "ym2151" }, { loops = 0 }, { rate = 10 }, { longest = -1 }, { held = 1 },
        { raw = true, rate = 44100 } } do
        assert.error_matches(function() ym.vgm.render(path, options) end, "bad argument #2 to 'render'")
      end
    end)
  end)

  describe("the command", function()
    local function run(command)
      return support.run("lua5.4 lua/ym2612ml/cli.lua " .. command, folder)
    end

    local inner

    before_each(function()
      inner = support.new_folder()
    end)

    after_each(function()
      support.remove_folder(inner)
    end)

    it("writes an audition, mines it, and plays it", function()
      assert(ym.patch.write(inner .. "/lead.y12", support.PATCH))
      assert(ym.patch.write(inner .. "/pluck.y12", support.PLUCK))
      local out, complaint, status = support.run("lua5.4 lua/ym2612ml/cli.lua vgm @ -o @/new/two.vgz --note C4,A4 "
        .. "--held 0.1 --release 0.1 --title Two --pal", inner)
      assert.equal(0, status, complaint)
      assert.is_truthy(out:find("C4%s+lead\n") and out:find("A4%s+pluck\n"), out)
      local _, header, tags = assert(ym.vgm.read(inner .. "/new/two.vgz"))
      assert.equal(7600489, header.clock)
      assert.equal("Two", tags.track)
      assert.equal("1. lead\n2. pluck", tags.notes)
      out, complaint, status = support.run("lua5.4 lua/ym2612ml/cli.lua mine @/new/two.vgz -o @/found", inner)
      assert.equal(0, status, complaint)
      assert.is_truthy(out:find("two_01"), out)
      local first, second = ym.patch.read(inner .. "/found/two_01.y12"), ym.patch.read(inner .. "/found/two_02.y12")
      assert.equal(identity(support.PATCH), identity(first))
      assert.equal(identity(support.PLUCK), identity(second))
      _, complaint, status = support.run("lua5.4 lua/ym2612ml/cli.lua render @/new/two.vgz -o @/two.wav", inner)
      assert.equal(0, status, complaint)
      local sound = assert(ym.audio.read(inner .. "/two.wav"))
      assert.equal(2, sound.channels)
      assert.equal(44100, sound.rate)
      assert.is_true(math.abs(sound.seconds - header.ticks / 44100) < 0.01)
    end)

    it("tells what is wrong, and goes on with the next file", function()
      local _, complaint, status = run("vgm @ -o @/a.mid")
      assert.equal(2, status)
      assert.is_truthy(complaint:find("a.mid, expected .vgm or .vgz", 1, true), complaint)
      written("nothing")
      _, complaint, status = run("mine @/a.vgm -o @")
      assert.equal(1, status)
      assert.is_truthy(complaint:find("a.vgm: not a VGM", 1, true), complaint)
      written(file_of(note(support.PATCH, 1)))
      _, complaint, status = run("mine @/none.vgm @/a.vgm -o @/mined --to dmp")
      assert.equal(1, status)
      assert.is_truthy(complaint:find("none.vgm", 1, true), complaint)
      assert.is_truthy(complaint:find("a.vgm: the file ends before its commands do", 1, true), complaint)
      assert.is_truthy(ym.patch.read(folder .. "/mined/a_01.dmp"))
      written(file_of(wait(5) .. "\x66"))
      _, complaint, status = run("render @/a.vgm -o @/b.wav")
      assert.equal(1, status)
      assert.is_truthy(complaint:find("a.vgm: plays nothing on a YM2612", 1, true), complaint)
    end)
  end)
end)
