-- Runs a command again and again, and lets another of its changes to a folder fail each
-- time (writes.c): at every point there must be the old file or the new one, a message
-- that names the path and the reason, and a way on by the same command.
local cjson = require "cjson"
local lfs = require "ym2612ml.filesystem"
local support = require "spec.support"

local M = {}

M.program = ".build/faults/writes"

--- What can happen to a call. `writes`: only to one that writes bytes; `named`: only to
--- one that is given a path.
M.kinds = {
  { name = "ENOSPC" }, { name = "EACCES", named = true }, { name = "EIO" },
  { name = "half", writes = true }, { name = "short", writes = true }, { name = "vanish" },
}

local REASONS = {
  "No space left on device", "Permission denied", "Input/output error", "No such file or directory",
  "there is no such folder",
}

local WRITES = { write = true, pwrite64 = true }
local UNNAMED = {
  write = true, pwrite64 = true, writev = true, pwritev = true, fsync = true, fdatasync = true, ftruncate = true,
  fallocate = true, close = true,
}
local REMOVES = { unlink = true, unlinkat = true, rmdir = true }
local TEMPORARY = "%.ym2612ml%-[^/]*$"

--- Whether this machine lets a program be watched so.
---@return boolean
function M.possible()
  local folder = support.new_folder()
  local _, _, status = support.run(M.program .. " @ 0 none @/record true", folder)
  support.remove_folder(folder)
  return status == 0
end

local function shell(text, ...)
  assert(os.execute(text:format(...)))
end

local function exists(path)
  return lfs.symlinkattributes(path, "mode") ~= nil
end

