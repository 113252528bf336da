-- Threads, forks, signals and states that end early, through the host in spec/faults (built
-- by make test). make tsan runs the same for longer, and watched.
local lfs = require "lfs"
local support = require "spec.support"

local HOST = ".build/faults/threads"
local WORKS = "spec/faults/works.lua"
local answers = lfs.attributes(HOST, "mode") and it or function(name)
  pending(name .. " (there is no " .. HOST .. ": make builds it)")
end

-- Runs the host with the core of this process; returns what it said and its exit status.
local function host(...)
  local command = ("LUA_PATH='%s' LUA_CPATH='%s' timeout 100 %s %s 2>&1"):format(
    package.path, package.cpath, HOST, table.concat({ ... }, " "))
  local pipe = assert(io.popen(command))
  local text = pipe:read("a")
  local _, _, status = pipe:close()
  return text, status
end

describe("the module in a host", function()
  answers("gives eight threads what each gets alone", function()
    local text, status = host("mix", WORKS, 2, 1)
    assert.equal(0, status, text)
    assert.is_truthy(text:find("faults 0", 1, true), text)
  end)

  answers("works on in a forked child, and in its parent", function()
    local text, status = host("fork", WORKS)
    assert.equal(0, status, text)
  end)

  answers("neither fails nor answers otherwise for signals, which are the host's", function()
    local text, status = host("signals", WORKS, 1)
    assert.equal(0, status, text)
    assert.is_truthy(tonumber(text:match("signals (%d+)")) > 100, text)
  end)
end)

-- Beginnings of steps; folder is empty, and next_step is what is left half done.
local HALF_DONE = {
  estimate = [[next_step = ym.estimate_steps(sound, { note = 57, renders = 400 })]],
  dataset = [[next_step = ym.dataset.steps { output = folder .. "/set", count = 64, shard_records = 16 }]],
  synths = [[next_step = ym.synths.steps { synth = assert(ym.synths.get("simple_fm")),
    output = folder .. "/set", count = 64, shard_records = 16 }]],
  train = [[
    local net = ym.nn.graph(function(g)
      local out = ym.nn.dense(g:input("x", { 6 }), 2)
      return { out = out, loss = out:mse(g:input("target", { 2 })) }
    end)
    next_step = ym.train.steps(net, { x = ym.tensor.new { 64, 6 }, target = ym.tensor.new { 64, 2 } },
      { epochs = 9, batch = 8 })]],
  space = [[
    local tiny = require "spec.tiny_space"
    next_step = ym.space.steps(tiny.options(folder .. "/space"))]],
  copies = [[next_step = ym.space.duplicates(assert(ym.space.shipped()),
    { patches = require("spec.tiny_space").patches(8, 1), count = 300 })]],
  search = [[
    local target = ym.target.new(samples)
    local search = ym.search.new { { target = target, held = 0.3 } }
    search:take("ym2612", { 57, 0.3 })
    search:add(ym.patch.pack { require("spec.support").PATCH })
    next_step = function() search:evolve(16) return search end]],
  audio = [[
    local files = coroutine.wrap(function()
      for path, matches in ym.estimate_each({ "examples/samples/marimba_A4.flac", "nowhere.wav" }, { renders = 16 }) do
        coroutine.yield(path, matches)
      end
    end)
    next_step = files]],
}

describe("a state that is closed in the middle of a step's iterator", function()
  for name, beginning in pairs(HALF_DONE) do
    answers("leaves no thread, no open file and no half file: " .. name, function()
      local folder, script = support.new_folder(), os.tmpname()
      support.write_file(script, ([[
        local ym = require "ym2612ml"
        local folder = %q
        ym.threads(3)
        local samples, rate = ym.render(require("spec.support").PLUCK, { note = 57, held = 0.3, release = 0.1 })
        local sound = { samples = samples, rate = rate }
        %s
        local step, message = next_step()
        assert(step, message)
        held = { step, coroutine.wrap(function(...) coroutine.yield(...) end) }
        held[2](next_step)
        return type(step)]]):format(folder, beginning))
      local text, status = host("close", script)
      local left = support.snapshot(folder)
      support.remove_folder(folder)
      os.remove(script)
      assert.equal(0, status, text)
      assert.is_truthy(text:find("threads left 0, files left open 0", 1, true), text)
      for path in pairs(left) do
        assert.is_nil(path:find(".ym2612ml-", 1, true), path)
      end
    end)
  end
end)
