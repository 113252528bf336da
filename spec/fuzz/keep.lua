-- Keeps of the inputs that `make fuzz` (without REAL, whose files are not ours) found the few
-- that reach the most, in spec/fuzz/corpus:   lua5.4 spec/fuzz/keep.lua [reader ...]
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local files = require "ym2612ml.files"
local lfs = require "lfs"
local readers = require "spec.fuzz.readers"
local support = require "spec.support"

local MOST = 16000 -- bytes for a reader
local FOLDER = ".build/fuzz"

-- Moves the smallest files of a folder into another, as far as there is room.
local function move_smallest(from, to)
  local list, sizes, used = support.listed(from), {}, 0
  for _, name in ipairs(list) do
    sizes[name] = lfs.attributes(from .. "/" .. name, "size")
  end
  table.sort(list, function(a, b)
    return sizes[a] < sizes[b] or sizes[a] == sizes[b] and a < b
  end)
  for _, name in ipairs(list) do
    used = used + sizes[name]
    if used <= MOST or name == list[1] then
      assert(files.write(to .. "/" .. name, support.read_file(from .. "/" .. name)))
    end
  end
end

for _, name in ipairs(readers.chosen(arg)) do
  local scratch, kept = support.new_folder(), "spec/fuzz/corpus/" .. name
  local merged = scratch .. "/merged"
  assert(lfs.mkdir(merged))
  assert(os.execute(([[FUZZ_READER=%s FUZZ_FILE=%s/%s ASAN_OPTIONS=malloc_context_size=0 %s/readers -merge=1 \
    -detect_leaks=0 -max_len=4096 %s %s/corpus/%s %s/seeds/%s >%s/log/%s 2>&1]]):format(name, scratch,
    readers.file_name(name), FOLDER, merged, FOLDER, name, FOLDER, name, FOLDER, name)))
  support.remove_folder(kept)
  assert(files.make_folder(kept))
  move_smallest(merged, kept)
  support.remove_folder(scratch)
end
