-- What a program that loads the module may rely on, however its process and threads are set
-- up: through spec/faults/manners.c (built by make test) and in processes of their own.
local lfs = require "lfs"
local session = require "spec.hosts.session"
local support = require "spec.support"
local ym = require "ym2612ml"

local MANNERS = ".build/faults/manners"
local PATHS = [[
  package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
  package.cpath = "./lua/?.so;" .. package.cpath
]]

describe("in a host", function()
  local folder, expected, told
  local runs = lfs.attributes(MANNERS, "mode") and it or pending

  setup(function()
    folder = support.new_folder()
    assert(lfs.mkdir(folder .. "/expected"))
    told = session.run(folder .. "/expected")
    expected = support.snapshot(folder .. "/expected")
  end)

  before_each(function()
    assert(lfs.mkdir(folder .. "/out"))
  end)

  after_each(function()
    support.remove_folder(folder .. "/out")
  end)

  teardown(function()
    support.remove_folder(folder)
  end)

  -- Runs a script, with the folder for its argument, by a command.
  local function run(command, script)
    support.write_file(folder .. "/script.lua", PATHS .. script)
    return support.run(command .. " @/script.lua @/out", folder)
  end

  -- The session by a command: it must tell, and write, what it does here.
  local function same_session(command, script)
    local out, complaint, status = run(command, script or [[return require "spec.hosts.session".run(...)]])
    assert.equal(0, status, out .. complaint)
    assert.equal(told .. "\n", out)
    support.assert_same_files(expected, folder .. "/out")
  end

  runs("leaves signals, files, locale and all else of the process as they were", function()
    same_session(MANNERS)
  end)

  runs("does nothing when it is loaded", function()
    local out, complaint, status = run(MANNERS, [[
      local before = {}
      for name in pairs(_G) do before[name] = true end
      require "ym2612ml"
      for name in pairs(_G) do assert(before[name], name) end
      return "quiet"]])
    assert.equal(0, status, complaint)
    assert.equal("quiet\n", out)
    assert.equal("", complaint)
    assert.same({}, support.listed(folder .. "/out"))
  end)

  local measures = lfs.attributes("/proc/self/status", "mode") and it or pending
  -- What is made again and again, how often, and how large all of it would be, in MiB.
  for _, case in ipairs {
    { "ym.target.new(samples)", 600, 235 }, -- only in the holes that glibc's aligned_alloc leaves
    { "ym.distance(samples, other)", 100, 212 },
    { 'ym.features.new { { kind = "mel", size = 65536, bands = 8, on = { 0.01 } } }', 100, 148 },
  } do
    measures("has no memory piling up of " .. case[1], function()
      local out, complaint, status = run("lua5.4", ([[
        local support = require "spec.support"
        local ym = require "ym2612ml"
        local note = { note = 57, held = 2, release = 1 }
        local samples, other = ym.render(support.PATCH, note), ym.render(support.PLUCK, note)
        local before = support.memory()
        for _ = 1, %d do
          local made = %s
          assert(made)
        end
        print((support.memory() - before) // 1024)]]):format(case[2], case[1]))
      assert.equal(0, status, out .. complaint)
      assert.is_true(tonumber(out) < case[3] / 3, out)
    end)
  end

  runs("works on a stack of 128 KiB", function()
    same_session(MANNERS .. " -k 128")
  end)

  runs("refuses deep JSON on a stack of 128 KiB", function()
    local out, complaint, status = run(MANNERS .. " -k 128", [[
      local ym = require "ym2612ml"
      local folder = ...
      local function refused(name, bytes, read)
        local file <close> = assert(io.open(folder .. "/" .. name, "wb"))
        file:write(bytes)
        file:close()
        local _, message, kind = read(folder .. "/" .. name)
        assert(kind == "format" and message:find(name, 1, true), message)
      end
      for _, depth in ipairs { 60, 1000, 1000000 } do
        for _, pair in ipairs { { "[", "]" }, { '{"a":', "}" } } do
          local text = pair[1]:rep(depth) .. "1" .. pair[2]:rep(depth)
          refused("prior.json", text, ym.prior.read)
          refused("index.json", text, ym.rom.read_index)
          refused("net.safetensors", string.pack("<s8", '{"a":' .. text .. "}"), ym.nn.load)
        end
      end
      return "refused"]])
    assert.equal(0, status, out .. complaint)
    assert.equal("refused\n", out)
  end)

  runs("gives the same where small numbers are zero, as in audio programs", function()
    same_session(MANNERS .. " -f")
  end)

  -- Numbers are then not what they are elsewhere, but for the chip's, which are whole.
  runs("plays the same, and matches, with another direction of rounding", function()
    local script = [[
      local support = require "spec.support"
      local ym = require "ym2612ml"
      local sum = ym.crc32(ym.render(support.PATCH, { note = 60, held = 0.3, raw = true }):bytes())
      local samples, rate = ym.render(support.PATCH, { note = 60, held = 0.3, rate = 44100 })
      assert(ym.estimate({ samples = samples, rate = rate }, { note = 60, renders = 64 })[1])
      return sum]]
    local sum = ym.crc32(ym.render(support.PATCH, { note = 60, held = 0.3, raw = true }):bytes())
    for _, direction in ipairs { "up", "down", "zero" } do
      local out, complaint, status = run(MANNERS .. " -r " .. direction, script)
      assert.equal(0, status, out .. complaint)
      assert.equal(sum .. "\n", out)
    end
  end)

  describe("whose numbers have a comma", function()
    local locale

    setup(function()
      support.write_file(folder .. "/comma", 'LC_NUMERIC\ndecimal_point ","\nthousands_sep "."\ngrouping 3;3\n'
        .. "END LC_NUMERIC\n")
      support.run("localedef -c -i @/comma @/xx_XX", folder)
      local out = support.run("LOCPATH=@ LC_ALL=xx_XX lua5.4 -e \"os.setlocale([[xx_XX]]) print(1.5)\"", folder)
      locale = out == "1,5\n"
    end)

    -- Set before the module is loaded, or after.
    for when, script in pairs {
      before = [[assert(os.setlocale("xx_XX"))
        print(require "spec.hosts.session".run(...))]],
      after = [[local session = require "spec.hosts.session"
        assert(os.setlocale("xx_XX"))
        print(session.run(...))]],
      between = [[local session = require "spec.hosts.session"
        assert(os.setlocale("xx_XX"))
        require "ym2612ml.json".decode("[0.5]")
        assert(os.setlocale("C"))
        print(session.run(...))]],
    } do
      it("reads and writes files as others do, when that is set " .. when, function()
        if not locale then
          pending("localedef makes no locale here")
        end
        same_session("LOCPATH=@ lua5.4", script)
      end)
    end
  end)
end)
