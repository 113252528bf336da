-- Compares ym.render, the canonical form and ym.render_batch at every level of the CPU's
-- instructions with the six-channel chip, over random patches and notes:
--   lua5.4 spec/fuzz/render.lua [count] [seed]
package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
local ym = require "ym2612ml"
local support = require "spec.support"

local count, seed = tonumber(arg[1] or 10000), tonumber(arg[2] or 1)
local rng = ym.rng.new { seed = seed }
local samples, differing = 0, {}

local function report(name, case)
  differing[name] = (differing[name] or 0) + 1
  print(("%s: case %d of seed %d differs"):format(name, case, seed))
end

-- Random patches and notes, and what the chip makes of them.
local function draw_batch(first, last)
  local list, notes, expected = {}, {}, {}
  for case = first, last do
    local i = case - first + 1
    list[i] = support.random_patch(rng)
    notes[i] = support.random_note(rng, case % 10 == 0 and 30000 or case % 3 == 0 and 12 or 2500)
    expected[i] = support.on_chip(list[i], notes[i])
    samples = samples + #expected[i] // 2
  end
  return list, notes, expected
end

local levels = support.levels()
local first = 1
while first <= count do
  local last = math.min(first + rng:integer(1, 1200) - 1, count)
  local list, notes, expected = draw_batch(first, last)
  for i, patch in ipairs(list) do
    if support.rendered(patch, notes[i]) ~= expected[i]
      or support.rendered(ym.patch.canonical(patch), notes[i]) ~= expected[i] then
      report("render", first + i - 1)
    end
  end
  for _, level in ipairs(levels) do
    ym.simd(level)
    for i, bytes in ipairs(support.rendered_batch(list, notes)) do
      if bytes ~= expected[i] then
        report(level, first + i - 1)
      end
    end
  end
  first = last + 1
end

local bad = 0
table.insert(levels, 1, "render")
for _, name in ipairs(levels) do
  bad = bad + (differing[name] or 0)
  print(("%-8s: %d patches, %d samples, seed %d: %d patches differ"):format(
    name, count, samples, seed, differing[name] or 0))
end
os.exit(bad == 0 and 0 or 1)
