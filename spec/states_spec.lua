-- Several Lua states at once, through the host in spec/faults (built by make test).
local lfs = require "lfs"

local HOST = ".build/faults/threads"

-- Runs the host on a script; returns its lines and exit status.
local function run_host(script, states)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write([[
    package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
    package.cpath = "./lua/?.so;" .. package.cpath
    local ym = require "ym2612ml"
    local function patch(algorithm)
      local p = { algorithm = algorithm, feedback = 5 }
      for i = 1, 4 do
        p[i] = { mul = i, dt = 0, tl = 8 * i, rs = 0, ar = 31, dr = 8, sr = 2, rr = 7, sl = 3 }
      end
      return p
    end
  ]] .. script)
  file:close()
  local pipe = assert(io.popen(("%s same %s %d 2>&1"):format(HOST, path, states)))
  local lines = {}
  for line in pipe:lines() do
    lines[#lines + 1] = line
  end
  local _, _, status = pipe:close()
  os.remove(path)
  return lines, status
end

local answers = lfs.attributes(HOST, "mode") and it or pending

describe("eight states on eight threads", function()
  answers("render the same samples", function()
    local lines, status = run_host([[
      local crc = 0
      for i = 0, 15 do
        local samples = ym.render(patch(i % 8), { note = 40 + i, held = 0.1, raw = true })
        crc = ym.crc32(samples:bytes(), crc)
      end
      return ("%08x"):format(crc)]], 8)
    assert.equal(0, status, table.concat(lines, "\n"))
    assert.equal(8, #lines)
  end)

  answers("plan and measure spectra at the same time", function()
    local lines, status = run_host([[
      local sound = ym.render(patch(4), { note = 60, held = 0.2, release = 0.1 })
      local other = ym.render(patch(5), { note = 60, held = 0.2, release = 0.1 })
      local text = {}
      for size = 256, 4096, 256 do
        local mel = assert(ym.mel(sound, { rate = 53267, size = size, bands = 16, hop = size }))
        text[#text + 1] = ("%.4f"):format(mel:get(1, 4))
      end
      text[#text + 1] = ("%.5f"):format(assert(ym.distance(sound, other)))
      return ("%08x"):format(ym.crc32(table.concat(text, " ")))]], 8)
    assert.equal(0, status, table.concat(lines, "\n"))
  end)

  answers("have threads of their own, as many as each asks for", function()
    local lines, status = run_host([[
      ym.threads(3)
      local patches = {}
      for i = 1, 32 do patches[i] = patch(i % 8) end
      local target = ym.target.new((ym.render(patch(2), { note = 60, held = 0.05, release = 0 })))
      local distances = ym.batch.distances(ym.patch.pack(patches), target,
        { note = 60, held = 0.05, release = 0 })
      return ("%08x"):format(ym.crc32(distances:bytes()))]], 8)
    assert.equal(0, status, table.concat(lines, "\n"))
  end)

  answers("fail each for itself", function()
    local lines, status = run_host([[
      local ok, message = pcall(ym.render, { algorithm = 9 })
      collectgarbage()
      return tostring(ok) .. message:match("%(.*")]], 8)
    assert.equal(0, status, table.concat(lines, "\n"))
    assert.is_truthy(lines[1]:find("false"), lines[1])
    assert.is_truthy(lines[1]:find("algorithm"), lines[1])
  end)

  answers("close with work half done", function()
    local _, status = run_host([[
      local chip = ym.chip.new()
      chip:write(0, 0x28, 0xF0)
      chip:run(100)
      held = { chip, ym.tensor.new({ 1000, 100 }):slice(2, 3) }
      return "closed"]], 8)
    assert.equal(0, status)
  end)
end)
