-- Compares ym.render and the canonical form with the six-channel chip over random
-- patches and notes:   lua5.4 spec/fuzz/render.lua [count] [seed]
package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local ym = require "ym2612ml"
local support = require "spec.support"

local count, seed = tonumber(arg[1] or 10000), tonumber(arg[2] or 1)
local rng = ym.rng.new { seed = seed }
local samples, differing = 0, 0
for case = 1, count do
  local patch = support.random_patch(rng)
  local note = support.random_note(rng, case % 10 == 0 and 30000 or 2500)
  local expected = support.on_chip(patch, note)
  samples = samples + #expected // 2
  if support.rendered(patch, note) ~= expected
    or support.rendered(ym.patch.canonical(patch), note) ~= expected then
    differing = differing + 1
    print(("case %d of seed %d differs"):format(case, seed))
  end
end
print(("render: %d patches, %d samples, seed %d: %d patches differ"):format(count, samples, seed, differing))
os.exit(differing == 0 and 0 or 1)
