-- How many lines of each reader are run, and which are not, by what the fuzzer kept: of spec/fuzz/corpus, and of
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

-- Of files that do more than read, the functions that read.
local READING = {
  ["patch.lua"] = "M.detect decode_list only_one M.decode M.decode_all read_list M.read M.read_all",
  ["nn/network.lua"] = "check_tensors fill replay rebuild Network:restore M.load",
  ["nn/recorder.lua"] = "M.new",
  ["pca.lua"] = "make suits rebuild M.load Pca:ratios Pca:transform",
  ["shards.lua"] = "read_json is_count index_problem plan M.open self_checksum read_info M.read unreadable",
  ["space/space.lua"] = "is_near are_numbers are_sizes read_description with_weights M.load",
  ["learner/model.lua"] = "read_settings M.new M.load",
  ["networks/fronts.lua"] = "rules_of problem_with numbers_of place_frames M.new",
  ["train/state.lua"] = "are_numbers read_counts read M.restore",
  ["prior.lua"] = "prior_lists is_weights M.problem M.read",
  ["bank.lua"] = "filled patch_of_row split_csv read_table is_table read_file M.read_patches",
  ["vgm/file.lua"] = "u32 unit_at read_text read_tags version_text read_chip M.parse M.load",
  ["vgm/player.lua"] = "measure play M.play",
  ["cli/match/ledger.lua"] = "M.open is_there holds Ledger:find paths_of Ledger:all",
  ["store.lua"] = "count_of string_source file_source is_text_map read_entries repeated_name read_header parse "
    .. "M.load M.decode read_npy_header M.open_npy M.read_npy",
}

-- The lines of a file that can be run and read.
local function lines_of(source)
  local names, number = {}, 0
  for text in io.lines("lua/ym2612ml/" .. source) do
    number = number + 1
    names[number] = text:match "^local function ([%w_]+)" or text:match "^function ([%w_.:]+)"
  end
  local function reads(first)
    local owner
    for line = first, 1, -1 do -- of an inner function, the one around it
      owner = owner or names[line]
    end
    return owner and (" " .. READING[source] .. " "):find(" " .. owner .. " ", 1, true) ~= nil
  end
  local pipe <close> = assert(io.popen("luac5.4 -l -p lua/ym2612ml/" .. source))
  local lines, wanted = {}, false
  for text in pipe:lines() do
    local first = text:match "^%l+ <[^:]*:(%d+),"
    if first then
      wanted = not READING[source] or reads(tonumber(first))
    end
    local line, instruction = text:match "^%s+%d+%s+%[(%d+)%]%s+(%u+%d?)"
    if line and wanted and not SILENT[instruction] then
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

for _, reader in ipairs(readers) do
  local all, covered, missed = 0, 0, {}
  for _, source in ipairs(reader.sources) do
    local here = {}
    for line in pairs(lines_of(source)) do
      all = all + 1
      if run[source] and run[source][line] then
        covered = covered + 1
      else
        here[#here + 1] = line
      end
    end
    table.sort(here)
    if here[1] then
      missed[#missed + 1] = ("%s %s"):format(source, table.concat(here, " "))
    end
  end
  if all > 0 then
    print(("%-12s %4d lines, %5.1f %%%s"):format(reader.name, all, 100 * covered / all,
      missed[1] and ", not " .. table.concat(missed, ", ") or ""))
  end
end
