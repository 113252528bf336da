-- Programs that nobody here wrote, which embed Lua 5.4 and load the module.
local servers = require "spec.hosts.server"
local support = require "spec.support"
local ym = require "ym2612ml"

local PATHS = 'LUA_PATH="./lua/?.lua;./lua/?/init.lua;;" LUA_CPATH="./lua/?.so;;" '

-- Renders, and gives a checksum of the samples, in whatever host runs it.
local SCRIPT = [[
  local ym = require "ym2612ml"
  local patch = { algorithm = 4, feedback = 5 }
  for i = 1, 4 do
    patch[i] = { mul = i, dt = 0, tl = 8 * i, rs = 0, ar = 31, dr = 8, sr = 2, rr = 7, sl = 3 }
  end
  local function checksum()
    return ("%08x"):format(ym.crc32(ym.render(patch, { note = 60, held = 0.2, raw = true }):bytes()))
  end
]]

describe("other programs with Lua", function()
  local folder, expected

  lazy_setup(function()
    expected = assert(load(SCRIPT .. "return checksum()"))()
  end)

  before_each(function()
    folder = support.new_folder()
  end)

  after_each(function()
    support.remove_folder(folder)
  end)

  -- A test that waits for a program to be installed.
  local function with(program, name, test)
    if servers.find(program) then
      it(name, test)
    else
      pending(name .. ": " .. program .. " is not installed")
    end
  end

  with("gnuplot", "renders inside gnuplot, as a terminal", function()
    support.write_file(folder .. "/terminal.lua", SCRIPT .. [[
      io.write("<" .. checksum() .. ">")
      io.flush()
      term = {}
      local functions = { "options", "init", "graphics", "text", "move", "vector", "point", "arrow", "path",
        "put_text", "justify_text", "text_angle", "linewidth", "linetype", "pointsize", "fillbox",
        "filled_polygon", "reset", "set_color", "set_font", "make_palette", "previous_palette", "image",
        "layer" }
      for _, name in ipairs(functions) do
        term[name] = function() return 1 end
      end]])
    support.write_file(folder .. "/file", ("set terminal lua '%s/terminal.lua'\n"):format(folder))
    local out, complaint = support.run(PATHS .. "gnuplot @/file", folder)
    assert.equal("<" .. expected .. ">", out, complaint)
  end)

  -- The solver's program has a fact that the script computes.
  with("clingo", "renders inside clingo, as a term", function()
    support.write_file(folder .. "/program", "#script (lua)\n" .. SCRIPT .. [[
      local clingo = require "clingo"
      function sum()
        return clingo.String("<" .. checksum() .. ">")
      end
      #end.
      is(@sum()).]])
    local out, complaint = support.run(PATHS .. "clingo @/program", folder)
    assert.truthy(out:find('is("<' .. expected .. '>")', 1, true), out .. complaint)
  end)

  with("neomutt", "renders inside neomutt", function()
    support.write_file(folder .. "/script.lua", SCRIPT .. ([[
      local file <close> = assert(io.open("%s/sum", "w"))
      file:write("<" .. checksum() .. ">")]]):format(folder))
    support.write_file(folder .. "/file", ("lua-source %s/script.lua\n"):format(folder))
    local _, complaint = support.run(PATHS .. "HOME=@ neomutt -n -F @/file -D", folder)
    assert.equal("<" .. expected .. ">", support.read_file(folder .. "/sum"), complaint)
  end)
end)

describe("the example for lighttpd", function()
  local folder, server
  local missing = servers.missing()
  if missing then
    pending("renders posted patches: " .. missing)
    return
  end

  lazy_setup(function()
    folder = support.new_folder()
    server = servers.start(folder)
  end)

  lazy_teardown(function()
    if server then
      server:stop()
    end
    support.remove_folder(folder)
  end)

  -- Posts bytes; the answer and its status.
  local function post(bytes, query)
    support.write_file(folder .. "/posted", bytes)
    return server:post(folder .. "/posted", query)
  end

  it("answers a patch of any format with its note", function()
    local samples, rate = ym.render(support.PATCH,
      { note = 48, held = 0.3, release = 0.1, rate = 32000, chip = "ym3438" })
    local expected = assert(ym.audio.encode(samples, rate))
    for _, format in ipairs { "y12", "tfi", "fui", "wopn", "text" } do
      local answer, status = post(ym.patch.encode(support.PATCH, format),
        "?note=48&held=0.3&release=0.1&rate=32000&chip=ym3438")
      assert.equal(200, status, format)
      assert.is_true(answer == expected, format)
    end
  end)

  it("refuses what is no patch, or asked for wrongly, and says why", function()
    local patch = ym.patch.encode(support.PATCH, "tfi")
    for _, case in ipairs {
      { "not a patch", "", 400, "of no known patch format" },
      { "", "", 400, "of no known patch format" },
      { ("\0\255"):rep(30000), "", 400, "of no known patch format" },
      { patch, "?note=200", 400, "note is 200, expected 0..115" },
      { patch, "?held=nan", 400, "held is nan" },
      { patch, "?chip=sid", 400, "chip=sid is not known" },
      { patch:rep(2000), "", 413, "" },
    } do
      local answer, status = post(case[1], case[2])
      assert.equal(case[3], status, answer)
      assert.truthy(answer:find(case[4], 1, true), answer)
    end
  end)

  it("ends in order, with nothing to complain of", function()
    local log = server:stop()
    server = nil
    assert.truthy(log:find("server stopped", 1, true), log)
    assert.is_nil(log:find("lua:", 1, true), log)
    local files = support.listed(folder)
    assert.same({ "answer", "lighttpd.conf", "log", "posted" }, files)
  end)
end)
