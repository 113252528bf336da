-- Runs the fuzzer on every reader, one after the other, or on those that are named:
--   RUNS=inputs SECONDS=at most REAL=folder lua5.4 spec/fuzz/run.lua [reader ...]
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local files = require "ym2612ml.files"
local readers = require "spec.fuzz.readers"
local support = require "spec.support"

local FOLDER = ".build/fuzz"
local LONGEST_INPUT = 4096 -- bytes
local OPTIONS = "-timeout=10 -rss_limit_mb=2048 -detect_leaks=0 -print_final_stats=1 -max_len=" .. LONGEST_INPUT

local function set(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

local function run(command)
  return (os.execute(command))
end

for _, name in ipairs { "seeds", "corpus", "found", "log" } do
  assert(files.make_folder(FOLDER .. "/" .. name))
end
assert(run(("lua5.4 spec/fuzz/seeds.lua %s/seeds '%s'"):format(FOLDER, set "REAL" or "")))

local failed = 0
for _, name in ipairs(readers.chosen(arg)) do
  local scratch = support.new_folder()
  local corpus, log = ("%s/corpus/%s"):format(FOLDER, name), ("%s/log/%s"):format(FOLDER, name)
  assert(files.make_folder(corpus))
  assert(files.make_folder("spec/fuzz/corpus/" .. name))
  local fine = run(([[FUZZ_READER=%s FUZZ_FILE=%s/%s ASAN_OPTIONS=malloc_context_size=0:quarantine_size_mb=1 \
    %s/readers %s -runs=%s -max_total_time=%s -artifact_prefix=%s/found/%s- %s %s/seeds/%s spec/fuzz/corpus/%s \
    >%s 2>&1]]):format(name, scratch, readers.file_name(name), FOLDER, OPTIONS, set "RUNS" or "1000000",
    set "SECONDS" or "0", FOLDER, name, corpus, FOLDER, name, name, log))
  local text = support.read_file(log)
  local problem = not fine and (text:match "finding: [^\n]*" or "see " .. log)
  print(("%-12s %9s inputs, %6s a second%s"):format(name, text:match "number_of_executed_units: (%d+)" or "?",
    text:match "average_exec_per_sec: +(%d+)" or "?", problem and ": " .. problem or ""))
  failed = failed + (fine and 0 or 1)
  support.remove_folder(scratch)
end
os.exit(failed == 0)
