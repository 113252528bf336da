-- Every request for memory, and every start of a thread, fails once; then it and all after
-- it; then random ones:   .build/faults/allocations spec/faults/allocations.lua [points] [section]
-- points: at most so many of a section are tried in each way, spread evenly, and as many seeds
-- of random failures; default all, and 60 seeds. section: part of its name, or "loading".
-- Prints how many points each section has and how its runs ended: `raised` Lua's "not enough
-- memory", `told` nil, message and kind, `survived` with the result of a run without failures.
-- Anything else is a fault, as is what a run leaves behind: memory, open files, temporary
-- files, or a state in which the next run comes to something else.
local root = os.getenv "YM_CPATH" or "./lua/?.so"
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = root .. ";" .. package.cpath
local lfs = require "lfs"
local session = require "spec.faults.session"
local support = require "spec.support"
local ym = require "ym2612ml"

local faults = assert(rawget(_G, "faults"), "to be run by spec/faults/allocations.c")
local most, only = tonumber(arg[1] or "") or math.huge, arg[2]
local CHECKED = { lua = 64, module = 8, threads = 1, all = 16 } -- runs between two looks at the state
local SEEDS, SHARES = 60, { 0.001, 0.01, 0.1 } -- of random failures, and how many requests they are
local LOADING = 50 -- the stride through the requests of loading the whole module

local found_faults = 0

local function fault(...)
  found_faults = found_faults + 1
  if found_faults <= 100 then
    print("  FAULT " .. string.format(...))
  end
end

local function open_files()
  local count = 0
  for _ in lfs.dir "/proc/self/fd" do
    count = count + 1
  end
  return count
end

