-- What holds for the whole tree: who includes whom, what the module exports, and that
-- the API, its annotations and the README name the same things.
local lfs = require "lfs"
local support = require "spec.support"
local tiny = require "spec.tiny_space"
local ym = require "ym2612ml"

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function output_of(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read("a")
  pipe:close()
  return text
end

-- All files below a folder with this ending, by path.
local function files_below(folder, ending, found)
  found = found or {}
  for name in lfs.dir(folder) do
    local path = folder .. "/" .. name
    if name:sub(1, 1) ~= "." then
      if lfs.attributes(path, "mode") == "directory" then
        files_below(path, ending, found)
      elseif name:find("%." .. ending .. "$") then
        found[path] = read(path)
      end
    end
  end
  return found
end

-- C without comments and strings.
local function code_of(text)
  return (text:gsub("/%*.-%*/", " "):gsub("//[^\n]*", ""):gsub('\\"', ""):gsub('"[^"\n]*"', '""'))
end

local function includes_of(text)
  local includes = {}
  for name in text:gmatch('#%s*include%s*[<"]([^>"]+)[>"]') do
    includes[name] = true
  end
  return includes
end

describe("the C sources", function()
  local sources = {}
  for _, ending in ipairs { "c", "h" } do
    files_below("src", ending, sources)
  end

  it("keep each library behind one file", function()
    local owners = {
      ["lua.h"] = "^src/[%l/]*lua_", ["lauxlib.h"] = "^src/[%l/]*lua_", ["lualib.h"] = "^src/[%l/]*lua_",
      ["mpi.h"] = "^src/mpi/ranks%.h$",
      ["fftw3.h"] = "^src/fft%.c$", ["sndfile.h"] = "^src/audio%.c$",
      ["samplerate.h"] = "^src/audio%.c$", ["cblas.h"] = "^src/blas%.h$",
      ["jack/jack.h"] = "^src/live/client%.c$", ["jack/midiport.h"] = "^src/live/client%.c$",
    }
    for path, text in pairs(sources) do
      for name in pairs(includes_of(text)) do
        if owners[name] then
          assert.is_truthy(path:find(owners[name]), path .. " includes " .. name)
        end
      end
    end
  end)

  it("know only what lies below them", function()
    local below = { -- files, by pattern, and headers of ours that they must not see
      { "^src/[^l][^/]*$", { "lua_ym.h" } },
      { "^src/%l+/[^l][^/]*$", { "../lua_ym.h" } },
      { "^src/opn2", { "patch.h", "voice.h", "batch.h", "spectrum.h", "graph.h" } },
      { "^src/slot", { "opn2.h", "patch.h", "voice.h" } },
      { "^src/voice", { "batch.h", "spectrum.h", "feature.h", "distance.h", "graph.h" } },
      { "^src/patch", { "voice.h", "batch.h", "spectrum.h", "graph.h" } },
      { "^src/graph", { "opn2.h", "patch.h", "voice.h", "batch.h", "spectrum.h", "audio.h" } },
      { "^src/op[_.]", { "opn2.h", "patch.h", "voice.h", "batch.h", "spectrum.h", "optim.h" } },
      { "^src/fft", { "spectrum.h", "distance.h", "feature.h" } },
      { "^src/spectrum", { "feature.h", "distance.h", "batch.h", "patch.h", "voice.h" } },
      { "^src/feature", { "distance.h", "batch.h", "patch.h", "voice.h" } },
      { "^src/distance", { "feature.h", "batch.h", "patch.h", "voice.h" } },
      { "^src/[^/]+$", { "live/client.h", "live/engine.h", "live/lua_live.h", "live/resample.h", "live/send.h" } },
      { "^src/live/[^l]", { "lua_ym.h", "live/lua_live.h" } },
      { "^src/live/[ers]", { "live/client.h" } },
      { "^src/live/r", { "live/engine.h", "patch.h", "voice.h" } },
    }
    for path, text in pairs(sources) do
      local includes = includes_of(text)
      for _, rule in ipairs(below) do
        for _, header in ipairs(path:find(rule[1]) and rule[2] or {}) do
          assert.is_nil(includes[header], path .. " includes " .. header)
        end
      end
    end
  end)

  it("neither print nor exit", function()
    for path, text in pairs(sources) do
      for _, call in ipairs { "printf", "fprintf", "puts", "putchar", "perror", "exit",
        "abort", "assert", "rand", "srand", "system" } do
        assert.is_nil(code_of(text):find("%f[%w_]" .. call .. "%s*%("), path .. " calls " .. call)
      end
    end
  end)

  it("hold no state outside a lua_State", function()
    for path, text in pairs(sources) do
      for line in code_of(text):gmatch("[^\n]+") do
        local static = line:match("^%s*static%s+(.*)$")
        local variable = static and not static:find("^inline") and not static:find("%(")
          and not static:find("%f[%w]const%f[%W]")
        assert.is_falsy(variable, path .. " has a mutable static: " .. line)
      end
    end
  end)
end)

describe("the module", function()
  it("exports one symbol", function()
    local symbols = output_of("nm -D --defined-only lua/ym2612ml/core.so")
    local names = {}
    for name in symbols:gmatch("%x+ %u ([^\n]+)") do
      names[#names + 1] = name
    end
    assert.same({ "luaopen_ym2612ml_core" }, names)
  end)

  it("loads without a word, a global, or a thread", function()
    local script = [[
      package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
      package.cpath = "./lua/?.so;" .. package.cpath
      local before = {}
      for name in pairs(_G) do before[name] = true end
      require "ym2612ml"
      for name in pairs(_G) do if not before[name] then print("global " .. name) end end
      for line in io.lines("/proc/self/status") do
        if line:find("^Threads:") and not line:find("%s1$") then print(line) end
      end]]
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(script)
    file:close()
    assert.equal("", output_of("lua5.4 " .. path))
    os.remove(path)
  end)

  it("uses the instructions the CPU has, or fewer when told so", function()
    local before = ym.simd()
    finally(function() ym.simd(before) end)
    assert.equal("baseline", ym.simd("baseline"))
    assert.equal("baseline", ym.simd())
    assert.has_error(function() ym.simd("mmx") end, "bad argument #1 to 'simd' (invalid option 'mmx')")
  end)

  it("works with as many threads as there are processors, until told otherwise", function()
    local before = ym.threads()
    finally(function() ym.threads(before) end)
    local fresh = output_of([[lua5.4 -e 'package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
      package.cpath = "./lua/?.so;" .. package.cpath
      print(require "ym2612ml".threads())']])
    local processors = tonumber(output_of("getconf _NPROCESSORS_ONLN"))
    assert.equal(math.min(processors, 64), tonumber(fresh), fresh)
    assert.equal(64, ym.threads(64))
    assert.equal(64, ym.threads())
    for _, wrong in ipairs { 0, 65, 1.5, "many" } do
      assert.has_error(function() ym.threads(wrong) end)
    end
  end)

  it("gives every class a name", function()
    for name, object in pairs { chip = ym.chip.new(), tensor = ym.tensor.new({ 1 }) } do
      assert.equal("ym2612ml." .. name, getmetatable(object).__name)
      assert.is_truthy(tostring(object):find(name))
    end
  end)
end)

describe("the documents", function()
  local types = read("lua/types/ym2612ml.lua")

  it("annotate exactly the functions in C, and name the parts in Lua", function()
    local expected, found = {}, {}
    local function expect(name, value, part)
      if debug.getinfo(value, "S").what == "C" then
        expected["function ym." .. name] = true
      else
        expected["ym." .. part .. " ="] = true
      end
    end
    for name, value in pairs(ym) do
      if type(value) == "function" then
        expect(name, value, name)
      end
      for inner, value_of in pairs(type(value) == "table" and value or {}) do
        if type(value_of) == "function" then
          expect(name .. "." .. inner, value_of, name)
        end
      end
    end
    for line in types:gmatch("[^\n]+") do
      local name = line:match("^(function ym%.[%w_.]+)") or line:match("^ym%.[%w_]+ =")
      if name then
        found[name] = true
      end
    end
    assert.same(expected, found)
  end)

  -- The methods of an object's class, by name.
  local function methods_of(object)
    local index = getmetatable(object).__index
    if type(index) == "function" then -- a tensor's, whose upvalue has the methods
      index = select(2, debug.getupvalue(index, 1))
    end
    local names = {}
    for name, value in pairs(index) do
      if type(value) == "function" and not name:find("^__") then
        names[name] = true
      end
    end
    return names
  end

  -- The methods of a class that have an annotation right above them.
  local function annotated(text, class)
    local names, previous = {}, ""
    for line in text:gmatch("([^\n]*)\n") do
      local name = line:match("^function " .. class .. "[:.]([%w_]+)%(")
      if name and not name:find("^__") and previous:find("^%-%-%-") then
        names[name] = true
      end
      previous = line
    end
    return names
  end

  it("annotate exactly the methods of the classes in C", function()
    local tone = ym.tensor.from { 0, 1, 0, -1, 0, 1, 0, -1 }
    local objects = {
      Chip = ym.chip.new(), Tensor = tone, Rng = ym.rng.new(), Target = ym.target.new(tone),
      Search = ym.search.new({ { target = ym.target.new(tone), held = 0.1 } }, {}),
      Features = ym.features.new { { kind = "mel", size = 64, bands = 8, on = { 0 } } },
      Heads = ym.heads.new { { position = 1, first = 1, width = 1, size = 1 } },
    }
    for class, object in pairs(objects) do
      assert.same(methods_of(object), annotated(types, class), class)
    end
    for class in types:gmatch("\nfunction (%u%w*)[:.]") do
      assert.is_not_nil(objects[class], "not checked here: " .. class)
    end
  end)

  -- A live instrument that plays into nothing.
  local function silent_instrument()
    return require("ym2612ml.live.instrument").new({ close = function() end },
      { patch = support.PATCH, seed = 1, temperature = 1, output = "." })
  end

  -- Objects of what learns from a synthesizer's sounds.
  local function trained_objects()
    local folder = support.new_folder()
    support.finish(ym.synths.steps {
      synth = ym.synths.get "simple_fm", output = folder .. "/data", count = 8, length = 0.01, rate = 4000,
    })
    support.finish(ym.learner.steps {
      model = "fc_linear", data = folder .. "/data", output = folder .. "/model", epochs = 1,
      options = { components = 2 }, front = { size = 16, hop = 16 },
    })
    local set, learner = assert(ym.synths.open(folder .. "/data")), assert(ym.learner.load(folder .. "/model"))
    local rows = assert(ym.store.open_npy(folder .. "/data/train_00001/sounds.npy"))
    local notes = { synth = ym.synths.get "opn2", observable = {}, splits = set.splits }
    notes.splits.train.values = notes.synth:draw(2)
    support.remove_folder(folder)
    return {
      SoundSplit = set.splits.train, Learner = learner, LearnerInput = learner.input, NpyRows = rows,
      MatcherLearner = assert(require("ym2612ml.learner.matcher").new(notes)),
    }
  end

  -- A learned space of patches and what it is made with.
  local function space_objects()
    local folder = support.new_folder()
    local space = tiny.train(folder .. "/space.safetensors")
    support.remove_folder(folder)
    return {
      Space = space, SpaceDrawer = space.drawer, SpaceTeller = space.teller,
      Marginals = require("ym2612ml.space.marginals").fit { support.PATCH },
    }
  end

  it("annotate exactly the methods of the classes in Lua", function()
    local node, recorder
    local net = ym.nn.graph(function(g)
      recorder, node = g, g:input("x", { 2 })
      return { loss = ym.nn.dense(node, 1) }
    end)
    local x = ym.tensor.from { { 1, 2 }, { 3, 5 } }
    local operators = {}
    for _, name in ipairs(require("ym2612ml.core").nn.operators) do
      operators[name] = true -- of nodes: they are annotated all at once, above the class
    end
    local objects = {
      Network = net, Node = node, Recorder = recorder, Optimizer = ym.nn.optimizer(net),
      Pca = ym.pca.fit(x, { components = 1 }), Step = assert(ym.train.steps(net, { x = x }))(),
      Sampler = ym.dataset.sampler { prior = ym.prior.fit {} }, Synth = ym.synths.get "simple_fm",
      Front = require("ym2612ml.networks.fronts").new({ kind = "raw" }, 8000, 100),
      Targets = require("ym2612ml.networks.targets").new(ym.synths.get "simple_fm", { "attack" }, "values"),
      Models = assert(ym.models.load()), Neighbours = assert(ym.models.load()).neighbours,
      Instrument = silent_instrument(),
      Ranks = require("ym2612ml.ranks").new { place = function() return 0, 1, 1, 1 end },
    }
    for _, more in ipairs { trained_objects(), space_objects() } do
      for class, object in pairs(more) do
        objects[class] = object
      end
    end
    local sources, classes = files_below("lua/ym2612ml", "lua"), {}
    for path, text in pairs(sources) do
      for class in text:gmatch("\n%-%-%-@class ym2612ml%.(%w+)") do
        if text:find("\nlocal " .. class .. " = {}\n", 1, true) then
          classes[class] = text
        end
      end
      for class, name in text:gmatch('\n(%w+)%.__name = "ym2612ml%.(%u%w*)"') do
        assert.equal(class, name, path)
      end
    end
    for class, object in pairs(objects) do
      assert.equal("ym2612ml." .. class, getmetatable(object).__name)
      local expected = methods_of(object)
      for name in pairs(class == "Node" and operators or {}) do
        expected[name] = nil
      end
      assert.same(expected, annotated(classes[class] or "", class), class)
    end
    for class in pairs(classes) do
      assert.is_not_nil(objects[class], "not checked here: " .. class)
    end
  end)

  it("name in the README what exists, and every part of it", function()
    local readme = read("README.md")
    for name in readme:gmatch("ym%.([%l%d_]+)") do
      assert.is_not_nil(ym[name], "in the README, but not there: ym." .. name)
    end
    for name in pairs(ym) do
      assert.is_truthy(readme:find("`ym." .. name .. "`", 1, true), "not in the README: ym." .. name)
    end
  end)

  it("stand above every public function in Lua", function()
    local count = 0
    for path, text in pairs(files_below("lua/ym2612ml", "lua")) do
      local previous = ""
      for line in text:gmatch("([^\n]*)\n") do
        if line:find("^function M%.") or line:find("^M%.[%w_]+ = function") then
          assert.is_truthy(previous:find("^%-%-%-"), path .. ": no annotation above: " .. line)
          count = count + 1
        end
        previous = line
      end
    end
    assert.is_true(count > 50)
  end)

  it("name patch fields and formats as the tables have them", function()
    for _, field in ipairs(ym.patch.fields()) do
      local range = ("%d..%d"):format(field.minimum, field.maximum)
      local line = types:match("%-%-%-@field " .. field.name .. "%??%s[^\n]*")
      assert.is_truthy(line, field.name)
      assert.is_truthy(line:find(range, 1, true) or field.maximum == 1 or field.minimum < 0, line)
    end
    for _, format in ipairs(ym.patch.formats()) do
      assert.is_truthy(read("README.md"):find("." .. format.extension, 1, true), format.name)
    end
  end)
end)

describe("what is shipped", function()
  it("fits into 8 MB of models for the first networks, 8 for the matcher, 6 for the space and 24 in all", function()
    local function size_of(path)
      return assert(lfs.attributes(path, "size"), path)
    end
    local names, folder = ym.models.files, "models/"
    local main = size_of(folder .. names.pca) + size_of(folder .. names.prior) + size_of(folder .. names.algorithm)
    for algorithm = 0, 7 do
      main = main + size_of(folder .. names.registers:format(algorithm))
    end
    assert.is_true(main < 8 * 10 ^ 6, ("%d bytes"):format(main))
    local matcher = size_of(folder .. names.matcher) + size_of(folder .. names.neighbours)
    assert.is_true(matcher < 8 * 10 ^ 6, ("%d bytes"):format(matcher))
    assert.is_true(size_of(folder .. names.space) < 6 * 10 ^ 6)
    local all = 0
    for _, text in pairs(files_below("models", "%w+")) do
      all = all + #text
    end
    assert.is_true(all >= main and all < 24 * 10 ^ 6, ("%d bytes"):format(all))
  end)

  it("says in the rockspec what the command requires", function()
    local rockspec = {}
    assert(loadfile("ym2612ml-scm-1.rockspec", "t", rockspec))()
    local listed = table.concat(rockspec.dependencies, " ")
    for _, rock in ipairs { "argparse", "lua-cjson", "luafilesystem" } do
      assert.is_truthy(listed:find(rock, 1, true), rock)
    end
    assert.equal("make", rockspec.build.type)
  end)
end)
