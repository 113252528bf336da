-- New patches out of the learned space: drawn, completed, varied, and on the way from one to
-- another.
local ym = require "ym2612ml"

local space = assert(ym.space.shipped())

-- Patches that nobody has made, of an algorithm of two pairs.
local list = space:generate(4, { lock = { algorithm = 4 }, seed = 3 })
for i, patch in ipairs(list) do
  print(("drawn %d: algorithm %d, feedback %d, multiples %d %d %d %d"):format(i, patch.algorithm, patch.feedback,
    patch[1].mul, patch[2].mul, patch[3].mul, patch[4].mul))
end

-- The pair of operators 1 and 2 stays, the other one is drawn to go with it.
local lock = { algorithm = 4, feedback = list[1].feedback, [1] = list[1][1], [2] = list[1][2] }
for i, patch in ipairs(space:complete(lock, { count = 3 })) do
  print(("completed %d: operators 3 and 4 at levels %d and %d"):format(i, patch[3].tl, patch[4].tl))
end

-- Near a patch, and nearer.
for _, strength in ipairs { 0.1, 0.4 } do
  local varied = space:vary(list[1], { strength = strength, count = 1 })[1]
  local left, right = ym.render(list[1]), ym.render(varied)
  print(("varied by %g: D %.2f"):format(strength, assert(ym.distance(left, right))))
end

-- The way from one to another, written as a bank.
local way = space:interpolate(list[1], list[2], { steps = 16 })
local path = os.tmpname() .. ".wopn"
assert(ym.patch.write(path, way))
print(("%d patches from one to the other"):format(#assert(ym.patch.read_all(path))))
os.remove(path)