-- Names in a folder and those within that no section gives.
local function temporaries(folder, found)
  for name in lfs.dir(folder) do
    local path = folder .. "/" .. name
    if name ~= "." and name ~= ".." then
      if name:sub(1, 1) == "." or name:find("tmp", 1, true) then
        found[#found + 1] = path
      elseif lfs.attributes(path, "mode") == "directory" then
        temporaries(path, found)
      end
    end
  end
  return found
end

-- Lua's own libraries have other words where it is the stack that cannot grow.
local function is_out_of_memory(message)
  return message:find("not enough memory$") or message:find("too many results to unpack$")
    or message:find("stack overflow", 1, true)
end

-- How a run with failures ended: raised, told or survived; or a fault, in words. No file is
-- damaged and no sound is silent for want of memory: what is told is told of kind "io".
local function outcome_of(status, refused, result, expected)
  if status == "ok" then
    return result == expected and "survived" or nil, ("came to %s, not to %s"):format(result, expected)
  elseif getmetatable(result) == session.Failure then
    local fine = result.kind == "io" and refused > 0 and tostring(result.message):find("memory", 1, true)
    return fine and "told" or nil, ("told %s, kind %s"):format(result.message, result.kind)
  end
  local fine = refused > 0 and is_out_of_memory(tostring(result))
  return fine and "raised" or nil, ("raised %s"):format(result)
end

local Sweep = {}
Sweep.__index = Sweep

-- Runs without failures, so that what is made once is there.
local function new_sweep(section, folder)
  local self = setmetatable({ section = section, folder = folder, runs = 0, counts = {} }, Sweep)
  section.before()
  self.expected = section.run()
  return self
end

-- Blocks of the module, and files, that are there when the collector is done.
local function held()
  collectgarbage()
  collectgarbage()
  return faults.alive(), open_files()
end

function Sweep:requests(what)
  self.section.before()
  return (select(2, faults.attempt(what, "once", math.maxinteger, self.section.run)))
end

-- Looks at what the last runs left, and whether the state still works.
function Sweep:look(where)
  self.section.before()
  local fine, result = pcall(self.section.run)
  if not fine or result ~= self.expected then
    fault("%s, %s: the next run came to %s, not to %s", self.section.name, where,
      type(result) == "table" and result.message or result, self.expected)
  end
  local alive, open = held()
  if alive ~= self.alive then
    fault("%s, %s: %d blocks are alive, not %d", self.section.name, where, alive, self.alive)
    self.alive = alive
  end
  if open ~= self.open then
    fault("%s, %s: %d files are open, not %d", self.section.name, where, open, self.open)
    self.open = open
  end
  for _, path in ipairs(temporaries(self.folder, {})) do
    fault("%s, %s: left %s", self.section.name, where, path)
    os.remove(path)
  end
end

-- One run with failures; returns whether there was one.
function Sweep:try(what, how, number)
  self.section.before()
  local status, _, refused, result = faults.attempt(what, how, number, self.section.run)
  local outcome, problem = outcome_of(status, refused, result, self.expected)
  local where = ("%s %s %d"):format(what, how, number)
  if not outcome then
    fault("%s, %s: %s", self.section.name, where, problem)
    outcome = "faults"
  end
  if refused > 0 then
    self.counts[outcome] = (self.counts[outcome] or 0) + 1
    self.runs = self.runs + 1
    if self.runs % CHECKED[what] == 0 then
      self:look(where)
    end
  end
  return refused > 0
end

function Sweep:told()
  local counts = self.counts
  return ("%d raised, %d told, %d survived%s"):format(counts.raised or 0, counts.told or 0, counts.survived or 0,
    counts.faults and (", %d FAULTS"):format(counts.faults) or "")
end

local totals = { points = 0, tried = 0, runs = 0, raised = 0, told = 0, survived = 0, faults = 0 }

local function add_up(counts)
  for name, count in pairs(counts) do
    totals[name], totals.runs = totals[name] + count, totals.runs + count
  end
end

local function sweep_section(sweep)
  local started, section, points = ym.clock(), sweep.section, {}
  sweep.alive, sweep.open = held()
  for _, what in ipairs { "lua", "module", "threads" } do
    local count = sweep:requests(what)
    points[#points + 1] = count
    local stride = math.max(section.stride, math.ceil(count / most))
    totals.points, totals.tried = totals.points + count, totals.tried + math.ceil(count / stride)
    for _, how in ipairs { "once", "onwards" } do
      local number = stride == 1 and 1 or 1 + sweep.runs % stride
      while sweep:try(what, how, number) do
        number = number + stride
      end
    end
    if count > 0 then
      sweep:look("after " .. what)
    end
  end
  if faults.leaks() then
    fault("%s: leaks", section.name)
  end
  add_up(sweep.counts)
  print(("%-16s %5d lua %4d module %d threads%s: %s, %.0f s"):format(section.name, points[1], points[2], points[3],
    section.stride > 1 and (" (every %d)"):format(section.stride) or "", sweep:told(), ym.clock() - started))
end

-- Random failures of every kind at once, in all sections in turn.
local function random_failures(sweeps)
  local seeds = #sweeps * math.min(SEEDS, most)
  for _, sweep in ipairs(sweeps) do
    sweep.counts = {}
  end
  for seed = 1, seeds do
    sweeps[seed % #sweeps + 1]:try("all", SHARES[seed // #sweeps % #SHARES + 1], seed)
  end
  local sum = { counts = {} }
  for _, sweep in ipairs(sweeps) do
    sweep:look("after random failures")
    add_up(sweep.counts)
    for name, count in pairs(sweep.counts) do
      sum.counts[name] = (sum.counts[name] or 0) + count
    end
  end
  print(("%d seeds of random failures: %s"):format(seeds, Sweep.told(sum)))
end

-- The start of a state, the libraries, the core and, in larger strides, the whole module.
local function sweep_loading()
  local open = ("package.path, package.cpath = %q, %q "):format(package.path, package.cpath)
  for _, name in ipairs { "ym2612ml.core", "ym2612ml" } do
    local text = ("require '%s'"):format(name)
    local _, requests = faults.fresh("lua", "once", math.maxinteger, open .. text)
    local stride = math.max(1, math.ceil(requests / most), name == "ym2612ml" and LOADING or 1)
    local counts, alive = {}, faults.alive()
    for _, how in ipairs { "once", "onwards" } do
      for number = 1, requests, stride do
        local status, _, refused, result = faults.fresh("lua", how, number, open .. text)
        local outcome, problem = outcome_of(status, refused, result, result)
        if not outcome then
          fault("load %s, %s %d: %s", name, how, number, problem)
          outcome = "faults"
        end
        counts[outcome] = (counts[outcome] or 0) + 1
      end
    end
    if faults.alive() ~= alive then
      fault("load %s: %d blocks are alive, not %d", name, faults.alive(), alive)
    end
    totals.points, totals.tried = totals.points + requests, totals.tried + math.ceil(requests / stride)
    add_up(counts)
    print(("loading %-13s %5d lua, every %d: %s"):format(name, requests, stride,
      Sweep.told { counts = counts }))
  end
end

local folder = support.new_folder()
io.stdout:setvbuf "line"
local sweeps = {}
for _, section in ipairs(session.sections(ym, folder)) do
  if not only or section.name:find(only, 1, true) then
    sweeps[#sweeps + 1] = new_sweep(section, folder)
  end
end
for _, sweep in ipairs(sweeps) do
  sweep_section(sweep)
end
random_failures(sweeps)
if not only or only == "loading" then
  sweep_loading()
end
support.remove_folder(folder)
print(("%d of %d points, %d runs: %d raised, %d told, %d survived; %d faults"):format(totals.tried, totals.points,
  totals.runs, totals.raised, totals.told, totals.survived, found_faults))
if found_faults > 0 then
  error("faults were found", 0)
end
