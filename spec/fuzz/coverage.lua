-- Which lines of the readers are run by what the fuzzer kept: of spec/fuzz/corpus, and of
-- .build/fuzz/corpus, its own, and .build/fuzz/seeds where they are. Of the lines of C gcov tells.
--   lua5.4 spec/fuzz/coverage.lua [folder with inputs of each reader ...]
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = "./.build/fuzz/coverage/?.so;./lua/?.so;" .. package.cpath

local run = {} -- lines that were run, by file
debug.sethook(function(_, line)
  local source = debug.getinfo(2, "S").source:match "^@%./lua/ym2612ml/(.*)"
  if source then
    run[source] = run[source] or {}
    run[source][line] = true
  end
end, "l")

local readers = require "spec.fuzz.readers"
local lfs = require "lfs"
local support = require "spec.support"
local traps = require "spec.fuzz.traps"

-- Instructions that say nothing of a line where there are no others: ends of functions.
local SILENT = { RETURN = true, RETURN0 = true, RETURN1 = true, VARARGPREP = true, JMP = true, CLOSE = true }

-- The lines of a file that can be run.
local function lines_of(source)
  local pipe <close> = assert(io.popen("luac5.4 -l -p lua/ym2612ml/" .. source))
  local lines = {}
  for text in pipe:lines() do
    local line, instruction = text:match "^%s+%d+%s+%[(%d+)%]%s+(%u+%d?)"
    if line and not SILENT[instruction] then
      lines[tonumber(line)] = true
    end
  end
  return lines
end

local function give(reader, folder, inner)
  if not lfs.attributes(inner) then
    return
  end
  for _, name in ipairs(support.listed(inner)) do
    local bytes = support.read_file(inner .. "/" .. name)
    local path = folder .. "/" .. readers.file_name(reader.name)
    support.write_file(path, bytes)
    local open = traps.set()
    readers.try(reader.name, bytes, path)
    open()
  end
end

local folder = support.new_folder()
for _, reader in ipairs(readers) do
  for _, place in ipairs(arg[1] and arg or { "spec/fuzz/corpus", ".build/fuzz/corpus", ".build/fuzz/seeds" }) do
    give(reader, folder, place .. "/" .. reader.name)
  end
end
debug.sethook()
support.remove_folder(folder)

local told = {}
for _, reader in ipairs(readers) do
  for _, source in ipairs(reader.sources) do
    if not told[source] then
      told[source] = true
      local all, covered, missed = 0, 0, {}
      for line in pairs(lines_of(source)) do
        all = all + 1
        if run[source] and run[source][line] then
          covered = covered + 1
        else
          missed[#missed + 1] = line
        end
      end
      table.sort(missed)
      print(("%-24s %4d lines, %5.1f %%%s"):format(source, all, 100 * covered / all,
        missed[1] and ", not " .. table.concat(missed, " ") or ""))
    end
  end
end
