-- A data set on the disk, small: made in shards, opened again, and looked at. Stop it and
-- call it again: it goes on where it stopped. `ym2612ml dataset` makes the large ones.
local ym = require "ym2612ml"

local folder = os.tmpname()
os.remove(folder)

for step, message in ym.dataset.steps { output = folder, count = 600, shard_records = 256, seed = 1 } do
  assert(step, message)
  print(("%-7s %-12s %4d of %d"):format(step.stage, step.shard or "", step.done, step.total))
  if step.summary then
    print(("left out: %d that cannot be heard"):format(step.summary.dropped.silent))
  end
end

-- Shard by shard, so that it may be larger than the memory. The first features are
-- the mel bands of the first frame: which band is the loudest, by algorithm?
local set = assert(ym.dataset.open(folder))
local bands = set.recipe[1].bands
local sum, count = {}, {}
for _, shard in ipairs(set.shards) do
  local arrays = assert(ym.dataset.read(shard))
  for i, patch in ipairs(ym.patch.unpack(arrays.patches)) do
    local frame, loudest = arrays.features[i]:slice(1, bands), 1
    for band = 2, bands do
      loudest = frame[band] > frame[loudest] and band or loudest
    end
    local algorithm = patch.algorithm
    sum[algorithm] = (sum[algorithm] or 0) + loudest
    count[algorithm] = (count[algorithm] or 0) + 1
  end
end
for algorithm = 0, 7 do
  if count[algorithm] then
    print(("algorithm %d: %3d notes, loudest band %4.1f of %d"):format(algorithm, count[algorithm],
      sum[algorithm] / count[algorithm], bands))
  end
end

for _, shard in ipairs(set.shards) do
  for _, name in ipairs { "patches.npy", "notes.npy", "held.npy", "features.npy", "shard.json" } do
    os.remove(shard.path .. "/" .. name)
  end
  os.remove(shard.path)
end
os.remove(folder .. "/index.json")
os.remove(folder)