-- The calls of a record, and how the program ended.
local function read_record(path)
  local points, ending = {}, nil
  for line in io.lines(path) do
    local name, where = line:match("^%d+ (%S+) (.*)$")
    points[#points + 1] = name and { name = name, path = where } or nil
    ending = not name and line or ending
  end
  return points, ending
end

local Sweep = {}
Sweep.__index = Sweep

-- Puts the watched folder back to where the command starts from.
function Sweep:reset()
  shell("rm -rf '%s' '%s.gone'", self.out, self.out)
  if exists(self.old) then
    shell("cp -a '%s' '%s'", self.old, self.out)
  end
end

-- Runs the command; call number `point` fails.
function Sweep:run(point, kind)
  local record = self.folder .. "/record"
  local _, complaint, status = support.run(
    ("%s %s %d %s %s %s"):format(M.program, self.out, point, kind, record, self.command), self.folder)
  local points, ending = read_record(record)
  return { status = status, complaint = complaint, points = points, ending = ending }
end

-- The files in a folder, which may not be there.
local function files_in(folder)
  return exists(folder) and support.snapshot(folder) or {}
end

-- What the command does undisturbed: its calls, the files at the end, all contents that a
-- file has had by its name, and the files that differ from run to run.
function Sweep:learn()
  self:reset()
  local run = self:run(0, "none")
  assert(run.status == 0, run.complaint)
  self.points, self.final, self.contents, self.varying = run.points, files_in(self.out), {}, {}
  self.usual = {}
  for line in run.complaint:gmatch("[^\n]+") do
    self.usual[line] = true
  end
  local function know(name, bytes)
    self.contents[name] = self.contents[name] or {}
    self.contents[name][bytes] = true
  end
  for number, point in ipairs(run.points) do
    local kept = ("%s/record.%d"):format(self.folder, number)
    if exists(kept) then
      know(point.path:match("[^/]*$"), support.read_file(kept))
      os.remove(kept)
    end
  end
  self:reset()
  self.before = files_in(self.out)
  for _, files in ipairs { self.before, self.final } do
    for path, bytes in pairs(files) do
      know(path:match("[^/]*$"), bytes)
    end
  end
  run = self:run(0, "none")
  assert(#run.points == #self.points, "another run makes other calls")
  os.execute(("rm -f '%s'/record.*"):format(self.folder))
  for path, bytes in pairs(files_in(self.out)) do
    self.varying[path] = bytes ~= self.final[path] or nil
  end
  for _, path in ipairs(self.timed) do
    self.varying[path] = true
  end
end

-- Whether a file that differs from run to run is whole, as far as can be told.
local function is_whole(path, bytes, final)
  if path:find "%.json$" then
    return pcall(cjson.decode, bytes)
  end
  local _, lines = bytes:gsub("\n", "")
  local _, expected = (final or ""):gsub("\n", "")
  return lines == expected and bytes:sub(-1) == (final or ""):sub(-1)
end

-- What is wrong with a file that a failed run left.
function Sweep:file_problem(path, bytes, vanished)
  local name = path:match("[^/]*$")
  if name:find(TEMPORARY) then
    return not vanished and "leaves " .. path or nil
  elseif name == "lock" and bytes == "" then
    return nil
  elseif self.varying[path] then
    return not is_whole(path, bytes, self.final[path]) and path .. " is no whole file" or nil
  elseif name:find "%.jsonl$" then -- added to line by line, and read to the last whole one
    return self.final[path]:sub(1, #bytes) ~= bytes and path .. " is no beginning" or nil
  elseif not (self.contents[name] or {})[bytes] then
    return path .. " is neither old nor new"
  end
end

-- What a run says on stderr that it does not say undisturbed.
function Sweep:complaints(run)
  local lines = {}
  for line in run.complaint:gmatch("[^\n]+") do
    lines[#lines + 1] = not self.usual[line] and line or nil
  end
  return lines
end

-- What is wrong with the message of a run that failed. Of a temporary file it must name one
-- of the same folder, and where a folder vanished any of it.
function Sweep:message_problem(run, kind, point)
  local lines = self:complaints(run)
  local named = point.path:gsub(TEMPORARY, "")
  if kind == "vanish" then
    named = self.out
  end
  if #lines == 0 or #lines > 1 and kind ~= "vanish" then
    return ("%d lines on stderr"):format(#lines)
  end
  for _, line in ipairs(lines) do
    local reasoned = false
    for _, reason in ipairs(REASONS) do
      reasoned = reasoned or line:find(reason, 1, true)
    end
    if not line:find(named, 1, true) then
      return "no such path on stderr"
    elseif not reasoned then
      return "no reason on stderr"
    end
  end
end

-- What is wrong after a run in which a call failed; nil: nothing.
function Sweep:problem(run, kind, point)
  if run.status > 1 or not run.ending or run.ending:find "signal" then
    return ("ends with status %d"):format(run.status)
  elseif run.complaint:find("traceback", 1, true) or run.complaint:find("%.lua:%d+:") then
    return "tells of its own source"
  end
  local vanished = exists(self.out .. ".gone")
  local folders = vanished and { self.out .. ".gone", self.out } or { self.out }
  for _, folder in ipairs(folders) do
    for path, bytes in pairs(files_in(folder)) do
      local problem = self:file_problem(path, bytes, vanished)
      if problem then
        return problem
      end
    end
  end
  for path in pairs(self.before) do
    if self.final[path] and not exists(folders[1] .. path) and not exists(self.out .. path) then
      return path .. " is lost"
    end
  end
  if run.status == 1 then
    return self:message_problem(run, kind, point)
  end
  -- a file that could not be removed, only the next run can
  return self:final_problem(exists(self.out) and self.out or folders[1], REMOVES[point.name])
end

-- What is wrong with the files at the end; more: there may be others besides.
function Sweep:final_problem(folder, more)
  local found = files_in(folder)
  for path, bytes in pairs(self.final) do
    if not found[path] then
      return path .. " is missing at the end"
    elseif bytes ~= found[path] and not self.varying[path] then
      return path .. " is another at the end"
    end
  end
  for path in pairs(found) do
    if not self.final[path] and not more then
      return path .. " is left at the end"
    end
  end
end

-- Lets one call fail, and runs the command again. Returns how it ended, "spared" where that
-- run made fewer calls, as one that writes by the clock may, and what is wrong.
function Sweep:try(point, kind)
  self:reset()
  local run = self:run(point, kind)
  local problem = self:problem(run, kind, self.points[point])
  if exists(self.out .. ".gone") then
    shell("rm -rf '%s' && mv '%s.gone' '%s'", self.out, self.out, self.out)
  end
  local outcome = not run.points[point] and "spared" or run.status == 0 and "whole" or "refused"
  local _, complaint, status = support.run(self.command, self.folder)
  if not problem and status ~= 0 then
    problem = "the next run: " .. complaint
  elseif not problem then
    problem = self:final_problem(self.out)
    problem = problem and "after the next run, " .. problem
  end
  return outcome, problem, run
end

--- Sweeps one command from one start.
---@param case table  command: with @ for the folder of the work, which changes @/out;
---  set_up: commands that make what it reads; old: commands that make what is in @/out
---  before; start: "empty" or "old"; timed: files that tell how long they took, also where a
---  run from this start leaves them alone
---@param every? integer  only every so many of the points, others for each kind of failure
---@param report fun(result: table)  called for each kind with name, start, kind, points,
---  refused, whole (how many runs ended well), spared, problems
function M.sweep(case, every, report)
  local folder = support.new_folder()
  local sweep = setmetatable({ folder = folder, out = folder .. "/out", old = folder .. "/old",
    command = case.command, timed = case.timed or {} }, Sweep)
  local function run_all(commands)
    for _, command in ipairs(commands or {}) do
      local _, complaint, status = support.run(command, folder)
      assert(status == 0, complaint)
    end
  end
  run_all(case.set_up)
  run_all(case.start == "old" and case.old or case.empty)
  if exists(sweep.out) then
    shell("mv '%s' '%s'", sweep.out, sweep.old)
  end
  sweep:learn()
  every = every or 1
  for place, kind in ipairs(M.kinds) do
    local result = { name = case.name, start = case.start, kind = kind.name, points = 0, refused = 0, whole = 0,
      spared = 0, problems = {} }
    for number = (place - 1) % every + 1, #sweep.points, every do
      local point = sweep.points[number]
      if not (kind.writes and not WRITES[point.name] or kind.named and UNNAMED[point.name]) then
        local outcome, problem, run = sweep:try(number, kind.name)
        result.points = result.points + 1
        result[outcome] = result[outcome] + 1
        result.problems[#result.problems + 1] = problem and ("%s (%s, start %s), call %d, %s %s: %s\n    %s"):format(
          case.name, kind.name, case.start, number, point.name, point.path, problem,
          table.concat(sweep:complaints(run), "\n    ")) or nil
      end
    end
    report(result)
  end
  support.remove_folder(folder)
end

return M
